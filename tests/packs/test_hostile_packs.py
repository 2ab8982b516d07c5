"""Packs made to harm are refused in one line within a second, and write nothing anywhere."""

from __future__ import annotations

import contextlib
import hashlib
import json
import stat
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import promptly
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgebench import resources
from edgebench.derive import cache
from edgebench.errors import UsageError
from edgebench.packs import unpack, write

sys.path.insert(0, str(Path(__file__).parent))
from tampered import Members, content, plus, rebuilt, renamed, stored, tiny, toml, twice

LIMIT_S = 1.0


def told(**changes: object) -> Callable[[Path], object]:
    """Another word about the workload in the manifest."""
    return lambda path: rebuilt(path, lambda _, manifest: manifest["folders"][0].update(changes))


def about(data: bytes) -> Callable[[Path], object]:
    """Another manifest."""
    return lambda path: rebuilt(path, lambda members, _: members.update({"manifest.json": data}))


def added(path: Path, name: str, data: bytes, *, kind: str, folder: str) -> None:
    """A folder more, of which the manifest knows."""
    digest = hashlib.sha256(data).hexdigest()
    file = {"path": name, "size_byte": len(data), "sha256": digest}

    def change(members: Members, manifest: dict[str, Any]) -> None:
        members[f"{kind}/{folder}/{name}"] = data
        manifest["folders"].append({"kind": kind, "name": folder, "files": [file]})

    rebuilt(path, change)


def entry(source: str = "0" * 64, *, key: str = "", **changes: object) -> Callable[[Path], object]:
    """A derived model of no workload in the pack."""

    def make(path: Path) -> None:
        model = b"derived"
        manifest = {
            "workload": "tiny",
            "from_sha256": source,
            "format": "mnn",
            "precision": "fp32",
            "view": "",
            "file": "model.mnn",
            "sha256": hashlib.sha256(model).hexdigest(),
            "size_byte": len(model),
            "tools": {},
            "derived_at_utc": "2026-01-01T00:00:00Z",
            "edgebench_version": "0",
            **changes,
        }
        name = key or msgspec.convert(manifest, cache.Manifest).key
        files = {"model.mnn": model, cache.MANIFEST: json.dumps(manifest).encode()}

        def change(members: Members, whole: dict[str, Any]) -> None:
            listed = []
            for file, data in files.items():
                members[f"derived/{name}/{file}"] = data
                digest = hashlib.sha256(data).hexdigest()
                listed.append({"path": file, "size_byte": len(data), "sha256": digest})
            whole["folders"].append({"kind": "derived", "name": name, "files": listed})

        rebuilt(path, change)

    return make


def link(path: Path) -> None:
    """A member that is a symbolic link, and that the manifest names."""
    data = b"/etc/passwd"
    content("reference.npz", data)(path)
    with zipfile.ZipFile(path) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    for info, _ in members:
        if info.filename.endswith("reference.npz"):
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
    stored(path, *members)


def encrypted(path: Path) -> None:
    """Members whose flags say that they are encrypted."""
    data = bytearray(path.read_bytes())
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(sign)
        while place >= 0:
            data[place + at] |= 1
            place = data.find(sign, place + 1)
    path.write_bytes(data)


def lying(path: Path) -> None:
    """A member that declares 2 GiB."""
    data = path.read_bytes()
    at = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    lie = struct.pack("<II", 2 << 30, 2 << 30)
    path.write_bytes(data[: at + 20] + lie + data[at + 28 :])


def crowd(path: Path) -> None:
    """More members than a pack may have."""
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(5000):
            archive.writestr(f"n{number}", b"")


def endless(path: Path) -> None:
    """A directory of a million members, which takes seconds to read."""
    data = path.read_bytes()
    one = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, 10**6 * len(one), len(data), 0)
    path.write_bytes(data + one * 10**6 + end)


def endless64(path: Path) -> None:
    """The same, told by the 64-bit record alone."""
    data = path.read_bytes()
    one = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    size, start = 10**6 * len(one), len(data)
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 10**6, 10**6, size, start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, start + size, 1)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, 47, start, 0)
    path.write_bytes(data + one * 10**6 + record + locator + end)


def endless64_twice(path: Path) -> None:
    """And another such record, a modest one, which the locator names: Python 3.13 passes it by."""
    endless64(path)
    data = path.read_bytes()
    modest = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 47, 0)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1)
    path.write_bytes(modest + data[:-42] + locator + data[-22:])


def toml_cut(path: Path) -> None:
    """A workload.toml without files."""
    with zipfile.ZipFile(path) as archive:
        text = archive.read("workloads/tiny/workload.toml").decode()
    content("workload.toml", text.split("[reference]")[0].encode())(path)


def bomb(path: Path) -> None:
    """A named member of 20 MiB that a few kilobytes unpack to."""
    content("reference.npz", bytes(20 << 20))(path)
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    stored(path, *members, packing=zipfile.ZIP_DEFLATED)


def both_cases(path: Path) -> None:
    added(path, "a.npz", b"x", kind="workloads", folder="other")
    added(path, "A.npz", b"x", kind="workloads", folder="other")


def alone(path: Path) -> None:
    added(path, "x", b"", kind="derived", folder="0" * 32)


WEIGHTS = hashlib.sha256(b"weights").hexdigest()
DEEP = b"[" * 200_000
HOSTILE: list[tuple[str, Callable[[Path], object], str]] = [
    ("climbing member", lambda p: plus(p, "../tiny"), "is not named by"),
    ("climbing path", renamed("../../../evil"), "is no path that a pack may hold"),
    ("absolute path", renamed("/tmp/evil"), "is no path"),  # noqa: S108 - nothing is written there
    ("drive", renamed("C:evil"), "is no path"),
    ("backslash", renamed("..\\evil"), "is no path"),
    ("hidden path", renamed(".evil"), "is no path"),
    ("dot at the end", renamed("models/evil."), "is no path"),
    ("escape in a path", renamed("\x1b[2Jx"), r"x1b\[2Jx' is no path"),
    ("escape in a member", lambda p: plus(p, "\x1b[2Jx"), r"x1b\[2Jx' is not named"),
    ("climbing workload", told(name="../evil"), "cannot name a folder"),
    ("empty name", told(name=""), "cannot name a folder"),
    ("dot as a name", told(name=".."), "cannot name a folder"),
    ("climbing entry", lambda p: added(p, "x", b"x", kind="derived", folder=".."), "cannot name"),
    ("unknown kind", told(kind="devices"), "Invalid enum value"),
    ("another name", toml('name = "tiny"', 'name = "other"'), "calls itself other version 1"),
    ("another version", told(version=7), "tiny version 7 calls itself tiny version 1"),
    ("no files", told(files=[]), "is not named by"),
    ("link", link, "is no plain file"),
    ("folder as a member", lambda p: plus(p, "workloads/tiny/x/", b""), "is not named"),
    (
        "a member twice",
        twice("workloads/tiny/reference.npz"),
        "two members of one name",
    ),
    ("names that differ in case", both_cases, "two members of one name"),
    ("two manifests", twice("manifest.json"), "it has two manifest.json"),
    ("extra member", lambda p: plus(p, "workloads/tiny/extra"), "is not named by"),
    (
        "missing member",
        lambda p: rebuilt(p, lambda m, _: m.pop("workloads/tiny/reference.npz")),
        "workloads/tiny/reference.npz is missing",
    ),
    (
        "another content",
        lambda p: rebuilt(p, lambda m, _: m.update({"workloads/tiny/reference.npz": b"Reference"})),
        "is not the file that its manifest.json names",
    ),
    ("content that workload.toml does not know", content("reference.npz", b"x"), "is not the file"),
    ("toml that climbs", toml("reference.npz", "../../../etc/passwd"), "lies outside"),
    ("toml of another file", toml('"reference.npz"', '"r.npz"'), "r.npz: missing"),
    ("recipe", toml_cut, "is only a recipe|does not name"),
    ("no toml", content("workload.toml", b"\xff\xfe"), "tiny/workload.toml is not valid TOML"),
    ("deep toml", content("workload.toml", b"a = " + DEEP), "is not valid TOML|has 200,004 byte"),
    ("large toml", content("workload.toml", b"#" * (1 << 20)), "has 1,048,576 byte"),
    ("dotted toml", content("workload.toml", b"a." * 20_000 + b"a = 1"), "of 20,001 parts"),
    ("dotted header", content("workload.toml", b"[" + b"a." * 20_000 + b"a]"), "of 20,001 parts"),
    (
        "dots behind strings",
        content("workload.toml", b'a = {b = """\n \' """, ' + b'"\\"".' * 20_000 + b"'x' = 1}"),
        "of 20,001 parts",
    ),
    ("strings without end", content("workload.toml", b'"""' + b'\\"' * 100_000), "not valid TOML"),
    ("escape in a summary", toml("Two by two", r"\u001b[2J"), "is no plain text"),
    ("escape in a key", toml("schema = 1", 'schema = 1\n"\\u001b[2J" = 1'), r"\?\[2J"),
    ("program", toml('format = "onnx"', 'format = "eim"'), "fp32.onnx is a program"),
    ("derived of others", entry(), "is derived of no workload in it"),
    ("derived under another's name", entry(WEIGHTS, key="a" * 32), "makes its name"),
    ("derived program", entry(format="eim"), "nothing derives eim files"),
    ("derived elsewhere", entry(file="../model.mnn.evil"), "names another file"),
    ("derived escape", entry(workload="\x1b[2J"), "is no plain text"),
    (
        "derived alone",
        lambda p: added(p, "x", b"", kind="derived", folder="0" * 32),
        "another file",
    ),
    ("compressed", lambda p: plus(p, "x", bytes(9), zipfile.ZIP_DEFLATED), "not named"),
    ("bomb", bomb, "is compressed"),
    ("encrypted", encrypted, "is encrypted"),
    ("lying size", lying, "lie over one another"),
    ("5,000 members", crowd, "5,003 members|5,004 members"),
    ("a million members", endless, "its directory has 47,000,000 byte"),
    ("a million members, 64 bit", endless64, "its directory has 47,000,000 byte"),
    ("a million members, two records", endless64_twice, "its directory has 47,000,000 byte"),
    ("deep manifest", about(DEEP), "."),
    ("nested in the manifest", about(b'{"folders":' + DEEP), "."),
    ("huge manifest", about(b" " * (2 << 20)), "its manifest.json has 2,097,152 byte"),
    ("manifest of another kind", about(b"[]"), "Expected `object`"),
    ("manifest of nothing", about(b'{"edgebench_version": "0", "folders": []}'), "holds nothing"),
    ("newer manifest", about(b'{"schema": 2}'), "schema"),
    ("NaN in the manifest", about(b'{"schema": NaN}'), "."),
    ("no Unicode", about(b'{"schema": "\xff"}'), "."),
    ("no manifest", lambda p: stored(p, ("a", b"")), "it has no manifest.json"),
    ("half a pack", lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]), "no zip"),
    ("cut at its head", lambda p: p.write_bytes(p.read_bytes()[99:]), "."),
    ("text", lambda p: p.write_text("hello"), "it is no zip"),
    ("empty", lambda p: p.write_bytes(b""), "it is no zip"),
    ("absent", lambda p: p.unlink(), "does not exist"),
]


def refused(path: Path, words: str = ".") -> None:
    """It is refused in one line that steers no terminal, at once, and nothing is left."""
    with promptly.at_once(LIMIT_S), pytest.raises(UsageError, match=words) as caught:
        unpack.unpack(path)
    assert str(caught.value).isprintable()
    for home in (resources.workload_home(), cache.home() / "derived"):
        assert not home.exists() or list(home.iterdir()) == []


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack that is in order."""
    path = tmp_path / "in" / "pack.zip"
    path.parent.mkdir()
    write.pack([str(tiny(tmp_path))], path)
    return path


@pytest.mark.parametrize(
    ("make", "words"), [pytest.param(make, words, id=name) for name, make, words in HOSTILE]
)
def test_a_hostile_pack_is_refused_at_once_and_leaves_nothing(
    pack: Path, tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    make(pack)
    before = sorted(tmp_path.rglob("*"))
    refused(pack, words)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        refused(path, "it is no file")


@settings(max_examples=60, deadline=None, suppress_health_check=[*HealthCheck])
@given(st.data())
def test_a_pack_with_any_byte_changed_is_refused_or_the_very_same(
    tmp_path: Path, data: st.DataObject
) -> None:
    folder = tiny(tmp_path)
    path = tmp_path / "flipped.zip"
    write.pack([str(folder)], path)
    whole = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    into = tmp_path / "into"
    with contextlib.suppress(UsageError):
        unpack.unpack(path, into, replace=True)
    for one in into.rglob("*"):
        assert (
            one.is_dir() or one.read_bytes() == (folder.parent / one.relative_to(into)).read_bytes()
        )


@settings(max_examples=60, deadline=None, suppress_health_check=[*HealthCheck])
@given(st.text(max_size=40))
@example("..")
@example("a/../../b")
@example("models/fp32.onnx/x")
@example("workload.toml")
@example("a" * 99 + "/x")
def test_no_name_leads_out(tmp_path: Path, name: str) -> None:
    path = tmp_path / "named.zip"
    write.pack([str(tiny(tmp_path))], path)
    with zipfile.ZipFile(path) as archive:
        if f"workloads/tiny/{name}" in archive.namelist():
            return
    outside = {one for one in tmp_path.rglob("*") if "into" not in one.parts}
    try:
        renamed(name)(path)
    except (UnicodeEncodeError, ValueError):
        return  # no zip can hold it
    with pytest.raises(UsageError):
        unpack.unpack(path, tmp_path / "into")
    assert {one for one in tmp_path.rglob("*") if "into" not in one.parts} == outside
    assert not list((tmp_path / "into").glob("*"))

"""Strangers' files: bounded, whole, inside their folder; each value knows where it stands."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import promptly
import pytest

from edgebench.errors import UsageError
from edgebench.store.importers import opened
from edgebench.store.importers.opened import Node, Opened

HOSTILE = {
    "deep": b"[" * 1_000_000 + b"]" * 1_000_000,
    "deep objects": b'{"a":' * 1_000_000,
    "nan": b'{"a": NaN}',
    "infinite": b'{"a": 1e999}',
    "endless": b'{"a": ' + b"9" * 5_000_000 + b"}",
    "twice": b'{"a": 1, "a": 2}',
    "many keys twice": b"{" + b",".join(b'"%d": 1' % (i // 2) for i in range(200_000)) + b"}",
    "objects": b"[" + b"{}," * 5_000_000 + b"{}]",
    "numbers": b"[" + b"1," * 8_000_000 + b"1]",
    "cut": b'{"a": [1, 2',
    "binary": bytes(range(256)) * 10,
    "empty": b"",
    "steering": b'{"\x1b]0;title\x07": 1, "\x1b]0;title\x07": 2}',
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_hostile_json_is_refused_in_one_line_within_a_second(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "f.json"
    path.write_bytes(data)
    with promptly.at_once(1.0), pytest.raises(UsageError) as caught:
        Opened(path).json()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "MAX_FILE_BYTE", 1 << 20)
    path = tmp_path / "f.json"
    path.write_bytes(b" " * (1 << 20))
    assert len(Opened(path).read()) == 1 << 20
    path.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(UsageError, match="larger than 1 MiB"):
        Opened(path).read()


def _outside(folder: Path) -> None:
    (folder.parent / "secret").write_text("{}")
    (folder / "f.json").symlink_to(folder.parent / "secret")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "f.json")


def _device(folder: Path) -> None:
    (folder / "f.json").symlink_to("/dev/zero")


def _folder(folder: Path) -> None:
    (folder / "f.json").mkdir()


@pytest.mark.parametrize("plant", [_outside, _pipe, _device, _folder])
def test_what_is_no_file_of_the_folder_is_refused(
    tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    plant(folder)
    tree = Opened(folder)
    with pytest.raises(UsageError):
        tree.read("f.json")
    assert tree.files == {}


def test_a_path_may_not_climb_out(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "secret").write_text("{}")
    with pytest.raises(UsageError, match="leads out"):
        Opened(tmp_path / "results").read("../secret")
    with pytest.raises(UsageError, match="does not exist"):
        Opened(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (gzip.compress(b"{}"), "gunzip"),
        ("{}".encode("utf-16"), "iconv -f utf-16"),
        (b"PK\x03\x04\xff", "unzip"),
    ],
)
def test_what_users_take_for_text_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "f.txt").write_bytes(data)
    with pytest.raises(UsageError, match=rf"f\.txt is no text in UTF-8 \(.*{words}"):
        Opened(tmp_path / "f.txt").text()


def test_a_folder_in_a_files_place_and_too_many_files_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"is a folder \(name the file in it"):
        Opened(tmp_path).text()
    monkeypatch.setattr(opened, "_MAX_FILES", 2)
    for name in "abc":
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=r"more than 2 files \(name a folder below it"):
        Opened(tmp_path).below("a")


def test_files_are_found_below_and_hashed_by_their_path(tmp_path: Path) -> None:
    for name in ("b/spl.txt", "a/c/spl.txt", "a/other.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    tree = Opened(tmp_path)
    assert tree.below("spl.txt") == ["a/c/spl.txt", "b/spl.txt"]
    assert tree.text("b/spl.txt") == "b/spl.txt"
    assert list(tree.files) == ["b/spl.txt"]
    assert len(tree.files["b/spl.txt"]) == 64


def test_a_value_says_where_it_stands() -> None:
    root = Node({"a": {"b": [1, {"c": "2.5"}]}, "none": None}, "f.json")
    (first, second) = root.get("a", "b").each()
    assert first.place == "f.json: a.b[0]"
    assert second.get("c").number() == 2.5
    assert second.get("c").place == "f.json: a.b[1].c"
    assert root.find("none") is None
    assert root.find("a", "x") is None
    assert [(key, node.place) for key, node in root.get("a").items()] == [("b", "f.json: a.b")]


@pytest.mark.parametrize(
    ("value", "ask"),
    [
        (True, Node.number),
        ("x", Node.number),
        ("nan", Node.number),
        (-1, Node.count),
        (1.5, Node.count),
        (1, Node.text),
        ({}, lambda node: list(node.each())),
        ([], lambda node: list(node.items())),
        ({}, lambda node: node.get("b")),
    ],
)
def test_what_is_of_another_kind_is_refused_with_its_place(
    value: object, ask: Callable[[Node], object]
) -> None:
    with pytest.raises(UsageError, match=r"f\.json: a"):
        ask(Node(value, "f.json", "a"))

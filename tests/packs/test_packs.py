"""Packs carry workloads and derived models whole, and change nothing where they cannot."""

from __future__ import annotations

import errno
import functools
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebench import resources
from edgebench.derive import cache
from edgebench.errors import UsageError
from edgebench.packs import unpack, write
from edgebench.runner import plan
from edgebench.specs import ModelFormat, sha256_of

sys.path.insert(0, str(Path(__file__).parent))
import tampered

Tiny = Callable[..., Path]


@pytest.fixture(name="tiny")
def _tiny(tmp_path: Path) -> Tiny:
    """`tampered.tiny`, in a folder that nothing else knows."""
    return functools.partial(tampered.tiny, tmp_path / "source" / "workloads")


def packed(folder: Path, name: str = "pack.zip", **options: Any) -> Path:  # noqa: ANN401 - of pack
    path = folder.parents[2] / name
    write.pack([str(folder)], path, **options)
    return path


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): sha256_of(path) for path in files}


def derived(
    folder: Path,
    data: bytes = b"derived",
    source: str = "",
    fmt: ModelFormat = "mnn",
    when: str = "2026",
) -> str:
    """An entry of the cache that says it was made of a workload's file, or of another one."""
    scratch = cache.start()
    (scratch / "model.mnn").write_bytes(data)
    source = source or sha256_of(folder / "models" / "fp32.onnx")
    view = cache.view_of(resources.open_workload(str(folder)))
    manifest = cache.Manifest(
        workload="tiny",
        from_sha256=source,
        format=fmt,
        precision="fp32",
        view=view,
        file="model.mnn",
        sha256=sha256_of(scratch / "model.mnn"),
        size_byte=len(data),
        tools={"MNN": when},
        derived_at_utc=when,
        edgebench_version="0",
    )
    cache.keep(scratch, manifest)
    return manifest.key


def test_a_pack_brings_the_very_files_to_where_runs_find_them(tiny: Tiny) -> None:
    folder = tiny()
    (folder / "notes.txt").write_text("no file of the workload")
    (one,) = unpack.unpack(packed(folder))
    assert one.state == "unpacked"
    assert one.place == resources.workload_folders()["tiny"] == resources.workload_home() / "tiny"
    there = contents(folder)
    del there["notes.txt"]
    assert contents(one.place) == there
    assert list(plan.choose_workloads(["tiny"])) == ["tiny"]
    assert [path.name for path in resources.workload_home().iterdir()] == ["tiny"]


def test_the_same_workload_gives_the_same_bytes(tiny: Tiny) -> None:
    folder = tiny()
    first = packed(folder).read_bytes()
    for path in folder.rglob("*"):
        path.touch()
    assert packed(folder, "again.zip").read_bytes() == first


def test_derived_models_come_along_and_are_found_without_a_converter(tiny: Tiny) -> None:
    folder = tiny()
    key = derived(folder)
    path = packed(folder, derived=True)
    shutil.rmtree(cache.home())
    assert {one.folder.name: one.state for one in unpack.unpack(path)} == {
        "tiny": "unpacked",
        key: "unpacked",
    }
    (model,) = plan.choose_workloads(["tiny"])["tiny"].derived
    assert (model.format, Path(model.path).read_bytes()) == ("mnn", b"derived")
    assert {one.state for one in unpack.unpack(path)} == {"already there"}


def test_two_cells_of_the_same_bytes_both_come_along(tiny: Tiny) -> None:
    folder = tiny()
    derived(folder, fmt="ncnn")
    derived(folder, fmt="mnn")
    path = packed(folder, derived=True)
    shutil.rmtree(cache.home())
    assert len(unpack.unpack(path)) == 3
    found = plan.choose_workloads(["tiny"])["tiny"].derived
    assert [model.format for model in found] == ["mnn", "ncnn"]


def test_a_model_derived_of_a_derived_one_brings_that_along(tiny: Tiny) -> None:
    folder = tiny()
    key = derived(folder, b"between", fmt="onnx")
    middle = sha256_of(cache.home() / "derived" / key / "model.mnn")
    derived(folder, b"last", source=middle, fmt="ncnn")
    derived(folder, b"newer", fmt="onnx", when="2027")  # it hides the one between
    path = packed(folder, derived=True)
    shutil.rmtree(cache.home())
    assert len(unpack.unpack(path)) == 4
    (workload,) = plan.choose_workloads(["tiny"]).values()
    assert {Path(one.path).read_bytes() for one in workload.derived} == {b"newer", b"last"}


def test_a_pack_without_what_was_to_be_derived_is_refused(tiny: Tiny) -> None:
    with pytest.raises(UsageError, match=r"no model is derived.*workloads derive tiny"):
        packed(tiny(), derived=True)


def test_another_workload_of_the_name_stays_unless_it_is_to_be_replaced(tiny: Tiny) -> None:
    old = packed(tiny())
    new = packed(tiny(version=2, weights=b"other"), "new.zip")
    (first,) = unpack.unpack(old)
    before = contents(first.place)
    with pytest.raises(UsageError, match=r"tiny version 2 is another one than .*--replace"):
        unpack.unpack(new)
    assert contents(first.place) == before
    (second,) = unpack.unpack(new, replace=True)
    assert resources.open_workload("tiny").spec.version == 2
    assert second.state == "unpacked"
    assert [path.name for path in resources.workload_home().iterdir()] == ["tiny"]


def test_a_bundled_workload_is_not_hidden_unasked(tiny: Tiny, tmp_path: Path) -> None:
    path = packed(tiny("mnist_cnn"))
    with pytest.raises(UsageError, match="is another one than"):
        unpack.unpack(path)
    (one,) = unpack.unpack(path, tmp_path / "mine")
    assert one.place == tmp_path / "mine" / "mnist_cnn"
    bundled = tmp_path / "bundled.zip"
    write.pack(["mnist_cnn"], bundled)
    (same,) = unpack.unpack(bundled)
    assert (same.state, same.place) == (
        "already there",
        resources.workload_folders()["mnist_cnn"],
    )


def test_a_damaged_workload_is_no_reason_to_say_that_it_is_there(tiny: Tiny) -> None:
    path = packed(tiny())
    (one,) = unpack.unpack(path)
    (one.place / "reference.npz").write_bytes(b"rotten")
    with pytest.raises(UsageError, match="--replace"):
        unpack.unpack(path)
    unpack.unpack(path, replace=True)
    assert resources.open_workload("tiny").problems() == []


def test_nothing_is_packed_of_a_damaged_workload_a_recipe_or_a_program(tiny: Tiny) -> None:
    folder = tiny()
    (folder / "models" / "fp32.onnx").write_bytes(b"rotten")
    with pytest.raises(UsageError, match=r"fp32.onnx: is not the file"):
        packed(folder)
    with pytest.raises(UsageError, match=r"fp32.eim is a program"):
        packed(tiny("closed", fmt="eim"))
    toml = folder / "workload.toml"
    toml.write_text(toml.read_text().split("[reference]")[0])
    with pytest.raises(UsageError, match="tiny is not built here"):
        packed(folder)
    assert not (folder.parents[2] / "pack.zip").exists()


def test_a_full_disk_is_one_line_and_leaves_nothing(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tiny())

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("edgebench.packs.opened.os.fsync", full)
    with pytest.raises(UsageError, match=r"No space left on device \(make room"):
        unpack.unpack(path)
    assert list(resources.workload_home().iterdir()) == []


def test_a_pack_larger_than_the_disk_is_not_begun(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tiny())
    free = shutil.disk_usage(path.parent)._replace(free=1 << 20)
    monkeypatch.setattr("edgebench.packs.unpack.shutil.disk_usage", lambda _: free)
    with pytest.raises(UsageError, match=r"need 0 MiB, 0 MiB are free"):
        unpack.unpack(path)
    assert not resources.workload_home().exists()


def test_all_of_a_pack_or_nothing(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny().parents[2] / "pack.zip"
    write.pack([str(tiny("one")), str(tiny("two"))], path)
    whole = unpack._check_workload

    def second_fails(folder: Any, written: Path) -> None:  # noqa: ANN401 - as there
        whole(folder, written)
        if folder.name == "two":
            raise ValueError("two is wrong")

    monkeypatch.setattr(unpack, "_check_workload", second_fails)
    with pytest.raises(UsageError, match="two is wrong"):
        unpack.unpack(path)
    assert list(resources.workload_home().iterdir()) == []

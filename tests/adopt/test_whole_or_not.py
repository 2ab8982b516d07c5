"""What is taken in is there whole or not at all, whoever else takes it in at the same time."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edgebench.adopt import build, take
from edgebench.adopt.request import Request
from edgebench.derive import cache, folders
from edgebench.errors import UsageError

sys.path.insert(0, str(Path(__file__).parent))
import models
from test_take import runtimes, taken


def seen(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file, and which one it is on the disk."""
    return {part.name: (part.stat().st_ino, part.stat().st_mtime_ns) for part in folder.rglob("*")}


def test_one_that_another_process_took_in_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = models.classifier(tmp_path / "net.onnx")
    real = build.write
    others: list[dict[str, tuple[int, int]]] = []

    def slow(*args: Any, **named: Any) -> None:  # noqa: ANN401 - whatever it takes
        monkeypatch.setattr(build, "write", real)
        others.append(seen(taken(path).folder))  # the other process, that is faster
        real(*args, **named)

    monkeypatch.setattr(build, "write", slow)
    assert seen(taken(path).folder) == others[0]


def test_a_damaged_one_is_made_again(tmp_path: Path) -> None:
    path = models.classifier(tmp_path / "net.onnx")
    first = taken(path)
    first.path_of(first.spec.models[0]).write_bytes(b"")
    assert first.problems() != []
    assert taken(path).folder == first.folder
    assert first.problems() == []


def test_what_a_killed_process_left_goes_after_a_day(tmp_path: Path) -> None:
    old, young = folders.start(tmp_path), folders.start(tmp_path)
    (old / "model.onnx").write_bytes(bytes(10))
    before = time.time() - 2 * 24 * 3600
    os.utime(old, (before, before))
    folders.start(tmp_path)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_model_that_vanishes_is_no_fault_of_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = models.classifier(tmp_path / "net.onnx")
    real = build.write

    def late(*args: Any, **named: Any) -> None:  # noqa: ANN401 - whatever it takes
        path.unlink()
        real(*args, **named)

    monkeypatch.setattr(build, "write", late)
    with pytest.raises(UsageError, match=r"--model .*net\.onnx: cannot be read: No such file"):
        taken(path)
    assert list((cache.home() / "models").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match=r"cannot write the cache .*set EDGEBENCH_CACHE"):
        taken(models.classifier(tmp_path / "net.onnx"))


def test_an_entry_that_cannot_be_put_is_never_told_as_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="No space left"):
        folders.settle(tmp_path / "fresh", tmp_path / "place", lambda _: False)


def test_equal_files_of_one_name_all_have_names_of_their_own(tmp_path: Path) -> None:
    paths = []
    for index in range(5):
        (tmp_path / str(index)).mkdir()
        paths.append(tmp_path / str(index) / "net.onnx")
        shutil.copyfile(models.classifier(tmp_path / "net.onnx"), paths[-1])
    found = take.take_all([Request(model=path) for path in paths], runtimes())
    names = [one.spec.name for one in found]
    assert names[:2] == ["net", "net-onnx"]
    assert len(set(names)) == 5

"""Folders of imports: what is written is read back, what is damaged is named."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebench import codec
from edgebench.errors import StoreError
from edgebench.imports import Import
from edgebench.protocols import ImportedRow
from edgebench.store import imported

ROW = ImportedRow(
    values={
        "device": "pi",
        "device_id": "pi-a",
        "workload": "net",
        "backend": "litert",
        "precision": "int8",
        "latency_p50_ms": 1.5,
        "status": "ok",
    },
    origin=dict.fromkeys(
        ("device", "device_id", "workload", "backend", "precision", "latency_p50_ms", "status"),
        "f.csv: row 1",
    ),
)


def content(**changes: object) -> Import:
    fields: dict[str, object] = {
        "run_id": "20260101T000000Z-000001",
        "imported_at_utc": "2026-01-01T00:00:00Z",
        "edgebench_version": "0",
        "format": "csv",
        "tool": "csv",
        "files": {"f.csv": "0" * 64},
        "rows": (ROW,),
    }
    return Import(**{**fields, **changes})  # type: ignore[arg-type]


def test_an_import_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    folder = imported.write(tmp_path, content())
    assert folder == tmp_path / "20260101T000000Z-000001"
    assert [path.name for path in folder.iterdir()] == [imported.FILE]
    assert imported.read(folder).content == content()


def test_one_case_is_the_same_whatever_its_figures_and_another_tools_is_not() -> None:
    known = imported.case_id("csv", ROW.values)
    assert known == imported.case_id("csv", {**ROW.values, "latency_p50_ms": 2.0, "device": "x"})
    assert known != imported.case_id("pyperf", ROW.values)
    assert known != imported.case_id("csv", {**ROW.values, "threads": 4})
    assert len(known) == 12


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "damaged"),
        (b'{"schema_version": 1}', "damaged"),
        (b"[" * 1_000_000, "damaged"),
        (b'{"schema_version": 99}', "schema version 99"),
        (codec.encode_import(content()).replace(b"1.5", b"NaN"), "damaged"),
        (codec.encode_import(content())[:-40], "damaged"),
    ],
)
def test_what_is_no_import_is_one_line(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / imported.FILE).write_bytes(data)
    with pytest.raises(StoreError, match=words) as caught:
        imported.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_damaged_import_costs_itself_and_a_copied_one_counts_once(tmp_path: Path) -> None:
    good = imported.write(tmp_path / "a", content())
    copy = imported.write(tmp_path / "b", content())
    bad = tmp_path / "c"
    bad.mkdir()
    (bad / imported.FILE).write_bytes(b"{}")
    stored, problems = imported.read_all([good, copy, bad])
    assert [one.folder for one in stored] == [good]
    assert len(problems) == 2


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        imported.write(tmp_path / "file", content())


@pytest.mark.parametrize("plant", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_refused_and_never_waited_for(
    tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    plant(tmp_path / imported.FILE)
    with pytest.raises(StoreError, match="is no file"):
        imported.read(tmp_path)


def test_an_import_that_could_not_be_read_again_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imported, "_MAX_BYTE", 100)
    with pytest.raises(StoreError, match="more than one import holds"):
        imported.write(tmp_path, content())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        imported.write(tmp_path, content())
    assert list(tmp_path.iterdir()) == []

"""Runs are read one at a time, so that ten thousand cases need no more memory than the largest."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebench.errors import StoreError
from edgebench.store import read
from edgebench.testing.fleet import Cell, Device, write, write_all


def _fleet(folder: Path, units: int) -> None:
    write_all(folder, [Device(name=f"unit-{n}", cells=(Cell(),)) for n in range(units)])


def test_a_run_is_read_when_its_turn_comes(tmp_path: Path) -> None:
    _fleet(tmp_path, 3)
    problems: list[str] = []
    runs = read.each([tmp_path], problems)
    done = {run.folder for run in (next(runs), next(runs))}
    (left,) = (path for path in tmp_path.rglob("results.jsonl") if path.parent not in done)
    with left.open("ab") as journal:
        journal.write(b"damage that was not there when the first one was read\n")
    assert not problems
    assert len(list(runs)) == 1
    assert len(problems) == 1


def test_one_at_a_time_are_the_same_runs_in_the_same_order(tmp_path: Path) -> None:
    _fleet(tmp_path, 3)
    runs, problems = read.read_all([tmp_path])
    told: list[str] = []
    assert tuple(read.each([tmp_path], told)) == runs
    assert (tuple(told), problems) == ((), ())
    assert [run.manifest.run_id for run in runs] == sorted(run.manifest.run_id for run in runs)


def test_a_damaged_manifest_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    _fleet(tmp_path, 2)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{")
    problems: list[str] = []
    assert len(list(read.each([tmp_path], problems))) == 2
    assert [problem for problem in problems if "broken" in problem] == problems != []


def test_nothing_but_damage_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        list(read.each([tmp_path], []))


def test_of_two_copies_the_fuller_counts_wherever_it_lies(tmp_path: Path) -> None:
    device = Device(name="unit", cells=(Cell(),))
    for name in ("a", "b", "c"):
        write(tmp_path / name, device, launches=3)
    for name, lines in (("a", 1), ("c", 2)):
        (journal,) = (tmp_path / name).rglob("results.jsonl")
        journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:lines]))
    problems: list[str] = []
    (run,) = read.each([tmp_path], problems)
    assert len(run.records) == 3
    assert len([problem for problem in problems if "the fuller one counts" in problem]) == 2

"""What was measured stays, whatever happens to the disk, the process or the file."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from edgebench.codec import encode_line
from edgebench.errors import StoreError, UsageError
from edgebench.records import Case, Manifest, Record
from edgebench.runner import journal
from edgebench.runner.journal import Journal
from edgebench.store.read import find_runs, read_all, read_journal, read_run


@pytest.fixture
def store(tmp_path: Path, case: Callable[..., Case], manifest: Callable[..., Manifest]) -> Journal:
    return Journal.create(tmp_path, manifest(case()))


def test_records_are_read_back_in_order(
    store: Journal, case: Callable[..., Case], record: Callable[..., Record]
) -> None:
    made = [record(case(), launch=n) for n in range(3)]
    for one in made:
        store.append(one)
    run = read_run(store.folder)
    assert list(run.records) == made
    assert run.damage == ()


def test_the_latest_attempt_of_a_launch_counts(
    store: Journal, case: Callable[..., Case], record: Callable[..., Record]
) -> None:
    store.append(record(case(), status="crashed", reason="killed"))
    store.append(record(case(), attempt=1))
    run = read_run(store.folder)
    assert len(run.records) == 2
    assert [one.status for one in run.latest()] == ["ok"]


def test_a_cut_anywhere_in_the_last_line_loses_that_launch_only(
    store: Journal, case: Callable[..., Case], record: Callable[..., Record]
) -> None:
    first, last = record(case()), record(case(), launch=1)
    store.append(first)
    path = store.folder / "results.jsonl"
    whole = path.read_bytes()
    line = encode_line(last)
    for cut in range(1, len(line) - 1):
        path.write_bytes(whole + line[:cut])
        records, damage = read_journal(path)
        assert list(records) == [first]
        assert len(damage) == 1


def test_a_run_goes_on_after_a_cut_line(
    store: Journal, case: Callable[..., Case], record: Callable[..., Record]
) -> None:
    store.append(record(case()))
    path = store.folder / "results.jsonl"
    path.write_bytes(path.read_bytes() + b'{"crc32": 12, "rec')
    again = Journal(store.folder)
    again.append(record(case(), launch=2))
    run = read_run(store.folder)
    assert [one.launch for one in run.records] == [0, 2]
    assert len(run.damage) == 1


def test_a_full_disk_is_told_in_one_line_and_keeps_what_was_there(
    store: Journal, case: Callable[..., Case], record: Callable[..., Record]
) -> None:
    store.append(record(case()))
    size = (store.folder / "results.jsonl").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, hard))
    try:
        with pytest.raises(StoreError, match="--resume"):
            store.append(record(case(), launch=1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    run = read_run(store.folder)
    assert [one.launch for one in run.records] == [0]
    assert run.damage == ()


def test_a_journal_that_cannot_be_opened_loses_nothing(
    store: Journal, case: Callable[..., Case], record: Callable[..., Record]
) -> None:
    store.append(record(case()))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        with pytest.raises(StoreError, match="Too many open files"):
            store.append(record(case(), launch=1))
    finally:
        for handle in taken:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [one.launch for one in read_run(store.folder).records] == [0]


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    journal.write_whole(path, b"old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="space"):
        journal.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, signal, sys
from pathlib import Path
from edgebench.runner import journal
Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
journal.write_whole(Path(sys.argv[1]), b"new")
"""


def test_a_kill_between_write_and_rename_leaves_the_old_file(
    store: Journal, case: Callable[..., Case], record: Callable[..., Record]
) -> None:
    store.append(record(case()))
    path = store.folder / "run.json"
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert done.returncode == -9
    assert path.read_bytes() == before
    assert len(read_run(store.folder).records) == 1


def test_an_unwritable_folder_is_a_usage_error_before_anything_is_measured(
    tmp_path: Path, case: Callable[..., Case], manifest: Callable[..., Manifest]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UsageError, match="-o"):
        Journal.create(blocked / "results", manifest(case()))


def test_a_folder_without_runs_and_a_damaged_manifest_are_told(
    tmp_path: Path, store: Journal, case: Callable[..., Case], manifest: Callable[..., Manifest]
) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        list(find_runs([tmp_path / "nowhere"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no run"):
        list(find_runs([tmp_path / "empty"]))
    other = Journal.create(tmp_path, manifest(case(), run_id="20260101T000001Z-000002"))
    (other.folder / "run.json").write_text("{")
    runs, problems = read_all([tmp_path])
    assert [run.folder for run in runs] == [store.folder]
    assert len(problems) == 1
    assert "damaged" in problems[0]
    with pytest.raises(StoreError, match="damaged"):
        read_all([other.folder])


def test_two_runs_at_once_are_refused_and_a_dead_one_holds_nothing() -> None:
    code = (
        "from edgebench.runner.journal import one_run_at_a_time\nimport os, sys, time\n"
        "with one_run_at_a_time():\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(UsageError, match="under way"), journal.one_run_at_a_time():
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with journal.one_run_at_a_time():
        pass


def test_one_who_only_looks_whether_the_device_is_free_keeps_no_run_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with contextlib.ExitStack() as looking:
        looking.enter_context(journal.one_run_at_a_time())
        monkeypatch.setattr("time.sleep", lambda _: looking.close())
        with journal.one_run_at_a_time():
            pass


def test_run_ids_sort_by_time() -> None:
    early = journal.new_run_id(datetime(2026, 1, 2, tzinfo=timezone.utc))
    late = journal.new_run_id(datetime(2026, 11, 2, tzinfo=timezone.utc))
    assert early.startswith("20260102T000000Z-")
    assert early < late

"""Reading run folders: what is whole is returned, what is damaged is named, nothing is lost."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from edgebench.codec import decode_line, decode_manifest
from edgebench.errors import StoreError, UsageError
from edgebench.records import Case, Manifest, PlannedCase, Record
from edgebench.store import attached
from edgebench.store.lines import read_lines

_MANIFEST = "run.json"
_RESULTS = "results.jsonl"


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as it lies on the disk."""

    folder: Path
    manifest: Manifest
    records: tuple[Record, ...]
    damage: tuple[str, ...] = ()
    """What could not be read, a line each."""

    @property
    def cases(self) -> dict[str, Case]:
        """The run's cases by their id, in the order of the plan."""
        return {planned.case_id: planned.case for planned in self.manifest.plan}

    @property
    def planned(self) -> dict[str, PlannedCase]:
        """The run's planned cases by their id."""
        return {planned.case_id: planned for planned in self.manifest.plan}

    def latest(self) -> tuple[Record, ...]:
        """The last attempt of every launch, in the order of the journal."""
        latest: dict[tuple[str, int], Record] = {}
        for record in self.records:
            known = latest.get((record.case_id, record.launch))
            if known is None or known.attempt <= record.attempt:
                latest[record.case_id, record.launch] = record
        return tuple(latest.values())


def read_run(folder: Path) -> StoredRun:
    """One run folder.

    Raises:
        StoreError: The manifest is missing, damaged, or of a newer edgebench.
    """
    manifest = _manifest(folder)
    records, damage = read_journal(folder / _RESULTS)
    later, lost = attached.read(folder)
    records = attached.merged(records, later)
    return StoredRun(folder=folder, manifest=manifest, records=records, damage=damage + lost)


def _manifest(folder: Path) -> Manifest:
    try:
        data = (folder / _MANIFEST).read_bytes()
    except OSError as error:
        raise StoreError(f"{folder} is no run folder: run.json: {error.strerror}") from None
    try:
        return decode_manifest(data)
    except StoreError as error:
        raise StoreError(f"{folder}: {error.message}", remedy=error.remedy) from None


def read_journal(path: Path) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """``(records, damage)`` of a journal: a bad line costs itself and nothing else."""
    return read_lines(path, decode_line, "one launch is lost")


def folders_with(file: str, path: Path) -> list[Path]:
    """Folders at or anywhere below a path that hold a file of that name, sorted."""
    # os.walk, not rglob: it does not recurse, so folders may be nested to any depth.
    return sorted(Path(folder) for folder, _, files in os.walk(path) if file in files)


def holds_runs(path: Path) -> bool:
    """Whether there is a run at or below a path."""
    return bool(folders_with(_MANIFEST, path))


def find_runs(paths: Iterable[Path]) -> Iterator[Path]:
    """Run folders at or anywhere below the given paths, sorted, each once.

    Raises:
        UsageError: A path does not exist, or there is no run below it.
    """
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path} does not exist", remedy="run `edgebench run` first")
        below = folders_with(_MANIFEST, path)
        if not below:
            raise UsageError(f"there is no run in {path}", remedy="name a folder with run.json")
        for folder in below:
            if folder.resolve() not in seen:
                seen.add(folder.resolve())
                yield folder


def read_all(paths: Iterable[Path]) -> tuple[tuple[StoredRun, ...], tuple[str, ...]]:
    """Every run at or below the paths, and what could not be read.

    Raises:
        UsageError: There is nothing to read.
        StoreError: Nothing of what is there can be read.
    """
    problems: list[str] = []
    return tuple(each(paths, problems)), tuple(problems)


def each(paths: Iterable[Path], problems: list[str]) -> Iterator[StoredRun]:
    """The runs of `read_all` one after the other, by run_id: none is held while the next is read.

    Args:
        paths: Run folders or any folders above them.
        problems: What could not be read is added to it on the way.

    Raises:
        UsageError: There is nothing to read.
        StoreError: Nothing of what is there can be read.
    """
    copies: dict[str, list[Path]] = {}
    for folder in find_runs(paths):
        run_id = _run_id(folder, problems)
        if run_id is not None:
            copies.setdefault(run_id, []).append(folder)
    if not copies:
        raise StoreError(problems[0] if problems else "no folder was named")
    for _, folders in sorted(copies.items()):
        yield _fullest([read_run(folder) for folder in folders], problems)


def _run_id(folder: Path, problems: list[str]) -> str | None:
    try:
        return _manifest(folder).run_id
    except StoreError as error:
        problems.append(str(error))
        return None


def _fullest(copies: Sequence[StoredRun], problems: list[str]) -> StoredRun:
    """The one that holds most; of as full ones the first."""
    chosen, *others = copies
    problems += chosen.damage
    for run in others:
        problems += run.damage
        folders = f"{run.folder} and {chosen.folder}"
        problems.append(f"{folders} hold the same run; the fuller one counts")
        if _fullness(chosen) < _fullness(run):
            chosen = run
    return chosen


def _fullness(run: StoredRun) -> tuple[int, int]:
    """Launches, then readings of meters: a log may have been attached to one copy only."""
    powers = [record.power for record in run.records if record.power is not None]
    return len(run.records), sum(len(one.t_ns) for power in powers for one in power.series)

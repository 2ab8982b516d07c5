"""The journal of a run: a manifest written whole, records appended one by one, a lock.

A record is on the disk (fsync) before the next launch starts: whatever happens then, it stays.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from edgebench.codec import encode_line, encode_manifest
from edgebench.errors import StoreError, UsageError
from edgebench.records import Manifest, Record
from edgebench.wire import LaunchRequest

MANIFEST = "run.json"
RESULTS = "results.jsonl"
LOGS = "logs"
_TRIES, _TRY_S = 6, 0.05
"""Of the lock: one who waits for a run to end holds it for a moment, to see whether it is free."""


def new_run_id(now: datetime) -> str:
    """``20261122T101500Z-ab12cd``: sorts by time, unique without asking anyone."""
    return f"{now.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def utc(now: datetime) -> str:
    """A time as ``2026-11-22T10:15:00Z``."""
    return f"{now.astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def log_name(launch: Record | LaunchRequest) -> str:
    """The file below `LOGS` with what the worker of a launch wrote to stderr."""
    return f"{launch.case_id}-{launch.launch}-{launch.attempt}.log"


class Journal:
    """A run folder that records are added to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, parent: Path, manifest: Manifest) -> Journal:
        """A new run folder with its manifest.

        Raises:
            UsageError: The folder cannot be written; nothing was measured.
        """
        folder = parent / manifest.run_id
        try:
            (folder / LOGS).mkdir(parents=True)
            for above in (folder, parent, parent.parent):
                _sync_folder(above)
            write_whole(folder / MANIFEST, encode_manifest(manifest))
        except OSError as error:
            raise UsageError(
                f"cannot write to {parent}: {error.strerror}", remedy="choose a folder with -o"
            ) from None
        return cls(folder)

    @property
    def logs(self) -> Path:
        """Where workers' stderr goes."""
        return self.folder / LOGS

    def append(self, record: Record) -> None:
        """Add a record and wait until it is on the disk.

        Raises:
            StoreError: The disk is full or gone; earlier records stay.
        """
        path = self.folder / RESULTS
        end: int | None = None  # known only once the file is open: never cut what was not looked at
        try:
            with path.open("ab+") as file:
                end = file.tell()
                line = encode_line(record)
                file.write(line if _ends_a_line(file, end) else b"\n" + line)
                file.flush()
                os.fsync(file.fileno())
            if end == 0:
                _sync_folder(self.folder)
        except OSError as error:
            if end is not None:
                with contextlib.suppress(OSError):  # half a line would cost nothing, but be clean
                    os.truncate(path, end)
            raise _cannot_write(self.folder, error) from None

    def end(self, manifest: Manifest) -> None:
        """Put the manifest of a run that has ended in the place of the one it began with.

        Raises:
            StoreError: The disk is full or gone; the first manifest stays.
        """
        self.write(MANIFEST, encode_manifest(manifest))

    def write(self, name: str, data: bytes) -> None:
        """Put a file beside the records, or in the place of an older one.

        Raises:
            StoreError: The disk is full or gone; an older file stays.
        """
        try:
            write_whole(self.folder / name, data)
        except OSError as error:
            raise _cannot_write(self.folder, error) from None


def _ends_a_line(file: BinaryIO, end: int) -> bool:
    """After a crash the file may end inside a line: the next record then starts on its own."""
    if end == 0:
        return True
    file.seek(end - 1)
    return file.read(1) == b"\n"


def _cannot_write(folder: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot write to {folder}: {error.strerror}",
        remedy="what was measured is kept; make room and use --resume",
    )


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all (write, fsync, rename, fsync)."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut (fsync(2): the file alone is not enough)."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lock_path() -> Path:
    """``EDGEBENCH_LOCK`` (for tests), else one place for all users of this device."""
    if named := os.environ.get("EDGEBENCH_LOCK"):
        return Path(named)
    places = [place for place in (Path("/run/lock"), Path("/tmp")) if os.access(place, os.W_OK)]  # noqa: S108 - opened without following links
    return (places or [Path(tempfile.gettempdir())])[0] / "edgebench.lock"


def _open_lock() -> int:
    """The lock file's handle; readable is enough to lock it."""
    path, flags = _lock_path(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        handle = os.open(path, flags | os.O_CREAT, 0o666)
    except OSError:
        try:
            return os.open(path, flags)  # another user's file in a sticky folder
        except OSError as error:
            raise UsageError(f"cannot open the lock {path}: {error.strerror}") from None
    with contextlib.suppress(OSError):  # past the umask, for the next user
        os.fchmod(handle, 0o666)
    return handle


@contextlib.contextmanager
def one_run_at_a_time() -> Iterator[None]:
    """Hold this device's lock; the kernel frees it when the process ends, however it ends.

    Raises:
        UsageError: Another run is under way.
    """
    import fcntl  # noqa: PLC0415 - Linux only; elsewhere `run` must get as far as saying so

    handle = _open_lock()
    try:
        for left in reversed(range(_TRIES)):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if not left:
                    raise UsageError(
                        "another edgebench run is under way on this device",
                        remedy="two runs would disturb each other; wait for it to end",
                    ) from None
            time.sleep(_TRY_S)
        yield
    finally:
        os.close(handle)

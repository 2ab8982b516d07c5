"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgebench.errors import UsageError

STDOUT = "-"
"""The target that is no file."""


def check(target: Path) -> None:
    """Refuse a file that could not be written, before minutes go into what it is to hold.

    Raises:
        UsageError: It is a folder, or its own folder is missing or read-only.
    """
    folder = target.resolve().parent
    if target.is_dir():
        raise UsageError(f"cannot write {target}: it is a folder", remedy="name a file in it")
    if _is_special(target):
        return  # nothing takes its place, so its folder may be read-only, as /dev is
    if not folder.is_dir():
        raise UsageError(f"cannot write {target}: no folder {folder}", remedy="make it first")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"cannot write {target}: {folder} is read-only", remedy="name another")


def check_all(targets: Sequence[tuple[str, str]]) -> None:
    """Refuse outputs of one command that could not be written, or would overwrite one another.

    Args:
        targets: Of each output the option that asks for it, and its file; ``-`` is stdout.

    Raises:
        UsageError: A file cannot be written, or two outputs have the same one.
    """
    seen: dict[str, str] = {}
    for option, target in targets:
        place = target if target == STDOUT else str(Path(target).resolve())
        if place in seen and (target == STDOUT or not _is_special(Path(target))):
            where = "stdout" if target == STDOUT else str(target)
            both = f"{seen[place]} and {option}" if seen[place] != option else f"two of {option}"
            raise UsageError(f"{both} go to {where}", remedy="name a file for each")
        seen[place] = option
        if target != STDOUT:
            check(Path(target))


def write(target: Path, data: bytes) -> None:
    """Write a file; one that was there before is replaced at once, or stays as it was.

    Raises:
        UsageError: It cannot be written.
    """
    place = target.resolve()  # a link stays one
    try:
        if _is_special(place):
            place.write_bytes(data)
            return
        handle, part = tempfile.mkstemp(prefix=".part-", dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            umask = os.umask(0)
            os.umask(umask)
            Path(part).chmod(0o666 & ~umask)  # mkstemp's file is its owner's alone
            Path(part).replace(place)
        finally:
            Path(part).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from None


def _is_special(target: Path) -> bool:
    """Whether it is a device or a pipe, which is written to: nothing may take its place."""
    return target.exists() and not target.is_file()


def to_stdout(data: bytes) -> None:
    """Write to stdout as it is.

    Raises:
        UsageError: It is no text, and a terminal would show it.
    """
    if b"\0" in data and sys.stdout.isatty():
        raise UsageError("this is no text", remedy="name a file instead of -")
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()

"""Folders that are there whole or not at all: made beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_PART = ".edgebench-part-"
_STALE_S = 24 * 3600.0


def start(parent: Path) -> Path:
    """An empty hidden folder in a folder of ours; what killed processes left there goes.

    Raises:
        OSError: The folder cannot be written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{_PART}*"):
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            if time.time() - left.stat().st_mtime > _STALE_S:
                shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=_PART, dir=parent))


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """An empty hidden folder in a folder, for as long as the block lasts.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = start(parent)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put(fresh: Path, target: Path, aside: Path) -> None:
    """Rename a folder into its place, and the old one back if that fails.

    Args:
        fresh: The new folder, on the same file system.
        target: Its place.
        aside: Where an old one goes; must not exist.

    Raises:
        OSError: A rename failed; ``target`` is then as it was.
    """
    if not target.exists():
        fresh.rename(target)
        return
    target.rename(aside)
    try:
        fresh.rename(target)
    except OSError:
        aside.rename(target)
        raise


def settle(fresh: Path, place: Path, is_whole: Callable[[Path], bool]) -> None:
    """Rename a folder into its place, where a whole one that another process put there stays.

    Args:
        fresh: The new folder, on the same file system.
        place: Its place; what lies there and is not whole gives way.
        is_whole: Whether a folder can be used.

    Raises:
        OSError: It could not be put there.
    """
    try:
        fresh.rename(place)
    except OSError:  # something is there
        if is_whole(place):
            return
        shutil.rmtree(place, ignore_errors=True)  # damaged
        fresh.rename(place)

"""Folders that are there whole or not at all: made beside their place, then renamed into it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_PART = ".part-"
_STALE_S = 24 * 3600.0


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """An empty hidden folder in a folder, for as long as the block lasts.

    Raises:
        OSError: The folder cannot be written.
    """
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{_PART}*"):  # of a process that was killed
        if time.time() - left.stat().st_mtime > _STALE_S:
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PART, dir=parent))
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

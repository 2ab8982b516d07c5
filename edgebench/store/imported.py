"""Folders of imports: written whole or not at all, read as a stranger's.

An import is told apart from a run by its file, so both may lie in one folder tree.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from edgebench.codec import decode_import, encode_import
from edgebench.errors import StoreError
from edgebench.imports import Import

FILE = "import.json"
_MAX_BYTE = 64 << 20
IDENTITY = (
    *("workload", "workload_version", "source_sha256", "backend", "format", "precision"),
    *("accelerator", "threads", "batch", "streams", "scenario", "region", "engine", "tuning"),
    *("parameters", "options", "image_sha256"),
)
"""Columns that say what was measured: an import of the same takes the place of the earlier."""


class StoredImport(msgspec.Struct, frozen=True, kw_only=True):
    """An import as it lies on the disk."""

    folder: Path
    content: Import


def case_id(form: str, values: Mapping[str, object]) -> str:
    """First 12 hex digits of sha256 over what identifies a cell: the tool, and `IDENTITY`.

    Args:
        form: The importer, so that two tools' figures of one cell stay apart.
        values: Columns; what is not told is left out.
    """
    known = {name: values[name] for name in IDENTITY if values.get(name) is not None}
    told = msgspec.json.encode({**known, "imported_by": form}, order="sorted")
    return hashlib.sha256(told).hexdigest()[:12]


def write(parent: Path, content: Import) -> Path:
    """Store an import in a folder of its own, and give that.

    Raises:
        StoreError: It cannot be written, or could not be read again; nothing is left of it.
    """
    data = encode_import(content)
    if len(data) > _MAX_BYTE:
        raise StoreError(
            f"{len(content.rows):,} cells are more than one import holds",
            remedy="import the files, or parts of them, one by one",
        )
    folder = parent / content.run_id
    unfinished = folder / f".{FILE}.{os.getpid()}"
    try:
        folder.mkdir(parents=True)
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(folder / FILE)
    except OSError as error:
        if unfinished.exists():  # ours: a folder that was there before holds none of it
            unfinished.unlink()
            folder.rmdir()
        raise StoreError(f"cannot write {folder}: {error.strerror}") from None
    return folder


def read(folder: Path) -> StoredImport:
    """One import's folder.

    Raises:
        StoreError: It is damaged, too large, or of a newer edgebench.
    """
    path = folder / FILE
    try:
        # Not blocking: a pipe that nobody writes would be waited for.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise StoreError(f"{path} is no file")
            data = file.read(_MAX_BYTE + 1)
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > _MAX_BYTE:
        raise StoreError(f"{path} is too large for an import")
    try:
        return StoredImport(folder=folder, content=decode_import(data))
    except StoreError as error:
        raise StoreError(f"{folder}: {error.message}", remedy=error.remedy) from None


def read_all(folders: Iterable[Path]) -> tuple[tuple[StoredImport, ...], tuple[str, ...]]:
    """Imports of folders, each once and by its age, and what could not be read."""
    found: dict[str, StoredImport] = {}
    problems = []
    for folder in folders:
        try:
            one = read(folder)
        except StoreError as error:
            problems.append(str(error))
            continue
        if (known := found.get(one.content.run_id)) is not None:
            problems.append(f"{folder} and {known.folder} hold the same import")
        found.setdefault(one.content.run_id, one)
    return tuple(one for _, one in sorted(found.items())), tuple(problems)

"""What a pack is: a zip that holds ``manifest.json`` and the files it names, and nothing else.

Members are stored, never compressed: weights hardly shrink (a float model by 7 %), and a pack can
then not unpack to more than its own size, whatever it says of itself.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

MANIFEST = "manifest.json"
SUFFIX = ".edgebench.zip"
MOST_FILES = 4096
LARGEST_MANIFEST_BYTE = 1 << 20
LARGEST_TOML_BYTE = 256 << 10
PROGRAMS = frozenset({"eim"})
"""Formats that are executables: a pack carries data only."""
_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,98}[A-Za-z0-9_])?"
_PATH = re.compile(rf"{_PART}(?:/{_PART}){{0,3}}")
"""Names that mean the same on every file system: no way up, no blank, no dot at an end."""
_NAMES = {
    "workloads": re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}"),
    "derived": re.compile(r"[0-9a-f]{32}"),
}


class PackedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a folder."""

    path: str
    """Within its folder, with slashes."""
    size_byte: int
    sha256: str


class PackedFolder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A workload, or an entry of the cache of derived models."""

    kind: Literal["workloads", "derived"]
    name: str
    """Of the workload, or the key of the entry (`edgebench.derive.cache`)."""
    version: int | None = None
    """Of the workload."""
    files: tuple[PackedFile, ...]

    def member(self, file: PackedFile) -> str:
        """The name of a file within the zip."""
        return f"{self.kind}/{self.name}/{file.path}"

    @property
    def size_byte(self) -> int:
        """Of all its files."""
        return sum(file.size_byte for file in self.files)


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``manifest.json``."""

    schema: Literal[1] = 1
    edgebench_version: str
    folders: tuple[PackedFolder, ...]

    @property
    def members(self) -> list[str]:
        """Every file's name within the zip."""
        return [folder.member(file) for folder in self.folders for file in folder.files]


def check_names(folder: PackedFolder) -> None:
    """Refuse names that could lead elsewhere, or mean two things on another file system.

    Raises:
        ValueError: One of them does.
    """
    if not _NAMES[folder.kind].fullmatch(folder.name) or folder.name.endswith("."):
        raise ValueError(f"{folder.name[:80]!r} cannot name a folder of {folder.kind}")
    for file in folder.files:
        if not _PATH.fullmatch(file.path):
            raise ValueError(f"{file.path[:80]!r} is no path that a pack may hold")
    paths = [file.path.casefold() for file in folder.files]
    if len({*paths}) != len(paths):
        raise ValueError(f"{folder.name} has two files whose names differ in case at most")

"""What a user says of another tool's files, on the command line or in a TOML file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgebench.errors import UsageError
from edgebench.protocols import Importer, MappedImporter
from edgebench.report import told

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MAX_BYTE = 1 << 20


class Words(NamedTuple):
    """What was said of files that name things as they like."""

    columns: dict[str, str]
    """By column of ours theirs and its unit."""
    names: str
    said: tuple[str, ...] = ()
    """``COLUMN=VALUE`` of the file's table ``[set]``."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    names: str = ""
    map: dict[str, str] = {}
    set: dict[str, str | int] = {}


def of(file: Path | None, maps: Sequence[str], names: str) -> Words:
    """What the file and the options say together; an option goes before the file.

    Raises:
        UsageError: The file cannot be read, or an option names no column.
    """
    stored = _read(file) if file is not None else _File()
    columns = {told.column(ours).name: theirs for ours, theirs in stored.map.items()}
    for one in maps:
        ours, equals, theirs = (part.strip() for part in one.partition("="))
        if equals and not theirs:
            raise UsageError(f"--map {one!r} names nothing", remedy="--map COLUMN=THEIRS:UNIT")
        columns[told.column(ours).name] = theirs or ours
    said = tuple(f"{name}={value}" for name, value in stored.set.items())
    return Words(columns, names or stored.names, said)


def _read(path: Path) -> _File:
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTE + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > _MAX_BYTE:
        raise UsageError(f"{path} is too large for a mapping")
    try:
        return msgspec.convert(tomllib.loads(data.decode()), _File)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise UsageError(
            f"{path}: {error}", remedy='[map] latency_p50_ms = "median:us", [set] device = "..."'
        ) from None


def applied(importer: Importer, words: Words) -> Importer:
    """The importer that knows what was said.

    Raises:
        UsageError: Its files name things in one way only, so nothing can be said of them.
    """
    if not words.columns and not words.names:
        return importer
    if not isinstance(importer, MappedImporter):
        raise UsageError(
            f"{importer.name} takes no --map and no --names", remedy="its files say what is what"
        )
    return importer.mapped(words.columns, words.names)

"""Which columns of a power meter's log are what, and a row of it as a reading.

A header is understood by its words and units (``Power (mW)``, ``time_ms``), wherever in the first
lines it is; where there is none, two columns are time and watts.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import msgspec

from edgebench.errors import UsageError

TOLD = "name them: --power-columns TIME,WATTS or TIME,VOLTS,AMPS"
_WORDS = {
    "time": {"time", "timestamp", "date", "datetime", "t", "ts", "unix", "epoch", "utc"},
    "power": {"power", "watt", "watts", "p", "w", "mw", "uw", "µw", "kw"},
    "volts": {"voltage", "volt", "volts", "v", "mv", "uv", "µv", "kv"},
    "amps": {"current", "ampere", "amperes", "amp", "amps", "i", "a", "ma", "ua", "µa", "ka"},
}
_NOT_POWER = {"factor", "reactive", "apparent"}
_SCALES = {"k": 1e3, "m": 1e-3, "u": 1e-6, "µ": 1e-6}
_PREFIXES = {"kilo": "k", "milli": "m", "micro": "u"}
_UNITS = {"watt": "w", "volt": "v", "ampere": "a", "amp": "a"}
_ISO = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
_TIME_NS = {
    "s": 10**9,
    "sec": 10**9,
    "seconds": 10**9,
    "ms": 10**6,
    "us": 1000,
    "µs": 1000,
    "ns": 1,
}
_MAGNITUDES = ((1e11, 10**9), (1e14, 10**6), (1e17, 1000), (math.inf, 1))
"""Unix time now is 1.8e9 s: below which value it is how many ns."""
_PREAMBLE_LINES = 100
_NAME_WORDS = 3
"""A column's name has no more; a sentence has."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Which cells of a row are what."""

    delimiter: str
    time: int
    time_ns: int | None
    """ns of a 1 in the time column; None: by its size, or ISO 8601."""
    factors: tuple[int, ...]
    """Power, or voltage and current."""
    scale_uw: float
    first: int
    """The line of the first reading, from 1."""
    columns: int
    """Cells of a row; what more it has shows that its cells were parted wrongly."""


class EmptyLogError(UsageError):
    """Nothing but the beginning of a preamble yet."""


def layout_of(path: Path, lines: Sequence[str], told: Sequence[str]) -> Layout:
    """Find the header, or the first reading where there is none.

    Raises:
        UsageError: Neither is within the first lines, or columns cannot be told apart.
    """
    before: list[str] = []
    comment: list[str] = []
    for number, line in enumerate(lines[:_PREAMBLE_LINES], 1):
        delimiter = next((one for one in "\t;," if one in line), " ")
        cells = _cells(line.lstrip("#"), delimiter)
        if line.startswith("#"):
            comment = cells
            continue
        if len(cells) < 2:  # noqa: PLR2004 - a pair
            continue
        if _is_row(cells, told):
            if _names_in(comment, len(cells)) and (
                found := _named(path, comment, told, delimiter, number)
            ):
                return found
            if len(before) == len(cells) and not told:
                raise UsageError(f"{path}: which of {_listed(before)} is what?", remedy=TOLD)
            return _unnamed(path, cells, told, delimiter, number)
        if found := _named(path, cells, told, delimiter, number + 1):
            return found
        before, comment = cells, []
    kind = UsageError if len(lines) > _PREAMBLE_LINES else EmptyLogError
    raise kind(f"{path}: no columns of time and power", remedy=TOLD)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _names_in(comment: Sequence[str], columns: int) -> bool:
    """Whether what stands behind a ``#`` is a header, as numpy writes it, and no sentence."""
    short = all(len(_tokens(name)) <= _NAME_WORDS for name in comment)
    return len(comment) == columns and short


def _named(
    path: Path, names: Sequence[str], told: Sequence[str], delimiter: str, first: int
) -> Layout | None:
    """By a header; None where the line is none."""
    if told:
        places = [_place(name, names) for name in told]
        if None in places:
            return None
        time, *factors = (place for place in places if place is not None)
    else:
        kinds = {
            kind: [i for i, name in enumerate(names) if _kind(name) == kind] for kind in _WORDS
        }
        wanted = ("time", "power") if kinds["power"] else ("time", "volts", "amps")
        if not all(kinds[kind] for kind in wanted):
            return None
        for kind in wanted:
            if len(kinds[kind]) > 1:
                both = " and ".join(repr(names[i]) for i in kinds[kind])
                raise UsageError(f"{path}: {both} may both be the {kind}", remedy=TOLD)
        time, *factors = (kinds[kind][0] for kind in wanted)
    unit = _tokens(names[time])[-1:]
    return Layout(
        delimiter=delimiter,
        time=time,
        time_ns=_TIME_NS.get(unit[0]) if unit and len(_tokens(names[time])) > 1 else None,
        factors=tuple(factors),
        scale_uw=1e6 * math.prod(_scale(names[i]) for i in factors),
        first=first,
        columns=len(names),
    )


def _is_row(cells: Sequence[str], told: Sequence[str]) -> bool:
    """Whether a line is a reading and no header: a time first, or where that was told to be."""
    if not told:
        return _is_time(cells[0]) and any(map(_is_number, cells[1:]))
    places = [_place(name, ()) for name in told]
    found = [cells[place] for place in places if place is not None and place < len(cells)]
    return len(found) == len(told) and _is_time(found[0]) and all(map(_is_number, found[1:]))


def _unnamed(
    path: Path, cells: Sequence[str], told: Sequence[str], delimiter: str, first: int
) -> Layout:
    """Without a header: time and watts, or as told by numbers."""
    if not told and len(cells) > 2:  # noqa: PLR2004 - a pair
        raise UsageError(f"{path}: {len(cells)} columns without names", remedy=TOLD)
    time, *factors = (int(name) - 1 for name in told or ("1", "2"))
    return Layout(
        delimiter=delimiter,
        time=time,
        time_ns=None,
        factors=tuple(factors),
        scale_uw=1e6,
        first=first,
        columns=len(cells),
    )


def _place(told: str, names: Sequence[str]) -> int | None:
    """Where a column lies: by its name, else by its number from 1."""
    if told in names:
        return list(names).index(told)
    return int(told) - 1 if told.isdecimal() and int(told) > 0 else None


def _tokens(name: str) -> list[str]:
    """Words of a name, units by their signs: ``Power (Milliwatts)`` is ``power``, ``mw``."""
    return [_sign(word) for word in re.findall(r"[a-zµ]+", name.lower().replace("μ", "µ"))]


def _sign(word: str) -> str:
    for prefix, sign in _PREFIXES.items():
        unit = _UNITS.get(word.removeprefix(prefix).removesuffix("s"))
        if unit is not None and word.startswith(prefix):
            return sign + unit
    return word


def _kind(name: str) -> str | None:
    tokens = set(_tokens(name))
    if tokens & _NOT_POWER:
        return None
    return next((kind for kind, words in _WORDS.items() if tokens & words), None)


def _scale(name: str) -> float:
    """What a 1 in a column is in its base unit, by the last unit in its name."""
    units = [word for word in _tokens(name) if len(word) == 2 and word[1] in "wva"]  # noqa: PLR2004 - mW
    return next((_SCALES[word[0]] for word in reversed(units) if word[0] in _SCALES), 1.0)


def _cells(line: str, delimiter: str) -> list[str]:
    if delimiter == " ":
        return line.split()
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:  # a NUL, or a megabyte without a delimiter
        return []


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell.replace(",", ".")))
    except ValueError:
        return False


def _is_time(cell: str) -> bool:
    return _ISO.fullmatch(cell) is not None or _is_number(cell)


def reading(line: str, layout: Layout, *, cut: bool) -> tuple[int, int]:
    """``(t_ns, power_uw)`` of a row.

    Raises:
        ValueError: It is none, and why.
    """
    if cut:
        raise ValueError("no end of the line: it is still being written")
    cells = _cells(line, layout.delimiter)
    if len(cells) <= max(layout.time, *layout.factors):
        raise ValueError(f"{len(cells)} column(s) only")
    if any(cells[layout.columns :]):  # "3,5" where commas part the cells is no 3 W
        raise ValueError(f"{len(cells)} columns where {layout.columns} are named")
    product = layout.scale_uw
    for place in layout.factors:
        product *= _number(cells[place], layout.delimiter)
    if not 0 <= product < 1e15:  # noqa: PLR2004 - 1 GW is no device
        raise ValueError(f"{product / 1e6:g} W is no power of a device")
    return _time_ns(cells[layout.time], layout), round(product)


def _number(cell: str, delimiter: str) -> float:
    """A finite number; its decimal sign may be a comma where that does not part the cells.

    Raises:
        ValueError: It is none.
    """
    try:
        value = float(cell if delimiter == "," else cell.replace(",", "."))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{cell!r} is no number")
    return value


def _time_ns(cell: str, layout: Layout) -> int:
    if not _is_number(cell):
        return _iso_ns(cell)
    value = Decimal(cell if layout.delimiter == "," else cell.replace(",", "."))  # exact to the ns
    unit = layout.time_ns or next(ns for below, ns in _MAGNITUDES if abs(value) < below)
    return round(value * unit)


def _iso_ns(cell: str) -> int:
    """An ISO 8601 time; Python 3.10 reads neither Z nor every number of decimals."""
    found = _ISO.fullmatch(cell)
    if found is None:
        raise ValueError(f"{cell!r} is no time")
    zone = (found[3] or "Z").replace("Z", "+00:00")
    zone = zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    try:
        whole = datetime.fromisoformat(f"{found[1]}{zone}").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ValueError(f"{cell!r} is no time") from None
    return int(whole.timestamp()) * 10**9 + int((found[2] or "0").ljust(9, "0"))

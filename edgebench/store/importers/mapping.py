"""Which of our columns is which of theirs, in the user's words: ``latency_p50_ms=median:us``.

The unit is theirs; what a factor it is follows from our column's, the last word of its name. A name
that seems to hold another unit than ours is refused until the unit is told.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from edgebench.errors import UsageError, plain

_UNITS: dict[str, tuple[str, Fraction]] = {
    **{name: ("time", Fraction(n, 10**9)) for name, n in (("ns", 1), ("us", 10**3), ("µs", 10**3))},
    **{name: ("time", Fraction(n, 10**3)) for name, n in (("ms", 1), ("s", 10**3))},
    "min": ("time", Fraction(60)),
    "uj": ("energy", Fraction(1, 10**6)),
    "mj": ("energy", Fraction(1, 10**3)),
    "j": ("energy", Fraction(1)),
    "uw": ("power", Fraction(1, 10**6)),
    "mw": ("power", Fraction(1, 10**3)),
    "w": ("power", Fraction(1)),
    "byte": ("size", Fraction(1)),
    "kib": ("size", Fraction(1 << 10)),
    "mib": ("size", Fraction(1 << 20)),
    "gib": ("size", Fraction(1 << 30)),
    "kb": ("size", Fraction(10**3)),
    "mb": ("size", Fraction(10**6)),
    "gb": ("size", Fraction(10**9)),
    "ips": ("rate", Fraction(1)),
    "fps": ("rate", Fraction(1)),
    "hz": ("rate", Fraction(1)),
    "ratio": ("share", Fraction(1)),
    "percent": ("share", Fraction(1, 100)),
    "%": ("share", Fraction(1, 100)),
}
"""A unit's quantity, and how much of that quantity's base unit it is."""
_SILENT = frozenset({"min"})
"""Not seen in names: the least, more often than minutes."""
_SPELT = {
    **dict.fromkeys(("nsec", "nsecs", "nanosecond", "nanoseconds", "nanos"), "ns"),
    **dict.fromkeys(("usec", "usecs", "microsecond", "microseconds", "micros", "\u03bcs"), "us"),
    **dict.fromkeys(("msec", "msecs", "millisecond", "milliseconds", "millis"), "ms"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("joule", "joules"), "j"),
    **dict.fromkeys(("millijoule", "millijoules"), "mj"),
    **dict.fromkeys(("watt", "watts"), "w"),
    **dict.fromkeys(("milliwatt", "milliwatts"), "mw"),
    **dict.fromkeys(("pct",), "percent"),
    **dict.fromkeys(("bytes",), "byte"),
}
"""Other spellings of a unit."""
_WORDS = re.compile(r"[A-Za-z\u00b5\u03bc%]+")
_LAST_HUMP = re.compile(r"[A-Z]+[a-z]*$")
_NUMBER = re.compile(r"[+-]?(\d{1,30}\.?\d{0,30}|\.\d{1,30})([eE][+-]?\d{1,2})?", re.ASCII)


class Source(NamedTuple):
    """What stands for one of our columns."""

    column: str
    theirs: str
    """The name in their file."""
    factor: Fraction | None
    """From their unit to ours; None where no unit was told."""


def source(column: str, told: str, known: Collection[str] = ()) -> Source:
    """What the user's words mean.

    Args:
        column: One of ours; its unit is the last word of its name.
        told: ``median``, ``median:us``.
        known: Names of their file: one that has a colon is not cut at it.

    Raises:
        UsageError: The unit is none of that column's, or has to be told.
    """
    theirs, colon, word = (part.strip() for part in told.rpartition(":"))
    unit = _unit(word)
    if told in known or not colon or unit not in _UNITS:
        _check_name(column, told)
        return Source(column, told, None)
    quantity, size = _UNITS[unit]
    ours = _UNITS.get(column.rpartition("_")[2])
    if ours is None or ours[0] != quantity:
        raise UsageError(f"{column} is not told in {unit}")
    return Source(column, theirs, size / ours[1])


def _unit(word: str) -> str:
    """A word's usual spelling, if it is a unit's."""
    return _SPELT.get(word.lower(), word.lower())


def _check_name(column: str, theirs: str) -> None:
    ours, seen = column.rpartition("_")[2], _seen(theirs)
    if ours not in _UNITS or seen in {"", ours}:
        return
    shown = plain(theirs[:80])
    alike = _UNITS[seen][0] == _UNITS[ours][0]
    raise UsageError(
        f"{shown!r} seems to be in {seen}, and {column} is in {ours}",
        remedy=f"tell its unit: {column}={shown}:{seen if alike else ours}",
    )


def _seen(name: str) -> str:
    """The last unit in a name: ``median_us``, ``us_p50``, ``medianUs``; empty where there is none.

    One letter counts only at the end.
    """
    words = _WORDS.findall(name)
    if words and _unit(words[-1]) not in _UNITS and (hump := _LAST_HUMP.search(words[-1])):
        words.append(hump[0])
    units = [_unit(word) for word in words]
    found = [u for n, u in enumerate(units, 1) if u in _UNITS and (len(u) > 1 or n == len(units))]
    return next((unit for unit in reversed(found) if unit not in _SILENT), "")


def scaled(found: Source, value: str | float, where: str) -> float:
    """A figure in our column's unit, from the exact value that was told.

    Args:
        found: Whose figure it is.
        value: A table's text, or a finite number.
        where: Its place.

    Raises:
        UsageError: It is no number.
    """
    try:
        exact = number_of(value) if isinstance(value, str) else Fraction(value)
    except ValueError:
        raise UsageError(f"{where}: {plain(repr(value)[:60])} is no number") from None
    return float(exact * (found.factor or 1))


def number_of(text: str) -> Fraction:
    """Digits with a decimal point, exactly; no thousands, no words such as ``nan``.

    Raises:
        ValueError: It is none.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return Fraction(Decimal(text))


class Template:
    """How a name is made of columns: ``test_{workload}[{backend}-{precision}]``.

    What stands for a column ends where the text behind it begins, so reading takes linear time;
    ``{_}`` stands for what is nothing of ours.

    Raises:
        UsageError: It names no column, or one twice, or two of them with nothing in between.
    """

    def __init__(self, words: str) -> None:
        parts = re.split(r"\{([a-z0-9_]+)\}", words)
        texts, self._columns = parts[0::2], parts[1::2]
        named = [name for name in self._columns if name != "_"]
        if not named or len(set(named)) < len(named) or not all(texts[1:-1]):
            raise UsageError(
                f"{plain(words[:80])!r} does not say which part of a name is which column",
                remedy="write it like 'test_{workload}[{backend}-{precision}]'",
            )
        pattern = re.escape(texts[0])
        for text in texts[1:]:
            pattern += (f"([^{re.escape(text[0])}]+)" if text else "(.+)") + re.escape(text)
        self._pattern = re.compile(pattern)
        self._words = words

    def read(self, name: str, where: str) -> dict[str, str]:
        """The columns that a name tells.

        Raises:
            UsageError: It is not made so.
        """
        found = self._pattern.fullmatch(name)
        if found is None:
            raise UsageError(f"{where}: {plain(name[:80])!r} is not like {self._words!r}")
        told = zip(self._columns, found.groups(), strict=True)
        return {column: text for column, text in told if column != "_"}

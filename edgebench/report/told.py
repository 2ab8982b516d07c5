"""Columns that a file or a user tells: known names, fitting values, and no figure by mere word."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import get_args

import msgspec

from edgebench.errors import UsageError, plain
from edgebench.metering import TIERS
from edgebench.records import PRECISIONS, REGIONS, SCENARIOS, TUNINGS, Task, Weights
from edgebench.report.column import Column
from edgebench.report.columns import COLUMNS
from edgebench.store.importers.mapping import number_of

Told = str | int | float
OURS = frozenset(
    {"run_id", "case_id", "edgebench_version", "preset", "imported_from", "validity", "steady"}
)
"""Columns that edgebench alone can fill."""
REQUIRED = ("device", "workload", "backend", "precision")
"""Without these nobody knows what a figure is of."""
CHOICES: dict[str, tuple[str, ...]] = {
    "precision": PRECISIONS,
    "scenario": SCENARIOS,
    "region": REGIONS,
    "tuning": TUNINGS,
    "status": ("ok", "failed"),
    "power_tier": TIERS,
    "task": get_args(Task),
    "weights": get_args(Weights),
}
"""Columns that hold one of a few words."""
_BY_NAME = {column.name: column for column in COLUMNS if column.name not in OURS}
_SHARES = ("top1", "map50", "miou", "in_time", "parity", "precision", "top1_lo", "top1_hi")
_SIGNED = ("loss", "net")
"""Words of a name whose figure may be below 0."""
_ABOVE_0 = (
    *("latency_", "service_", "burst_p50_ms", "sustained_p50_ms", "load_ms", "first_inference_ms"),
    *("throughput_", "power_w", "energy_gross_", "threads", "batch", "streams"),
)
"""How the names of figures begin that are 0 only where nothing was measured."""
_MOST = 1e15
"""No figure of a benchmark is more; a whole number beyond 64 bits would fit into no table."""
_LONGEST = 500
_LONG = {"engine_figures": 20_000, "caveats": 2000, "reason": 2000}


def column(name: str) -> Column:
    """A column that may be told.

    Raises:
        UsageError: There is none of that name, or it is edgebench's own.
    """
    if name in OURS:
        raise UsageError(f"{name} is told by edgebench alone")
    found = _BY_NAME.get(name)
    if found is None:
        known = (
            "`edgebench report --list-columns`; a name of a file's own is told by --map COLUMN=NAME"
        )
        raise UsageError(
            f"there is no column {plain(name[:80])!r}", remedy=_near(name, _BY_NAME, known)
        )
    return found


def _near(word: str, known: Iterable[str], otherwise: str) -> str:
    close = difflib.get_close_matches(word[:80].lower(), list(known), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else otherwise


def stated(words: Iterable[str]) -> dict[str, Told]:
    """``precision=int8``, ``threads=4`` ... as columns with their values.

    Raises:
        UsageError: One names no column, a figure, or one that is stated otherwise already.
    """
    found: dict[str, Told] = {}
    for one in words:
        name, equals, text = (part.strip() for part in one.partition("="))
        if not equals or not text:
            raise UsageError(f"--set {one!r} states nothing", remedy="--set COLUMN=VALUE")
        kind = column(name).kind
        if kind == "float":
            raise UsageError(
                f"{name} is a figure, and a figure must stand in a file",
                remedy="`edgebench import csv` reads one of your own",
            )
        value = fitting(name, text, f"--set {name}")
        if found.setdefault(name, value) != value:
            raise UsageError(f"{name} is stated as {found[name]} and as {value}")
    return found


def fitting(name: str, value: object, where: str) -> Told:
    """A column's value, checked.

    Args:
        name: A column that may be told.
        value: As it was found.
        where: What tells it, for the message.

    Raises:
        UsageError: It is none of that column.
    """
    kind = column(name).kind
    if kind == "str":
        return _text(name, value, where)
    if isinstance(value, str):  # of a table
        value = _number(value)
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    whole = isinstance(number, int)
    if abs(number) > _MOST:  # first: such a whole number may be beyond every float
        raise UsageError(f"{where}: {name} cannot be {_shown(number)}")
    if not math.isfinite(number) or (kind == "int" and not whole):
        raise UsageError(f"{where}: {_shown(value)} is no {_KINDS[kind]}, as {name} is")
    parts = name.split("_")
    if number < 0 and not set(parts) & set(_SIGNED):
        raise UsageError(f"{where}: {name} cannot be {number:g}")
    if number == 0 and name.startswith(_ABOVE_0):
        raise UsageError(f"{where}: {name} cannot be 0", remedy="what was not measured is left out")
    if parts[-1] == "ratio" and number > 1 and name.startswith(_SHARES):
        raise UsageError(f"{where}: {name} cannot be {number:g}", remedy="a share is 0 to 1")
    return float(number) if kind == "float" else number


def _number(text: str) -> object:
    """A number from a table's field, whole where it is; the text where it is none."""
    try:
        value = number_of(text)
    except ValueError:
        return text
    return int(value) if value == math.floor(value) else float(value)


_KINDS = {"int": "whole number", "float": "number"}


def _text(name: str, value: object, where: str) -> str:
    fits = isinstance(value, str) and 0 < len(value) <= _LONG.get(name, _LONGEST)
    if not isinstance(value, str) or not fits or not value.isprintable():
        raise UsageError(f"{where}: {_shown(value)} is no text for {name}")
    if name == "engine_figures" and not _is_figures(value):
        raise UsageError(f"{where}: {_shown(value)} is no JSON of figures by their names")
    choices = CHOICES.get(name)
    if choices is not None and value not in choices:
        raise UsageError(
            f"{where}: {name} cannot be {_shown(value)}",
            remedy=_near(value, choices, f"one of {', '.join(choices)}"),
        )
    return value


def _is_figures(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=dict[str, float])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


def _shown(value: object) -> str:
    return plain(repr(value)[:60])


def complete(
    values: Mapping[str, object], origin: Mapping[str, str], said: Mapping[str, Told]
) -> tuple[dict[str, Told], dict[str, str]]:
    """``(values, origin)`` of a cell: what the file tells, and what the user states beside it.

    Args:
        values: Columns as an importer found them.
        origin: Of each of them where it stands.
        said: What the user states, see `stated`.

    Raises:
        UsageError: A value does not fit, has no origin, or is stated otherwise; or what a cell
            needs is not told.
    """
    found = {}
    for name, value in values.items():
        if not origin.get(name):
            raise UsageError(f"the importer tells no origin of {name}")
        found[name] = fitting(name, value, origin[name])
    for name, value in said.items():
        if found.setdefault(name, value) != value:
            raise UsageError(
                f"{name} is {_shown(found[name])} in {origin[name]}, stated as {_shown(value)}"
            )
    lacking = [name for name in REQUIRED if name not in found]
    if lacking:
        told = next(iter(origin.values()), "the file")
        raise UsageError(f"{told} tells no {lacking[0]}", remedy=_remedy(lacking))
    _ordered(found, origin)
    known = {name: origin.get(name, AS_STATED) for name in found}
    if "device_id" not in found:
        found["device_id"], known["device_id"] = found["device"], UNNAMED
    return found, known


AS_STATED = "as stated"
UNNAMED = "the device's name: nobody named the unit"


def _remedy(lacking: Iterable[str]) -> str:
    return "state it: " + " ".join(f"--set {name}=..." for name in lacking)


def _ordered(values: Mapping[str, Told], origin: Mapping[str, str]) -> None:
    """Refuse an interval that does not hold its figure."""
    for name, value in values.items():
        stem, _, unit = name.rpartition("_")
        low, high = (values.get(f"{stem}_{end}_{unit}") for end in ("lo", "hi"))
        if not (isinstance(low, float) and isinstance(high, float)):
            continue
        if not (isinstance(value, float) and low <= value <= high):
            raise UsageError(f"{origin[name]}: {value} is not within {low:g} to {high:g}")

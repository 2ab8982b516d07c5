"""Which row of A belongs to which of B, whether the two may be compared, and what changed."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

Cells = Mapping[str, object]
"""A row of `edgebench.report.rows`, or what a frame or a baseline holds of it."""

_AXES = (
    "device",
    "workload",
    "backend",
    "precision",
    "accelerator",
    "threads",
    "batch",
    "streams",
    "scenario",
    "region",
    "engine",
    "tuning",
    "parameters",
    "options",
)
_LOOSE = ("device", "workload", "backend", "precision", "accelerator")
"""What must agree for two cells to be held against each other, if only to say why they differ."""
_LIKE = {
    "source_sha256": "other model",
    "workload_version": "other version of the workload",
    "preset": "other preset",
    "threads": "other number of threads",
    "batch": "other batch",
    "streams": "other number of streams",
    "scenario": "other scenario",
    "region": "other region",
    "engine": "other engine",
    "tuning": "other tuning",
    "image_sha256": "other image",
}
"""What a comparison cannot see through; a value that is not known is not held against it."""
_CHANGES = (
    "device",
    "device_id",
    "backend",
    "backend_version",
    "format",
    "precision",
    "accelerator",
    "options",
    "model_sha256",
    "pipeline",
    "edgebench_version",
)
"""What one compares *for*: named beside the verdict."""
_HASH_DIGITS = 8
_MACHINES_OWN = re.compile(r"(\bmax_streams)=\S+")
_RATE = re.compile(r"\brate_hz=")
_LATENCIES = frozenset({"latency_p50_ms", "latency_p99_ms"})
_UNDER_LOAD = _LATENCIES | {"throughput_ips"}
_OF_POWER = frozenset({"power_w", "energy_gross_mj", "energy_net_mj"})


class Pairing(NamedTuple):
    """Rows of A and B, matched."""

    pairs: list[tuple[Cells, Cells]]
    """In A's order."""
    only_a: list[Cells]
    only_b: list[Cells]


def pair(a: Sequence[Cells], b: Sequence[Cells]) -> Pairing:
    """Match the cells of two runs (or sets of runs).

    An axis on which each side knows a single value, and another one, is what is being compared
    (two devices, two backends, two precisions); on every other axis a pair agrees. The same unit
    of a device goes before another one of its kind. What is left over is matched by workload,
    backend and precision where that is unambiguous, so that a change of, say, threads is named
    instead of shown as one cell gone and one come.

    Args:
        a: Rows of A, at most one for each device_id and case_id.
        b: The same of B.
    """
    crossed = {axis for axis in _AXES[2:] + _AXES[:1] if _crossed(a, b, axis)}
    axes = tuple(axis for axis in _AXES if axis not in crossed)
    loose = tuple(axis for axis in _LOOSE if axis not in crossed)
    left_a, left_b = dict(enumerate(a)), dict(enumerate(b))
    found: dict[int, int] = {}
    for names in (("device_id", "case_id"), ("device_id", *axes), axes, loose):
        found |= _matched(left_a, left_b, _key(names))
    return Pairing(
        [(a[i], b[found[i]]) for i in sorted(found)], list(left_a.values()), list(left_b.values())
    )


def _crossed(a: Sequence[Cells], b: Sequence[Cells], axis: str) -> bool:
    ours, theirs = ({_cell(row, axis) for row in side} for side in (a, b))
    return len(ours) == len(theirs) == 1 and ours != theirs


def _key(names: Sequence[str]) -> Callable[[Cells], tuple[str, ...]]:
    return lambda row: tuple(_cell(row, name) for name in names)


def _cell(row: Cells, name: str) -> str:
    return asked(row) if name == "parameters" else str(row.get(name))


def asked(row: Cells) -> str:
    """The parameters that make a cell's question; empty where its scenario has none.

    How many streams an offline case may try is the machine's size and no other question.
    """
    return _MACHINES_OWN.sub(r"\1", str(row.get("parameters") or ""))


def _matched(
    left_a: dict[int, Cells], left_b: dict[int, Cells], key: Callable[[Cells], tuple[str, ...]]
) -> dict[int, int]:
    """Positions in A and in B whose key only they have; they are taken out of what is left."""
    places: defaultdict[tuple[str, ...], tuple[list[int], list[int]]]
    places = defaultdict(lambda: ([], []))
    for side, rows in enumerate((left_a, left_b)):
        for position, row in rows.items():
            places[key(row)][side].append(position)
    found = {
        ours[0]: theirs[0] for ours, theirs in places.values() if len(ours) == len(theirs) == 1
    }
    for ours, theirs in found.items():
        del left_a[ours], left_b[theirs]
    return found


def obstacle(a: Cells, b: Cells) -> str:
    """Why two cells are not comparable, in one line; empty where they are."""
    for name, row in (("A", a), ("B", b)):
        if row.get("status") not in {"ok", None}:
            return f"{name} {row.get('status')}: {row.get('reason') or 'no reason known'}"
    for column, words in _LIKE.items():
        ours, theirs = a.get(column), b.get(column)
        if ours is not None and theirs is not None and ours != theirs:
            return f"{words}: {_short(ours)} -> {_short(theirs)}"
    if asked(a) != asked(b):
        return (
            f"other parameters: {a.get('parameters') or 'none'} -> {b.get('parameters') or 'none'}"
        )
    for name, row in (("A", a), ("B", b)):
        if row.get("validity") == "invalid":
            return f"{name} invalid: {row.get('caveats') or 'no reason known'}"
    if (a.get("fallback") or "") != (b.get("fallback") or ""):
        return " -> ".join(
            f"ran {row.get('effective_precision')}"
            + (f" (fell back: {row['fallback']})" if row.get("fallback") else "")
            for row in (a, b)
        )
    return ""


def obstacle_of(metric: str, a: Cells, b: Cells) -> str:
    """Why a metric of two comparable cells is that of other loads, in one line; empty where not.

    What a search found is where its latency was measured: a server that bears twice the rate
    answers later there, and a larger batch takes longer. Powers of two tiers, or of meters that
    leave out other parts of the device, are powers of two things.
    """
    if metric in _OF_POWER:
        return _other_power(a, b)
    scenario = a.get("scenario")
    if scenario == "server" and metric in _UNDER_LOAD and not _RATE.search(asked(a)):
        return "server: each was measured at the rate that it bears: compare server_rate_hz"
    if scenario == "offline" and metric in _LATENCIES:
        points = [[row.get(f"offline_{axis}") for axis in ("batch", "streams")] for row in (a, b)]
        if points[0] != points[1] or None in points[0]:
            return "offline: calls of another size: compare throughput_ips"
    return ""


def _other_power(a: Cells, b: Cells) -> str:
    for column, words in (
        ("power_tier", "other power tier"),
        ("power_excludes", "the meters leave out other parts"),
    ):
        if None not in (a.get("power_tier"), b.get("power_tier")) and a.get(column) != b.get(
            column
        ):
            return f"{words}: {_short(a.get(column))} -> {_short(b.get(column))}"
    return ""


def changes(a: Cells, b: Cells, also: Sequence[str] = ()) -> list[str]:
    """What differs between two cells that may be compared: ``backend_version 1.17 -> 1.18``.

    Args:
        a: The one before.
        b: The one after.
        also: Further columns that are looked at.
    """
    return [
        f"{name} {_short(a.get(name))} -> {_short(b.get(name))}"
        for name in (*_CHANGES, *also)
        if a.get(name) != b.get(name)
    ]


def doubts(a: Cells, b: Cells) -> str:
    """Which of two cells that may be compared is suspect: ``suspect in A and B``, or empty."""
    found = [name for name, row in (("A", a), ("B", b)) if row.get("validity") == "suspect"]
    return f"suspect in {' and '.join(found)}" if found else ""


def _short(value: object) -> str:
    """A value as it is named; a hash by its first digits."""
    words = "none" if value is None else str(value)
    is_hash = len(words) == 64 and set(words) <= set("0123456789abcdef")  # noqa: PLR2004 - sha256
    return words[:_HASH_DIGITS] if is_hash else words

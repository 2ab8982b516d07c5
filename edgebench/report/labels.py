"""Short names of cells: what they run, then only what tells them apart from their neighbours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

_ALWAYS = ("backend", "precision")
_IF_NEEDED = (
    "device",
    "accelerator",
    "threads",
    "batch",
    "streams",
    "scenario",
    "parameters",
    "region",
    "engine",
    "tuning",
    "options",
    "format",
    "workload_version",
    "device_id",
    "run_id",
    "case_id",
)
_PREFIX = {"threads": "t", "batch": "b", "streams": "s", "workload_version": "v"}


def labels(
    rows: Sequence[Mapping[Any, object]], asked: Sequence[object] | None = None
) -> list[str]:
    """A name for each row: ``litert/int8``, or ``litert/int8/t4`` beside a ``litert/int8/t1``.

    Args:
        rows: Rows of `edgebench.report.rows`, or a frame's records; missing keys are passed over.
        asked: What each name will stand beside, as a heading or in a column of its own; the
            workload where None.

    Returns:
        One name a row, in the same order; unique among the rows that stand beside the same, as far
        as they differ.
    """
    beside = [row.get("workload") for row in rows] if asked is None else asked
    groups: defaultdict[object, list[Mapping[Any, object]]] = defaultdict(list)
    for place, row in zip(beside, rows, strict=True):
        groups[place].append(row)
    chosen = {place: (*_ALWAYS, *telling(mine, _ALWAYS)) for place, mine in groups.items()}
    named = zip(beside, rows, strict=True)
    return ["/".join(_parts(row, chosen[place])) for place, row in named]


def telling(rows: Sequence[Mapping[Any, object]], shown: tuple[str, ...]) -> tuple[str, ...]:
    """The further columns, in order, that it takes to tell rows apart which look alike.

    Args:
        rows: As for `labels`.
        shown: Columns that are shown anyway.
    """
    chosen = shown
    for name in _IF_NEEDED:
        groups: defaultdict[tuple[object, ...], set[object]] = defaultdict(set)
        sizes: defaultdict[tuple[object, ...], int] = defaultdict(int)
        for row in rows:
            key = tuple(str(row.get(column)) for column in chosen)
            groups[key].add(str(row.get(name)))
            sizes[key] += 1
        if max(sizes.values(), default=1) == 1:
            break
        if any(len(values) > 1 for values in groups.values()):
            chosen = (*chosen, name)
    return chosen[len(shown) :]


def _parts(row: Mapping[Any, object], columns: Sequence[str]) -> list[str]:
    return [f"{_PREFIX.get(k, '')}{row[k]}" for k in columns if row.get(k) is not None]

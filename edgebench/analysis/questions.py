"""Which cells answer the same question, and may therefore be ranked together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar

_Row = TypeVar("_Row", bound=Mapping[str, object])

_SAME = (
    *("workload", "workload_version", "batch", "streams", "scenario", "parameters"),
    *("region", "image_sha256", "engine", "tuning"),
)
"""Cells that differ in one of these answer different questions and are not ranked together."""
_SHOWN_IF_OTHER = {
    "workload_version": 1,
    "batch": 1,
    "streams": 1,
    "scenario": "single_stream",
    "parameters": None,
    "region": "invoke",
    "engine": "edgebench",
    "tuning": "native",
}


def key(row: Mapping[str, object]) -> tuple[object, ...]:
    """What a cell was asked; cells with the same key may be ranked together."""
    return tuple(_asked(row, name) for name in _SAME)


def grouped(rows: Iterable[_Row]) -> list[list[_Row]]:
    """Rows by question, in the order they came."""
    groups: defaultdict[tuple[object, ...], list[_Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return list(groups.values())


def words(row: Mapping[str, object]) -> str:
    """What a cell was asked, in words: its workload, and what is not usual."""
    extra = [(k, _asked(row, k)) for k, usual in _SHOWN_IF_OTHER.items() if row.get(k) != usual]
    told = [str(v) if k == "parameters" else f"{k} {v}" for k, v in extra if v is not None]
    return ", ".join([str(row.get("workload")), *told])


def _asked(row: Mapping[str, object], name: str) -> object:
    """How far an offline cell looked depends on its device's CPUs; what it was asked does not."""
    looked = name == "parameters" and row.get("scenario") == "offline"
    return None if looked else row.get(name)

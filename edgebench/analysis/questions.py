"""Which cells answer the same question, and may therefore be ranked together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

_Row = TypeVar("_Row", bound=Mapping[str, object])

_SAME = (
    *("workload", "workload_version", "batch", "streams", "scenario", "parameters"),
    *("region", "image_sha256", "engine", "tuning"),
)
"""Cells that differ in one of these answer different questions and are not ranked together; nor are
those of two models of one name."""
_MODEL = "source_sha256"
_HASH_DIGITS = 8
ASKED = ("batch", "streams", "scenario", "region")
"""What an imported cell must tell to be ranked with measured ones; its engine is its tool, and its
workload's version and tuning are words of our own."""
_SHOWN_IF_OTHER: dict[str, object] = {
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
    """What a cell was asked, whatever the model; see `grouped`."""
    return tuple(_asked(row, name) for name in _SAME)


def grouped(rows: Iterable[_Row]) -> list[list[_Row]]:
    """Rows by question, in the order they came.

    A model that is not told (imported rows) is taken for the only one of its name; of two of one
    name it is neither.
    """
    groups: defaultdict[tuple[object, ...], list[_Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    found: list[list[_Row]] = []
    for group in groups.values():
        by_model: defaultdict[str, list[_Row]] = defaultdict(list)
        for row in group:
            by_model[_model(row)].append(row)
        several = len(by_model.keys() - {""}) > 1
        found += by_model.values() if several else [group]
    return found


def names(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Each row's words, with its model's hash where two models have one name."""
    told = [words(row) for row in rows]
    models: defaultdict[str, set[str]] = defaultdict(set)
    for row, one in zip(rows, told, strict=True):
        models[one].add(_model(row))
    return [
        f"{one}, model {_model(row)[:_HASH_DIGITS] or 'not told'}"
        if len(models[one] - {""}) > 1
        else one
        for row, one in zip(rows, told, strict=True)
    ]


def _model(row: Mapping[str, object]) -> str:
    found = row.get(_MODEL)
    return found if isinstance(found, str) else ""


def words(row: Mapping[str, object]) -> str:
    """What a cell was asked, in words: its workload, and what is not usual."""
    extra = [(k, v) for k, usual in _SHOWN_IF_OTHER.items() if (v := _asked(row, k)) != usual]
    told = [str(v) if k == "parameters" else f"{k} {v}" for k, v in extra if v is not None]
    silent = [name for name in ASKED if row.get(name) is None] if row.get("imported_from") else []
    told += [f"imported, not told: {', '.join(silent)}"] if silent else []
    return ", ".join([str(row.get("workload")), *told])


def _asked(row: Mapping[str, object], name: str) -> object:
    """How far an offline cell looked depends on its device's CPUs; what it was asked does not."""
    looked = name == "parameters" and row.get("scenario") == "offline"
    own = name not in ASKED and row.get("imported_from") and row.get(name) is None
    return None if looked else _SHOWN_IF_OTHER.get(name) if own else row.get(name)

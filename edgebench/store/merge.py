"""Choosing among many runs: the newest figures of each case on each device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

_Row = TypeVar("_Row", bound=Mapping[str, object])


def latest(rows: Iterable[_Row], *, each_setup: bool = False) -> list[_Row]:
    """The last row of each (device_id, case_id) by run_id, in the order they came.

    run_ids start with the time, so the greatest is the newest. A row that holds no launch gives way
    to one that does: a run that ended early hides no earlier figures. So does one of `edgebench ab`
    to a run's: its inferences were made in turns with another case, which is another protocol.

    Args:
        rows: In any order.
        each_setup: What a unit did under another limit or in another power mode stays: to choose
            between those is a choice, too.
    """
    chosen: dict[tuple[object, ...], _Row] = {}
    for row in rows:
        setup = (row.get("device_setup"),) if each_setup else ()
        key = (row["device_id"], row["case_id"], *setup)
        known = chosen.get(key)
        if known is None or _rank(known) <= _rank(row):
            chosen[key] = row
    return list(chosen.values())


def _rank(row: Mapping[str, object]) -> tuple[bool, bool, str]:
    return row.get("launches") != 0, row.get("preset") != "ab", str(row["run_id"])

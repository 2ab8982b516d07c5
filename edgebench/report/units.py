"""The spread between units of one kind of device in words: a line a kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from edgebench.analysis import history, units
from edgebench.analysis.compare import DEFAULT_METRIC
from edgebench.analysis.units import Unlike
from edgebench.report.rows import Row
from edgebench.report.table import clean, number
from edgebench.store import merge


def lines(rows: Sequence[Row], metric: str = DEFAULT_METRIC) -> list[str]:
    """By how much the units of each kind of device differ; nothing where each has one unit."""
    kinds: defaultdict[tuple[str, str], list[Unlike]] = defaultdict(list)
    for one in units.of_rows(merge.latest(rows), metric):
        row = one.candidate.row
        kinds[str(row.get("device")), str(row.get("device_setup") or "")].append(one)
    return [clean(_line(kind, found, metric)) for kind, found in kinds.items()]


def _line(kind: tuple[str, str], found: Sequence[Unlike], metric: str) -> str:
    device, setup = kind
    named = f"{device} ({setup})" if setup else device
    unlike = [one for one in found if one.beyond]
    largest = max(unlike or found, key=lambda one: one.spread.ratio or 0.0)
    spread = largest.spread
    case = history.labelled(largest.candidate.row)
    by = "" if spread.ratio is None else f" by {spread.ratio - 1:.1%}"
    ends = (
        f"{number(spread.smallest)} on {spread.smallest_unit} to "
        f"{number(spread.largest)} on {spread.largest_unit}"
    )
    told = f"{named}: {spread.units} units differ{by} in {metric} of {case} ({ends})"
    if not unlike:
        return f"{told}, no more than their own intervals"
    more = f"; so they do in {len(unlike)} of {len(found)} cases" if len(found) > 1 else ""
    return f"{told}, more than their own intervals{more}"

"""Latency against work: cells that are slower or faster than their multiply-accumulates suggest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Row: TypeAlias = dict[str, str | int | float | None]
"""A cell as `edgebench.report.rows` makes it."""
MACS_PER_MMAC = 1_000_000
FACTOR = 2.0
"""Times slower or faster than the line of its own backend from which a cell is an outlier: networks
of one size differ by less where a runtime treats all their operators alike."""
MIN_WORKLOADS = 5
"""Fewer have no line: of three or four points any one may be the odd one."""
MIN_DRAWN = 3
"""Workloads below which latency against work is no picture."""
ASKED = (
    *("device", "device_id", "precision", "threads", "batch", "streams", "tuning", "engine"),
    "preset",
)
"""Cells that differ in one of these are not on one picture."""
SERIES = ("backend", "accelerator", "options")
"""What has a line of its own."""


class Line(NamedTuple):
    """``latency = scale * work ** slope``."""

    scale: float
    slope: float

    def at(self, work: float) -> float:
        """The latency of so much work."""
        return float(self.scale * work**self.slope)


class Standing(NamedTuple):
    """How a cell stands to the line of its backend."""

    row: Row
    expected_ms: float
    ratio: float
    """Its latency over the expected one."""
    workloads: int
    """That the line was drawn through."""

    @property
    def outlier(self) -> bool:
        """Whether it lies further from the line than `FACTOR`, either way."""
        return max(self.ratio, 1 / self.ratio) > FACTOR


def mega(macs: int | None) -> float | None:
    """Millions of multiply-accumulates."""
    return None if macs is None else macs / MACS_PER_MMAC


def rate_gmacps(row: Row) -> float | None:
    """Billion multiply-accumulates per second of the median latency.

    None where the latency holds anything but the runtime's own work, waiting for instance.
    """
    call = call_mmac(row)
    latency_ms = row.get("latency_p50_ms")
    if call is None or not isinstance(latency_ms, float) or not latency_ms > 0:
        return None
    return call / latency_ms


def call_mmac(row: Row) -> float | None:
    """Million multiply-accumulates of what a latency is of: a call with ``batch`` samples.

    None where that is not known, and where a latency is not that of one call alone.
    """
    mmac, batch = row.get("work_mmac"), row.get("batch")
    plain = (row.get("scenario"), row.get("region")) == ("single_stream", "invoke")
    if not plain or not isinstance(mmac, float) or not isinstance(batch, int) or not mmac > 0:
        return None
    return mmac * batch


def groups(rows: Sequence[Row]) -> list[list[Row]]:
    """Cells with known work and latency that may share a picture; only of enough workloads."""
    found: defaultdict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        if row.get("status") == "ok" and rate_gmacps(row) is not None:
            found[tuple(row.get(name) for name in ASKED)].append(row)
    return [mine for mine in found.values() if _workloads(mine) >= MIN_DRAWN]


def standings(rows: Sequence[Row]) -> list[Standing]:
    """How each cell stands to the line through all workloads of its backend, furthest off first.

    Args:
        rows: Of `edgebench.report.rows`. Those without known work or of too few workloads are
            left out, and so are invalid ones: how fast a wrong answer came bends no line.
    """
    found: list[Standing] = []
    for group in groups(rows):
        series: defaultdict[tuple[object, ...], list[Row]] = defaultdict(list)
        for row in (one for one in group if one.get("validity") != "invalid"):
            series[tuple(row.get(name) for name in SERIES)].append(row)
        for mine in series.values():
            count = _workloads(mine)
            if count >= MIN_WORKLOADS and (line := fit(*_points(mine))) is not None:
                found += [_standing(row, line, count) for row in mine]
    return sorted(found, key=lambda one: -abs(np.log(one.ratio)))


def fit(work: NDArray[np.float64], latency: NDArray[np.float64]) -> Line | None:
    """The line through points on two logarithmic axes that few odd ones do not bend.

    Source: Theil (1950), Sen (1968): the median of the slopes of all pairs; up to 29 % of the
    points may lie anywhere.

    Args:
        work: Above 0, shape (n,).
        latency: Above 0, shape (n,), any unit.

    Returns:
        None where all points have the same work.
    """
    x, y = np.log(work), np.log(latency)
    first, second = np.triu_indices(len(x), 1)
    apart = x[first] != x[second]
    first, second = first[apart], second[apart]
    if not len(first):
        return None
    slope = float(np.median((y[second] - y[first]) / (x[second] - x[first])))
    return Line(float(np.exp(np.median(y - slope * x))), slope)


def _points(
    rows: Sequence[Row],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    work = np.array([call_mmac(row) for row in rows], dtype=np.float64)
    return work, np.array([row["latency_p50_ms"] for row in rows], dtype=np.float64)


def _standing(row: Row, line: Line, workloads: int) -> Standing:
    (work,), (latency_ms,) = _points([row])
    expected_ms = line.at(work)
    return Standing(row, expected_ms, float(latency_ms) / expected_ms, workloads)


def _workloads(rows: Sequence[Row]) -> int:
    return len({row.get("workload") for row in rows})

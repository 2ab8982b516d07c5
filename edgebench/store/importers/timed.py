"""Figures of a list of timed calls that another tool kept, by our own definitions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgebench import stats
from edgebench.store.importers.opened import Cells

_TAILS = {"p90": 0.9, "p95": 0.95, "p99": 0.99}


def put_tails(cells: Cells, values_ms: ArrayLike, where: str) -> None:
    """The shortest, and the percentiles that so many calls can tell.

    Args:
        cells: The row in the making.
        values_ms: A value a call (not means of several), shape (n,), n >= 1.
        where: Their place.
    """
    series: NDArray[np.float64] = np.asarray(values_ms, dtype=np.float64)
    cells.put("latency_min_ms", float(series.min()), f"{where}, least, from s")
    for name, q in _TAILS.items():
        if len(series) >= stats.min_samples(q):
            words = f"{where}, nearest rank, from s"
            cells.put(f"latency_{name}_ms", stats.quantile(series, q), words)

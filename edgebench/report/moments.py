"""When it happened: inferences of minutes on end, and the looks at the machine meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from edgebench.machine import Look
from edgebench.records import Record
from edgebench.store.read import StoredRun
from edgebench.units import NS_PER_S

_S_PER_MIN = 60.0
_KINDS = {
    **dict.fromkeys(("run_id", "case_id", "stage", "slowed_by"), "category"),
    **dict.fromkeys(("minute", "second", "hottest_degc", "fastest_mhz"), "float64"),
    "launch": "int64",
}
_NAMES = (
    *("run_id", "case_id", "launch", "stage", "minute", "second"),
    *("hottest_degc", "fastest_mhz", "slowed_by"),
)


def seconds(record: Record) -> NDArray[np.float32]:
    """When each latency that a sustained launch kept began, since its window did.

    The record tells how many inferences each minute had and how long it took, and which share of
    the latencies was kept: that places every minute. Within a minute an inference lies by the
    latencies before it, scaled to the minute, so what staging took is spread evenly.

    Returns:
        Shape (n,), a number for each of ``record.latency_ns``; NaN where it cannot be told: in
        other scenarios, or where the minutes are not those of the latencies.
    """
    latency = np.asarray(record.latency_ns, dtype=np.float64)
    every = record.counts.get("kept_every", 1)
    ends = np.cumsum([minute.inferences for minute in record.minutes], dtype=np.int64)
    if not len(ends) or len(latency) != -(-int(ends[-1]) // every):
        return np.full(len(latency), np.nan, np.float32)
    found = np.empty(len(latency))
    firsts = [0, *(-(-int(end) // every) for end in ends)]
    start_ns = 0
    for minute, first, last in zip(record.minutes, firsts, firsts[1:], strict=False):
        mine = latency[first:last]
        before = np.cumsum(mine) - mine
        found[first:last] = start_ns + before / max(mine.sum(), 1) * minute.window_ns
        start_ns += minute.window_ns
    return (found / NS_PER_S).astype(np.float32)


def looks(runs: Iterable[StoredRun]) -> pd.DataFrame:
    """The looks of runs that were read already; columns as of `edgebench.load_looks`."""
    found = [one for run in runs for one in _of_run(run)]
    return pd.DataFrame(found, columns=list(_NAMES)).astype(_KINDS)


def _of_run(run: StoredRun) -> Iterator[dict[str, Any]]:
    """Launches are placed by the time of day at which they began: a resumed run has two boots."""
    launches = [one for one in run.latest() if one.looks]
    launches.sort(key=lambda one: one.started_at_utc)
    for record in launches:
        began, origin = (
            datetime.fromisoformat(one.started_at_utc[:19]) for one in (record, launches[0])
        )
        since_s = (began - origin).total_seconds()
        timed = [look for look in record.looks if look.stage == "measure"]
        first_ns = (timed or record.looks)[0].t_ns
        for look in record.looks:
            at_s = since_s + (look.t_ns - record.looks[0].t_ns) / NS_PER_S
            yield {
                "run_id": record.run_id,
                "case_id": record.case_id,
                "launch": record.launch,
                "minute": at_s / _S_PER_MIN,
                "second": (look.t_ns - first_ns) / NS_PER_S,
                **_seen(look),
            }


def _seen(look: Look) -> dict[str, Any]:
    return {
        "stage": look.stage,
        "hottest_degc": look.hottest_degc,
        "fastest_mhz": max(look.cpu_mhz, default=None),
        "slowed_by": ", ".join(look.slowed_by) or None,
    }

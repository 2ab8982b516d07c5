"""The power pass: an idle baseline before the warm-up, and a window of its own after the latency.

Meters are read by a process of their own, told by the stages that the worker announces; here is
only what they are to see: nothing at work, and the same inferences back to back. What the meters'
averaging, or the stage before, still holds has passed before a window begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from edgebench.host import process
from edgebench.measure.methods import Context
from edgebench.metering import Power
from edgebench.units import NS_PER_S
from edgebench.wire import LaunchRequest

_CHUNK_NS = 50_000_000
_MAX_CHUNK = 1 << 14


class Idle(NamedTuple):
    """The idle baseline, CLOCK_MONOTONIC."""

    start_ns: int
    end_ns: int


def idle(request: LaunchRequest) -> Idle | None:
    """Sleep, the model loaded and nothing at work; None where no baseline is wanted."""
    if request.idle_s is None:
        return None
    time.sleep(request.settle_s)
    start_ns = time.perf_counter_ns()
    time.sleep(request.idle_s)
    return Idle(start_ns, time.perf_counter_ns())


def measure(context: Context, power_s: float, baseline: Idle | None) -> Power:
    """Inferences as in the latency pass for ``power_s``, counted and not timed."""
    _run(context, context.request.settle_s)
    cpu_start_ns = process.cpu_ns()
    start_ns, end_ns, inferences = _run(context, power_s)
    return Power(
        idle_start_ns=baseline.start_ns if baseline else None,
        idle_end_ns=baseline.end_ns if baseline else None,
        start_ns=start_ns,
        end_ns=end_ns,
        inferences=inferences,
        cpu_ns=process.cpu_ns() - cpu_start_ns,
        utc_offset_ns=time.time_ns() - time.perf_counter_ns(),
    )


def _run(context: Context, seconds: float) -> tuple[int, int, int]:
    """Back to back for so long, a look at the clock every 50 ms: start, end, inferences."""
    ring, session = context.ring, context.session
    per_chunk = max(1, min(_MAX_CHUNK, _CHUNK_NS // max(1, context.expected_ns)))
    slots = tuple(i % ring for i in range(per_chunk + ring))
    inferences = 0
    start_ns = end_ns = time.perf_counter_ns()
    while end_ns - start_ns < seconds * NS_PER_S:
        first = inferences % ring
        _infer(session.stage, session.invoke, slots[first : first + per_chunk])
        inferences += per_chunk
        end_ns = time.perf_counter_ns()
    return start_ns, end_ns, inferences


def _infer(stage: Callable[[int], None], invoke: Callable[[], None], slots: Sequence[int]) -> None:
    for slot in slots:
        stage(slot)
        invoke()

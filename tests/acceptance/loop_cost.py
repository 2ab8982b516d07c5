"""What the measuring loop adds to a bare loop, a sample, with the null backend."""

from __future__ import annotations

import statistics
import sys
from array import array
from collections.abc import Callable, Sequence
from time import perf_counter_ns

from verdict import Verdict

from edgebench.measure import loop
from edgebench.protocols import Settings
from edgebench.testing import NullSession

MAX_US = 0.2
SAMPLES = 100_000
ROUNDS = 31


def bare(stage: Callable[[int], None], invoke: Callable[[], None], slots: Sequence[int]) -> int:
    """The same work without a clock in the loop; ns."""
    start = perf_counter_ns()
    for slot in slots:
        stage(slot)
        invoke()
    return perf_counter_ns() - start


def main() -> int:
    """Alternate both loops; the median of the differences of neighbours."""
    verdict = Verdict()
    session = NullSession(Settings())
    slots = tuple(i % 16 for i in range(SAMPLES))
    samples = array("q", bytes(8 * SAMPLES))
    loop.quiet()
    extra_us, whole_us = [], []
    for _ in range(ROUNDS):
        start = perf_counter_ns()
        loop.timed(session.stage, session.invoke, slots, samples)
        timed_ns = perf_counter_ns() - start
        bare_ns = bare(session.stage, session.invoke, slots)
        extra_us.append((timed_ns - bare_ns) / SAMPLES / 1000)
        whole_us.append(timed_ns / SAMPLES / 1000)
    median_us = statistics.median(extra_us)
    figure = (
        f"{median_us:.3f} us a sample, median of {ROUNDS} rounds "
        f"(min {min(extra_us):.3f}, max {max(extra_us):.3f}; whole loop "
        f"{statistics.median(whole_us):.3f} us; clock {loop.clock_cost_ns()} ns)"
    )
    verdict.check("loop cost", figure, f"<= {MAX_US} us", passed=median_us <= MAX_US)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

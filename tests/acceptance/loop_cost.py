"""What the measuring loop adds to a bare loop, a sample, with the null backend.

By this thread's time on a CPU. What is beyond the limit is tried again: other work on the machine
makes it more, and never less.
"""

from __future__ import annotations

import statistics
import sys
from array import array
from collections.abc import Callable, Sequence
from time import thread_time_ns

from verdict import Verdict

from edgebench.measure import loop
from edgebench.protocols import Settings
from edgebench.testing import NullSession

MAX_US = 0.2
BARE_US = 0.12
"""The bare loop where the limit is from; on a slower machine it may add as much more."""
SAMPLES = 100_000
ROUNDS = 31
TRIES = 10


def bare(stage: Callable[[int], None], invoke: Callable[[], None], slots: Sequence[int]) -> int:
    """The same work without a clock in the loop; ns."""
    start = thread_time_ns()
    for slot in slots:
        stage(slot)
        invoke()
    return thread_time_ns() - start


def timed() -> tuple[float, float, str]:
    """``(added, bare, in words)`` in us a sample: of the first the median of many differences."""
    session = NullSession(Settings())
    slots = tuple(i % 16 for i in range(SAMPLES))
    samples = array("q", bytes(8 * SAMPLES))
    extra_us, whole_us, bare_us = [], [], []
    for _ in range(ROUNDS):
        start = thread_time_ns()
        loop.timed(session.stage, session.invoke, slots, samples)
        timed_ns = thread_time_ns() - start
        bare_ns = bare(session.stage, session.invoke, slots)
        extra_us.append((timed_ns - bare_ns) / SAMPLES / 1000)
        whole_us.append(timed_ns / SAMPLES / 1000)
        bare_us.append(bare_ns / SAMPLES / 1000)
    median_us = statistics.median(extra_us)
    figure = (
        f"{median_us:.3f} us a sample, median of {ROUNDS} rounds "
        f"(min {min(extra_us):.3f}, max {max(extra_us):.3f}; whole loop "
        f"{statistics.median(whole_us):.3f} us; clock {loop.clock_cost_ns()} ns)"
    )
    return median_us, min(bare_us), figure


def main() -> int:
    """Alternate both loops until what is added is within its limit, or too often."""
    verdict = Verdict()
    loop.quiet()
    for _ in range(TRIES):
        median_us, bare_us, figure = timed()
        most_us = MAX_US * max(1.0, bare_us / BARE_US)
        if median_us <= most_us:
            break
        print(f"      {figure}: once more", flush=True)
    verdict.check("loop cost", figure, f"<= {most_us:.2f} us", passed=median_us <= most_us)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

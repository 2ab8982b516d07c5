"""What edgebench itself costs: the loop a sample, and `--help`.

Run with ``pytest tests/benchmarks --benchmark-only`` for figures; as ordinary tests they check
that what they time works.
"""

from __future__ import annotations

import subprocess
import sys
from array import array

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from edgebench.measure import loop
from edgebench.protocols import Settings
from edgebench.testing import NullSession

SAMPLES = 10_000


@pytest.mark.benchmark(group="loop")
def test_the_timed_loop(benchmark: BenchmarkFixture) -> None:
    session = NullSession(Settings())
    slots = tuple(i % 16 for i in range(SAMPLES))
    samples = array("q", bytes(8 * SAMPLES))
    first, end = benchmark(loop.timed, session.stage, session.invoke, slots, samples)
    assert end > first
    assert min(samples) > 0


@pytest.mark.benchmark(group="loop")
def test_a_bare_loop_for_scale(benchmark: BenchmarkFixture) -> None:
    session = NullSession(Settings())
    slots = tuple(i % 16 for i in range(SAMPLES))

    def bare() -> int:
        for slot in slots:
            session.stage(slot)
            session.invoke()
        return len(slots)

    assert benchmark(bare) == SAMPLES


@pytest.mark.benchmark(group="cli", max_time=1.0, min_rounds=3)
def test_help(benchmark: BenchmarkFixture) -> None:
    command = [sys.executable, "-m", "edgebench.cli.main", "--help"]
    done = benchmark(subprocess.run, command, capture_output=True, text=True, check=True)
    assert "run" in done.stdout

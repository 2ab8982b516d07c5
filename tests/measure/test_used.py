"""What a window used of the CPU: counted over the window, by every way to measure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebench.host import counters
from edgebench.measure import passes
from edgebench.measure.witness import Witness
from edgebench.protocols import Settings
from edgebench.testing import NullSession

_TASK_CLOCK = (1, 1)
"""PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK: ns of CPU time, counted on every machine."""


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process's cycles are ns of its CPU time; its instructions cannot be counted."""

    def codes(event: str, *_: Path) -> list[tuple[int, int]]:
        return [_TASK_CLOCK] if event == "cycles" else [(0xFFFF, 0)]

    monkeypatch.setattr(counters, "codes", codes)
    counters.counters.open()
    if counters.counters.read("cycles").known is None:
        pytest.skip("perf_event_open(2) is not permitted here")
    yield
    counters.counters.close()


@pytest.mark.usefixtures("counted")
def test_the_latency_pass_counts_its_window() -> None:
    session = NullSession(Settings(options={"busy_us": "200"}))
    used = passes.latency(session, 4, 0.3, 200_000).used.fields()
    assert used["cycles"] == pytest.approx(used["cpu_ns"], rel=0.1)
    assert used["cycles"] != used["cpu_ns"]
    assert used["instructions"] is None


@pytest.mark.usefixtures("counted")
def test_a_witness_counts_from_where_it_begins() -> None:
    session = NullSession(Settings(options={"busy_us": "100000"}))
    witness = Witness()
    session.invoke()
    session.invoke()
    witness.begin()
    session.invoke()
    fields = witness.fields()
    assert isinstance(fields["cycles"], int)
    assert 0 < fields["cycles"] < 0.19e9
    assert fields["cycles"] == pytest.approx(fields["cpu_ns"], rel=0.3)


def test_without_counters_cycles_are_not_measured() -> None:
    session = NullSession(Settings(options={"busy_us": "200"}))
    used = passes.latency(session, 4, 0.02, 200_000).used.fields()
    assert used["cycles"] is None
    assert used["instructions"] is None
    assert used["cpu_ns"]

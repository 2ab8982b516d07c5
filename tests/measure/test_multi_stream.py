"""Queries of several samples: what they take, who takes part, and that the parent knows."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from virtual import NS_PER_S, Clock, TimedSession, context, install

from edgebench.measure import methods, multi_stream
from edgebench.measure.team import Crew
from edgebench.protocols import Settings
from edgebench.records import Case
from edgebench.samples import Samples
from edgebench.testing import NullSession

MS = 1_000_000
NOTHING = itertools.repeat(0)


def samples(fields: methods.Fields, name: str) -> list[int]:
    found = fields[name]
    assert isinstance(found, Samples)
    return list(found)


def steady(clock: Clock, service_ns: int) -> TimedSession:
    return TimedSession(clock, itertools.repeat(service_ns), NOTHING)


def test_multi_stream_times_queries_of_eight_with_their_staging(
    monkeypatch: pytest.MonkeyPatch, case: Callable[..., Case]
) -> None:
    clock = install(monkeypatch)
    session = TimedSession(clock, itertools.repeat(3 * MS), itertools.repeat(MS), batch=2)
    one = case(scenario="multi_stream", batch=2, parameters={"samples_per_query": 8})
    fields = multi_stream.measure(context(one, session, measure_s=0.16, expected_ns=4 * MS))
    latency = samples(fields, "latency_ns")
    assert set(latency) == {4 * (1 + 3) * MS}
    assert fields["samples"] == 8 * len(latency)
    assert fields["inferences"] == 4 * len(latency)
    assert session.staged == [n % 16 for n in range(4 * (len(latency) + 1))]


def test_slow_queries_are_told_of_between_them(
    case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    clock = install(monkeypatch)
    one = case(scenario="multi_stream", parameters={"samples_per_query": 8})
    at_work = context(
        one,
        steady(clock, 3 * NS_PER_S),
        measure_s=0.3,
        expected_ns=3 * NS_PER_S,
        alive=lambda: told.append(clock.now),
    )
    assert samples(multi_stream.measure(at_work), "latency_ns") == [24 * NS_PER_S] * 5
    assert len(told) >= 4  # five queries of 24 s are longer than any time-out


def test_multi_stream_shares_a_query_between_sessions(case: Callable[..., Case]) -> None:
    both = threading.Barrier(2, timeout=20)

    class Meeting(NullSession):
        def invoke(self) -> None:
            both.wait()  # one after the other would break it
            super().invoke()

    opened = [Meeting(Settings(options={"sleep_us": "2000"})) for _ in range(2)]
    one = case(scenario="multi_stream", streams=2, parameters={"samples_per_query": 8})
    at_work = context(one, opened[0], measure_s=0.1, expected_ns=2 * MS, opener=lambda _: opened[1])
    fields = multi_stream.measure(at_work)
    assert min(samples(fields, "latency_ns")) >= 4 * 2 * MS
    assert fields["samples"] == 8 * len(samples(fields, "latency_ns"))


def test_no_session_is_at_work_any_more_when_a_query_has_failed() -> None:
    """What is closed under an inference takes the worker down, and its reason with it."""
    begun, done = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        time.sleep(0.05)
        done.set()

    def fail() -> None:
        assert begun.wait(10)
        raise ValueError("the runtime fell over")

    crew = Crew([fail, work])
    with pytest.raises(ValueError, match="fell over"):
        crew()
    crew.end()
    assert done.is_set()

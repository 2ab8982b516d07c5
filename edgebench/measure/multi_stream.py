"""Queries of several samples; the next begins when the last sample of one is done (MLPerf)."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from edgebench.measure import pace, passes, stopping
from edgebench.measure.methods import Context, Fields
from edgebench.measure.team import Crew
from edgebench.protocols import Session
from edgebench.samples import Samples
from edgebench.units import NS_PER_S

_ALIVE_NS = NS_PER_S


class _Share:
    """One session's calls of every query, its ring visited in turn.

    Copying in is part of a query: it lies between the first sample and the last.
    """

    def __init__(self, session: Session, ring: int, calls: int) -> None:
        self._session = session
        self._ring = ring
        self._calls = calls
        self._made = 0

    def __call__(self) -> None:
        """Stage and invoke as often as the share is large."""
        for _ in range(self._calls):
            self._session.stage(self._made % self._ring)
            self._session.invoke()
            self._made += 1


class _Query:
    """A query as the latency pass sees it: one call, its staging inside."""

    def __init__(self, crew: Crew, alive: Callable[[], None]) -> None:
        self.invoke = crew
        self._alive = alive
        self._told_ns = pace.now_ns()

    def stage(self, _slot: int) -> None:
        """Each share stages its own inputs; between queries the parent is told of slow ones."""
        if pace.now_ns() - self._told_ns >= _ALIVE_NS:
            self._alive()
            self._told_ns = pace.now_ns()


def measure(context: Context) -> Fields:
    """Latency of every query, from its first input's copying in to its last answer."""
    request = context.request
    case = request.case
    samples = int(case.parameters["samples_per_query"])
    calls = samples // case.batch
    streams = min(case.streams, calls)
    sessions = [context.session, *(context.open_session(case.batch) for _ in range(streams - 1))]
    # The first ones take one call more where the calls do not divide by the streams.
    shares = [calls // streams + (place < calls % streams) for place in range(streams)]
    works = [_Share(s, context.ring, n) for s, n in zip(sessions, shares, strict=True)]
    crew = Crew(works)
    try:
        crew()  # the further sessions have not run yet
        query = cast("Session", _Query(crew, context.alive))  # the pass needs no more
        window = passes.latency(
            query,
            1,
            request.measure_s,
            calls * context.expected_ns,
            rule=stopping.rule(request),
        )
    finally:
        crew.end()
    return {
        "latency_ns": Samples(window.latency_ns),
        "inferences": calls * len(window.latency_ns),
        "samples": samples * len(window.latency_ns),
        "window_ns": window.window_ns,
        "converged": window.converged,
        **window.used.fields(),
    }

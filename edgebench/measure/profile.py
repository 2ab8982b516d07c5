"""Where the time of a call goes: profiled calls, and plain ones around them to see what it costs.

A runtime's profiler slows down what it looks at, so its times are no benchmark. The plain calls
come from a second session of the same process, half of them before and half after: a device that
grows slower meanwhile does so for both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgebench.errors import EdgebenchError
from edgebench.measure import loop, passes
from edgebench.protocols import ProfilingSession, Session
from edgebench.samples import Samples
from edgebench.wire import LaunchRequest, Profiled

_WARM_UP = 10
"""Calls before those that count; the profiler keeps its books of them too, so never seconds."""
_ALIVE_S = 1.0
_MAX_EXECUTIONS = 300_000
"""What fits into one answer to the parent."""


def measure(
    plain: Session,
    open_profiled: Callable[[], ProfilingSession],
    request: LaunchRequest,
    alive: Callable[[], None],
) -> Profiled:
    """Profile ``request.profile_calls`` calls.

    Args:
        plain: Without a profiler, not yet bound.
        open_profiled: Opens the session with one.
        request: Its batch, layout, reference, ring and warm-up.
        alive: Called at least every few seconds, between calls.

    Raises:
        EdgebenchError: There are too many operators for so many calls.
    """
    calls = request.profile_calls
    inputs, _ = passes.load_reference(Path(request.reference_path))
    _bind(plain, inputs, request)
    passes.warm_up(plain, request.ring, request.warmup_s, request.warmup_max_s)
    loop.quiet()
    plain_ns = _timed(plain, request.ring, (calls + 1) // 2, alive)
    profiled = open_profiled()
    _bind(profiled, inputs, request)
    _timed(profiled, request.ring, _WARM_UP, alive)
    profiled_ns = _timed(profiled, request.ring, calls, alive)
    op_times = profiled.op_times(calls)
    if len(op_times.times) > _MAX_EXECUTIONS:
        each = len(op_times.times) // calls
        raise EdgebenchError(
            f"{calls} calls of {each} operators are too many to tell",
            remedy=f"profile {max(1, _MAX_EXECUTIONS // each)} calls",
        )
    _timed(plain, request.ring, _WARM_UP, alive)
    plain_ns += _timed(plain, request.ring, calls // 2, alive)
    return Profiled(
        op_times=op_times,
        profiled_ns=Samples(profiled_ns),
        plain_ns=Samples(plain_ns),
        same_outputs=_same(plain, profiled),
        effective=plain.effective(),
    )


def _bind(session: Session, inputs: NDArray[np.float32], request: LaunchRequest) -> None:
    session.bind(
        passes.ring(session, inputs, request.model_layout, request.case.batch, request.ring)
    )


def _timed(session: Session, slots: int, calls: int, alive: Callable[[], None]) -> list[int]:
    """So many calls one by one, in ns; the parent hears of them between two calls."""
    taken = []
    told_s = time.perf_counter()
    for number in range(calls):
        taken.append(loop.once(session.stage, session.invoke, number % slots))
        if time.perf_counter() - told_s > _ALIVE_S:
            alive()
            told_s = time.perf_counter()
    return taken


def _same(plain: Session, profiled: Session) -> bool:
    """Whether both give the same bits for the first input: then the same kernels ran."""
    answers = []
    for session in (plain, profiled):
        session.stage(0)
        session.invoke()
        answers.append(next(iter(session.read().values())))
    return np.array_equal(answers[0], answers[1], equal_nan=True)

"""Where the time of a call goes: profiled calls, and plain ones around them to see what it costs.

A runtime's profiler slows down what it looks at, so its times are no benchmark. The plain calls
come from a second session of the same process, half of them before and half after: a device that
grows slower meanwhile does so for both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgebench.errors import EdgebenchError
from edgebench.measure import loop, passes
from edgebench.protocols import OpTimes, ProfilingSession, Session
from edgebench.samples import Samples
from edgebench.wire import LaunchRequest, Profiled

_WARM_UP = 10
"""Calls before those that count; the profiler keeps its books of them too, so never seconds."""
_TRIES = 5
_DISTURBED_RATIO = 1.1
"""Mean over median of calls: above, means are not those of a usual call."""
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
    profiled, profiled_ns, op_times = _profiled(open_profiled, inputs, request, alive)
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


def _profiled(
    open_profiled: Callable[[], ProfilingSession],
    inputs: Sequence[NDArray[Any]],
    request: LaunchRequest,
    alive: Callable[[], None],
) -> tuple[ProfilingSession, list[int], OpTimes]:
    """A session, its calls, and what it tells of them.

    Where a runtime tells means only, a call in which the system took the CPU away spoils them all:
    then a fresh session tries again, and the least disturbed one counts.
    """
    tries = []
    for _ in range(_TRIES):
        session = open_profiled()
        _bind(session, inputs, request)
        _timed(session, request.ring, _WARM_UP, alive)
        taken_ns = _timed(session, request.ring, request.profile_calls, alive)
        told = session.op_times(request.profile_calls)
        disturbed = fmean(taken_ns) / max(1.0, median(taken_ns))
        tries.append((disturbed, session, taken_ns, told))
        if disturbed <= _DISTURBED_RATIO or any(one.call is not None for one in told.times):
            break
    disturbed, session, taken_ns, told = min(tries, key=lambda one: one[0])
    if disturbed > _DISTURBED_RATIO and all(one.call is None for one in told.times):
        words = f"{told.caveat}; other work made the mean call {disturbed:.1f} times the median one"
        told = msgspec.structs.replace(told, caveat=words)
    return session, taken_ns, told


def _bind(session: Session, inputs: Sequence[NDArray[Any]], request: LaunchRequest) -> None:
    layout, batch, specs = request.model_layout, request.case.batch, request.inputs
    session.bind(passes.ring(session, inputs, layout, batch, request.ring, specs))


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
        answers.append(session.read())
    one, other = answers
    return all(_equal(one[name], other[name]) for name in one)


def _equal(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")

"""A profile as a Chrome trace, which Perfetto (https://ui.perfetto.dev) and chrome://tracing open.

Reference: "Trace Event Format" (Google, 2016): complete events (``ph`` X) with times in us, and
metadata events (``ph`` M) that name processes and threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from edgebench.protocols import OpTime
from edgebench.report.table import clean
from edgebench.units import NS_PER_US
from edgebench.wire import Profiled

_PID = 1
_CALLS = 1
Event = dict[str, Any]


def build(told: Profiled, label: str) -> dict[str, Any]:
    """The trace of one case: a process with a row of calls and one or more of operators.

    Calls stand end to end, for how long they waited in between means nothing. Operators stand
    where the runtime says that they began; one that does not say so has them end to end, and one
    that tells means only has a single call. Operators that overlap have a row each.
    """
    events = [_meta("process_name", _CALLS, label), _meta("thread_name", _CALLS, "calls")]
    lanes: list[int] = []
    begin_ns = 0
    for number, length_ns, operators in _calls(told):
        placed = list(_placed(operators))
        end_ns = max([length_ns, *(start + one.duration_ns for start, one in placed)])
        events.append(_event(_CALLS, begin_ns, length_ns, name=f"call {number}", category="call"))
        for start_ns, one in placed:
            lane = _lane(lanes, begin_ns + start_ns, one.duration_ns)
            events.append(
                _event(
                    lane,
                    begin_ns + start_ns,
                    one.duration_ns,
                    name=one.name,
                    category=one.kind,
                    arguments=_arguments(one),
                )
            )
        begin_ns += end_ns
    for index in range(len(lanes)):
        named = "operators" if index == 0 else f"operators {index + 1}"
        events.append(_meta("thread_name", _CALLS + 1 + index, named))
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {"source": told.op_times.source, "caveat": told.op_times.caveat},
    }


def _calls(told: Profiled) -> Iterator[tuple[int, int, list[OpTime]]]:
    """Each call's number, its length and its operators; a single one where there are means only."""
    by_call: dict[int, list[OpTime]] = {}
    means = [one for one in told.op_times.times if one.call is None]
    for one in told.op_times.times:
        if one.call is not None:
            by_call.setdefault(one.call, []).append(one)
    if means:
        lengths = sorted(told.profiled_ns)
        yield 0, lengths[len(lengths) // 2], means
        return
    for number, length_ns in enumerate(told.profiled_ns):
        yield number, length_ns, by_call.get(number, [])


def _placed(operators: Iterable[OpTime]) -> Iterator[tuple[int, OpTime]]:
    """Each operator with its begin in ns since that of its call."""
    end_ns = 0
    for one in operators:
        start_ns = end_ns if one.start_ns is None else one.start_ns
        yield start_ns, one
        end_ns = start_ns + one.duration_ns


def _lane(lanes: list[int], start_ns: int, duration_ns: int) -> int:
    """The first row that is free by then; ``lanes`` holds when each one is."""
    for index, free_ns in enumerate(lanes):
        if free_ns <= start_ns:
            lanes[index] = start_ns + duration_ns
            return _CALLS + 1 + index
    lanes.append(start_ns + duration_ns)
    return _CALLS + len(lanes)


def _arguments(one: OpTime) -> dict[str, str]:
    """What is known of an operator besides its times."""
    known = {
        "kind": one.kind,
        "precision": one.precision,
        "kernel": one.kernel,
        "accelerator": one.accelerator,
    }
    return {name: clean(value) for name, value in known.items() if value}


def _meta(name: str, tid: int, value: str) -> Event:
    return {"ph": "M", "name": name, "pid": _PID, "tid": tid, "args": {"name": clean(value)}}


def _event(
    tid: int,
    start_ns: int,
    duration_ns: int,
    *,
    name: str,
    category: str,
    arguments: dict[str, str] | None = None,
) -> Event:
    return {
        "ph": "X",
        "name": clean(name),
        "cat": clean(category),
        "pid": _PID,
        "tid": tid,
        "ts": start_ns / NS_PER_US,
        "dur": duration_ns / NS_PER_US,
        "args": arguments or {},
    }


def encode(trace: dict[str, Any]) -> bytes:
    """As JSON."""
    return msgspec.json.encode(trace)

"""The trace keeps the rules of the trace event format, by a checker that finds planted faults."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from edgebench.protocols import OpTime, OpTimes
from edgebench.records import Effective
from edgebench.report import trace
from edgebench.samples import Samples
from edgebench.wire import Profiled

Trace = dict[str, Any]
_EPSILON_US = 1e-6


def faults(built: Trace) -> list[str]:
    """What breaks the format ("Trace Event Format", JSON object form; M and X events)."""
    events = built.get("traceEvents")
    if not isinstance(events, list) or built.get("displayTimeUnit") not in {"ms", "ns"}:
        return ["no trace"]
    found = [fault for event in events for fault in _faults_of(event)]
    rows: dict[tuple[object, object], list[tuple[float, float]]] = {}
    named = {(e["pid"], e["tid"]) for e in events if e.get("name") == "thread_name"}
    for event in () if found else events:
        if event["ph"] == "X":
            rows.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["dur"]))
    found += [f"row {row} has no name" for row in rows.keys() - named]
    return found + [fault for row in rows.values() for fault in _crossing(row)]


def _faults_of(event: dict[str, Any]) -> list[str]:
    kinds = {"name": str, "ph": str, "pid": int, "tid": int, "args": dict}
    found = [key for key, kind in kinds.items() if not isinstance(event.get(key), kind)]
    if event.get("ph") == "M":
        known = event.get("name") in {"process_name", "thread_name"}
        return found + ([] if known and isinstance(event["args"].get("name"), str) else ["M"])
    times = [event.get("ts"), event.get("dur")]
    sound = all(isinstance(t, (int, float)) and math.isfinite(t) and t >= 0 for t in times)
    return found + ([] if event.get("ph") == "X" and sound else ["X"])


def _crossing(row: list[tuple[float, float]]) -> list[str]:
    """Events of one row lie side by side or inside each other."""
    found: list[str] = []
    open_ends: list[float] = []
    for start, length in sorted(row, key=lambda one: (one[0], -one[1])):
        while open_ends and open_ends[-1] <= start + _EPSILON_US:
            open_ends.pop()
        if open_ends and start + length > open_ends[-1] + _EPSILON_US:
            found.append("two events overlap")
        open_ends.append(start + length)
    return found


def told(*times: OpTime, calls: int = 3) -> Profiled:
    return Profiled(
        op_times=OpTimes(source="planted", times=times),
        profiled_ns=Samples([100_000] * calls),
        plain_ns=Samples([50_000] * calls),
        same_outputs=True,
        effective=Effective(),
    )


def one(call: int | None, start_ns: int | None, duration_ns: int, name: str = "conv") -> OpTime:
    return OpTime(
        name=name, kind="Conv", call=call, start_ns=start_ns, duration_ns=duration_ns, kernel="k"
    )


def spans(built: Trace, row: int) -> list[tuple[float, float]]:
    return [
        (event["ts"], event["dur"])
        for event in built["traceEvents"]
        if event["ph"] == "X" and event["tid"] == row
    ]


def test_operators_stand_in_their_calls() -> None:
    times = [one(call, start, 30_000) for call in range(3) for start in (0, 50_000)]
    built = trace.build(told(*times), "mnist/x/fp32")
    assert faults(built) == []
    assert spans(built, 1) == [(0.0, 100.0), (100.0, 100.0), (200.0, 100.0)]
    assert spans(built, 2)[:3] == [(0.0, 30.0), (50.0, 30.0), (100.0, 30.0)]
    names = [event["args"]["name"] for event in built["traceEvents"] if event["ph"] == "M"]
    assert names == ["mnist/x/fp32", "calls", "operators"]


def test_operators_without_a_begin_stand_end_to_end() -> None:
    built = trace.build(told(*[one(0, None, 20_000)] * 3, calls=1), "x")
    assert faults(built) == []
    assert spans(built, 2) == [(0.0, 20.0), (20.0, 20.0), (40.0, 20.0)]


def test_means_are_one_call() -> None:
    built = trace.build(told(one(None, None, 20_000), one(None, None, 10_000)), "x")
    assert faults(built) == []
    assert spans(built, 1) == [(0.0, 100.0)]
    assert spans(built, 2) == [(0.0, 20.0), (20.0, 10.0)]


def test_operators_at_the_same_time_have_rows_of_their_own() -> None:
    times = [one(0, 0, 60_000), one(0, 10_000, 60_000), one(0, 70_000, 10_000)]
    built = trace.build(told(*times, calls=1), "x")
    assert faults(built) == []
    assert spans(built, 3) == [(10.0, 60.0)]
    assert len(spans(built, 2)) == 2


def test_operators_longer_than_their_call_do_not_run_into_the_next_one() -> None:
    built = trace.build(told(one(0, None, 150_000), one(1, None, 20_000), calls=2), "x")
    assert faults(built) == []
    assert spans(built, 1)[1][0] == spans(built, 2)[1][0] == 150.0


def test_hostile_names_stay_text() -> None:
    name = '</script>"\x1b[2J\\'
    data = trace.encode(trace.build(told(one(0, 0, 1, name)), name))
    found = json.loads(data)
    assert faults(found) == []
    assert '</script>"?[2J\\' in {event["name"] for event in found["traceEvents"]}


@pytest.mark.parametrize(
    "changes",
    [{"ph": "Q"}, {"ts": -1.0}, {"dur": float("nan")}, {"tid": 9}, {"pid": "1"}, {"name": None}],
)
def test_the_checker_finds_planted_faults(changes: dict[str, Any]) -> None:
    built = trace.build(told(one(0, 0, 30_000), one(0, 40_000, 30_000)), "x")
    assert faults(built) == []
    event = next(event for event in built["traceEvents"] if event["ph"] == "X")
    event.update(changes)
    assert faults(built)


def test_the_checker_finds_events_that_cross() -> None:
    built = trace.build(told(one(0, 0, 30_000), one(0, 40_000, 30_000)), "x")
    first = next(e for e in built["traceEvents"] if e["ph"] == "X" and e["tid"] == 2)
    first["dur"] = 50.0
    assert any("overlap" in fault for fault in faults(built))

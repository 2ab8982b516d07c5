"""In turns with a partner: measure when told to, be silent while the partner measures."""

from __future__ import annotations

import time
from array import array

import msgspec

from edgebench.errors import WireError
from edgebench.host import counters, environment, process
from edgebench.machine import Environment
from edgebench.measure import loop
from edgebench.measure.methods import Context, Fields
from edgebench.samples import Samples
from edgebench.wire import Ready, Reply, Turn, Turned

_LOOK_S = 0.001
_SILENT_RATIO = 0.1
_SILENT_LOOKS = 5
"""In a row: a spinning thread that waits for a CPU looks silent for a while."""
_SILENT_MAX_S = 0.2


class _Books:
    """What the turns took from the machine, the partner's turns left out."""

    def __init__(self) -> None:
        self._before = _environment()
        self.window_ns = 0
        self.used = counters.Used()
        self.run_delay_ns: int | None = 0
        self.involuntary_switches: int | None = 0

    def run(self, context: Context, done: int, inferences: int) -> array[int]:
        """So many inferences, the ring going on where it was."""
        slots = tuple((done + i) % context.ring for i in range(inferences))
        latency = array("q", bytes(8 * inferences))
        stage, invoke = context.session.stage, context.session.invoke
        delay, switches = process.run_delay_ns(), process.involuntary_switches()
        used_before = counters.used()
        first, last = loop.timed(stage, invoke, slots, latency)
        self.used = self.used.plus(counters.used().since(used_before))
        self.window_ns += last - first
        self.run_delay_ns = _sum(self.run_delay_ns, delay, process.run_delay_ns())
        now = process.involuntary_switches()
        self.involuntary_switches = _sum(self.involuntary_switches, switches, now)
        return latency

    def fields(self) -> Fields:
        """For the record."""
        return {
            "window_ns": self.window_ns,
            **self.used.fields(),
            "run_delay_ns": self.run_delay_ns,
            "involuntary_switches": self.involuntary_switches,
            "environment_before": self._before,
            "environment_after": _environment(),
            "intruders": {},  # of the partner's turns too
        }


def _environment() -> Environment:
    """The machine, without the CPU time of all processes: the partner is one of them."""
    return msgspec.structs.replace(environment.snapshot(), busy_all_ns=None)


def _sum(total: int | None, before: int | None, after: int | None) -> int | None:
    if total is None or before is None or after is None:
        return None
    return total + after - before


def measure(context: Context) -> Fields:
    """Latencies of every turn, one after the other, until the parent asks for something else."""
    ask = context.ask
    if ask is None:
        raise WireError("turns need a parent that gives them")
    taken = array("q")
    books, done = _Books(), 0
    _fall_silent()
    message: Reply = Ready(expected_ns=context.expected_ns)
    while True:
        silent_ns, silent_cpu_ns = time.perf_counter_ns(), process.cpu_ns()
        turn = ask(message)
        idle_ns = time.perf_counter_ns() - silent_ns
        idle_cpu_ns = process.cpu_ns() - silent_cpu_ns
        if not isinstance(turn, Turn):
            break
        for _ in range(turn.dropped):
            loop.once(context.session.stage, context.session.invoke, done % context.ring)
            done += 1
        latency = books.run(context, done, turn.inferences)
        done += turn.inferences
        taken += latency
        _fall_silent()
        message = Turned(latency_ns=Samples(latency), idle_ns=idle_ns, idle_cpu_ns=idle_cpu_ns)
    return {"latency_ns": Samples(taken), "inferences": len(taken), **books.fields()}


def _fall_silent() -> None:
    """Wait until this process's threads sleep: the pools of some runtimes spin after an inference.

    ONNX Runtime's pool keeps a CPU busy for about 30 ms, which would be the partner's. Threads that
    never sleep are not waited for; ``Turned.idle_cpu_ns`` tells of them.
    """
    if process.threads() == 1 and not process.helpers:
        return
    deadline = time.perf_counter() + _SILENT_MAX_S
    silent = 0
    while silent < _SILENT_LOOKS and time.perf_counter() < deadline:
        start_ns, cpu_start_ns = time.perf_counter_ns(), process.cpu_ns()
        time.sleep(_LOOK_S)
        used = (process.cpu_ns() - cpu_start_ns) / (time.perf_counter_ns() - start_ns)
        silent = silent + 1 if used < _SILENT_RATIO else 0

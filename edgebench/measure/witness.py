"""What else happened on the machine while a window was measured."""

from __future__ import annotations

from edgebench.host import counters, environment, others, process


class Witness:
    """Looks around when it is made and once more when asked.

    A scenario whose window is not the whole of its stage makes one of its own: what was spent on
    a search before the window is no disturbance of it.
    """

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Look around anew: what came before does not count."""
        self._others = others.Others()  # first: it takes longest, and the window comes last
        self._before = environment.snapshot()
        self._delay_ns = process.run_delay_ns()
        self._switches = process.involuntary_switches()
        self._used = counters.used()

    def fields(self) -> dict[str, object]:
        """Fields of a `Record`: CPU time, cycles, waiting, the environment, others at work."""
        found: dict[str, object] = {
            **counters.used().since(self._used).fields(),
            "run_delay_ns": _grown(self._delay_ns, process.run_delay_ns()),
            "involuntary_switches": _grown(self._switches, process.involuntary_switches()),
            "environment_before": self._before,
            "environment_after": environment.snapshot(),
        }
        return {**found, "intruders": self._others.intruders()}


def _grown(before: int | None, after: int | None) -> int | None:
    return after - before if before is not None and after is not None else None

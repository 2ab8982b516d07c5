"""Times of operators by MNN's callbacks (``runSessionWithCallBackInfo``) and a clock of ours.

Reference: https://mnn-docs.readthedocs.io/en/latest/pymnn/Interpreter.html. MNN tells no times, but
calls Python before and after each operator: from one stamp to the other is the operator and the way
out of a callback and into the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgebench.backends.mnn import MARK_INT8, PRODUCTS, MnnSession
from edgebench.protocols import OpTime, OpTimes, Settings

_Stamp = tuple[str, str, int, int]
"""Name, type, begin and end of an operator."""


class ProfiledSession(MnnSession):
    """The same session, each call of it with callbacks."""

    def __init__(self, model: Path, settings: Settings) -> None:
        super().__init__(model, settings)
        self._calls: list[tuple[int, list[_Stamp]]] = []
        self.invoke = _stamping(self._net, self._session, self._calls)

    def op_times(self, calls: int) -> OpTimes:
        """Operators of the last calls, all on the session's one backend."""
        floating = self._floating()
        kept = self._calls[-calls:]
        return OpTimes(
            source="edgebench's clock in MNN's callbacks",
            caveat="MNN tells no times itself: each operator's holds about 1 us of callbacks",
            times=tuple(
                OpTime(
                    name=name,
                    kind=kind.partition(" [")[0].strip(),
                    call=call,
                    start_ns=begin - first,
                    duration_ns=end - begin,
                    precision=_precision(kind, floating),
                    accelerator=self._settings.accelerator,
                )
                for call, (first, stamps) in enumerate(kept)
                for name, kind, begin, end in stamps
            ),
        )


def _precision(kind: str, floating: str) -> str:
    if MARK_INT8 in kind:
        return "int8"
    return floating if kind.startswith(PRODUCTS) else ""


def _stamping(
    net: Any,  # noqa: ANN401 - MNN's own
    session: Any,  # noqa: ANN401 - as above
    calls: list[tuple[int, list[_Stamp]]],
) -> Callable[[], None]:
    """An inference that leaves its first stamp and those of its operators in ``calls``."""
    clock = time.perf_counter_ns
    began = [0]
    stamps: list[tuple[Any, int, int]] = []

    def before(_: object, __: object) -> bool:
        began[0] = clock()
        return True

    def after(_: object, info: object) -> bool:
        end = clock()
        stamps.append((info, began[0], end))
        return True

    def invoke() -> None:
        first = clock()
        net.runSessionWithCallBackInfo(session, before, after)
        named = [(info.getName(), info.getType(), begin, end) for info, begin, end in stamps]
        calls.append((first, named))
        stamps.clear()

    return invoke

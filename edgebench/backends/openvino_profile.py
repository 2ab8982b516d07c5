"""Times of operators by OpenVINO's performance counters (``PERF_COUNT``).

Reference: https://docs.openvino.ai/2026/api/ie_python_api/_autosummary/openvino.ProfilingInfo.html.
A counter is the mean over all calls of a compiled model, cut off to whole microseconds. It cannot
be reset, so what it says after the first calls, which allocate, is taken out of its last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import openvino

from edgebench.backends.openvino_ import OpenVINOSession, precision_of
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, OpTime, OpTimes
from edgebench.units import NS_PER_US

_MICROSECOND = timedelta(microseconds=1)
_FIRST = 5
"""Calls that are taken out; few, because what was cut off weighs as much as they do."""


class ProfiledSession(OpenVINOSession):
    """A session of a model that was compiled with its counters on."""

    def bind(self, ring: Sequence[Feeds]) -> None:
        """As ever; then calls are counted, and the counters read once."""
        super().bind(ring)
        self._calls = 0
        self._first: dict[str, int] = {}
        infer = self.invoke

        def invoke() -> None:
            infer()
            self._calls += 1
            if self._calls == _FIRST:
                self._first = {info.node_name: _us(info) for info in self._told()}

        self.invoke = invoke

    def _told(self) -> Sequence[openvino.ProfilingInfo]:
        found: Sequence[openvino.ProfilingInfo] = self._request.get_profiling_info()
        return found

    def op_times(self, calls: int) -> OpTimes:
        """Means of the nodes that ran for 1 us or longer: it shows others as not run.

        Raises:
            ModelRefusedError: The device keeps no counters.
        """
        del calls  # the counters know only all of them
        told = [(info, self._mean_ns(info)) for info in self._told()]
        if not any(duration_ns for _, duration_ns in told):
            raise ModelRefusedError(f"OpenVINO's device {self._device} gave no counters")
        return OpTimes(
            source="OpenVINO's performance counters",
            caveat="means over calls, cut off to whole microseconds: nodes below 1 us are not told",
            resolution_ns=NS_PER_US,
            times=tuple(
                OpTime(
                    name=str(info.node_name),
                    kind=str(info.node_type),
                    duration_ns=duration_ns,
                    precision=precision_of(str(info.exec_type)),
                    kernel=str(info.exec_type),
                    accelerator=self._accelerator,
                )
                for info, duration_ns in told
                if duration_ns
            ),
        )

    def _mean_ns(self, info: openvino.ProfilingInfo) -> int:
        """Mean of a node over all calls but the first ones."""
        first = _FIRST if self._calls > _FIRST else 0
        total_us = _us(info) * self._calls - self._first.get(info.node_name, 0) * first
        return max(0, round(total_us * NS_PER_US / (self._calls - first)))


def _us(info: openvino.ProfilingInfo) -> int:
    return int(info.real_time // _MICROSECOND)

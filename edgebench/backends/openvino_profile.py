"""Times of operators by OpenVINO's performance counters (``PERF_COUNT``).

Reference: https://docs.openvino.ai/2026/api/ie_python_api/_autosummary/openvino.ProfilingInfo.html.
A counter holds the mean over all calls of the model, warm-up included, in whole microseconds.
"""

from __future__ import annotations

from datetime import timedelta

from edgebench.backends.openvino_ import OpenVINOSession, precision_of
from edgebench.errors import ModelRefusedError
from edgebench.protocols import OpTime, OpTimes
from edgebench.units import NS_PER_US

_MICROSECOND = timedelta(microseconds=1)


class ProfiledSession(OpenVINOSession):
    """A session of a model that was compiled with its counters on."""

    def op_times(self, calls: int) -> OpTimes:
        """Means of the nodes that ran for 1 us or longer: it shows others as not run.

        Raises:
            ModelRefusedError: The device keeps no counters.
        """
        del calls  # the counters know only all of them
        told = [info for info in self._request.get_profiling_info() if info.real_time]
        if not told:
            raise ModelRefusedError(f"OpenVINO's device {self._device} gave no counters")
        return OpTimes(
            source="OpenVINO's performance counters",
            caveat="means over all calls in whole microseconds, cut off: what takes less than 1 us "
            "is not told",
            times=tuple(
                OpTime(
                    name=str(info.node_name),
                    kind=str(info.node_type),
                    duration_ns=info.real_time // _MICROSECOND * NS_PER_US,
                    precision=precision_of(str(info.exec_type)),
                    kernel=str(info.exec_type),
                    accelerator=self._accelerator,
                )
                for info in told
            ),
        )

"""Times of operators by torch's own profiler.

Reference: https://docs.pytorch.org/docs/stable/profiler.html. Operators call operators: what stands
right below a call of the module is told, whatever it takes inside included.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from torch.profiler import ProfilerActivity, profile, record_function

from edgebench.backends.torch_ import TorchSession
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, OpTime, OpTimes, Settings
from edgebench.records import Effective
from edgebench.units import NS_PER_US

_CALL = "edgebench: a call"
_TYPES = {
    "float": "fp32",
    "c10::Half": "fp16",
    "c10::BFloat16": "bf16",
    "c10::quint8": "int8",
    "c10::qint8": "int8",
}
_SPACES = ("aten::", "quantized::", "onednn::", "mkldnn::", "mkl::")
_FUSED = "cpp_fused"
"""Before the names of operators, and in those of kernels that Inductor wrote; whatever has another
name is a wrapper around them."""

_running: list[profile] = []


class ProfiledSession(TorchSession):
    """The same module, each call of it between two marks in the profiler's books."""

    def __init__(self, model: Path, settings: Settings) -> None:
        if settings.accelerator != "cpu":
            raise ModelRefusedError("torch's operators are timed on the CPU only")
        super().__init__(model, settings)

    def _compiled(self) -> Any:  # noqa: ANN401 - as there
        """The kernels that Inductor writes itself get names in the books."""
        import torch._inductor.config as inductor  # noqa: PLC0415 - a second of imports

        inductor.cpp.enable_kernel_profile = True
        return super()._compiled()

    def bind(self, ring: Sequence[Feeds]) -> None:
        """As ever; then the profiler runs until it is asked, or closed."""
        _stop()
        super().bind(ring)
        self._profiler = profile(activities=[ProfilerActivity.CPU], record_shapes=True)
        self._profiler.start()
        _running.append(self._profiler)
        self.invoke = _marking(self.invoke)

    def effective(self) -> Effective:
        """As ever; the profiler is off then, for it takes another one to see."""
        _stop()
        return super().effective()

    def close(self) -> None:
        """As ever, the profiler off."""
        if getattr(self, "_profiler", None) in _running:
            _stop()
        super().close()

    def op_times(self, calls: int) -> OpTimes:
        """Operators right below the last calls; the profiler is off then."""
        _stop()
        marks = [event for event in self._profiler.events() if event.name == _CALL][-calls:]
        kernels = [_inside(event) for event in _below(marks[0])]
        return OpTimes(
            source="torch's profiler",
            caveat="it adds about 1 us to each operator and to those that it calls",
            times=tuple(
                _op_time(event, f"{number}", kernel, call, mark)
                for call, mark in enumerate(marks)
                for number, (event, kernel) in enumerate(zip(_below(mark), kernels, strict=False))
            ),
        )


def _stop() -> None:
    """End the profiler that runs: torch has one, and dies of it if it is on at the very end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while _running:
            _running.pop().stop()


def _marking(run: Callable[[], None]) -> Callable[[], None]:
    def invoke() -> None:
        with record_function(_CALL):
            run()

    return invoke


def _below(event: Any) -> Iterator[Any]:  # noqa: ANN401 - torch's own
    """Operators that an event holds, wrappers opened."""
    for child in sorted(event.cpu_children, key=lambda one: one.time_range.start):
        if child.name.startswith(_SPACES) or _FUSED in child.name:
            yield child
        else:
            yield from _below(child)


def _inside(event: Any) -> str:  # noqa: ANN401 - as above
    """The operator that an operator spends most of its time in."""
    while event.cpu_children:
        longest = max(event.cpu_children, key=lambda one: one.time_range.elapsed_us())
        if 2 * longest.time_range.elapsed_us() < event.time_range.elapsed_us():
            break
        event = longest
    return str(event.name)


def _op_time(event: Any, number: str, kernel: str, call: int, mark: Any) -> OpTime:  # noqa: ANN401 - as above
    types = [_TYPES[one] for one in event.input_dtypes if one in _TYPES]
    own, _, fused = event.name.partition(_FUSED + "_")
    return OpTime(
        name=f"{fused or own.rpartition('::')[2]} {number}",
        kind=_FUSED if fused else str(event.name),
        call=call,
        start_ns=max(0, round((event.time_range.start - mark.time_range.start) * NS_PER_US)),
        duration_ns=round(event.time_range.elapsed_us() * NS_PER_US),
        precision=types[0] if types else "",
        kernel=kernel,
        accelerator="cpu",
    )

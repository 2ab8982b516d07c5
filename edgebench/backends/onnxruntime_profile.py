"""Times of operators by ONNX Runtime's own profiler.

Reference: https://onnxruntime.ai/docs/performance/tune-performance/profiling-tools.html. It writes
one file of trace events: those of the kernels of a call come before the call's own ``model_run``.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import onnxruntime

from edgebench.backends.onnxruntime_ import OnnxRuntimeSession, accelerator_of, precision_of
from edgebench.errors import ModelRefusedError
from edgebench.protocols import OpTime, OpTimes, Settings
from edgebench.units import NS_PER_US

_KERNEL = "_kernel_time"
_RUN = "model_run"
_TYPES = {"float": "fp32", "float16": "fp16", "bfloat16": "bf16", "uint8": "int8"}
_PRODUCTS = ("Conv", "Gemm", "MatMul")


class ProfiledSession(OnnxRuntimeSession):
    """The same session with the profiler on from its first call."""

    def __init__(self, model: Path, settings: Settings, provider: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="edgebench-")
        super().__init__(model, settings, provider)

    def _options(self) -> onnxruntime.SessionOptions:
        options = super()._options()
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(self._folder.name) / "ort")
        return options

    def op_times(self, calls: int) -> OpTimes:
        """Kernels as they ran, of the last calls; the file is read and the profiler off then.

        Raises:
            ModelRefusedError: The profiler had no room for so many calls.
        """
        path = Path(self._session.end_profiling())
        runs = _runs(json.loads(path.read_text(encoding="utf-8")))
        if len(runs) < calls or not all(kernels for _, kernels in runs[-calls:]):
            raise ModelRefusedError(
                f"ONNX Runtime's profiler kept {len(runs)} of {calls} calls (profile fewer)"
            )
        return OpTimes(
            source="ONNX Runtime's profiler",
            caveat="it counts whole microseconds, and adds about one to each operator",
            resolution_ns=NS_PER_US,
            times=tuple(
                _op_time(kernel, call, run)
                for call, (run, kernels) in enumerate(runs[-calls:])
                for kernel in kernels
            ),
        )

    def close(self) -> None:
        """As ever, and the profiler's file goes."""
        super().close()
        self._folder.cleanup()


def _runs(events: list[dict[str, Any]]) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each call's own event with those of its kernels."""
    found: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    kernels: list[dict[str, Any]] = []
    for event in events:
        if event.get("cat") == "Node" and str(event.get("name")).endswith(_KERNEL):
            kernels.append(event)
        elif event.get("cat") == "Session" and event.get("name") == _RUN:
            found.append((event, kernels))
            kernels = []
    return found


def _op_time(event: dict[str, Any], call: int, run: dict[str, Any]) -> OpTime:
    told = event["args"]
    return OpTime(
        name=str(event["name"]).removesuffix(_KERNEL),
        kind=str(told["op_name"]),
        call=call,
        start_ns=max(0, int(event["ts"]) - int(run["ts"])) * NS_PER_US,
        duration_ns=int(event["dur"]) * NS_PER_US,
        precision=_precision(told),
        accelerator=accelerator_of(str(told.get("provider", ""))),
    )


def _precision(told: dict[str, Any]) -> str:
    """Of a product, what it multiplies in; else its type, or ``fp16>fp32`` where it converts.

    Prepacked weights have no entry, so those that are quantised are known by the activation.
    """
    name = str(told["op_name"])
    ends = [_first_type(told, end) for end in ("input_type_shape", "output_type_shape")]
    if any(part in name for part in _PRODUCTS):
        known = precision_of(name, ends[0], "int8" if "int8" in ends[0] else "")
        return _TYPES.get(known, known)
    first, last = (_TYPES.get(end, end) for end in ends)
    return first if first == last or not last else f"{first}>{last}"


def _first_type(told: dict[str, Any], end: str) -> str:
    entries = [entry for entry in told.get(end, []) if entry]
    return next(iter(entries[0])) if entries else ""

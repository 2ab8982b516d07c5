"""What torch ran: operators as its dispatcher saw them, kernels as its profiler did.

The dispatcher shows every operator with its tensors, so that multiplications can be counted, but it
makes a compiled module run uncompiled; the profiler shows that one too, by names and types alone.
Reference: https://docs.pytorch.org/docs/stable/notes/extending.html and .../profiler.html.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

_TYPES = {
    torch.float32: "fp32",
    torch.float16: "fp16",
    torch.bfloat16: "bf16",
    torch.quint8: "int8",
    torch.qint8: "int8",
}
TRACED = {
    "float": "fp32",
    "c10::Half": "fp16",
    "c10::BFloat16": "bf16",
    "c10::quint8": "int8",
    "c10::qint8": "int8",
}
"""As the profiler writes them."""
_PRODUCTS = ("conv", "linear", "addmm", "matmul", "::mm", "bmm")
_MATRIX = 2


class Seen(NamedTuple):
    """One operator that ran."""

    name: str
    device: str
    """Of its first result."""
    macs: int
    """Multiplications of a convolution or matrix product, else 0."""
    precision: str
    """Type of what it multiplied, where it did."""


class _Dispatched(TorchDispatchMode):  # type: ignore[misc] # torch is not looked into
    """Writes down every operator."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Seen] = []

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - as below
        _: object,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - torch's own
        """Run the operator, and count."""
        result = func(*args, **(kwargs or {}))
        first = result[0] if isinstance(result, (tuple, list)) and result else result
        if isinstance(first, torch.Tensor):
            name = func.name()
            macs, precision = _multiplied(name, args, first) if _is_product(name) else (0, "")
            self.seen.append(Seen(name, first.device.type, macs, precision))
        return result


def _is_product(name: str) -> bool:
    return any(part in name for part in _PRODUCTS) and "unpack" not in name


def _multiplied(name: str, args: Sequence[Any], result: torch.Tensor) -> tuple[int, str]:
    """An element of a result costs what a filter has weights, or what the inner axis is long."""
    operands = [arg for arg in args if isinstance(arg, torch.Tensor) and arg.dim() >= _MATRIX]
    kind = operands[0].dtype
    if name.startswith("quantized::") and not isinstance(args[1], torch.Tensor):  # packed weights
        conv = "conv" in name
        unpack = torch.ops.quantized.conv2d_unpack if conv else torch.ops.quantized.linear_unpack
        each = unpack(args[1])[0][0].numel()
    else:
        each = operands[1][0].numel() if "conv" in name else operands[0].shape[-1]
    return result.numel() * each, _TYPES.get(kind, str(kind))


def operators(call: Callable[[], object]) -> list[Seen]:
    """Every operator of a call; a compiled module would run uncompiled here."""
    with torch.inference_mode(), _Dispatched() as mode:
        call()
    return list(mode.seen)


def kernels(call: Callable[[], object]) -> tuple[list[tuple[str, str]], bool]:
    """``(name, precision)`` of the innermost products of a call, and whether compiled code ran."""
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
        call()
    with tempfile.TemporaryDirectory(prefix="edgebench-") as folder:
        path = Path(folder) / "trace.json"
        seen.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    compiled = any("Compiled Region" in str(event.get("name", "")) for event in events)
    products = [
        event
        for event in events
        if event.get("cat") == "cpu_op" and _is_product(str(event.get("name", "")))
    ]
    products.sort(key=lambda event: float(event["ts"]))
    ends = [float(event["ts"]) + float(event["dur"]) for event in products]
    starts = [*(float(event["ts"]) for event in products[1:]), float("inf")][: len(products)]
    return [
        (str(event["name"]), _traced(event))
        for event, end, following in zip(products, ends, starts, strict=True)
        if following >= end  # else it holds the next one
    ], compiled


def _traced(event: Mapping[str, Any]) -> str:
    """The type of a kernel's first operand."""
    kinds = event.get("args", {}).get("Input type") or [""]
    return TRACED.get(str(kinds[0]), str(kinds[0]))

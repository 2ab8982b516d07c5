"""LiteRT (the successor of TensorFlow Lite's Python runtime), through its Interpreter.

Reference: https://ai.google.dev/edge/api/tflite/python/tf/lite/Interpreter. The XNNPACK delegate
is applied by default on the CPU; what it took is read back from the interpreter's own plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Probe, ProfilingSession, Settings, Tensor
from edgebench.records import Effective

_TUNING = ("spinning", "denormals_as_zero", "arena", "memory_pattern")
"""What `Case.tuning` is about; the Interpreter has no way to set or to ask for any of it."""
_PRODUCTS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL"}


class LiteRT:
    """The backend ``litert``."""

    name = "litert"
    formats: tuple[str, ...] = ("tflite",)
    precisions: tuple[str, ...] = ("fp32", "fp16", "int8", "int8_dynamic")

    def probe(self) -> Probe:
        """The installed version; the CPU with XNNPACK."""
        return Probe(
            name=self.name,
            available=True,
            version=version("ai-edge-litert"),
            formats=self.formats,
            precisions=self.precisions,
        )

    def open(self, model: Path, settings: Settings) -> LiteRTSession:
        """An interpreter with its tensors allocated."""
        if settings.accelerator != "cpu":
            raise ModelRefusedError(f"litert has no accelerator {settings.accelerator!r} here")
        if settings.options:
            raise ModelRefusedError(f"litert takes no options, not {', '.join(settings.options)}")
        return LiteRTSession(model, settings)

    def profile(self, model: Path, settings: Settings) -> ProfilingSession:
        """The file once more, as a CompiledModel of the C library, which has a profiler."""
        from edgebench.backends.litert_profile import ProfiledSession  # noqa: PLC0415 - rare

        return ProfiledSession(self.open(model, settings), model, settings)


class LiteRTSession:
    """One interpreter; inputs are written into its own tensors."""

    def __init__(self, model: Path, settings: Settings) -> None:
        self._threads = settings.threads
        self._interpreter = Interpreter(model_path=str(model), num_threads=settings.threads)
        self._resize(settings.batch)
        self._interpreter.allocate_tensors()
        self.inputs = tuple(_tensor(d) for d in self._interpreter.get_input_details())
        self.outputs = tuple(_tensor(d) for d in self._interpreter.get_output_details())
        for tensor in (*self.inputs, *self.outputs):
            if tensor.shape[:1] != (settings.batch,):
                raise ModelRefusedError(
                    f"{tensor.name} is {tensor.shape}: the model does not take a batch of "
                    f"{settings.batch}"
                )
        self._ring: list[list[NDArray[Any]]] = []
        self._views: list[Callable[[], NDArray[Any]]] = []
        self._in: list[NDArray[Any]] = []
        # The compiled call itself: Interpreter.invoke() would refuse while our views live, and
        # adds a Python frame between the clock and the runtime.
        self.invoke: Callable[[], None] = self._interpreter._interpreter.Invoke  # noqa: SLF001

    def _resize(self, batch: int) -> None:
        for detail in self._interpreter.get_input_details():
            shape = [int(size) for size in detail["shape"]]
            if shape and shape[0] != batch:
                self._interpreter.resize_tensor_input(detail["index"], [batch, *shape[1:]])

    def bind(self, ring: Sequence[Feeds]) -> None:
        """The interpreter's input tensors as views; the ring is kept converted beside them."""
        self._ring = [
            [np.ascontiguousarray(feeds[t.name], dtype=t.dtype) for t in self.inputs]
            for feeds in ring
        ]
        if not self._in:
            details = self._interpreter.get_input_details()
            self._in = [self._interpreter.tensor(detail["index"])() for detail in details]

    def stage(self, slot: int) -> None:
        """Copy the slot into the interpreter's tensors."""
        for buffer, array in zip(self._in, self._ring[slot], strict=False):
            buffer[...] = array

    def feed(self, inputs: Feeds) -> None:
        """Copy fresh inputs into the interpreter's tensors; numpy converts as it copies."""
        for buffer, tensor in zip(self._in, self.inputs, strict=False):
            buffer[...] = inputs[tensor.name]

    def read(self) -> dict[str, NDArray[Any]]:
        """Copies of the output tensors."""
        details = self._interpreter.get_output_details()
        return {
            str(detail["name"]): self._interpreter.tensor(detail["index"])().copy()
            for detail in details
        }

    def effective(self) -> Effective:
        """Operators and operand types from the interpreter's plan, after delegation.

        The thread count cannot be read back from LiteRT, so it is not reported.
        """
        ops = self._interpreter._get_ops_details()  # noqa: SLF001 - the only way to the plan
        plain = [op for op in ops if op["op_name"] != "DELEGATE"]
        taken = _delegated(ops)
        macs: Counter[str] = Counter()
        details = {int(d["index"]): d for d in self._interpreter.get_tensor_details()}
        for op in plain:
            count, kind = _multiplications(op, details)
            macs[kind] += count
        names = Counter(
            f"{op['op_name']}{'[XNNPACK]' if op['index'] in taken else ''}" for op in plain
        )
        return Effective(
            backend_version=version("ai-edge-litert"),
            precision=macs.most_common(1)[0][0] if macs.total() else None,
            accelerator="cpu",
            accelerator_ops_ratio=len(taken) / len(plain) if plain else None,
            tuning=dict.fromkeys(_TUNING, "unsettable"),
            words=" ".join(f"{name}x{count}" for name, count in sorted(names.items())),
        )

    def close(self) -> None:
        """Let go of the views into the interpreter's memory, then of the interpreter."""
        self._in.clear()
        self._ring.clear()


def _tensor(detail: dict[str, Any]) -> Tensor:
    return Tensor(
        name=str(detail["name"]),
        shape=tuple(int(size) for size in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
    )


def _delegated(ops: list[dict[str, Any]]) -> set[int]:
    """Indices of the operators that delegates replaced.

    The plan lists both the original operators and the delegate nodes; an operator belongs to a
    delegate when it lies on a way back from the delegate's outputs to its inputs.
    """
    by_output = {
        int(tensor): op for op in ops if op["op_name"] != "DELEGATE" for tensor in op["outputs"]
    }
    taken: set[int] = set()
    for delegate in (op for op in ops if op["op_name"] == "DELEGATE"):
        inside = {int(tensor) for tensor in delegate["inputs"]}
        waiting = [int(tensor) for tensor in delegate["outputs"]]
        while waiting:
            tensor = waiting.pop()
            op = by_output.get(tensor)
            if tensor in inside or op is None or op["index"] in taken:
                continue
            taken.add(op["index"])
            waiting += [int(source) for source in op["inputs"] if source >= 0]
    return taken


def _multiplications(op: dict[str, Any], details: dict[int, dict[str, Any]]) -> tuple[int, str]:
    """``(multiply-accumulates, precision)`` of a convolution or matrix product, else ``(0, "")``.

    Weights are (out, height, width, in) for convolutions, (1, height, width, channels) for
    depthwise ones and (out, in) for fully connected layers.
    """
    if op["op_name"] not in _PRODUCTS:
        return 0, ""
    tensors = [details[int(i)] for i in op["inputs"][:2] if int(i) in details]
    output = details.get(int(op["outputs"][0]))
    if len(tensors) < 2 or output is None:  # noqa: PLR2004 - an activation and a weight
        return 0, ""
    weight = [int(size) for size in tensors[1]["shape"]]
    each = (
        weight[1] * weight[2] if op["op_name"].startswith("DEPTHWISE") else int(np.prod(weight[1:]))
    )
    activation_type, weight_type = (np.dtype(t["dtype"]).name for t in tensors)
    return int(np.prod(output["shape"])) * each, _precision(activation_type, weight_type)


def _precision(activation: str, weight: str) -> str:
    """Precision of a product by its operand types; LiteRT computes fp16 weights in float32."""
    if weight in {"int8", "int4"}:
        return "int8" if activation in {"int8", "uint8", "int16"} else "int8_dynamic"
    return {"float32": "fp32", "float16": "fp16"}.get(activation, activation)

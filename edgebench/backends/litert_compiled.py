"""LiteRT's CompiledModel: the way to its GPU and NPU accelerators, and another one to its CPU.

Reference: https://ai.google.dev/edge/litert/next/overview. An accelerator is asked for alone, never
with the CPU beside it: together they call a model fully accelerated that runs on the CPU, because
the CPU is an accelerator to them. What the accelerator cannot take whole is then refused.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.compiled_model import (
    CompiledModel,
    CpuKernelMode,
    CpuOptions,
    GpuOptions,
    HardwareAccelerator,
    Options,
)
from numpy.typing import NDArray

from edgebench.backends import sizes
from edgebench.backends.closed import closed
from edgebench.backends.sizes import Declared
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Settings, Tensor
from edgebench.records import Effective

_TUNING = ("spinning", "denormals_as_zero", "arena", "memory_pattern")
_SIGNATURE = 0


class CompiledSession:
    """One compiled model and its buffers; inputs are written into them.

    Args:
        version: Of the package.
        model: A ``.tflite`` file.
        settings: ``options["xnnpack"]`` is ``0`` for the CPU's own kernels.

    Raises:
        ModelRefusedError: The runtime does not take it, or not all of it, on that accelerator.
    """

    def __init__(self, version: str, model: Path, settings: Settings) -> None:
        self._version, self._accelerator = version, settings.accelerator
        try:
            self._model = CompiledModel.from_file(str(model), options=_options(settings))
            self._resize(settings)
            self._in = self._model.create_input_buffers(_SIGNATURE)
            self._out = self._model.create_output_buffers(_SIGNATURE)
        except (RuntimeError, ValueError) as error:
            words = " ".join(str(error).split())
            raise ModelRefusedError(f"CompiledModel on {settings.accelerator}: {words}") from error
        self.inputs, self.outputs = self._tensors("inputs"), self._tensors("outputs")
        self._ring: list[list[NDArray[Any]]] = []
        # The compiled call itself, with the buffers' handles taken out of their Python objects.
        self.invoke: Callable[[], None] = functools.partial(
            self._model._model.RunByIndex,  # noqa: SLF001 - as above
            _SIGNATURE,
            [buffer.capsule for buffer in self._in],
            [buffer.capsule for buffer in self._out],
        )

    def _resize(self, settings: Settings) -> None:
        tensors = self._tensors("inputs")
        declared = [Declared(t.name, t.shape) for t in tensors]
        wanted = sizes.resolve(sizes.any_batch(declared, settings), settings)
        for index, (tensor, shape) in enumerate(zip(tensors, wanted, strict=True)):
            if tensor.shape != shape:
                self._model.resize_input_tensor(index, list(shape), _SIGNATURE, strict=False)

    def _tensors(self, side: str) -> tuple[Tensor, ...]:
        """In the order of the buffers."""
        key, names = next(iter(self._model.get_signature_list().items()))
        inside = side == "inputs"
        ask = (
            self._model.get_input_tensor_details
            if inside
            else self._model.get_output_tensor_details
        )
        told = ask(key)
        return tuple(_tensor(told[name]) for name in names[side])

    def bind(self, ring: Sequence[Feeds]) -> None:
        """The ring, converted; the buffers have been there since the model was opened."""
        self._ring = [
            [np.ascontiguousarray(feeds[t.name], dtype=t.dtype) for t in self.inputs]
            for feeds in ring
        ]

    def stage(self, slot: int) -> None:
        """Write the slot into the input buffers."""
        for buffer, array in zip(self._in, self._ring[slot], strict=True):
            buffer.write(array)

    def feed(self, inputs: Feeds) -> None:
        """Write fresh inputs into the input buffers."""
        for buffer, tensor in zip(self._in, self.inputs, strict=True):
            buffer.write(np.ascontiguousarray(inputs[tensor.name], dtype=tensor.dtype))

    def read(self) -> dict[str, NDArray[Any]]:
        """Copies of the output buffers."""
        return {
            tensor.name: buffer.read(math.prod(tensor.shape), np.dtype(tensor.dtype)).reshape(
                tensor.shape
            )
            for buffer, tensor in zip(self._out, self.outputs, strict=True)
        }

    def effective(self) -> Effective:
        """Whether all of it was accelerated; operators, types and threads are not told."""
        whole = self._model.is_fully_accelerated()
        return Effective(
            backend_version=self._version,
            precision=None,
            accelerator=self._accelerator,
            accelerator_ops_ratio=1.0 if whole else None,
            tuning=dict.fromkeys(_TUNING, "unsettable"),
            words=f"CompiledModel {'fully' if whole else 'not fully'} accelerated",
        )

    def close(self) -> None:
        """Let go of the buffers, then of the model."""
        self.invoke = closed  # it holds handles of the buffers, which would point to nothing
        self._in.clear()
        self._out.clear()
        if self._model is not None:
            self._model.close()
            self._model = None


def _options(settings: Settings) -> Options:
    if settings.accelerator == "cpu":
        own = settings.options.get("xnnpack") == "0"
        mode = CpuKernelMode.BUILTIN if own else CpuKernelMode.DELEGATE
        cpu = CpuOptions(num_threads=settings.threads, kernel_mode=mode)
        return Options(hardware_accelerators=HardwareAccelerator.CPU, cpu_options=cpu)
    # A GPU computes in float16 unless it may not.
    return Options(
        hardware_accelerators=HardwareAccelerator[settings.accelerator.upper()],
        gpu_options=GpuOptions(enforce_f32=settings.precision == "fp32"),
    )


def _tensor(detail: dict[str, Any]) -> Tensor:
    return Tensor(
        name=str(detail["name"]),
        shape=tuple(int(size) for size in detail["shape"]),
        dtype=str(detail["dtype"]),
    )

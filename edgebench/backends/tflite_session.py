"""The session of TensorFlow Lite's Python interpreter, whichever package it comes from.

Reference: https://ai.google.dev/edge/api/tflite/python/tf/lite/Interpreter. The XNNPACK delegate
is applied by default on the CPU; what it took is read back from the interpreter's own plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgebench.backends import shares, sizes, tflite_delegates, tflite_plan
from edgebench.backends.closed import closed
from edgebench.backends.sizes import Declared
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Backend, Feeds, Probe, Settings, Tensor
from edgebench.records import Effective

FORMATS = ("tflite",)
PRECISIONS = ("fp32", "fp16", "int8", "int8_dynamic")
_TUNING = ("spinning", "denormals_as_zero", "arena", "memory_pattern")
"""What `Case.tuning` is about; the interpreter has no way to set or to ask for any of it."""
_XNNPACK = "xnnpack"


def probe(backend: Backend, version: str) -> Probe:
    """The installed version; the CPU, and accelerators whose delegate is installed."""
    return Probe(
        name=backend.name,
        available=True,
        version=version,
        accelerators=("cpu", *tflite_delegates.present()),
        formats=backend.formats,
        precisions=backend.precisions,
    )


class TFLiteSession:
    """One interpreter; inputs are written into its own tensors.

    Args:
        runtime: The package's module ``interpreter``.
        version: Of the package.
        model: A ``.tflite`` file.
        settings: ``options["xnnpack"]`` is ``0`` for the runtime's own kernels instead of
            XNNPACK's; the others belong to an accelerator (`tflite_delegates.load`).

    Raises:
        ModelRefusedError: The runtime, or a delegate, does not take it.
    """

    def __init__(self, runtime: Any, version: str, model: Path, settings: Settings) -> None:  # noqa: ANN401 - a module without types
        self._version, self._accelerator = version, settings.accelerator
        resolver, delegates = _resolver(runtime, settings), _delegates(runtime, settings)
        try:
            self._interpreter = runtime.Interpreter(
                model_path=str(model),
                num_threads=settings.threads,
                experimental_op_resolver_type=resolver,
                experimental_delegates=delegates,
            )
            # So far there are external delegates only: XNNPACK comes with the tensors' memory.
            self._external = tflite_plan.delegate_nodes(self._ops())
            self._resize(settings)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelRefusedError(" ".join(str(error).split())) from error
        names = self._names()
        self.inputs = tuple(_tensor(d, names) for d in self._interpreter.get_input_details())
        self.outputs = tuple(_tensor(d, names) for d in self._interpreter.get_output_details())
        for tensor in self.inputs:
            sizes.check_batch(tensor.name, tensor.shape, settings)
        sizes.check_outputs(((one.name, one.shape) for one in self.outputs), settings)
        self._ring: list[list[NDArray[Any]]] = []
        self._in: list[NDArray[Any]] = []
        # The compiled call itself: Interpreter.invoke() would refuse while our views live, and
        # adds a Python frame between the clock and the runtime.
        self.invoke: Callable[[], None] = self._interpreter._interpreter.Invoke  # noqa: SLF001

    def _resize(self, settings: Settings) -> None:
        """Sizes that the file leaves open (-1 in its signature, or its batch) are set."""
        details = self._interpreter.get_input_details()
        names = self._names()
        declared = [_declared(detail, names) for detail in details]
        wanted = sizes.resolve(sizes.any_batch(declared, settings), settings)
        for detail, shape in zip(details, wanted, strict=True):
            if tuple(int(size) for size in detail["shape"]) != shape:
                self._interpreter.resize_tensor_input(detail["index"], list(shape))

    def _names(self) -> dict[int, str]:
        """Names by a tensor's index as the signature has them: those that the author gave.

        Tensors themselves are called by what the converter made of them; without a signature, or
        with several, their names have to do.
        """
        told: dict[str, Any] = getattr(self._interpreter, "_get_full_signature_list", dict)()
        if len(told) != 1:
            return {}
        (signature,) = told.values()
        sides = [signature["inputs"], signature["outputs"]]
        names = {int(index): name for side in sides for name, index in side.items()}
        return names if len(names) == sum(map(len, sides)) else {}

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
        for buffer, array in zip(self._in, self._ring[slot], strict=True):
            buffer[...] = array

    def feed(self, inputs: Feeds) -> None:
        """Copy fresh inputs into the interpreter's tensors; numpy converts as it copies."""
        for buffer, tensor in zip(self._in, self.inputs, strict=True):
            buffer[...] = inputs[tensor.name]

    def read(self) -> dict[str, NDArray[Any]]:
        """Copies of the output tensors."""
        details = self._interpreter.get_output_details()
        return {
            tensor.name: self._interpreter.tensor(detail["index"])().copy()
            for tensor, detail in zip(self.outputs, details, strict=True)
        }

    def effective(self) -> Effective:
        """Operators and operand types from the interpreter's plan, after delegation.

        On the CPU the share is XNNPACK's. The thread count cannot be read back, so it is not
        reported; nor can the type in which an external delegate multiplies.
        """
        ops, details = self._ops(), self._interpreter.get_tensor_details()
        plain = tflite_plan.plain(ops)
        outside = tflite_plan.delegated(ops, self._external)
        xnnpack = tflite_plan.delegated(ops, tflite_plan.delegate_nodes(ops) - self._external)
        share = xnnpack if self._accelerator == "cpu" else outside
        macs = tflite_plan.multiplications(
            (op for op in plain if op["index"] not in outside), details
        )
        hidden = tflite_plan.multiplications(
            (op for op in plain if op["index"] in outside), details
        ).total()
        # What an external delegate took has no known type; where that is most, nothing has.
        most = shares.of({**macs, "": hidden}) if macs.total() > hidden else shares.Share()
        marks = dict.fromkeys(outside, f"[{self._accelerator}]") | dict.fromkeys(
            xnnpack, "[XNNPACK]"
        )
        names = Counter(f"{op['op_name']}{marks.get(op['index'], '')}" for op in plain)
        return Effective(
            backend_version=self._version,
            precision=most.precision,
            precision_ratio=most.ratio,
            accelerator=self._accelerator if outside else "cpu",
            accelerator_ops_ratio=len(share) / len(plain) if plain else None,
            tuning=dict.fromkeys(_TUNING, "unsettable"),
            words=" ".join(f"{name}x{count}" for name, count in sorted(names.items()))
            + "; threads cannot be read back",
        )

    def _ops(self) -> list[tflite_plan.Operator]:
        return list(self._interpreter._get_ops_details())  # noqa: SLF001 - the only way to the plan

    def close(self) -> None:
        """Let go of the views into the interpreter's memory, then of the interpreter."""
        self.invoke = closed
        self._in.clear()
        self._ring.clear()
        self._interpreter = None


def _declared(detail: dict[str, Any], names: Mapping[int, str]) -> Declared:
    """An input as the file has it; an open size is -1 in its signature and 1 in its shape."""
    signature = detail.get("shape_signature", detail["shape"])
    shape = [int(size) for size in (signature if len(signature) else detail["shape"])]
    name = names.get(int(detail["index"]), str(detail["name"]))
    return Declared(name, shape)


def check_options(settings: Settings, *known: str) -> None:
    """Refuse options that nothing takes.

    Args:
        settings: Its ``xnnpack`` is ``0`` or ``1``.
        known: First parts of keys that are taken.

    Raises:
        ModelRefusedError: The first that is not.
    """
    options = settings.options
    if unknown := [key for key in options if key.partition(".")[0] not in {_XNNPACK, *known}]:
        raise ModelRefusedError(f"there is no option {unknown[0]!r} on {settings.accelerator}")
    if (asked := options.get(_XNNPACK, "1")) not in {"0", "1"}:
        raise ModelRefusedError(f"xnnpack is 0 or 1, not {asked!r}")


def _resolver(runtime: Any, settings: Settings) -> Any:  # noqa: ANN401 - as above
    """Whether XNNPACK is applied."""
    check_options(settings, *([] if settings.accelerator == "cpu" else [settings.accelerator]))
    kinds = runtime.OpResolverType
    without = settings.options.get(_XNNPACK) == "0"
    return kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if without else kinds.AUTO


def _delegates(runtime: Any, settings: Settings) -> list[Any]:  # noqa: ANN401 - as above
    if settings.accelerator == "cpu":
        return []
    return [tflite_delegates.load(runtime, settings.accelerator, settings.options)]


def _tensor(detail: dict[str, Any], names: Mapping[int, str]) -> Tensor:
    return Tensor(
        name=names.get(int(detail["index"]), str(detail["name"])),
        shape=tuple(int(size) for size in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
    )

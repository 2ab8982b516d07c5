"""TensorFlow: a SavedModel as one concrete function of a fixed batch.

Reference: https://www.tensorflow.org/api_docs/python/tf/function and .../tf/config. What ran is
read from the graph that the runtime made of the function for its devices, after all its
optimisers; with XLA, from the compiler's own last form of it.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgebench.backends.tensorflow_quiet import quiet

with quiet():
    import tensorflow as tf

import numpy as np
from numpy.typing import NDArray
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import core

from edgebench.backends import savedmodel_files, sizes, tensorflow_proof
from edgebench.backends.closed import closed
from edgebench.backends.sizes import Declared
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Probe, Settings, Tensor
from edgebench.records import Effective

_TUNING = ("spinning", "denormals_as_zero", "arena", "memory_pattern")
"""What `Case.tuning` is about; tf.config has none of it."""
_ONEDNN_BF16 = "auto_mixed_precision_onednn_bfloat16"
_OPTIONS = {"xla": ("0", "1")}
_SIGNATURE = "serving_default"
_ALIGN_BYTE = 64
"""EIGEN_MAX_ALIGN_BYTES: TensorFlow ends the process over a shared tensor that lies elsewhere."""
_IMAGE_RANK = 4
_REFUSALS = (tf.errors.OpError, core._NotOkStatusException)  # noqa: SLF001 - see below
"""The second is what the call below TensorFlow's Python raises; its Python would make the first of
it."""


class TensorFlow:
    """The backend ``tensorflow``."""

    name = "tensorflow"
    formats: tuple[str, ...] = ("savedmodel",)
    precisions: tuple[str, ...] = ("fp32", "bf16")

    def probe(self) -> Probe:
        """The installed version and the kinds of devices that it finds."""
        return Probe(
            name=self.name,
            available=True,
            version=tf.__version__,
            accelerators=_accelerators(),
            formats=self.formats,
            precisions=self.precisions,
            serves={"bf16": "fp32"},
        )

    def open(self, model: Path, settings: Settings) -> TensorFlowSession:
        """A concrete function; the option ``xla`` compiles it (``{"xla": "1"}``)."""
        found = _accelerators()
        if settings.accelerator not in found:
            raise ModelRefusedError(
                f"this tensorflow has no {settings.accelerator!r} (has: {', '.join(found)})"
            )
        if settings.precision not in self.precisions:
            raise ModelRefusedError(f"tensorflow computes no {settings.precision} here")
        for key, value in settings.options.items():
            if value not in _OPTIONS.get(key, ()):
                raise ModelRefusedError(f"tensorflow has no option {key} = {value!r} (xla: 0, 1)")
        _configure(settings)
        with tempfile.TemporaryDirectory(prefix="edgebench-savedmodel-") as folder:
            savedmodel_files.unpack(model, Path(folder))
            try:
                return TensorFlowSession(Path(folder), settings)
            except (*_REFUSALS, OSError, ValueError, TypeError) as error:
                raise ModelRefusedError(_words(error)) from error


def _accelerators() -> tuple[str, ...]:
    """``cpu`` and what else there is, as ``gpu`` for ``GPU``; the first of each kind is taken."""
    kinds = {str(device.device_type).lower() for device in tf.config.list_physical_devices()}
    return ("cpu", *sorted(kinds - {"cpu"}))


def _words(error: Exception) -> str:
    """TensorFlow's message in one line."""
    return " ".join(str(error).split())[:400] or f"tensorflow gave no reason ({type(error)})"


def _configure(settings: Settings) -> None:
    """Set what belongs to the process: threads, devices, float32 as float32.

    Raises:
        ModelRefusedError: An earlier session of this process has other threads or devices.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(settings.threads)
        tf.config.threading.set_inter_op_parallelism_threads(settings.threads)
        for device in tf.config.get_visible_devices():
            kind = str(device.device_type)
            if kind != "CPU" and kind.lower() != settings.accelerator:
                tf.config.set_visible_devices([], kind)
    except RuntimeError as error:
        raise ModelRefusedError(_words(error)) from None
    # On newer GPUs float32 would be multiplied with 10 bits of mantissa.
    tf.config.experimental.enable_tensor_float_32_execution(False)


class TensorFlowSession:
    """One function; its inputs are tensors in memory of ours, its outputs TensorFlow's own.

    Args:
        folder: A SavedModel; it may go once this is made.
        settings: How to run it.

    Raises:
        ModelRefusedError: It has no signature to run, or not of that batch.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._settings = settings
        self._xla = settings.options.get("xla") == "1"
        self._device = f"/device:{settings.accelerator.upper()}:0"
        self._model = tf.saved_model.load(str(folder))
        if _SIGNATURE not in self._model.signatures:
            raise ModelRefusedError(f"the SavedModel has no signature {_SIGNATURE}")
        self._signature = self._model.signatures[_SIGNATURE]
        specs = self._signature.structured_input_signature[1]
        declared = [Declared(name, _sizes(spec)) for name, spec in specs.items()]
        shapes = sizes.resolve(declared, settings)
        self.inputs = tuple(map(_tensor, specs, specs.values(), shapes))
        self._names = sorted(self._signature.structured_outputs)
        self._traced, self._function = self._concrete()
        made = self._function.structured_outputs
        told: list[Sequence[sizes.Size]] = [_sizes(spec) or [None] for spec in made]
        self._ring: list[list[NDArray[Any]]] = []
        self._in = [_aligned(tensor) for tensor in self.inputs]
        self._bound = [tf.experimental.dlpack.from_dlpack(one.__dlpack__()) for one in self._in]
        self._bound += self._function.captured_inputs
        self._out: list[Any] = []
        self.invoke: Callable[[], None] = self._call(self._function)
        self.invoke()  # on zeros: only now the graph is optimised, or compiled by XLA, or refused
        if any(None in shape for shape in told):
            told = [*sizes.tried(self._answered, self.inputs)]
        sizes.check_outputs(zip(self._names, told, strict=True), settings)
        self.outputs = tuple(map(_tensor, self._names, made, told))

    def _answered(self, inputs: Feeds) -> list[NDArray[Any]]:
        self.feed(inputs)
        self.invoke()
        return [np.array(out) for out in self._out]

    def _concrete(self) -> tuple[Any, Any]:
        """The signature as a function of the batch, and that as it is called: ``(any, fixed)``."""

        def run(*tensors: Any) -> list[Any]:  # noqa: ANN401 - the runtime's own tensors
            feeds = {t.name: value for t, value in zip(self.inputs, tensors, strict=True)}
            with tf.device(self._device):
                outputs = self._signature(**feeds)
            return [outputs[name] for name in self._names]

        traced = tf.function(run, jit_compile=True if self._xla else None, autograph=False)
        specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in self.inputs]
        return traced, traced.get_concrete_function(*specs)

    def bind(self, ring: Sequence[Feeds]) -> None:
        """The ring, converted once; the tensors of the function share other memory of ours."""
        self._ring = [
            [np.ascontiguousarray(feeds[t.name], dtype=t.dtype) for t in self.inputs]
            for feeds in ring
        ]

    def _execution(self, function: Any) -> Callable[[], list[Any]]:  # noqa: ANN401 - as below
        """The call below TensorFlow's Python: a function by its name, and what it is given."""
        inner = function._inference_function  # noqa: SLF001 - calling it costs 13 us of Python
        context = inner._bound_context  # noqa: SLF001 - as above
        context.ensure_initialized()
        bf16 = self._settings.precision == "bf16"
        # What is set here the next line reads.
        tf.config.optimizer.set_experimental_options({_ONEDNN_BF16: bf16})
        config = context.function_call_options.config_proto_serialized
        return functools.partial(
            pywrap_tfe.TFE_Py_Execute,
            context._handle,  # noqa: SLF001 - as above
            self._device,
            inner.name,
            self._bound,
            ("executor_type", "", "config_proto", config),
            len(self._names),
        )

    def _call(self, function: Any) -> Callable[[], None]:  # noqa: ANN401 - a ConcreteFunction
        """What `invoke` is: the execution, and its outputs kept."""
        execute = self._execution(function)
        if self._settings.accelerator == "cpu":

            def run() -> None:  # a frame only to keep the outputs, which each call allocates
                self._out = execute()
        else:

            def run() -> None:  # only fetching the outputs waits for the device
                self._out = [output.numpy() for output in execute()]

        return run

    def stage(self, slot: int) -> None:
        """Copy the slot into the bound buffers."""
        for buffer, array in zip(self._in, self._ring[slot], strict=True):
            buffer[...] = array

    def feed(self, inputs: Feeds) -> None:
        """Copy fresh inputs into the bound buffers; numpy converts as it copies."""
        for buffer, tensor in zip(self._in, self.inputs, strict=True):
            buffer[...] = inputs[tensor.name]

    def read(self) -> dict[str, NDArray[Any]]:
        """Copies of the last call's outputs."""
        return {name: np.array(out) for name, out in zip(self._names, self._out, strict=True)}

    def effective(self) -> Effective:
        """Operators, their types and devices from the runtime's own graph."""
        proof = self._compiled() if self._xla else self._partitioned()
        ran_on, ratio = proof.device(self._settings.accelerator)
        threads = int(tf.config.threading.get_intra_op_parallelism_threads())
        pools = f"intra {threads} inter {tf.config.threading.get_inter_op_parallelism_threads()}"
        return Effective(
            backend_version=tf.__version__,
            precision=proof.share.precision,
            precision_ratio=proof.share.ratio,
            accelerator=ran_on,
            accelerator_ops_ratio=ratio,
            threads=threads,
            tuning=dict.fromkeys(_TUNING, "unsettable"),
            words=f"{'xla' if self._xla else 'executor'}; pools of the process {pools}; "
            f"{proof.words}",
        )

    def _partitioned(self) -> tensorflow_proof.Proof:
        """Of a second function: a graph is told of only while it is being made."""
        _, again = self._concrete()
        return tensorflow_proof.of_graphs(tensorflow_proof.graphs(self._call(again)))

    def _compiled(self) -> tensorflow_proof.Proof:
        """Of XLA's optimised program, which is one whole, on the device where its outputs are."""
        told = self._traced.experimental_get_compiler_ir(*self._bound[: len(self.inputs)])
        (first, *_) = self._execution(self._function)()
        return tensorflow_proof.of_hlo(str(told(stage="optimized_hlo")), str(first.device))

    def close(self) -> None:
        """Drop model and function; TensorFlow frees them with their last references."""
        self.invoke = closed
        self._model = self._signature = self._traced = self._function = None
        self._bound, self._out = [], []
        self._in.clear()
        self._ring.clear()


def _sizes(spec: Any) -> list[sizes.Size] | None:  # noqa: ANN401 - a TensorSpec
    """None of an open rank."""
    return None if spec.shape.rank is None else list(spec.shape.as_list())


def _tensor(name: str, spec: Any, shape: Sequence[Any]) -> Tensor:  # noqa: ANN401 - as above
    """A declared tensor, every size of it known."""
    return Tensor(
        name=name,
        shape=tuple(shape),
        dtype=np.dtype(spec.dtype.as_numpy_dtype).name,
        # Its kernels for the CPU know no other.
        layout="NHWC" if len(shape) == _IMAGE_RANK else "",
    )


def _aligned(tensor: Tensor) -> NDArray[Any]:
    """Zeros that begin where TensorFlow may share them."""
    dtype = np.dtype(tensor.dtype)
    size_byte = int(np.prod(tensor.shape)) * dtype.itemsize
    raw = np.zeros(size_byte + _ALIGN_BYTE, np.uint8)
    first = -raw.ctypes.data % _ALIGN_BYTE
    return raw[first : first + size_byte].view(dtype).reshape(tensor.shape)

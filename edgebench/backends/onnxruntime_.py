"""ONNX Runtime, through its I/O binding: inputs and outputs stay in buffers bound once.

Reference: https://onnxruntime.ai/docs/api/python/api_summary.html (InferenceSession, IOBinding).
The wheels' telemetry is switched off by ``ORT_DISABLE_TELEMETRY=1`` in the worker's environment,
which must be set before the import below.
"""

from __future__ import annotations

import functools
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from edgebench.backends import shares, sizes
from edgebench.backends.closed import closed
from edgebench.backends.sizes import Declared
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Probe, ProfilingSession, Settings, Tensor
from edgebench.records import Effective

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(int16)": "int16",
    "tensor(uint16)": "uint16",
    "tensor(uint32)": "uint32",
    "tensor(uint64)": "uint64",
    "tensor(bool)": "bool",
}
_SPINNING = "session.intra_op.allow_spinning"
_DENORMALS = "session.set_denormal_as_zero"
_SHIPPED = {_SPINNING: "1", _DENORMALS: "0"}
"""Where a session was told nothing (onnxruntime_session_options_config_keys.h)."""
_ON_OFF = {"1": "on", "0": "off"}
_CPU = "CPUExecutionProvider"
_PROVIDER_OPTION = "provider."
"""Before an option's name: it is one of the execution provider (``provider.device_id``)."""
_CLOUD = "AzureExecutionProvider"
"""Every wheel lists it, but it sends inputs away instead of computing on this device."""


_Session = TypeVar("_Session", bound="OnnxRuntimeSession")


class OnnxRuntime:
    """The backend ``onnxruntime``."""

    name = "onnxruntime"
    formats: tuple[str, ...] = ("onnx",)
    precisions: tuple[str, ...] = ("fp32", "fp16", "int8", "int8_dynamic")

    def probe(self) -> Probe:
        """The wheel's version and its execution providers."""
        return Probe(
            name=self.name,
            available=True,
            version=onnxruntime.__version__,
            accelerators=tuple(_providers()),
            formats=self.formats,
            precisions=self.precisions,
        )

    def open(self, model: Path, settings: Settings) -> OnnxRuntimeSession:
        """A session on one execution provider, without silent fallback to another.

        ``options`` are a session's configuration entries, or the provider's (``provider.*``).
        """
        return self._opened(OnnxRuntimeSession, model, settings)

    def profile(self, model: Path, settings: Settings) -> ProfilingSession:
        """As ``open``, with ONNX Runtime's profiler on."""
        from edgebench.backends.onnxruntime_profile import ProfiledSession  # noqa: PLC0415 - rare

        return self._opened(ProfiledSession, model, settings)

    def _opened(self, kind: type[_Session], model: Path, settings: Settings) -> _Session:
        wanted = _providers()
        if settings.accelerator not in wanted:
            raise ModelRefusedError(
                f"this onnxruntime has no provider {settings.accelerator!r} (has: "
                f"{', '.join(wanted)})"
            )
        _check_options(settings)
        return kind(model, settings, wanted[settings.accelerator])


def _providers() -> dict[str, str]:
    """The wheel's execution providers on this device, by the name an accelerator has."""
    listed = onnxruntime.get_available_providers()
    return {accelerator_of(name): name for name in listed if name != _CLOUD}


def accelerator_of(provider: str) -> str:
    """``CPUExecutionProvider`` -> ``cpu``."""
    return provider.removesuffix("ExecutionProvider").lower()


def _options(settings: Settings) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if settings.tuning == "equal":
        # What XNNPACK does everywhere: denormals are zero, buffers are planned once. Idle threads
        # that spin would take CPUs from whatever else is measured.
        options.add_session_config_entry(_SPINNING, "0")
        options.add_session_config_entry(_DENORMALS, "1")
        options.enable_cpu_mem_arena = options.enable_mem_pattern = True
    for key, value in settings.options.items():
        if not key.startswith(_PROVIDER_OPTION):
            options.add_session_config_entry(key, value)
    return options


def _check_options(settings: Settings) -> None:
    """Refuse what cannot be an option: a session keeps any entry, known or not, without a word.

    Raises:
        ModelRefusedError: An entry without a group's name.
    """
    if odd := [key for key in settings.options if "." not in key]:
        raise ModelRefusedError(
            f"onnxruntime has no option {odd[0]!r} (a session's entries are named as in "
            f"{_DENORMALS}, a provider's as in {_PROVIDER_OPTION}device_id)"
        )


def _of_provider(settings: Settings) -> dict[str, str]:
    """Options of the execution provider, by its own names."""
    return {
        key.removeprefix(_PROVIDER_OPTION): value
        for key, value in settings.options.items()
        if key.startswith(_PROVIDER_OPTION)
    }


def _start(
    model: Path, options: onnxruntime.SessionOptions, settings: Settings, providers: list[str]
) -> Any:  # noqa: ANN401 - the runtime's own session
    """A session on the first of the providers, which must have started.

    One that cannot start (its libraries are missing) is otherwise left out with a line in the log,
    or replaced by the CPU, and what was measured would bear its name.

    Raises:
        ModelRefusedError: It has not.
    """
    first = [_of_provider(settings), *({} for _ in providers[1:])]
    session = onnxruntime.InferenceSession(
        str(model), options, providers=providers, provider_options=first, enable_fallback=0
    )
    if providers[0] not in (started := session.get_providers()):
        raise ModelRefusedError(
            f"onnxruntime could not start {providers[0]} and took {', '.join(started)} "
            "(its log says why)"
        )
    return session


def _tuning(options: onnxruntime.SessionOptions) -> dict[str, str]:
    """What `Case.tuning` is about, read back from a session.

    ``default:`` stands where the session was told nothing, for then it tells nothing either. With
    one thread there is no pool that could spin.
    """

    def entry(key: str) -> str:
        try:
            return _ON_OFF[options.get_session_config_entry(key)]
        except RuntimeError:  # the only way it tells that a key was not set
            return f"default:{_ON_OFF[_SHIPPED[key]]}"

    return {
        "spinning": entry(_SPINNING) if options.intra_op_num_threads != 1 else "no_pool",
        "denormals_as_zero": entry(_DENORMALS),
        "arena": "on" if options.enable_cpu_mem_arena else "off",
        "memory_pattern": "on" if options.enable_mem_pattern else "off",
    }


class OnnxRuntimeSession:
    """A model on one execution provider; buffers live on the CPU."""

    invoke: Callable[[], None]

    def __init__(self, model: Path, settings: Settings, provider: str) -> None:
        self._model = model
        self._settings = settings
        self._providers = [provider] if provider == _CPU else [provider, _CPU]
        self._session = _start(model, self._options(), settings, self._providers)
        nodes = self._session.get_inputs()
        shapes = sizes.resolve([Declared(node.name, node.shape) for node in nodes], settings)
        self.inputs = tuple(map(_tensor, nodes, shapes))
        self.outputs = self._outputs()
        self._ring: list[list[NDArray[Any]]] = []
        self._in: list[NDArray[Any]] = []
        self._out: dict[str, NDArray[Any]] = {}

    def _options(self) -> onnxruntime.SessionOptions:
        return _options(self._settings)

    def _outputs(self) -> tuple[Tensor, ...]:
        """The outputs; sizes that the file leaves open are those that come of two trial inputs."""
        sources, sinks = self._session.get_inputs(), self._session.get_outputs()
        batch = {node.shape[0] for node in sources if node.shape and isinstance(node.shape[0], str)}
        told: list[Sequence[Any]] = [
            [self._settings.batch if size in batch else size for size in node.shape]
            for node in sinks
        ]
        # A file that says nothing of an output's shape looks like one that has no axes.
        if any(not shape or any(not isinstance(size, int) for size in shape) for shape in told):
            told = [*sizes.tried(self._run, self.inputs)]
        sizes.check_outputs(zip((node.name for node in sinks), told, strict=True), self._settings)
        return tuple(map(_tensor, sinks, told))

    def _run(self, inputs: Feeds) -> list[NDArray[Any]]:
        return list(self._session.run(None, inputs))

    def bind(self, ring: Sequence[Feeds]) -> None:
        """One buffer per input and output, bound once; the ring is kept converted beside them."""
        self._ring = [
            [np.ascontiguousarray(feeds[t.name], dtype=t.dtype) for t in self.inputs]
            for feeds in ring
        ]
        if not self._in:
            self._in = [np.empty_like(array) for array in self._ring[0]]
            self._bind_buffers()

    def _bind_buffers(self) -> None:
        binding = self._session.io_binding()
        for tensor, array in zip(self.inputs, self._in, strict=True):
            binding.bind_input(
                tensor.name,
                "cpu",
                0,
                array.dtype,
                array.shape,
                array.__array_interface__["data"][0],
            )
        for tensor in self.outputs:
            out = np.zeros(tensor.shape, dtype=tensor.dtype)
            binding.bind_output(
                tensor.name, "cpu", 0, out.dtype, out.shape, out.__array_interface__["data"][0]
            )
            self._out[tensor.name] = out
        # A partial on the C++ session: no Python frame between the clock and the runtime.
        self.invoke = functools.partial(
            self._session._sess.run_with_iobinding,  # noqa: SLF001 - see above
            binding._iobinding,  # noqa: SLF001 - see above
            None,
        )

    def stage(self, slot: int) -> None:
        """Copy the slot into the bound buffers."""
        for buffer, array in zip(self._in, self._ring[slot], strict=True):
            buffer[...] = array

    def feed(self, inputs: Feeds) -> None:
        """Copy fresh inputs into the bound buffers; numpy converts as it copies."""
        for buffer, tensor in zip(self._in, self.inputs, strict=True):
            buffer[...] = inputs[tensor.name]

    def read(self) -> dict[str, NDArray[Any]]:
        """Copies of the bound outputs."""
        return {name: array.copy() for name, array in self._out.items()}

    def effective(self) -> Effective:
        """Types and providers of the kernels that ran, from the runtime's profiler."""
        kernels = self._profile()
        macs: Counter[str] = Counter()
        for kernel in kernels:
            count, kind = _multiplications(kernel)
            macs[kind] += count
        on = Counter(str(kernel.get("provider", "")) for kernel in kernels)
        main = self._providers[0]
        names = Counter(f"{k['op_name']}" for k in kernels)
        most = shares.of(macs)
        return Effective(
            backend_version=onnxruntime.__version__,
            precision=most.precision,
            precision_ratio=most.ratio,
            accelerator=accelerator_of(on.most_common(1)[0][0]) if on else None,
            accelerator_ops_ratio=on[main] / on.total() if on else None,
            threads=self._session.get_session_options().intra_op_num_threads,
            tuning=_tuning(self._session.get_session_options()),
            words=" ".join(f"{name}x{count}" for name, count in sorted(names.items())),
        )

    def _profile(self) -> list[dict[str, Any]]:
        """Kernel events of one inference in a second, profiled session."""
        with tempfile.TemporaryDirectory(prefix="edgebench-") as folder:
            options = _options(self._settings)
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(folder) / "ort")
            # Same kernels, but weights stay visible: a prepacked weight has no shape to count.
            options.add_session_config_entry("session.disable_prepacking", "1")
            session = _start(self._model, options, self._settings, self._providers)
            feeds = {t.name: a for t, a in zip(self.inputs, self._in, strict=True)}
            session.run(None, feeds)
            events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
        return [
            event["args"]
            for event in events
            if event.get("cat") == "Node" and event.get("name", "").endswith("_kernel_time")
        ]

    def close(self) -> None:
        """Drop the session; ONNX Runtime frees it with its last reference."""
        self.invoke = closed
        self._session = None
        self._out.clear()
        self._in.clear()


def _tensor(node: Any, shape: Sequence[Any]) -> Tensor:  # noqa: ANN401 - the runtime's own NodeArg
    """A declared tensor, every size of it known."""
    if node.type not in _DTYPES:
        raise ModelRefusedError(f"{node.name} is a {node.type}")
    return Tensor(name=node.name, shape=tuple(shape), dtype=_DTYPES[node.type])


def _shapes(entries: list[dict[str, list[int]]]) -> list[tuple[str, list[int]]]:
    return [next(iter(entry.items())) if entry else ("", []) for entry in entries]


def _multiplications(kernel: dict[str, Any]) -> tuple[int, str]:
    """``(multiply-accumulates, precision)`` of a convolution or matrix product, else ``(0, "")``.

    An output element of a convolution costs as many multiplications as one filter has weights;
    one of a matrix product, as many as the first operand's last axis is long. The second input of
    rank 2 or more is the weight. (A transposed convolution is counted as a convolution.)
    """
    name = str(kernel["op_name"])
    if not any(part in name for part in ("Conv", "Gemm", "MatMul")):
        return 0, ""
    inputs = [(t, s) for t, s in _shapes(kernel.get("input_type_shape", [])) if len(s) > 1]
    outputs = _shapes(kernel.get("output_type_shape", []))
    if len(inputs) < 2 or not outputs:  # noqa: PLR2004 - an activation and a weight
        return 0, ""
    (activation, first), (weight, second) = inputs[0], inputs[1]
    out = int(np.prod(outputs[0][1]))
    each = int(np.prod(second[1:])) if "Conv" in name else first[-1]
    return out * each, precision_of(name, activation, weight)


def precision_of(name: str, activation: str, weight: str) -> str:
    """Precision of a kernel by its operand types.

    Kernels that quantise their activations as they go (``DynamicQuantize*``) or return raw integer
    sums (``*Integer``) belong to dynamic quantisation; ``QLinear*`` and ``QGemm`` to static.
    """
    if name.startswith("DynamicQuantize") or "Integer" in name:
        return "int8_dynamic"
    if "int8" in weight and "int8" in activation:
        return "int8"
    known = {"float": "fp32", "float16": "fp16", "bfloat16": "bf16"}
    return known.get(activation, activation)

"""OpenVINO: one compiled model, one request, inputs and outputs in shared memory bound once.

Reference: https://docs.openvino.ai/2026/api/ie_python_api/api.html (Core, CompiledModel,
InferRequest) and its properties. What ran is read from the runtime model: the kernels' own names.
Importing the wheel would send its use to a web analytics service and write to the home folder, so
the package that does it is blocked before the import below.
"""

from __future__ import annotations

import functools
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

if "openvino_telemetry" not in sys.modules:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # its import now fails

import msgspec
import numpy as np
import openvino
from numpy.typing import NDArray

from edgebench.backends import openvino_files, shares, sizes
from edgebench.backends.closed import closed
from edgebench.backends.sizes import Declared
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Probe, ProfilingSession, Settings, Tensor
from edgebench.records import Effective

_HINTS = {"bf16": "bf16", "fp16": "f16"}
"""Of the float kernels. Without one, a CPU that can compute bf16 does so for every model."""
_PRECISIONS = {"f32": "fp32", "f16": "fp16", "bf16": "bf16", "i8": "int8", "u8": "int8"}
"""By the end of a kernel's name: ``brgconv_avx512_I8``, ``gemm_acl_f16``."""
_CONVOLUTIONS = {"Convolution", "GroupConvolution", "BinaryConvolution", "Deconvolution"}
_PRODUCTS = {"FullyConnected", "MatMul", "Gemm"}
_NO_WORK = {"Input", "Parameter", "Const", "Constant", "Output", "Result"}
_TUNING = {"denormals_as_zero": "CPU_DENORMALS_OPTIMIZATION", "pinning": "ENABLE_CPU_PINNING"}
"""Of what `Case.tuning` is about, the properties that a device may have."""


_Session = TypeVar("_Session", bound="OpenVINOSession")


class OpenVINO:
    """The backend ``openvino``."""

    name = "openvino"
    formats: tuple[str, ...] = ("onnx", "openvino", "tflite")
    precisions: tuple[str, ...] = ("fp32", "fp16", "bf16", "int8", "int8_dynamic")

    def probe(self) -> Probe:
        """The wheel's version and the devices whose plug-ins find hardware."""
        return Probe(
            name=self.name,
            available=True,
            version=_version(),
            accelerators=tuple(_devices(openvino.Core())),
            formats=self.formats,
            precisions=self.precisions,
            serves={"bf16": "fp32"},
        )

    def open(self, model: Path, settings: Settings) -> OpenVINOSession:
        """A model compiled for one device; ``options`` are OpenVINO's own properties."""
        return self._opened(OpenVINOSession, model, settings)

    def profile(self, model: Path, settings: Settings) -> ProfilingSession:
        """As ``open``, with OpenVINO's performance counters on."""
        from edgebench.backends.openvino_profile import ProfiledSession  # noqa: PLC0415 - rare

        options = settings.options | {"PERF_COUNT": "YES"}
        return self._opened(
            ProfiledSession, model, msgspec.structs.replace(settings, options=options)
        )

    def _opened(self, kind: type[_Session], model: Path, settings: Settings) -> _Session:
        core = openvino.Core()
        devices = _devices(core)
        if settings.accelerator not in devices:
            raise ModelRefusedError(
                f"this openvino has no device {settings.accelerator!r} (has: {', '.join(devices)})"
            )
        try:
            return kind(core, model, settings, devices[settings.accelerator])
        except RuntimeError as error:
            raise ModelRefusedError(_words(error)) from error


def _version() -> str:
    """``2026.4.1`` of ``2026.4.1-22982-...``."""
    return str(openvino.__version__).partition("-")[0]


def _devices(core: openvino.Core) -> dict[str, str]:
    """Devices by the name an accelerator has: ``GPU.0`` -> ``gpu.0``; ``gpu`` is the first one."""
    found = {str(name).lower(): str(name) for name in core.available_devices}
    for name in tuple(found):
        found.setdefault(name.partition(".")[0], found[name])
    return found


def _words(error: RuntimeError) -> str:
    """The runtime's message without the places in its source that passed it on."""
    lines = (line.strip() for line in str(error).splitlines())
    told = " ".join(line for line in lines if line and not line.startswith("Exception from"))
    return told or "openvino gave no reason"


def _properties(core: openvino.Core, device: str, settings: Settings) -> dict[str, str]:
    """What is set, as far as the device knows the property; the user's own options without ifs."""
    wanted = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": str(settings.threads),
        "INFERENCE_PRECISION_HINT": _HINTS.get(settings.precision, "f32"),
    }
    if settings.tuning == "equal":
        # The worker chose the CPUs of every runtime; none pins its threads further.
        wanted |= {_TUNING["denormals_as_zero"]: "YES", _TUNING["pinning"]: "NO"}
    known = core.get_property(device, "SUPPORTED_PROPERTIES")
    kept = {key: value for key, value in wanted.items() if known.get(key) == "RW"}
    return kept | settings.options


class OpenVINOSession:
    """One request of one compiled model."""

    invoke: Callable[[], None]

    def __init__(self, core: openvino.Core, model: Path, settings: Settings, device: str) -> None:
        self._device = device
        self._accelerator = settings.accelerator
        graph = openvino_files.read(core, model)
        declared = [Declared(_name(port), _sizes(port)) for port in graph.inputs]
        shapes = sizes.resolve(sizes.any_batch(declared, settings), settings)
        graph.reshape(dict(zip(graph.inputs, shapes, strict=True)))
        self._compiled = core.compile_model(graph, device, _properties(core, device, settings))
        self._request = self._compiled.create_infer_request()
        ports = self._compiled.outputs
        told = ((_name(port), _sizes(port) or [None]) for port in ports)
        sizes.check_outputs(told, settings)
        self.inputs = tuple(_tensor(port) for port in self._compiled.inputs)
        self.outputs = tuple(_tensor(port) for port in ports)
        self._ring: list[list[NDArray[Any]]] = []
        self._in: list[NDArray[Any]] = []
        self._out: dict[str, NDArray[Any]] = {}

    def bind(self, ring: Sequence[Feeds]) -> None:
        """One buffer per input and output, bound once; the ring is kept converted beside them."""
        self._ring = [
            [np.ascontiguousarray(feeds[t.name], dtype=t.dtype) for t in self.inputs]
            for feeds in ring
        ]
        if not self._in:
            self._in = [np.empty_like(array) for array in self._ring[0]]
            self._out = {t.name: np.zeros(t.shape, dtype=t.dtype) for t in self.outputs}
            for index, array in enumerate(self._in):
                shared = openvino.Tensor(array, shared_memory=True)
                self._request.set_input_tensor(index, shared)
            for index, array in enumerate(self._out.values()):
                shared = openvino.Tensor(array, shared_memory=True)
                self._request.set_output_tensor(index, shared)
            # The compiled call below the Python class: no Python frame between the clock and the
            # runtime. No inputs to set, outputs shared, none of them decoded.
            call = openvino._pyopenvino.InferRequest.infer  # noqa: SLF001 - see above
            self.invoke = functools.partial(call, self._request, {}, True, False)

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
        """Kernels, threads and devices from the compiled model."""
        kernels = [_facts(op) for op in self._compiled.get_runtime_model().get_ordered_ops()]
        macs: Counter[str] = Counter()
        for kernel in kernels:
            macs[kernel["precision"]] += kernel["macs"]
        names = Counter(
            f"{k['layer']}:{k['primitive']}" for k in kernels if k["layer"] not in _NO_WORK
        )
        ran_on = [str(name).lower() for name in self._property("EXECUTION_DEVICES") or ()]
        alone = len(ran_on) == 1 and ran_on[0] in {self._accelerator, self._device.lower()}
        threads = self._property("INFERENCE_NUM_THREADS")
        hint = self._property("INFERENCE_PRECISION_HINT")
        most = shares.of(macs)
        told = f"hint {hint.get_type_name()}; " if hint is not None else ""
        return Effective(
            backend_version=_version(),
            precision=most.precision,
            precision_ratio=most.ratio,
            accelerator=self._accelerator if alone else ",".join(ran_on) or None,
            accelerator_ops_ratio=1.0 if alone else None,
            threads=int(threads) if threads is not None else None,
            tuning=self._tuning(),
            words=told + " ".join(f"{name}x{count}" for name, count in sorted(names.items())),
        )

    def _tuning(self) -> dict[str, str]:
        """What can be set, read back; threads spin and memory is planned as OpenVINO likes."""
        told = dict.fromkeys(("spinning", "arena", "memory_pattern"), "unsettable")
        for name, key in _TUNING.items():
            value = self._property(key)
            told[name] = "unsettable" if value is None else "on" if value else "off"
        return told

    def _property(self, name: str) -> Any:  # noqa: ANN401 - each property has a type of its own
        """A property of the compiled model; None where its device has no such property."""
        if name not in self._compiled.get_property("SUPPORTED_PROPERTIES"):
            return None
        return self._compiled.get_property(name)

    def close(self) -> None:
        """Drop request and model; OpenVINO frees them with their last references."""
        self.invoke = closed
        self._request = self._compiled = None
        self._out.clear()
        self._in.clear()


def _name(port: Any) -> str:  # noqa: ANN401 - the runtime's own port
    """The shortest of its names: longer ones tell where in the file's graph it comes from."""
    return min(map(str, port.get_names()), key=lambda name: (len(name), name))


def _sizes(port: Any) -> list[sizes.Size] | None:  # noqa: ANN401 - as above
    """A port's sizes, None where one is open or may lie between two; None of an open rank."""
    shape = port.partial_shape
    if shape.rank.is_dynamic:
        return None
    return [None if size.is_dynamic else size.get_length() for size in shape]


def _tensor(port: Any) -> Tensor:  # noqa: ANN401 - as above
    """A declared tensor of a model that was reshaped."""
    dtype = np.dtype(port.element_type.to_dtype()).name
    return Tensor(name=_name(port), shape=tuple(int(size) for size in port.shape), dtype=dtype)


def _facts(op: Any) -> dict[str, Any]:  # noqa: ANN401 - a node of the runtime model
    """What an executed node says of itself: ``layer``, ``primitive``, ``macs``, ``precision``.

    The precision is the end of the kernel's name and not ``runtimePrecision``, which is f16 for
    a kernel that reads fp16 weights and multiplies in f32.
    """
    told = op.get_rt_info()
    layer, primitive = (
        told[key].astype(str) if key in told else "" for key in ("layerType", "primitiveType")
    )
    return {
        "layer": layer,
        "primitive": primitive,
        "precision": precision_of(primitive),
        "macs": _multiplications(op, layer),
    }


def precision_of(kernel: str) -> str:
    """Type in which a kernel computes, by the end of its name."""
    end = kernel.rpartition("_")[2].lower()
    return _PRECISIONS.get(end, end)


def _multiplications(op: Any, layer: str) -> int:  # noqa: ANN401 - as above
    """Multiply-accumulates of a convolution or matrix product, else 0.

    Weights are (out, in, height, width), grouped ones (groups, out / groups, in / groups, ...):
    the output's size times the weights one output element sees. A matrix product's element costs
    as much as the first operand's last axis is long.
    """
    if layer not in _CONVOLUTIONS | _PRODUCTS:
        return 0
    first, second = (
        [size.get_length() for size in value.get_partial_shape()] for value in op.input_values()[:2]
    )
    out = [size.get_length() for size in op.output(0).get_partial_shape()]
    if layer in _PRODUCTS:
        return int(np.prod(out) * first[-1])
    grouped = len(second) > len(first)
    return int(np.prod(out) * np.prod(second[2 if grouped else 1 :]))

"""OpenCV's dnn module: a net, its input set outside the clock, its output in a buffer bound once.

Reference: https://docs.opencv.org/5.x/d6/d0f/group__dnn.html (Net, readNetFromONNX,
readNetFromTFLite, EngineType). OpenCV 5 has a classic engine and a new one, which knows the CPU
only; 4 has the classic one. Both want images as NCHW, whatever the file.
"""

from __future__ import annotations

import base64
import functools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edgebench.backends import model_files, sizes
from edgebench.backends.closed import closed
from edgebench.backends.sizes import Declared
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Probe, ProfilingSession, Settings, Tensor
from edgebench.records import Effective

_TARGETS = {
    "cpu": ("DNN_BACKEND_OPENCV", "DNN_TARGET_CPU", "DNN_TARGET_CPU_FP16"),
    "opencl": ("DNN_BACKEND_OPENCV", "DNN_TARGET_OPENCL", "DNN_TARGET_OPENCL_FP16"),
    "cuda": ("DNN_BACKEND_CUDA", "DNN_TARGET_CUDA", "DNN_TARGET_CUDA_FP16"),
}
"""By accelerator: the backend of OpenCV's that computes there, its fp32 and its fp16 target."""
_IN_DUMP = {"CPU": "cpu", "OCL": "opencl", "CUDA": "cuda"}
"""Targets as a net's description calls them, less ``_FP16``."""
_DYNAMIC = base64.b64decode(
    b"CAg6kgEKIwoBeBIBcRIBcxIBeiIVRHluYW1pY1F1YW50aXplTGluZWFyChkKAXEKAXcKAXoSAXkiC0NvbnZJbnRl"
    b"Z2VyEgFnKhMIAQgBCAIIAhADQgF3SgQBAQEBWhsKAXgSFgoUCAESEAoCCAEKAggBCgIIAgoCCAJiGwoBeRIWChQI"
    b"BhIQCgIIAQoCCAEKAggBCgIIAUIECgAQDQ=="
)
"""ONNX: a DynamicQuantizeLinear and a ConvInteger, the beginning of every int8_dynamic file."""
_DEVICE_CPU = 2
"""CL_DEVICE_TYPE_CPU: an OpenCL driver that computes on the CPU."""
_ON_CPU = " (the CPU, by an OpenCL driver)"
_IMAGE_RANK = 4
_DTYPES = ("float32", "uint8", "int8", "int32", "int64")
"""Of inputs, as far as OpenCV has such arrays."""
_BUFFERS = ("float32", "float16", "uint8", "int8", "int32")
"""Types of arrays that its Python writes an output into."""
PRODUCTS = ("Conv", "Deconv", "MatMul", "Gemm", "InnerProduct")
_TUNING = ("spinning", "denormals_as_zero", "arena", "memory_pattern")
"""What `Case.tuning` is about; the module has no way to set or to ask for any of it."""


_Session = TypeVar("_Session", bound="OpenCVSession")


class OpenCVDNN:
    """The backend ``opencv-dnn``."""

    name = "opencv-dnn"
    formats: tuple[str, ...] = ("onnx", "tflite")
    precisions: tuple[str, ...] = ("fp32", "fp16", "int8")

    def probe(self) -> Probe:
        """The wheel's version and the targets it was built for and finds hardware of."""
        refused = _refusal(_DYNAMIC)
        return Probe(
            name=self.name,
            available=True,
            version=cv2.__version__,
            accelerators=tuple(name for name in _TARGETS if _target(name, "fp32") is not None),
            formats=self.formats,
            precisions=self.precisions if refused else (*self.precisions, "int8_dynamic"),
            serves={"fp16": "fp32"},
            refuses={"int8_dynamic": refused} if refused else {},
        )

    def open(self, model: Path, settings: Settings) -> OpenCVSession:
        """A net on one target; ``options["engine"]`` is ``auto`` (default), ``classic``, ``new``.

        ``auto`` is OpenCV's own choice on a CPU (the new engine, the classic one for what that
        cannot read), and the classic engine on every other target or where that choice fails.
        """
        return self._opened(OpenCVSession, model, settings)

    def profile(self, model: Path, settings: Settings) -> ProfilingSession:
        """As ``open``; OpenCV keeps the times of layers always, and here they are read."""
        from edgebench.backends.opencv_profile import ProfiledSession  # noqa: PLC0415 - rare

        return self._opened(ProfiledSession, model, settings)

    def _opened(self, kind: type[_Session], model: Path, settings: Settings) -> _Session:
        known = _engines()
        engine = settings.options.get("engine", "auto")
        if unknown := [key for key in settings.options if key != "engine"]:
            raise ModelRefusedError(f"opencv-dnn has no option {unknown[0]!r} (has: engine)")
        if engine not in known:
            raise ModelRefusedError(f"engine: {engine!r} is not one of {', '.join(known)}")
        chosen = _target(settings.accelerator, settings.precision)
        if chosen is None:
            names = [name for name in _TARGETS if _target(name, "fp32") is not None]
            raise ModelRefusedError(
                f"this opencv has no target {settings.accelerator!r} (has: {', '.join(names)})"
            )
        cv2.setNumThreads(settings.threads)
        if engine == "auto" and "classic" in known and chosen[1] != cv2.dnn.DNN_TARGET_CPU:
            engine = "classic"
        try:
            return kind(model, settings, known[engine])
        except cv2.error as error:
            if engine != "auto" or len(known) == 1:
                raise ModelRefusedError(_words(error)) from error
            refused = _words(error)
        try:
            return kind(model, settings, known["classic"], refused)
        except cv2.error as error:
            raise ModelRefusedError(_words(error)) from error


def _listed(counts: Counter[str]) -> str:
    return " ".join(f"{name}x{count}" for name, count in sorted(counts.items()))


def _words(error: cv2.error) -> str:
    """OpenCV's message in one line."""
    return " ".join(str(error).split())


def _refusal(model: bytes) -> str:
    """Why OpenCV does not read an ONNX file, in the last of its own words; empty where it does."""
    try:
        cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    except cv2.error as error:
        told = _words(error)
        # Each layer of the importer repeats the one below it.
        return told[max(0, told.rfind("OpenCV(")) :].rstrip(" >")
    return ""


def _engines() -> dict[str, int | None]:
    """Engines by name; OpenCV 4 before 4.12 has one and no name for it."""
    if not hasattr(cv2.dnn, "ENGINE_NEW"):
        return {"auto": None}
    names = ("auto", "classic", "new")
    return {name: int(getattr(cv2.dnn, f"ENGINE_{name.upper()}")) for name in names}


def _target(accelerator: str, precision: str) -> tuple[int, int] | None:
    """OpenCV's ``(backend, target)``, fp16's own target where it is there; None where none is."""
    if accelerator not in _TARGETS:
        return None
    backend, plain, half = (int(getattr(cv2.dnn, name, -1)) for name in _TARGETS[accelerator])
    there = cv2.dnn.getAvailableTargets(backend)
    target = half if precision == "fp16" and half in there else plain
    return (backend, target) if target in there else None


class OpenCVSession:
    """One net on one target.

    Args:
        model: An ONNX or TFLite file.
        settings: How to run it.
        engine: One of OpenCV's, or None where it has but one.
        refused: What the engine that was tried before said.

    Raises:
        cv2.error: The engine cannot read the model, or cannot run it.
    """

    invoke: Callable[[], None]

    def __init__(
        self, model: Path, settings: Settings, engine: int | None, refused: str = ""
    ) -> None:
        self._settings = settings
        self._refused = refused
        read = cv2.dnn.readNetFromTFLite if model.suffix == ".tflite" else cv2.dnn.readNetFromONNX
        self._net: Any = read(str(model)) if engine is None else read(str(model), engine=engine)
        if self._net.empty():
            raise ModelRefusedError(f"opencv made no net of {model.name}; its log says why")
        self._new = engine is not None and self._net.getModelFormat() != 0
        if not self._new:
            backend, target = _target(settings.accelerator, settings.precision) or (0, 0)
            self._net.setPreferableBackend(backend)
            self._net.setPreferableTarget(target)
        self.inputs = _inputs(model, settings)
        self._names = list(self._net.getUnconnectedOutLayersNames())
        # No shape of an output is known before.
        first: list[Sequence[NDArray[Any]]] = []
        told = sizes.tried(lambda feeds: self._run(feeds, first), self.inputs)
        sizes.check_outputs(zip(self._names, told, strict=True), settings)
        layout = "NCHW" if model.suffix == ".tflite" else ""
        self.outputs = tuple(
            Tensor(
                name=name,
                shape=tuple(array.shape),
                dtype=array.dtype.name,
                layout=layout if array.ndim == _IMAGE_RANK else "",
            )
            for name, array in zip(self._names, first[0], strict=True)
        )
        self._ring: list[list[NDArray[Any]]] = []
        self._out: list[NDArray[Any]] = []

    def _run(self, inputs: Feeds, kept: list[Sequence[NDArray[Any]]]) -> Sequence[NDArray[Any]]:
        self._set([inputs[tensor.name] for tensor in self.inputs])
        made = self._net.forward(self._names)
        # It gives None for what has no shape of its own, which no buffer can stand for.
        kept.append([np.zeros(0) if one is None else one for one in made])
        return kept[-1]

    def _set(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Hand arrays to the net, which copies them; one input has no need of a name."""
        if len(arrays) == 1:
            self._net.setInput(arrays[0])
            return
        for tensor, array in zip(self.inputs, arrays, strict=True):
            self._net.setInput(array, tensor.name)

    def bind(self, ring: Sequence[Feeds]) -> None:
        """The outputs' buffers, bound once; the net has input buffers of its own."""
        self._ring = [self._converted(feeds) for feeds in ring]
        if not self._out:
            self._out = [np.zeros(t.shape, dtype=t.dtype) for t in self.outputs]
            self.invoke = self._bound()

    def _bound(self) -> Callable[[], None]:
        """The compiled call, which writes into our buffers; forward() alone allocates one a call.

        It computes anew each time, also where the input has not changed.
        """
        if all(tensor.dtype in _BUFFERS for tensor in self.outputs):
            return functools.partial(self._net.forward, self._names, self._out)
        forward, names, out = self._net.forward, self._names, self._out

        def invoke() -> None:  # a frame only to keep what it takes no buffer of ours for
            out[:] = forward(names)

        return invoke

    def _converted(self, feeds: Feeds) -> list[NDArray[Any]]:
        return [np.ascontiguousarray(feeds[t.name], dtype=t.dtype) for t in self.inputs]

    def stage(self, slot: int) -> None:
        """Copy the slot into the net's inputs."""
        self._set(self._ring[slot])

    def feed(self, inputs: Feeds) -> None:
        """Hand fresh inputs to the net, which copies them."""
        self._set(self._converted(inputs))

    def read(self) -> dict[str, NDArray[Any]]:
        """Copies of the bound outputs."""
        return {name: array.copy() for name, array in zip(self._names, self._out, strict=True)}

    def effective(self) -> Effective:
        """Layer types, the engine, and where the net's own description places each layer."""
        layers = [self._net.getLayer(name) for name in self._net.getLayerNames()]
        kinds = Counter(precision_of(one) for one in layers if one.type.startswith(PRODUCTS))
        types = Counter(str(one.type) for one in layers)
        places, whose = self._places(), self._device()
        # A driver may offer the CPU as a device.
        placed = Counter(["cpu"] * len(places) if whose.endswith(_ON_CPU) else places)
        ran_on = placed.most_common(1)[0][0] if placed else None
        engine = "new" if self._new else "classic"
        after = f" after another refused it: {self._refused};" if self._refused else ";"
        return Effective(
            backend_version=cv2.__version__,
            precision=next(iter(kinds)) if len(kinds) == 1 else None,
            precision_ratio=1.0 if len(kinds) == 1 else None,
            accelerator=ran_on,
            accelerator_ops_ratio=placed[self._settings.accelerator] / placed.total()
            if placed
            else None,
            threads=int(cv2.getNumThreads()),
            tuning=dict.fromkeys(_TUNING, "unsettable"),
            words=f"{engine} engine{after} "
            + _listed(types)
            + (f"; layers of products by type: {_listed(kinds)}" if len(kinds) > 1 else "")
            + whose,
        )

    def _device(self) -> str:
        """Whose OpenCL it is, and what of it cannot be read back; empty without OpenCL."""
        if self._settings.accelerator != "opencl":
            return ""
        device = cv2.ocl.Device.getDefault()
        told = "; a kernel that cannot be built runs on the CPU and is not told; "
        return f"{told}{device.name()}{_ON_CPU if device.type() == _DEVICE_CPU else ''}"

    def _places(self) -> list[str]:
        """Where each layer runs; the new engine has only the CPU."""
        if self._new:
            return ["cpu"] * len(self._net.getLayerNames())
        found = re.findall(r"(?:OCV|CUDA)/(\w+?)\\n", str(self._net.dump()))
        plain = (place.removesuffix("_FP16") for place in found)
        return [_IN_DUMP.get(place, place.lower()) for place in plain]

    def close(self) -> None:
        """Drop the net; OpenCV frees it with its last reference."""
        self.invoke = closed
        self._net = None
        self._out.clear()
        self._ring.clear()


def _inputs(model: Path, settings: Settings) -> tuple[Tensor, ...]:
    """The file's inputs with their sizes, images as NCHW."""
    declared = model_files.inputs(model)
    listed = sizes.any_batch([Declared(one.name, one.shape) for one in declared], settings)
    found = []
    for one, shape in zip(declared, sizes.resolve(listed, settings), strict=True):
        if one.dtype not in _DTYPES:
            raise ModelRefusedError(f"opencv takes no {one.dtype or 'such type'} as {one.name} is")
        image = len(shape) == _IMAGE_RANK
        first = image and model.suffix == ".tflite"
        laid = (shape[0], shape[3], *shape[1:3]) if first else shape
        layout = "NCHW" if image else ""
        found.append(Tensor(name=one.name, shape=laid, dtype=one.dtype, layout=layout))
    return tuple(found)


def precision_of(layer: Any) -> str:  # noqa: ANN401 - the runtime's own Layer
    """Type in which a layer multiplies: int8 layers have types of their own, fp16 a target."""
    if "Int8" in layer.type or layer.type.startswith("QLinear"):
        return "int8"
    halves = [int(getattr(cv2.dnn, names[2], -1)) for names in _TARGETS.values()]
    return "fp16" if layer.preferableTarget in halves else "fp32"

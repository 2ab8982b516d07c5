"""MNN, through its Interpreter and Session.

Reference: https://mnn-docs.readthedocs.io/en/latest/inference/session.html. The types of operators
come from the session's own callbacks, its backend and threads from getSessionInfo.
"""

from __future__ import annotations

import functools
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import MNN
import numpy as np
from numpy.typing import NDArray

from edgebench.backends import shares, sizes
from edgebench.backends.closed import closed
from edgebench.backends.sizes import Declared
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Probe, ProfilingSession, Settings, Tensor
from edgebench.records import Effective

_TUNING = ("spinning", "denormals_as_zero", "arena", "memory_pattern")
"""What `Case.tuning` is about; a session's configuration has none of it."""
_BACKENDS = {"opencl": "OPENCL", "vulkan": "VULKAN", "cuda": "CUDA"}
_PLAIN, _HALF = "high", "low"
"""Values of the key precision: float32, and the fastest float that the backend has."""
_OPTIONS = {
    "memory": ("normal", "high", "low"),
    "power": ("normal", "high", "low"),
    "precision": ("normal", "high", "low", "Low_BF16"),
}
"""createSession passes over any other key or value without a word."""
_INFO_BACKEND, _INFO_THREADS = 2, 4
"""Codes of getSessionInfo (Interpreter.hpp, SessionInfoCode)."""
_CPU_TYPES = (0, 13)
"""MNN_FORWARD_CPU and MNN_FORWARD_CPU_EXTENSION (MNNForwardType.h)."""
MARK_INT8 = "DT_INT8"
PRODUCTS = ("Convolution", "MatMul", "Deconvolution", "BatchMatMul")


_IMAGE_RANK = 4
_TYPES = {
    "float32": "Float",
    "int32": "Int",
    "uint8": "Uint8",
    "int64": "Int64",
    "float64": "Double",
}
"""MNN's names of types."""
_Held = list[tuple[Any, NDArray[Any]]]
"""Of each input a tensor of MNN's and the memory that it looks at."""
_Session = TypeVar("_Session", bound="MnnSession")


class Mnn:
    """The backend ``mnn``."""

    name = "mnn"
    formats: tuple[str, ...] = ("mnn",)
    precisions: tuple[str, ...] = ("fp32", "fp16", "int8")

    def probe(self) -> Probe:
        """The installed version, and which backends were built in and find a device."""
        return Probe(
            name=self.name,
            available=True,
            version=MNN.version(),
            accelerators=_accelerators(),
            formats=self.formats,
            precisions=self.precisions,
        )

    def open(self, model: Path, settings: Settings) -> MnnSession:
        """A session on one backend, without silent fallback to the CPU."""
        return self._opened(MnnSession, model, settings)

    def profile(self, model: Path, settings: Settings) -> ProfilingSession:
        """As ``open``, with a callback before and after every operator."""
        from edgebench.backends.mnn_profile import ProfiledSession  # noqa: PLC0415 - rare

        return self._opened(ProfiledSession, model, settings)

    def _opened(self, kind: type[_Session], model: Path, settings: Settings) -> _Session:
        if settings.accelerator not in ("cpu", *_BACKENDS):
            raise ModelRefusedError(f"MNN has no accelerator {settings.accelerator!r}")
        if settings.accelerator != "cpu" and settings.accelerator not in _accelerators():
            raise ModelRefusedError(f"this MNN finds no {settings.accelerator} here")
        if settings.precision not in self.precisions:
            raise ModelRefusedError(f"MNN has no {settings.precision}")
        return kind(model, settings)


def _accelerators() -> tuple[str, ...]:
    """``cpu``, and what createRuntime finds built in; it prints a line for what it does not."""
    found = ["cpu"]
    for accelerator, backend in _BACKENDS.items():
        _, exists = MNN.Interpreter.createRuntime(({"backend": backend},))
        found += [accelerator] if exists[0] else []
    return tuple(found)


def _config(settings: Settings) -> dict[str, str | int]:
    """What createSession is told; the user's options (``memory``, ``power`` ...) come last.

    Raises:
        ModelRefusedError: One that MNN would pass over, so that its name were on default figures.
    """
    for key, value in settings.options.items():
        if value not in _OPTIONS.get(key, ()):
            known = "; ".join(f"{name}: {', '.join(are)}" for name, are in _OPTIONS.items())
            raise ModelRefusedError(f"MNN has no option {key} = {value!r} ({known})")
    config: dict[str, str | int] = {
        "backend": _BACKENDS.get(settings.accelerator, "CPU"),
        "numThread": settings.threads,
        "precision": _HALF if settings.precision == "fp16" else _PLAIN,
    }
    return config | settings.options


class MnnSession:
    """One interpreter and one session; inputs wait as MNN's own tensors."""

    def __init__(self, model: Path, settings: Settings) -> None:
        self._settings = settings
        self._model = model
        self._config = _config(settings)
        self._net, self._session = self._opened(self._config)
        if settings.accelerator != "cpu" and self._info(_INFO_BACKEND) in _CPU_TYPES:
            raise ModelRefusedError(f"MNN has no {settings.accelerator} here and took the CPU")
        self._in: dict[str, Any] = self._net.getSessionInputAll(self._session)
        self._out: dict[str, Any] = self._net.getSessionOutputAll(self._session)
        self.inputs = tuple(_tensor(name, tensor) for name, tensor in self._in.items())
        self.outputs = tuple(_tensor(name, tensor) for name, tensor in self._out.items())
        sizes.check_outputs(((one.name, one.shape) for one in self.outputs), settings)
        self._ring: list[_Held] = []
        # A partial on the extension's own function: no Python frame between clock and runtime.
        self.invoke: Callable[[], None] = functools.partial(self._net.runSession, self._session)

    def _opened(self, config: dict[str, str | int]) -> tuple[Any, Any]:
        """An interpreter and a session for the batch that is asked for."""
        try:
            net = MNN.Interpreter(str(self._model))
            session = net.createSession(config)
        except Exception as error:  # noqa: BLE001 - it raises nothing narrower
            raise ModelRefusedError(f"MNN cannot make a session: {error}") from None
        tensors = net.getSessionInputAll(session)
        told = {name: tuple(tensor.getShape()) for name, tensor in tensors.items()}
        # A batch that the file leaves open is told as 1.
        declared = [Declared(name, shape) for name, shape in told.items()]
        settable = sizes.any_batch(declared, self._settings)
        wanted = dict(zip(told, sizes.resolve(settable, self._settings), strict=True))
        if wanted != told:
            for name, tensor in tensors.items():
                net.resizeTensor(tensor, wanted[name])
            net.resizeSession(session)
        return net, session

    def _info(self, code: int) -> int:
        return int(self._net.getSessionInfo(self._session, code))

    def bind(self, ring: Sequence[Feeds]) -> None:
        """The ring as tensors of MNN's, converted once; and a first run, which tells failures."""
        self._ring = [self._hosts(feeds) for feeds in ring]
        self.stage(0)
        code = self._net.runSession(self._session)
        if code:
            raise ModelRefusedError(f"MNN's session ended with code {code}")

    def _hosts(self, feeds: Feeds) -> _Held:
        """Tensors outside the session, and the memory they may look at."""
        found = []
        for one, inside in zip(self.inputs, self._in.values(), strict=True):
            held = np.ascontiguousarray(feeds[one.name], dtype=one.dtype)
            kind, order = inside.getDataType(), inside.getDimensionType()
            found.append((MNN.Tensor(held.shape, kind, held, order), held))
        return found

    def _put(self, hosts: _Held, tensors: Mapping[str, Any]) -> None:
        for inside, (host, _) in zip(tensors.values(), hosts, strict=True):
            inside.copyFrom(host)

    def stage(self, slot: int) -> None:
        """Copy the slot into the session's inputs."""
        self._put(self._ring[slot], self._in)

    def feed(self, inputs: Feeds) -> None:
        """Copy fresh inputs into the session's inputs."""
        self._put(self._hosts(inputs), self._in)

    def read(self) -> dict[str, NDArray[Any]]:
        """Copies of the session's outputs."""
        return _copies(self._out, self.outputs)

    def effective(self) -> Effective:
        """Types of operators by the session's callbacks, float16 by what a second session says."""
        flops: Counter[str] = Counter()
        names: Counter[str] = Counter()
        floating = self._floating()

        def before(_: object, info: Any) -> bool:  # noqa: ANN401 - the runtime's own OpInfo
            kind = str(info.getType()).strip()
            names[kind] += 1
            if kind.startswith(PRODUCTS):
                flops["int8" if MARK_INT8 in kind else floating] += info.getFlops()
            return True

        self._net.runSessionWithCallBackInfo(self._session, before, lambda *_: True)
        most = shares.of(flops)
        return Effective(
            backend_version=MNN.version(),
            precision=most.precision,
            precision_ratio=most.ratio,
            accelerator="cpu"
            if self._info(_INFO_BACKEND) in _CPU_TYPES
            else self._settings.accelerator,
            accelerator_ops_ratio=1.0 if self._settings.accelerator == "cpu" else None,
            threads=self._threads(),
            tuning=dict.fromkeys(_TUNING, "unsettable"),
            words=" ".join(
                f"{name.replace(' ', '')}x{count}" for name, count in sorted(names.items())
            )
            + ("" if self._settings.accelerator == "cpu" else "; where each ran is not told"),
        )

    def _threads(self) -> int:
        """MNN writes the integer's bits where a float is read."""
        written = float(self._net.getSessionInfo(self._session, _INFO_THREADS))
        (count,) = struct.unpack("<i", struct.pack("<f", written))
        return int(count)

    def _floating(self) -> str:
        """fp16 where a session told to be exact gives other bits, else fp32."""
        if self._config["precision"] == _PLAIN or not self._ring:
            return "fp32"
        net, session = self._opened(self._config | {"precision": _PLAIN})
        self._put(self._ring[0], net.getSessionInputAll(session))
        net.runSession(session)
        self.stage(0)
        self.invoke()
        exact, ours = _copies(net.getSessionOutputAll(session), self.outputs), self.read()
        same = (
            np.array_equal(exact[one.name], ours[one.name], equal_nan=one.dtype.startswith("float"))
            for one in self.outputs
        )
        return "fp32" if all(same) else "fp16"

    def close(self) -> None:
        """Drop session and interpreter; MNN frees them with their last references."""
        self.invoke = closed
        self._ring.clear()
        self._in, self._out = {}, {}
        self._session = self._net = None


def _tensor(name: str, tensor: Any) -> Tensor:  # noqa: ANN401 - MNN's own
    """A session's tensor; MNN knows images by their order of sizes."""
    kinds = {dtype: getattr(MNN, f"Halide_Type_{kind}", None) for dtype, kind in _TYPES.items()}
    dtype = next((dtype for dtype, kind in kinds.items() if kind == tensor.getDataType()), None)
    if dtype is None:
        raise ModelRefusedError(f"{name} is of a type that MNN's Python does not tell")
    shape = tuple(int(size) for size in tensor.getShape())
    last = tensor.getDimensionType() == MNN.Tensor_DimensionType_Tensorflow
    layout = "" if len(shape) != _IMAGE_RANK else "NHWC" if last else "NCHW"
    return Tensor(name=name, shape=shape, dtype=dtype, layout=layout)


def _copies(tensors: Mapping[str, Any], declared: Sequence[Tensor]) -> dict[str, NDArray[Any]]:
    """A session's outputs in this process's memory, each in the order that it declares."""
    found = {}
    for one in declared:
        tensor, zeros = tensors[one.name], np.zeros(one.shape, one.dtype)
        host = MNN.Tensor(one.shape, tensor.getDataType(), zeros, tensor.getDimensionType())
        tensor.copyToHostTensor(host)
        found[one.name] = np.array(host.getNumpyData(), one.dtype).reshape(one.shape)
    return found

"""ncnn, through its Net and Extractor; a model is a zip of its two files (`ncnn_files`).

Reference: https://github.com/Tencent/ncnn/wiki and src/option.h. Every option that decides about
precision is set here, because float16 is on by default; options are read back after loading.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import ncnn
import numpy as np
from numpy.typing import NDArray

from edgebench.backends import ncnn_files, shares, sizes
from edgebench.backends.closed import closed
from edgebench.backends.ncnn_files import FLOAT16, INT8, Layer
from edgebench.backends.sizes import Declared
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Probe, ProfilingSession, Settings, Tensor
from edgebench.records import Effective

_HALF = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic")
_BRAIN = ("use_bf16_storage", "use_bf16_packed")
_INT8 = ("use_int8_inference",)
_FLAGS: dict[str, tuple[str, ...]] = {
    "fp32": (),
    "fp16": _HALF,
    "bf16": _BRAIN,
    "int8": _INT8,
}
"""Options that are on for a precision; every other one of them is off."""
_TUNING = ("spinning", "denormals_as_zero", "arena", "memory_pattern")
"""What `Case.tuning` is about; the Python package has no way to set or to ask for any of it."""
_VULKAN = "vulkan"
_TYPE_CPU = 3
"""GpuInfo.type() of a driver that computes on the CPU (src/gpu.h)."""
_IMAGE_AXES = 3
_STORED = {FLOAT16: "float16", INT8: "int8"}


_Session = TypeVar("_Session", bound="NcnnSession")


class Ncnn:
    """The backend ``ncnn``."""

    name = "ncnn"
    formats: tuple[str, ...] = ("ncnn",)
    precisions: tuple[str, ...] = ("fp32", "fp16", "bf16", "int8")

    def probe(self) -> Probe:
        """The installed version; Vulkan where the build and a driver offer a device."""
        return Probe(
            name=self.name,
            available=True,
            version=ncnn.__version__,
            accelerators=_accelerators(),
            formats=self.formats,
            precisions=self.precisions,
        )

    def open(self, model: Path, settings: Settings) -> NcnnSession:
        """A net with its weights loaded."""
        return self._opened(NcnnSession, model, settings)

    def profile(self, model: Path, settings: Settings) -> ProfilingSession:
        """As ``open``, but layer after layer is asked for, and timed from outside."""
        from edgebench.backends.ncnn_profile import ProfiledSession  # noqa: PLC0415 - rare

        return self._opened(ProfiledSession, model, settings)

    def _opened(self, kind: type[_Session], model: Path, settings: Settings) -> _Session:
        if settings.accelerator not in ("cpu", _VULKAN):
            raise ModelRefusedError(f"ncnn has no accelerator {settings.accelerator!r}")
        if settings.accelerator == _VULKAN and _VULKAN not in _accelerators():
            raise ModelRefusedError("ncnn finds no Vulkan device here")
        if settings.precision not in _FLAGS:
            raise ModelRefusedError(f"ncnn has no {settings.precision}")
        return kind(model, settings)


def _accelerators() -> tuple[str, ...]:
    counted = getattr(ncnn, "get_gpu_count", None)  # absent where it was built without Vulkan
    return ("cpu", _VULKAN) if counted is not None and counted() else ("cpu",)


def _options(settings: Settings) -> dict[str, bool | int]:
    """Every option that is set: those of the precision, threads, then the user's own by name.

    Raises:
        ModelRefusedError: The user's option is none of ncnn's, or not 0 or 1.
    """
    on = _FLAGS[settings.precision]
    found: dict[str, bool | int] = {name: name in on for name in (*_HALF, *_BRAIN, *_INT8)}
    found["use_vulkan_compute"] = settings.accelerator == _VULKAN
    found["num_threads"] = settings.threads
    for name, value in settings.options.items():
        if not name.startswith("use_") or not hasattr(ncnn.Option(), name):
            raise ModelRefusedError(f"ncnn has no option {name!r} (take its names, as use_...)")
        if value not in ("0", "1"):
            raise ModelRefusedError(f"ncnn's option {name} is 0 or 1, not {value!r}")
        found[name] = value == "1"
    # An option that an older ncnn does not have cannot be on either.
    return {name: value for name, value in found.items() if hasattr(ncnn.Option(), name)}


def _load(param: bytes, weights: bytes, options: dict[str, bool | int]) -> Any:  # noqa: ANN401
    """A net; the package's own way to load from memory does not keep the weights it points to."""
    net = ncnn.Net()
    for name, value in options.items():
        setattr(net.opt, name, value)
    with tempfile.TemporaryDirectory(prefix="edgebench-") as name:
        folder = Path(name)
        (folder / ncnn_files.PARAM).write_bytes(param)
        (folder / ncnn_files.BIN).write_bytes(weights)
        if net.load_param(str(folder / ncnn_files.PARAM)):
            raise ModelRefusedError("ncnn cannot load the param file (the log says why)")
        if net.load_model(str(folder / ncnn_files.BIN)):
            raise ModelRefusedError("ncnn cannot load the bin file (the log says why)")
    return net


class NcnnSession:
    """One net; its input is a matrix that stays, its output comes anew from each extractor."""

    invoke: Callable[[], None]

    def __init__(self, model: Path, settings: Settings) -> None:
        self._settings = settings
        self._files = ncnn_files.unpack(model)
        self._layers = ncnn_files.read_layers(*self._files)
        self._options = _options(settings)
        self._net = _load(*self._files, self._options)
        names = self._net.input_names()
        if len(names) != 1:
            raise ModelRefusedError(f"the model has {len(names)} inputs, one is taken by ncnn")
        told = ncnn_files.input_shape(self._layers)
        declared = Declared(names[0], None if told is None else [None, *told])
        (shape,) = sizes.resolve([declared], settings)
        self._mat, self._views = _matrix(shape)
        layout = "NCHW" if len(shape) == _IMAGE_AXES + 1 else ""
        self.inputs = (Tensor(name=names[0], shape=shape, dtype="float32", layout=layout),)
        self._source = self._net.input_indexes()[0]
        sinks = zip(self._net.output_names(), self._net.output_indexes(), strict=True)
        # In the converter's order, which it tells by names: the file's is that of layers.
        self._names, self._sinks = zip(*sorted(sinks, key=lambda one: _place(one[0])), strict=True)
        self._ring: list[NDArray[Any]] = []
        self._last: list[tuple[int, Any]] = []
        self.invoke = self._bound(self._net, self._last)
        self.invoke()  # an output's shape is known when there is one
        self.outputs = tuple(
            Tensor(
                name=name,
                shape=array.shape,
                dtype="float32",
                layout="NCHW" if array.ndim == _IMAGE_AXES + 1 else "",
            )
            for name, array in self.read().items()
        )

    def _bound(self, net: Any, last: list[tuple[int, Any]]) -> Callable[[], None]:  # noqa: ANN401
        """An inference as a closure: an extractor gives a blob once, so each call makes one."""
        create, mat = net.create_extractor, self._mat
        source, sinks = self._source, self._sinks
        last[:] = [(0, None)] * len(sinks)
        if len(sinks) == 1:
            (sink,) = sinks

            def invoke() -> None:
                extractor = create()
                extractor.input(source, mat)
                last[0] = extractor.extract(sink)

            return invoke

        def invoke_all() -> None:
            extractor = create()
            extractor.input(source, mat)
            last[:] = map(extractor.extract, sinks)

        return invoke_all

    def bind(self, ring: Sequence[Feeds]) -> None:
        """The ring, kept converted beside the input matrix."""
        name = self.inputs[0].name
        self._ring = [np.ascontiguousarray(feeds[name], np.float32) for feeds in ring]

    def stage(self, slot: int) -> None:
        """Copy the slot into the input matrix."""
        for view, array in zip(self._views, self._ring[slot], strict=True):
            view[...] = array

    def feed(self, inputs: Feeds) -> None:
        """Copy fresh inputs into the input matrix; numpy converts as it copies."""
        for view, array in zip(self._views, inputs[self.inputs[0].name], strict=True):
            view[...] = array

    def read(self) -> dict[str, NDArray[Any]]:
        """Copies of the last outputs; ncnn tells a failure only here."""
        return dict(zip(self._names, self._answers(self._last), strict=True))

    def _answers(self, last: Sequence[tuple[int, Any]]) -> list[NDArray[np.float32]]:
        return [_answer(one, self._settings.batch) for one in last]

    def effective(self) -> Effective:
        """Options read back, the tags of the weights, and what a change of options changes.

        ncnn has no list of the kernels that ran. Float precisions are told apart by outputs: where
        the same bits come without an option, that option did nothing.
        """
        macs: Counter[str] = Counter()
        floating = self._floating()
        whole = all(bool(np.isfinite(array).all()) for array in self.read().values())
        for layer, count in self._products():
            kind = floating
            if layer.tag == INT8:
                kind = "int8" if whole and self._net.opt.use_int8_inference else ""
            macs[kind] += count
        most = shares.of(macs)
        gpu, layers = self._gpu(), self._net.layers()
        pretended = gpu is not None and gpu.type() == _TYPE_CPU
        taken = sum(gpu is None or layer.support_vulkan for layer in layers)
        return Effective(
            backend_version=ncnn.__version__,
            precision=most.precision,
            precision_ratio=most.ratio,
            accelerator="cpu" if pretended else self._settings.accelerator,
            accelerator_ops_ratio=0.0 if pretended else taken / len(layers),
            threads=self._net.opt.num_threads,
            tuning=dict.fromkeys(_TUNING, "unsettable"),
            words=self._words(),
        )

    def _words(self) -> str:
        names = Counter(layer.kind for layer in self._layers)
        stored = Counter(
            _STORED.get(layer.tag, "float32") for layer in self._layers if layer.tag is not None
        )
        on = [name for name in self._options if getattr(self._net.opt, name) is True]
        return "; ".join(
            [
                " ".join(f"{name}x{count}" for name, count in sorted(names.items())),
                f"weights {' '.join(f'{name}x{count}' for name, count in sorted(stored.items()))}",
                f"on: {' '.join(on) or 'no option of precision'}",
                *self._device(),
                "kernels cannot be read back",
            ]
        )

    def _gpu(self) -> Any:  # noqa: ANN401 - the runtime's own GpuInfo
        """The Vulkan device that is used, None on the CPU."""
        if self._settings.accelerator != _VULKAN:
            return None
        return ncnn.get_gpu_info(ncnn.get_default_gpu_index())

    def _device(self) -> list[str]:
        """Whose Vulkan it is: a driver may offer the CPU as a device."""
        gpu = self._gpu()
        if gpu is None:
            return []
        kind = " (the CPU, by a Vulkan driver)" if gpu.type() == _TYPE_CPU else ""
        return [f"{gpu.device_name()}{kind}"]

    def _products(self) -> list[tuple[Layer, int]]:
        """Layers of multiplications, and how many each needs for the present input."""
        found = []
        for layer in self._layers:
            if layer.weight is None:
                continue
            positions = 1
            if layer.kind != "InnerProduct":
                extractor = self._net.create_extractor()
                extractor.input(self._source, self._mat)
                # Each of a transposed convolution's inputs meets every weight.
                turned = layer.kind.startswith("Deconvolution")
                _, blob = extractor.extract(layer.bottoms[0] if turned else layer.tops[0])
                positions = blob.w * blob.h
            found.append((layer, positions * layer.weight.size))
        return found

    def _floating(self) -> str:
        """The type that float layers are computed in, by what options change in the output."""
        if self._same_without((*_HALF, *_BRAIN)):
            return "fp32"
        if any(self._options.get(name) for name in _BRAIN):
            return "bf16"
        return "fp32" if self._same_without(("use_fp16_arithmetic",)) else "fp16"

    def _same_without(self, names: tuple[str, ...]) -> bool:
        """Whether the same bits come from a second net with some options off."""
        off = {name: value and name not in names for name, value in self._options.items()}
        last: list[tuple[int, Any]] = []
        self.invoke()
        self._bound(_load(*self._files, off | {"num_threads": self._settings.threads}), last)()
        pairs = zip(self._answers(last), self._answers(self._last), strict=True)
        return all(np.array_equal(one, other, equal_nan=True) for one, other in pairs)

    def close(self) -> None:
        """Drop the net; ncnn frees it with its last reference."""
        self.invoke = closed
        self._net = None
        self._last.clear()
        self._views.clear()


def _place(name: str) -> int:
    """Of an output that pnnx has named: ``out1`` -> 1; 0 of any other."""
    number = name.removeprefix("out")
    return int(number) if name.startswith("out") and number.isdecimal() else 0


def _matrix(shape: tuple[int, ...]) -> tuple[Any, list[NDArray[np.float32]]]:
    """The runtime's own matrix for an input, and a view of each sample in it.

    Its channels lie apart as the runtime likes them; a matrix around a numpy array would not keep
    that array alive.
    """
    batch = shape[0]
    if batch == 1:
        mat = ncnn.Mat(*reversed(shape[1:]))
        views = [np.asarray(mat)]
    elif hasattr(ncnn.Mat, "batch"):
        mat = ncnn.Mat(np.zeros(shape, np.float32), 0)
        views = [np.asarray(mat.batch(number)) for number in range(batch)]
    else:
        raise ModelRefusedError(f"ncnn {ncnn.__version__} takes one sample at a time")
    for view in views:
        view[...] = 0
    return mat, views


def _answer(last: tuple[int, Any], batch: int) -> NDArray[np.float32]:
    """(batch, ...) of what an extractor gave.

    Raises:
        ModelRefusedError: It gave a code instead.
    """
    code, mat = last
    if code or mat is None:
        raise ModelRefusedError(f"ncnn's extractor ended with code {code}")
    rows = [np.array(mat.batch(n)) for n in range(batch)] if batch > 1 else [np.array(mat)]
    return np.stack(rows).astype(np.float32)

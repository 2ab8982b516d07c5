"""torch: a module in eager mode or compiled by Inductor, its input in a buffer that stays.

Reference: https://docs.pytorch.org/docs/stable/ (inference_mode, compile, profiler). The files are
`torch_files`; inputs and outputs are float32 whatever the precision, and what converts them is a
part of the model, as in other runtimes' files.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from edgebench.backends import shares, sizes, torch_files, torch_witness
from edgebench.backends.closed import closed
from edgebench.backends.sizes import Declared
from edgebench.backends.torch_files import first_line
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Probe, ProfilingSession, Settings, Tensor
from edgebench.records import Effective

_CASTS = {"bf16": torch.bfloat16, "fp16": torch.float16}
_COMPILE, _ENGINE = "compile", "engine"
_NO_COMPILER = ("InvalidCxxCompiler", "directory: 'g++'")
"""What torch says where it has found no compiler, or finds the one of before no more."""
_SHIPPED_ENGINE: str = torch.backends.quantized.engine
"""The build's own choice for int8's kernels: x86, or qnnpack on ARM."""
_CACHE = "TORCHINDUCTOR_CACHE_DIR"
_GIVEN = os.environ.get(_CACHE)
"""Of a worker, a folder that its parent clears away; torch names one itself when it is not told."""
_UNSETTABLE = ("arena", "memory_pattern")
"""Of what `Case.tuning` is about; OpenMP's spinning is decided before torch is loaded."""
_DENORMAL, _LANES = 1e-40, 32
_IMAGE_RANK = 4


_Session = TypeVar("_Session", bound="TorchSession")


class Torch:
    """The backend ``torch``."""

    name = "torch"
    formats: tuple[str, ...] = ("torch",)
    precisions: tuple[str, ...] = ("fp32", "fp16", "bf16", "int8")

    def probe(self) -> Probe:
        """The wheel's version; CUDA where it was built with it and finds a device."""
        return Probe(
            name=self.name,
            available=True,
            version=str(torch.__version__),
            accelerators=_accelerators(),
            formats=self.formats,
            precisions=self.precisions,
            serves={"bf16": "fp32", "fp16": "fp32"},
        )

    def open(self, model: Path, settings: Settings) -> TorchSession:
        """A module on one device; ``options``: ``compile`` is 0 or 1, ``engine`` int8's kernels."""
        return self._opened(TorchSession, model, settings)

    def profile(self, model: Path, settings: Settings) -> ProfilingSession:
        """As ``open``, with torch's profiler on."""
        from edgebench.backends.torch_profile import ProfiledSession  # noqa: PLC0415 - rare

        return self._opened(ProfiledSession, model, settings)

    def _opened(self, kind: type[_Session], model: Path, settings: Settings) -> _Session:
        if settings.accelerator not in ("cpu", "cuda"):
            raise ModelRefusedError(f"torch has no accelerator {settings.accelerator!r} here")
        if settings.accelerator not in _accelerators():
            raise ModelRefusedError("this torch finds no CUDA device")
        if settings.precision not in self.precisions:
            raise ModelRefusedError(f"torch has no {settings.precision}")
        if unknown := set(settings.options) - {_COMPILE, _ENGINE}:
            raise ModelRefusedError(
                f"torch has no option {min(unknown)!r} (known: {_COMPILE}, {_ENGINE})"
            )
        if settings.options.get(_COMPILE, "0") not in ("0", "1"):
            raise ModelRefusedError(
                f"torch's option {_COMPILE} is 0 or 1, not {settings.options[_COMPILE]!r}"
            )
        return kind(model, settings)


def _accelerators() -> tuple[str, ...]:
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


class TorchSession:
    """One module; its output comes anew from each call."""

    def __init__(self, model: Path, settings: Settings) -> None:
        self._settings = settings
        os.environ[_CACHE] = _GIVEN or _scratch().name
        _set_threads(settings)
        _set_engine(settings.options.get(_ENGINE, _SHIPPED_ENGINE))
        file = torch_files.read(model)
        self._module = file.module
        self.inputs = _tensors(file, settings)
        self._prepare(file.quantised)
        self._host = [np.zeros(one.shape, one.dtype) for one in self.inputs]
        held = [torch.from_numpy(one) for one in self._host]
        on_cpu = settings.accelerator == "cpu"
        self._in = held if on_cpu else [one.to(settings.accelerator) for one in held]
        self._last: list[Any] = [None]
        self.invoke: Callable[[], None] = self._bound()
        self._try()
        self.outputs = tuple(
            Tensor(name=name, shape=tuple(array.shape), dtype=array.dtype.name)
            for name, array in zip(file.output_names, self._answers(), strict=True)
        )
        sizes.check_outputs(((one.name, one.shape) for one in self.outputs), settings)
        self._ring: list[list[NDArray[Any]]] = []

    def _prepare(self, quantised: bool) -> None:
        """The module as it is to run: on its device, in its type, compiled."""
        precision, compiled = self._settings.precision, self._settings.options.get(_COMPILE) == "1"
        if quantised != (precision == "int8"):
            held = "int8" if quantised else "float32"
            raise ModelRefusedError(f"the file holds {held} weights, not what {precision} needs")
        if quantised and self._settings.accelerator != "cpu":
            raise ModelRefusedError("torch has quantised operators for the CPU only")
        if quantised and compiled:
            raise ModelRefusedError("torch.compile takes no TorchScript, which int8 is kept in")
        if precision in _CASTS:
            _cast(self._module, _CASTS[precision])
        if self._settings.accelerator != "cpu":
            # torch would let convolutions in float32 multiply in 19 bits (TF32).
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
            self._module.to(self._settings.accelerator)
        if compiled:
            self._module = self._compiled()

    def _compiled(self) -> Any:  # noqa: ANN401 - torch's own
        """Inductor's module; what cannot be compiled is refused instead of being run as it was."""
        import torch._inductor.config as inductor  # noqa: PLC0415 - a second of imports

        inductor.cpp_cache_precompile_headers = False  # they would lie elsewhere all the same
        inductor.compile_threads = 1  # no pool of processes
        return torch.compile(self._module, fullgraph=True, dynamic=False)

    def _bound(self) -> Callable[[], None]:
        """An inference as a closure; entering inference mode costs 0.7 us."""
        call, last = self._module, self._last
        mode = torch.inference_mode()
        if self._settings.options.get(_COMPILE) != "1":
            call = call.forward  # without the hooks that it has none of
        if len(self._in) > 1:
            return self._bound_all(call)
        (inputs,) = self._in

        def invoke() -> None:
            with mode:
                last[0] = call(inputs)

        if self._settings.accelerator == "cpu":
            return invoke
        wait = torch.cuda.synchronize

        def invoke_and_wait() -> None:
            with mode:
                last[0] = call(inputs)
                wait()

        return invoke_and_wait

    def _bound_all(self, call: Callable[..., Any]) -> Callable[[], None]:
        """The same for several inputs, whose arguments are unpacked in each call."""
        inputs, last, mode = tuple(self._in), self._last, torch.inference_mode()

        def invoke() -> None:
            with mode:
                last[0] = call(*inputs)

        if self._settings.accelerator == "cpu":
            return invoke

        def invoke_and_wait() -> None:
            with mode:
                last[0] = call(*inputs)
                torch.cuda.synchronize()

        return invoke_and_wait

    def _try(self) -> None:
        """Run once: compiling happens here, shapes are known then, and failures are told."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.invoke()
        except Exception as error:  # compilers raise whatever they like
            self.close()
            lacking = any(mark in str(error) for mark in _NO_COMPILER)
            remedy = "apt-get install g++" if lacking else ""
            raise ModelRefusedError(f"torch says: {first_line(error)}", remedy=remedy) from error

    def bind(self, ring: Sequence[Feeds]) -> None:
        """The ring, kept converted beside the input buffers."""
        self._ring = [
            [np.ascontiguousarray(feeds[one.name], dtype=one.dtype) for one in self.inputs]
            for feeds in ring
        ]

    def stage(self, slot: int) -> None:
        """Copy the slot into the input buffers."""
        for buffer, array in zip(self._host, self._ring[slot], strict=True):
            buffer[...] = array
        self._send()

    def feed(self, inputs: Feeds) -> None:
        """Copy fresh inputs into the input buffers; numpy converts as it copies."""
        for buffer, one in zip(self._host, self.inputs, strict=True):
            buffer[...] = inputs[one.name]
        self._send()

    def _send(self) -> None:
        """To the device; on the CPU the buffers are the inputs themselves."""
        if self._settings.accelerator != "cpu":
            for there, here in zip(self._in, self._host, strict=True):
                there.copy_(torch.from_numpy(here))
            torch.cuda.synchronize()

    def read(self) -> dict[str, NDArray[Any]]:
        """Copies of the last outputs."""
        names = (tensor.name for tensor in self.outputs)
        return {name: array.copy() for name, array in zip(names, self._answers(), strict=True)}

    def _answers(self) -> list[NDArray[Any]]:
        last = self._last[0]
        many = last if isinstance(last, (tuple, list)) else (last,)
        return [one.cpu().numpy() for one in many]

    def effective(self) -> Effective:
        """Kernels by the profiler; multiplications by the dispatcher, where nothing is compiled."""
        found, compiled = torch_witness.kernels(self.invoke)
        where, macs, ratio = self._in[0].device.type, Counter[str](), None
        if not compiled:
            seen = torch_witness.operators(self.invoke)
            for one in seen:
                macs[one.precision] += one.macs
            ratio = sum(one.device == where for one in seen) / len(seen) if seen else None
        elif len(kinds := {precision for _, precision in found}) == 1:
            macs[kinds.pop()] = 1  # of a mixture only the dispatcher could tell what most are
        most = shares.of(macs)
        return Effective(
            backend_version=str(torch.__version__),
            precision=most.precision,
            # What Inductor fused into kernels of its own is not among those that have names.
            precision_ratio=None if compiled else most.ratio,
            accelerator=where,
            accelerator_ops_ratio=1.0 if where == "cpu" else ratio,
            threads=torch.get_num_threads(),
            tuning=_tuning(),
            words=self._words(found, compiled=compiled),
        )

    def _words(self, found: list[tuple[str, str]], *, compiled: bool) -> str:
        counted = Counter(f"{name}[{precision}]" for name, precision in found)
        int8 = self._settings.precision == "int8"
        return "; ".join(
            [
                " ".join(f"{name}x{count}" for name, count in sorted(counted.items())),
                "compiled by inductor" if compiled else "eager",
                *([f"engine {torch.backends.quantized.engine}"] if int8 else []),
                f"{torch.get_num_interop_threads()} thread between operators",
            ]
        )

    def close(self) -> None:
        """Drop the module; torch frees it with its last reference."""
        self.invoke = closed
        self._module = None
        self._in = []
        self._last[:] = [None]


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """What the compiler writes outside a worker: removed when the interpreter ends."""
    return tempfile.TemporaryDirectory(prefix="edgebench-")


def _set_threads(settings: Settings) -> None:
    """Threads within an operator, one between them; denormals as the tuning says."""
    torch.set_num_threads(settings.threads)
    with contextlib.suppress(RuntimeError):  # it can be set once, and is read back into the words
        torch.set_num_interop_threads(1)
    torch.set_flush_denormal(settings.tuning == "equal")


def _tuning() -> dict[str, str]:
    """What `Case.tuning` is about; denormals by what a product of one gives."""
    flushed = not bool((torch.full((_LANES,), _DENORMAL) * 1.0).any())
    spinning = "no_pool" if torch.get_num_threads() == 1 else "unsettable"
    told = {"spinning": spinning, "denormals_as_zero": "on" if flushed else "off"}
    return told | dict.fromkeys(_UNSETTABLE, "unsettable")


def _set_engine(name: str) -> None:
    """Raises: ModelRefusedError: This torch has no such engine for its quantised operators."""
    known = [engine for engine in torch.backends.quantized.supported_engines if engine != "none"]
    if name not in known:
        raise ModelRefusedError(f"torch has no engine {name!r} here (has: {', '.join(known)})")
    torch.backends.quantized.engine = name


def _tensors(file: torch_files.File, settings: Settings) -> tuple[Tensor, ...]:
    """The file's inputs with every size known."""
    declared = [Declared(one.name, one.sizes) for one in file.inputs]
    return tuple(
        Tensor(
            name=one.name,
            shape=shape,
            dtype=one.dtype,
            layout="NCHW" if len(shape) == _IMAGE_RANK else "",
        )
        for one, shape in zip(file.inputs, sizes.resolve(declared, settings), strict=True)
    )


def _cast(module: Any, dtype: torch.dtype) -> None:  # noqa: ANN401 - a GraphModule
    """Weights and everything between input and output in another type."""
    module.to(dtype)
    graph = module.graph
    for node in [one for one in graph.nodes if one.op == "placeholder" and _is_float(one)]:
        with graph.inserting_after(node):
            cast = graph.call_method("to", (node, dtype))
        node.replace_all_uses_with(cast, delete_user_cb=lambda user, cast=cast: user is not cast)
    end = next(one for one in graph.nodes if one.op == "output")
    with graph.inserting_before(end):
        floats = [
            graph.call_method("to", (value, torch.float32)) if _is_float(value) else value
            for value in end.args[0]
        ]
    end.args = (tuple(floats),)
    module.recompile()


def _is_float(node: Any) -> bool:  # noqa: ANN401 - of a graph
    """Whether its value is of a float type; so are those of which nothing is told."""
    value = node.meta.get("val")
    return not isinstance(value, torch.Tensor) or value.dtype.is_floating_point

"""Times of operators by LiteRT's own profiler, which Python reaches through the C library alone.

Reference: https://github.com/google-ai-edge/LiteRT, litert/c (litert_profiler.h,
litert_compiled_model.h). The Python Interpreter has no profiler; the wheel's ``libLiteRt.so`` has
one for a CompiledModel, with XNNPACK's kernels one by one. Both run the same kernels, but a
CompiledModel registers its buffers anew in each call.
"""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ai_edge_litert
import numpy as np
from numpy.typing import NDArray

from edgebench.backends.closed import closed
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, OpTime, OpTimes, Session, Settings, Tensor
from edgebench.records import Effective
from edgebench.units import NS_PER_US

_SINCE = (2, 1, 6)
"""Before, LiteRtCreateModelFromFile had other arguments."""
_CPU = 1
_XNNPACK = "xnnpack"
"""The CPU's options in the library, and the backend's option to do without it."""
_API = "api"
"""The backend's option for what is benchmarked: an Interpreter, or a CompiledModel too."""
_READ, _WRITE = 0, 1
_DEFAULT, _OPERATOR, _KERNEL_OF_DELEGATE = 1, 2, 8
"""Kinds of events (litert_profiler_event.h): no special one, an operator, one inside XNNPACK."""
_CALL = b"Invoke"
_PRECISIONS = (
    ("QD", "int8_dynamic"),
    ("QC8", "int8"),
    ("QS8", "int8"),
    ("QU8", "int8"),
    ("S8", "int8"),
    ("U8", "int8"),
    ("BF16", "bf16"),
    ("F16", "fp16"),
    ("F32", "fp32"),
)
"""By XNNPACK's types, as they stand in its kernels' names: the first that does."""
_OTHERWISE = (
    "; calls of a CompiledModel cost more than those of the Interpreter that is benchmarked, "
    "with the same kernels"
)
_NAMES = {"": "", **dict(_PRECISIONS)}
_Pointer = ctypes.c_void_p
_FIRST = ctypes.c_size_t(0)
"""The file's signature."""


class _Layout(ctypes.Structure):
    """``LiteRtLayout``: the header calls it stable."""

    _fields_ = (
        ("rank", ctypes.c_uint, 7),
        ("has_strides", ctypes.c_uint, 1),
        ("sizes", ctypes.c_int32 * 8),
        ("strides", ctypes.c_uint32 * 8),
    )


class _TensorType(ctypes.Structure):
    """``LiteRtRankedTensorType``, likewise."""

    _fields_ = (("element", ctypes.c_int), ("layout", _Layout))


class _Event(ctypes.Structure):
    """``ProfiledEventData``; the memory that an event tells of is not looked at."""

    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("start_us", ctypes.c_uint64),
        ("elapsed_us", ctypes.c_uint64),
        ("memory", ctypes.c_size_t * 6),
        ("index", ctypes.c_uint64),
        ("more", ctypes.c_uint64),
        ("source", ctypes.c_int),
    )


class _Library:
    """``libLiteRt.so``; a call that fails raises."""

    def __init__(self) -> None:
        path = Path(ai_edge_litert.__file__).parent / "libLiteRt.so"
        found = tuple(int(part) for part in re.findall(r"\d+", version("ai-edge-litert"))[:3])
        if found < _SINCE or not path.is_file():
            raise ModelRefusedError(
                "LiteRT's profiler needs the C library of ai-edge-litert "
                f"{'.'.join(map(str, _SINCE))} or later; its Interpreter has none"
            )
        self._library = ctypes.CDLL(str(path))
        self._c = ctypes.CDLL(None)
        self._c.strdup.restype = _Pointer

    def function(self, name: str) -> Callable[..., Any]:
        """A function of the library."""
        found: Callable[..., Any] = getattr(self._library, f"LiteRt{name}")
        return found

    def __call__(self, name: str, *arguments: Any) -> None:  # noqa: ANN401 - as C takes them
        status = self.function(name)(*arguments)
        if status:
            raise ModelRefusedError(f"LiteRt{name} ended with status {status}")

    def new(self, name: str, *arguments: Any) -> ctypes.c_void_p:  # noqa: ANN401 - as above
        """What a call leaves at its last argument."""
        made = _Pointer()
        self(name, *arguments, ctypes.byref(made))
        return made

    def option(self, options: ctypes.c_void_p, name: str, text: str) -> None:
        """One of the options that travel as text; LiteRT frees its copy."""
        copy = _Pointer(self._c.strdup(text.encode()))
        free = ctypes.cast(self._c.free, _Pointer)
        opaque = self.new("CreateOpaqueOptions", name.encode(), copy, free)
        self("AddOpaqueOptions", options, opaque)


class _Buffer:
    """One input or output of the compiled model."""

    def __init__(
        self, lib: _Library, env: ctypes.c_void_p, needs: ctypes.c_void_p, kind: _TensorType
    ) -> None:
        self._lib = lib
        self.handle = lib.new(
            "CreateManagedTensorBufferFromRequirements", env, ctypes.byref(kind), needs
        )

    def write(self, array: NDArray[Any]) -> None:
        self._at(_WRITE, lambda place: ctypes.memmove(place, array.ctypes.data, array.nbytes))

    def read(self, into: NDArray[Any]) -> None:
        self._at(_READ, lambda place: ctypes.memmove(into.ctypes.data, place, into.nbytes))

    def _at(self, mode: int, use: Callable[[ctypes.c_void_p], object]) -> None:
        place = _Pointer()
        self._lib("LockTensorBuffer", self.handle, ctypes.byref(place), mode)
        use(place)
        self._lib("UnlockTensorBuffer", self.handle)


def _cpu_options(settings: Settings) -> str:
    """Threads, and the runtime's own kernels where XNNPACK's are not wanted."""
    own = 'kernel_mode = "builtin"\n' if settings.options.get(_XNNPACK) == "0" else ""
    return f"{own}num_threads = {settings.threads}\n"


class ProfiledSession:
    """A file as a CompiledModel.

    Args:
        plain: Of the same file; it knows shapes and types.
        model: The file.
        settings: As the other one's.

    Raises:
        ModelRefusedError: There is no profiler for this version, accelerator or model.
    """

    def __init__(self, plain: Session, model: Path, settings: Settings) -> None:
        if settings.accelerator != "cpu" or set(settings.options) - {_XNNPACK, _API}:
            raise ModelRefusedError("LiteRT's profiler is reached on the CPU, without a delegate")
        same = settings.options.get(_API) == "compiled"
        self._otherwise = "" if same else _OTHERWISE
        self._plain = plain
        self._ring: list[list[NDArray[Any]]] = []
        self._lib = lib = _Library()
        env = lib.new("CreateEnvironment", 0, None)
        options = lib.new("CreateOptions")
        lib("SetOptionsHardwareAccelerators", options, _CPU)
        lib.option(options, "runtime_options_string", "enable_profiling = true\n")
        lib.option(options, _XNNPACK, _cpu_options(settings))
        held = lib.new("CreateModelFromFile", env, str(model).encode())
        made = lib.new("CreateCompiledModel", env, held, options)
        self._compiled: ctypes.c_void_p | None = made
        self._in: list[_Buffer] = []
        self._out: list[_Buffer] = []
        signature = lib.new("GetModelSignature", held, _FIRST)
        self.inputs = self._order("Input", signature, plain.inputs)
        self.outputs = self._order("Output", signature, plain.outputs)
        self._resize_compiled(signature)
        self._in = self._made(env, "Input", signature, self.inputs)
        self._out = self._made(env, "Output", signature, self.outputs)
        self._profiler = lib.new("CompiledModelGetProfiler", self._compiled)
        lib("StartProfiler", self._profiler)
        self.invoke: Callable[[], None] = self._call()

    def _order(
        self, end: str, signature: ctypes.c_void_p, tensors: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        """The plain session's tensors as the compiled model counts them.

        Raises:
            ModelRefusedError: The signature has other names than the interpreter's.
        """
        if len(tensors) == 1:
            return tuple(tensors)
        by_name = {tensor.name: tensor for tensor in tensors}
        names = []
        for index in range(len(tensors)):
            name = ctypes.c_char_p()
            place = ctypes.c_size_t(index)
            self._lib(f"GetSignature{end}Name", signature, place, ctypes.byref(name))
            names.append((name.value or b"").decode())
        if set(names) != set(by_name):
            raise ModelRefusedError(
                f"the file's signature calls its {end.lower()}s {', '.join(names)}, and the "
                f"interpreter {', '.join(by_name)}"
            )
        return tuple(by_name[name] for name in names)

    def _resize_compiled(self, signature: ctypes.c_void_p) -> None:
        """Sizes that the file leaves open, or its batch, as the plain session has them."""
        kinds = [self._kind("Input", signature, i) for i in range(len(self.inputs))]
        if all(_sizes(k) == t.shape for k, t in zip(kinds, self.inputs, strict=True)):
            return
        for index, tensor in enumerate(self.inputs):
            sizes = (ctypes.c_int * len(tensor.shape))(*tensor.shape)
            place, rank = ctypes.c_size_t(index), ctypes.c_size_t(len(sizes))
            name = "CompiledModelResizeInputTensorNonStrict"
            self._lib(name, self._compiled, _FIRST, place, sizes, rank)
        count = len(self.outputs)
        layouts = (_Layout * count)()
        self._lib(
            "GetCompiledModelOutputTensorLayouts",
            *(self._compiled, _FIRST, ctypes.c_size_t(count), layouts, ctypes.c_bool(True)),
        )

    def _made(
        self,
        env: ctypes.c_void_p,
        end: str,
        signature: ctypes.c_void_p,
        tensors: Sequence[Tensor],
    ) -> list[_Buffer]:
        """Buffers of types as the file declares them, with this session's shapes."""
        found = []
        for index, tensor in enumerate(tensors):
            kind = self._kind(end, signature, index)
            for axis, size in enumerate(tensor.shape):
                kind.layout.sizes[axis] = size
            name = f"GetCompiledModel{end}BufferRequirements"
            needs = self._lib.new(name, self._compiled, _FIRST, ctypes.c_size_t(index))
            found.append(_Buffer(self._lib, env, needs, kind))
        return found

    def _kind(self, end: str, signature: ctypes.c_void_p, index: int) -> _TensorType:
        """Of an input or output, as the file declares it."""
        place, kind = ctypes.c_size_t(index), _TensorType()
        handle = self._lib.new(f"GetSignature{end}TensorByIndex", signature, place)
        self._lib("GetRankedTensorType", handle, ctypes.byref(kind))
        return kind

    def bind(self, ring: Sequence[Feeds]) -> None:
        """The ring, kept converted; the compiled model has buffers of its own."""
        self._ring = [[_converted(feeds, tensor) for tensor in self.inputs] for feeds in ring]

    def stage(self, slot: int) -> None:
        """Copy the slot into the input buffers."""
        for buffer, array in zip(self._in, self._ring[slot], strict=True):
            buffer.write(array)

    def feed(self, inputs: Feeds) -> None:
        """Copy fresh inputs into the input buffers."""
        for buffer, tensor in zip(self._in, self.inputs, strict=True):
            buffer.write(_converted(inputs, tensor))

    def _call(self) -> Callable[[], None]:
        """One call, its arguments made before; one that fails raises."""
        source, sink = (
            (_Pointer * len(ends))(*(buffer.handle for buffer in ends))
            for ends in (self._in, self._out)
        )
        many = ctypes.c_size_t(len(source)), ctypes.c_size_t(len(sink))
        run = functools.partial(
            self._lib, "RunCompiledModel", self._compiled, _FIRST, many[0], source, many[1], sink
        )
        run()
        return run

    def read(self) -> dict[str, NDArray[Any]]:
        """Copies of the output buffers."""
        answers = {}
        for buffer, tensor in zip(self._out, self.outputs, strict=True):
            answers[tensor.name] = np.zeros(tensor.shape, tensor.dtype)
            buffer.read(answers[tensor.name])
        return answers

    def effective(self) -> Effective:
        """As the Interpreter reads it back: XNNPACK takes the same operators."""
        return self._plain.effective()

    def close(self) -> None:
        """Free what the library made for this session, once."""
        self.invoke = closed
        for buffer in (*self._in, *self._out):
            self._lib.function("DestroyTensorBuffer")(buffer.handle)
        self._in.clear()
        self._out.clear()
        if self._compiled is not None:
            self._lib.function("DestroyCompiledModel")(self._compiled)
            self._compiled = None
        self._plain.close()

    def op_times(self, calls: int) -> OpTimes:
        """Operators and XNNPACK's kernels of the last calls.

        Raises:
            ModelRefusedError: The profiler's buffer was full before.
        """
        count = ctypes.c_int()
        self._lib("GetNumProfilerEvents", self._profiler, ctypes.byref(count))
        events = (_Event * count.value)()
        self._lib("GetProfilerEvents", self._profiler, len(events), events)
        kept = _by_call(events)[-calls:]
        if len(kept) < calls:
            raise ModelRefusedError(
                f"LiteRT's profiler kept {len(kept)} of {calls} calls (profile fewer)"
            )
        return OpTimes(
            source="LiteRT's profiler (XNNPACK's kernels), of its CompiledModel",
            caveat="it counts whole microseconds, cut off" + self._otherwise,
            resolution_ns=NS_PER_US,
            times=tuple(_op_time(event, call) for call, own in enumerate(kept) for event in own),
        )


def _sizes(kind: _TensorType) -> tuple[int, ...]:
    return tuple(kind.layout.sizes[: kind.layout.rank])


def _converted(feeds: Feeds, tensor: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(feeds[tensor.name], tensor.dtype)


def _by_call(events: Iterable[_Event]) -> list[list[_Event]]:
    """The operators of each call: they follow the event of the call's own beginning."""
    found: list[list[_Event]] = []
    for event in events:
        if event.kind == _DEFAULT and event.tag == _CALL:
            found.append([])
        elif event.kind in {_OPERATOR, _KERNEL_OF_DELEGATE} and found:
            found[-1].append(event)
    return found


def _op_time(event: _Event, call: int) -> OpTime:
    """``Convolution (NHWC, F32) IGEMM`` in its parts; XNNPACK numbers its kernels in order."""
    tag = event.tag.decode("utf-8", "replace")
    kind, _, rest = tag.partition(" (")
    inside = event.kind == _KERNEL_OF_DELEGATE
    return OpTime(
        name=f"{'xnnpack' if inside else 'node'} {event.index}",
        kind=kind,
        call=call,
        duration_ns=event.elapsed_us * NS_PER_US,
        precision=_precision(kind, rest.partition(")")[0].split(", ")) if inside else "",
        kernel=tag,
        accelerator="cpu",
    )


def _precision(kind: str, types: list[str]) -> str:
    """By the types that stand behind a kernel's layout; a conversion has two."""
    marks = [mark for mark, _ in _PRECISIONS]
    if kind == "Convert":
        ends = [next((mark for mark in marks if one.startswith(mark)), "") for one in types]
        return ">".join(_NAMES[mark] for mark in ends if mark)
    found = (mark for mark in marks if any(one.startswith(mark) for one in types))
    return _NAMES[next(found, "")]

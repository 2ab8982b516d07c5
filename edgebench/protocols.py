"""The contracts that backends, sessions and meters fulfil, and what passes through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import msgspec

from edgebench.metering import Channel
from edgebench.records import Effective, Precision, Tuning

if TYPE_CHECKING:
    from numpy.typing import NDArray

WorkKind = Literal["convolution", "pointwise", "depthwise", "grouped", "transposed", "dense"]
"""How an operator multiplies: runtimes have kernels of their own for each."""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a backend or meter can be used here, and if not, why and what to do."""

    name: str
    available: bool
    version: str = ""
    accelerators: tuple[str, ...] = ("cpu",)
    formats: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    serves: dict[str, str] = {}
    """Precisions computed from a file of another one: ``{"bf16": "fp32"}``."""
    refuses: dict[str, str] = {}
    """Precisions whose files the runtime cannot read, in its own words; it was asked."""
    profiles: bool = False
    """Whether it is a `ProfilingBackend`; filled in by whoever asks."""
    reason: str = ""
    remedy: str = ""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How a session is to run."""

    threads: int = 1
    precision: Precision = "fp32"
    accelerator: str = "cpu"
    tuning: Tuning = "native"
    batch: int = 1
    mean: tuple[float, ...] = ()
    """Of the inputs: ``(pixel - mean) / std`` a channel; empty where they are not known."""
    std: tuple[float, ...] = ()
    shapes: dict[str, tuple[int, ...]] = {}
    """Of inputs whose sizes the file leaves open, by name: one sample, in the file's own layout."""
    options: dict[str, str] = {}


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """One input or output of a session."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """A numpy dtype name."""
    layout: str = ""
    """``NCHW`` or ``NHWC`` where the tensor is an image, else empty."""
    probabilities: bool = False
    """An output that has been through softmax: the runtime gives no logits."""


def plain_name(name: str) -> str:
    """A tensor's name without what converters make of it: ``serving_default_a/b:0`` is ``a_b``."""
    bare = name.partition(":")[0].removeprefix("serving_default_")
    return "".join(one if one.isalnum() else "_" for one in bare)


Feeds = Mapping[str, "NDArray[Any]"]
"""One inference's inputs by name; images as (batch, height, width, channels)."""


class Session(Protocol):
    """One model, opened: one a stream. It never holds a clock.

    ``bind`` allocates and converts everything once; then ``stage(slot)`` and ``invoke()``
    alternate, and ``read()`` copies the outputs of the last ``invoke()``. Where every input is new
    (region e2e), ``feed`` stands for ``stage``.

    It may have ``helpers``, the numbers of processes that compute for it and whose CPU time and
    memory are its own, and ``caveats``, lines that belong beside its figures.
    """

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs as the runtime declares them."""

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The outputs as the runtime declares them."""

    def bind(self, ring: Sequence[Feeds]) -> None:
        """Convert the ring's inputs to the runtime's layout and allocate buffers, once."""

    def stage(self, slot: int) -> None:
        """Copy ring slot ``slot`` into the input buffer (untimed)."""

    def feed(self, inputs: Feeds) -> None:
        """Copy inputs that ``bind`` never saw into the input buffers; its ring stays as it is.

        They have the shapes of the ring's, in any dtype and memory order, and may be written over
        as soon as it returns.
        """

    def invoke(self) -> None:
        """Run the model on the staged input: synchronous, timed, no conversion inside."""

    def read(self) -> dict[str, NDArray[Any]]:
        """Copies of the outputs of the last ``invoke``, by name."""

    def effective(self) -> Effective:
        """What really runs, read back from the runtime; may take its time."""

    def close(self) -> None:
        """Release everything."""


@runtime_checkable
class Backend(Protocol):
    """An inference runtime."""

    name: str
    formats: tuple[str, ...]
    """Model formats it reads, best first."""
    precisions: tuple[str, ...]

    def probe(self) -> Probe:
        """Whether it can be used here."""

    def open(self, model: Path, settings: Settings) -> Session:
        """Open a model.

        Raises:
            ModelRefusedError: The runtime cannot run it so, in the runtime's own words.
        """


class OpTime(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One execution of an operator, or its mean where the runtime tells no single ones."""

    name: str
    kind: str
    """Type of the operator as it was executed: what was fused or converted has another one."""
    duration_ns: int
    call: int | None = None
    """Which of the profiled calls, from 0; None for a mean over all of them."""
    start_ns: int | None = None
    """Since its call began, by the runtime's clock; None where that is not told."""
    precision: str = ""
    """Type in which it computes, where that can be told."""
    kernel: str = ""
    """What the runtime calls the code that ran."""
    accelerator: str = ""


class OpTimes(msgspec.Struct, frozen=True, kw_only=True):
    """What a runtime tells of where the time of its calls went."""

    source: str
    """Whose figures these are: ``ONNX Runtime's profiler``."""
    caveat: str = ""
    """What a reader must know of them: what the instrument itself adds, or leaves out."""
    resolution_ns: int = 1
    """What takes less may be told as 0."""
    times: tuple[OpTime, ...]


class OpWork(msgspec.Struct, frozen=True, kw_only=True):
    """What one operator of a model file multiplies, at a batch of 1: counted, not measured."""

    names: tuple[str, ...]
    """Its own, its outputs', and those of what runtimes fuse into it: a runtime knows it by one."""
    kind: WorkKind
    macs: int | None
    """None where a shape is not known."""
    fixed: bool = True
    """Whether it has one place in every order in which the file's products may run."""


class ProfilingSession(Session, Protocol):
    """A session that also writes down what each operator takes, at a cost of its own."""

    def op_times(self, calls: int) -> OpTimes:
        """Of the last ``calls`` calls of ``invoke``, once, after them."""


@runtime_checkable
class ProfilingBackend(Protocol):
    """What a backend has besides `Backend` where its runtime can tell times of operators."""

    def profile(self, model: Path, settings: Settings) -> ProfilingSession:
        """Open a model as ``open`` does, with the runtime's profiler on.

        Raises:
            ModelRefusedError: As ``open``; or there is no profiler for this model or accelerator.
        """


Readings = tuple[tuple[int, int] | None, ...]
"""One a channel, in their order: ``(t_ns, value)``; None where it cannot be read now."""


@runtime_checkable
class Meter(Protocol):
    """Reads physical quantities; one class a way to read them, with a channel a quantity.

    ``probe`` looks for what there is to read and keeps it; ``channels`` and ``read`` are of that.
    Nothing missing, vanished or malformed is ever read as 0.

    It may have ``take_caveats()``, lines on the readings since they were last taken that belong
    beside their figures.
    """

    name: str

    def probe(self, root: Path) -> Probe:
        """Whether it can be read; ``root`` stands for ``/``. Takes less than a second."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What `probe` found; empty before it, and where nothing can be read."""

    def read(self) -> Readings:
        """Every channel once, each with the CLOCK_MONOTONIC time of its own reading."""

    def close(self) -> None:
        """Release everything; what was probed can be probed again."""


class ImportedRow(msgspec.Struct, frozen=True, kw_only=True):
    """A cell as another tool's file tells it: what the file does not tell is not there."""

    values: dict[str, str | int | float]
    """Columns of `edgebench.report.columns`, in their units."""
    origin: dict[str, str]
    """Of each of them where it stands: ``results.json: execution_results.latency_median``; or
    ``as stated`` where the user said so."""


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an importer found at a path."""

    tool: str
    """Who measured: ``benchmark_app``, and its version where the file tells it."""
    files: dict[str, str]
    """sha256 of every file that was read, by its path below the one that was named."""
    rows: tuple[ImportedRow, ...]
    notes: tuple[str, ...] = ()
    """What was in the files and was left out, and why, a line each."""


@runtime_checkable
class Importer(Protocol):
    """Reads another tool's results. Strict: what it does not understand, it refuses."""

    name: str
    """As in ``edgebench import NAME PATH``."""
    wants: tuple[str, ...]
    """Columns that its files never tell, and that the user must therefore state."""

    def read(self, path: Path, stated: Mapping[str, str]) -> Imported:
        """The cells at a path.

        Args:
            path: A file or a folder of them.
            stated: Columns that the user states (``--set workload=mobilenet_v2``); a figure that
                the file tells otherwise is refused.

        Raises:
            UsageError: It is no such file, damaged, or tells no figure; in one line.
        """


@runtime_checkable
class MappedImporter(Importer, Protocol):
    """An importer of files that name things as they like: the user tells which is what."""

    def mapped(self, columns: Mapping[str, str], names: str) -> Importer:
        """The importer that knows what the user told.

        Args:
            columns: By column of ours theirs and its unit, ``{"latency_p50_ms": "median:us"}``.
            names: How a cell's name is made of columns, ``test_{workload}[{backend}]``; or empty.

        Raises:
            UsageError: That cannot be told of its files.
        """


class Stored(Protocol):
    """What lies behind a row and is in none of its columns."""

    def samples_ns(self, row: Mapping[str, object]) -> Sequence[Sequence[int]]:
        """The timed inferences of each ok launch in ns, in order; empty where none are stored."""

    def facts(self, row: Mapping[str, object]) -> Mapping[str, object]:
        """What the machine said of itself, by the names of `edgebench.machine.DeviceFacts`.

        Empty where another tool measured.
        """


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What an exporter made of rows."""

    data: bytes
    """The whole file."""
    notes: tuple[str, ...] = ()
    """What this format cannot tell and is not in the file, a line each."""


@runtime_checkable
class Exporter(Protocol):
    """Writes results as another tool reads them."""

    name: str
    """As in ``edgebench export NAME``."""
    suffix: str
    """Of its file: ``.json``."""

    def write(
        self, rows: Sequence[Mapping[str, object]], columns: Sequence[str], stored: Stored
    ) -> Exported:
        """The whole file.

        Args:
            rows: One or more, in the order wanted.
            columns: Those that were asked for; empty: what the format usually shows.
            stored: Asked only for what the format needs: reading samples takes a while.

        Raises:
            UsageError: These rows cannot be told in this format; or a library is not installed.
        """

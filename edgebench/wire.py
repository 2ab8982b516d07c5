"""What a parent and its worker say to each other: length-prefixed JSON frames over pipes.

A frame is 4 bytes (length, little-endian) and that many bytes of JSON. The worker writes frames
to a pipe of their own; whatever a runtime prints goes to the log.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from edgebench import codec, records
from edgebench.errors import WireError
from edgebench.machine import Stage
from edgebench.protocols import OpTimes, Probe, Tensor
from edgebench.records import Case, Effective, Record, Task
from edgebench.samples import Samples
from edgebench.specs import InputSpec, PostprocessSpec, PreprocessSpec

MAX_FRAME_BYTE = 1 << 26
"""The largest record, 2^20 samples that do not compress, is about 12 MiB."""
_HEAD = struct.Struct("<I")


class LaunchRequest(msgspec.Struct, frozen=True, kw_only=True, tag="launch"):
    """Parent to worker: measure one case."""

    schema_version: int = records.SCHEMA_VERSION
    parent_pid: int
    run_id: str
    case_id: str
    launch: int
    attempt: int = 0
    started_at_utc: str
    case: Case
    model_path: str
    model_layout: str
    model_sha256: str
    reference_path: str
    compares: bool = True
    """Whether its outputs are held against the reference."""
    task: Task = "classification"
    inputs: tuple[InputSpec, ...] = ()
    """Of the workload, in the reference's order; empty where only the model's file tells."""
    outputs: tuple[str, ...] = ()
    """Names of the workload's outputs in the reference's order; empty where it tells none."""
    shapes: dict[str, tuple[int, ...]] = {}
    """`Settings.shapes`: one sample of each input, in the model file's own layout."""
    samples_path: str | None = None
    samples_source: str = ""
    samples_mean: tuple[float, ...] = ()
    samples_std: tuple[float, ...] = ()
    warmup_s: float
    warmup_max_s: float
    measure_s: float
    idle_s: float | None = None
    """Length of the idle baseline; None: a launch without a power pass."""
    power_s: float | None = None
    """Length of the power pass's window; None: none."""
    settle_s: float = 0.0
    """Before either window: what a meter's averaging still holds must have passed."""
    measure_max_s: float | None = None
    """Where ``target_ratio`` is not reached in ``measure_s``, go on up to here."""
    target_ratio: float | None = None
    """Half-width of the median's interval at which a launch may stop."""
    preprocess: PreprocessSpec | None = None
    """How an image becomes an input; region e2e."""
    postprocess: PostprocessSpec | None = None
    labels: tuple[str, ...] = ()
    """Names of the classes, in the order of the outputs; where answers are made or judged."""
    image_path: str | None = None
    ring: int = 16
    seed: int = 0
    """Of the run: what is drawn at random follows from it and the launch's number."""
    cpus: tuple[int, ...] = ()
    turns: bool = False
    """Stay after the warm-up, and measure in turns as told by `Turn` until `Stop`."""
    free_inputs: bool = False
    """There is no reference yet: make random inputs by the model's shape, and leave them with this
    model's outputs at ``reference_path``, and what the runtime declares beside it (`Described`)."""
    profile_calls: int = 0
    """Measure nothing: profile so many calls, and tell with `Profiled` before `Done`."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What a runtime declares of a model: a file beside the reference that ``free_inputs`` made."""

    inputs: tuple[Tensor, ...]
    """With the batch that was asked for; an input without a batch has its shape as it is."""
    outputs: tuple[Tensor, ...]


def described_path(reference_path: str | Path) -> Path:
    """Where a `Described` lies: ``a.npz`` -> ``a.json``."""
    return Path(reference_path).with_suffix(".json")


def read_described(reference_path: str | Path) -> Described:
    """What the runtime declared of the model whose reference that is.

    Raises:
        WireError: There is no such file, or another one.
    """
    path = described_path(reference_path)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Described)
    except (OSError, msgspec.MsgspecError) as error:
        raise WireError(f"{path.name} does not tell what the model declares: {error}") from None


class Turn(msgspec.Struct, frozen=True, kw_only=True, tag="turn"):
    """Parent to worker: it is your turn."""

    inferences: int
    dropped: int
    """Inferences before those, not counted: the partner has had the caches."""


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag="stop"):
    """Parent to worker: no more turns; check the outputs and answer with the record."""


class ProbeRequest(msgspec.Struct, frozen=True, kw_only=True, tag="probe"):
    """Parent to worker: which of these backends can be used here?"""

    schema_version: int = records.SCHEMA_VERSION
    parent_pid: int
    backends: tuple[str, ...]


class Progress(msgspec.Struct, frozen=True, kw_only=True, tag="progress"):
    """Worker to parent: a stage begins."""

    stage: Stage


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """Worker to parent: warm, silent, and waiting for a turn."""

    expected_ns: int
    """One inference, from the warm-up."""


class Turned(msgspec.Struct, frozen=True, kw_only=True, tag="turned"):
    """Worker to parent: the turn is over, the worker is silent again."""

    latency_ns: Samples
    idle_ns: int
    """Wall time since the last turn, or since `Ready`."""
    idle_cpu_ns: int
    """CPU time of all its threads in that time: what the partner may have suffered from."""


class Profiled(msgspec.Struct, frozen=True, kw_only=True, tag="profiled"):
    """Worker to parent: where the time of a call goes, and what looking cost."""

    op_times: OpTimes
    profiled_ns: Samples
    """The profiled calls, by edgebench's clock."""
    plain_ns: Samples
    """As many calls of a session without a profiler, half of them before and half after."""
    same_outputs: bool
    """Whether both sessions gave the same bits for the same input."""
    effective: Effective
    """Of the session without a profiler."""


class Done(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """Worker to parent: the launch's record, ok or failed in the runtime's own words."""

    record: Record


class Probed(msgspec.Struct, frozen=True, kw_only=True, tag="probed"):
    """Worker to parent: the answer to a `ProbeRequest`."""

    schema_version: int
    probes: tuple[Probe, ...]


Request = LaunchRequest | ProbeRequest | Turn | Stop
Reply = Progress | Ready | Turned | Profiled | Done | Probed

_encoder = msgspec.json.Encoder(enc_hook=codec.encode_hook)
_requests: msgspec.json.Decoder[Request] = msgspec.json.Decoder(
    LaunchRequest | ProbeRequest | Turn | Stop,
    dec_hook=codec.decode_hook,
)
_replies: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(
    Progress | Ready | Turned | Profiled | Done | Probed,
    dec_hook=codec.decode_hook,
)


def pack(message: Request | Reply) -> bytes:
    """A message as a frame."""
    body = _encoder.encode(message)
    return _HEAD.pack(len(body)) + body


def read_request(stream: BinaryIO) -> Request:
    """The next request from a stream.

    Raises:
        WireError: The stream ended or holds something else.
    """
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise WireError("the parent closed the pipe before it asked for anything")
    return _decode(_requests, stream.read(_HEAD.unpack(head)[0]))


class FrameReader:
    """Cuts replies out of a byte stream that arrives in pieces."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Add bytes; yield the replies they complete, one by one.

        Replies that came whole before garbage are still given: they tell how far the worker got.

        Raises:
            WireError: The bytes are no frames (a runtime wrote into the worker's private pipe).
        """
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            (length,) = _HEAD.unpack_from(self._buffer)
            if length > MAX_FRAME_BYTE:
                raise WireError("garbage instead of a frame")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                break
            body = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            yield _decode(_replies, body)

    @property
    def rest(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._buffer)


_Message = TypeVar("_Message")


def _decode(decoder: msgspec.json.Decoder[_Message], body: bytes) -> _Message:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"not a message: {error}") from None

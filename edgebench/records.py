"""What a run leaves behind: cases, records of launches, and the manifest of the run.

``None`` means "not measured" and is never written as 0. The unit is the last word of a name.
Statistics are not stored; they are derived on reading (see ``edgebench.report.rows``).
"""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import Any, Literal

import msgspec

from edgebench.errors import StoreError
from edgebench.samples import Samples

SCHEMA_VERSION = 1
"""Raised by one when a stored field changes its meaning; older versions are migrated when read."""

Precision = Literal["fp32", "fp16", "bf16", "int8", "int8_dynamic"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "bf16", "int8", "int8_dynamic")
Status = Literal["ok", "failed", "timeout", "oom", "crashed", "skipped"]
Stage = Literal["start", "load", "warmup", "measure", "check"]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One combination of everything that may change a figure."""

    workload: str
    workload_version: int
    source_sha256: str
    backend: str
    format: str
    precision: Precision
    accelerator: str = "cpu"
    threads: int = 1
    batch: int = 1
    streams: int = 1
    scenario: str = "single_stream"
    region: str = "invoke"
    engine: str = "edgebench"
    options: dict[str, str] = {}

    @property
    def case_id(self) -> str:
        """First 12 hex digits of sha256 over the case's canonical JSON (sorted keys)."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:12]

    @property
    def label(self) -> str:
        """What a person calls the case: ``mnist_cnn/litert/int8``, then what is not default."""
        extra = [f"t{self.threads}"] if self.threads != 1 else []
        extra += [f"b{self.batch}"] if self.batch != 1 else []
        return "/".join([self.workload, self.backend, self.precision, *extra])


class Effective(msgspec.Struct, frozen=True, kw_only=True):
    """What really ran, read back from the runtime; ``None`` where it cannot be read back."""

    backend_version: str | None = None
    precision: str | None = None
    """Type in which most multiplications were computed."""
    accelerator: str | None = None
    accelerator_ops_ratio: float | None = None
    """Share of operators that ran on the accelerator or delegate."""
    threads: int | None = None
    words: str = ""
    """The runtime's own words: kernels, providers, delegates."""


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """Outputs against the fp32 reference outputs (logits), over ``samples`` inputs."""

    samples: int
    cosine: float
    """Smallest cosine similarity of any sample's output vector."""
    max_abs_error: float
    top1_ratio: float
    """Share of samples with the reference's largest output."""


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Top-1 hits over labelled samples."""

    samples: int
    correct: int
    source: str
    """Where the labelled samples come from."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of a meter."""

    meter: str
    t_ns: int
    value: int


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The machine around a launch; counters are totals since boot or process start."""

    load_average_1min: float | None = None
    mem_available_byte: int | None = None
    swap_used_byte: int | None = None
    governor: str | None = None
    cpu_mhz: tuple[float, ...] = ()
    temperature_degc: dict[str, float] = {}
    busy_all_ns: int | None = None
    """CPU time of all processes on this machine since boot."""
    throttled_ns: int | None = None
    """Time the cgroup was held back by its CPU quota."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The stored result of one launch: a fresh process measuring one case."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    case_id: str
    launch: int
    attempt: int = 0
    started_at_utc: str
    status: Status
    reason: str = ""
    stage: Stage | None = None
    """Where a launch that is not ok ended."""
    model_sha256: str | None = None
    model_size_byte: int | None = None
    effective: Effective | None = None
    load_ns: int | None = None
    first_inference_ns: int | None = None
    warmup_ns: Samples = msgspec.field(default_factory=Samples)
    latency_ns: Samples = msgspec.field(default_factory=Samples)
    clock_ns: int | None = None
    """Median cost of one clock reading in this process."""
    stage_ns: dict[str, int] = {}
    window_ns: int | None = None
    inferences: int | None = None
    """Calls of ``invoke`` in the window; each holds ``case.batch`` samples."""
    cpu_ns: int | None = None
    """CPU time of the worker (all threads) in the window, staging included."""
    run_delay_ns: int | None = None
    """Time the worker's main thread stood runnable in a queue during the window."""
    involuntary_switches: int | None = None
    rss_baseline_byte: int | None = None
    rss_load_byte: int | None = None
    rss_peak_byte: int | None = None
    readings: tuple[Reading, ...] = ()
    parity: Parity | None = None
    accuracy: Accuracy | None = None
    environment_before: Environment | None = None
    environment_after: Environment | None = None
    caveats: tuple[str, ...] = ()


class PlannedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case of a run's plan; ``skip`` says why it cannot run here, in one line."""

    case_id: str
    case: Case
    skip: str = ""


class CpuCluster(msgspec.Struct, frozen=True, kw_only=True):
    """CPUs of one kind and speed; big.LITTLE boards have several."""

    model: str | None = None
    cpus: int
    max_mhz: float | None = None


class DeviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine says of itself; no host or user name."""

    device: str
    device_id: str
    board: str | None = None
    cpu_model: str | None = None
    architecture: str = ""
    cpus_online: int | None = None
    cpus_usable: int | None = None
    cpu_quota: float | None = None
    """CPUs that the cgroup's quota grants."""
    cpu_clusters: tuple[CpuCluster, ...] = ()
    """Fastest first."""
    isa_features: tuple[str, ...] = ()
    mem_total_byte: int | None = None
    mem_limit_byte: int | None = None
    kernel: str = ""
    os: str = ""
    virtualisation: str | None = None
    python: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``run.json``: everything about a run that is not a launch's result."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    started_at_utc: str
    edgebench_version: str
    preset: str
    seed: int
    launches: int
    """Launches planned for each case."""
    method: dict[str, float | int | str]
    facts: DeviceFacts
    backend_versions: dict[str, str] = {}
    config: dict[str, Any] = {}
    plan: tuple[PlannedCase, ...]


def encode_hook(value: object) -> object:
    """For msgspec encoders: a `Samples` series as text."""
    if isinstance(value, Samples):
        return value.encode()
    raise NotImplementedError(f"cannot store {type(value).__name__}")


def decode_hook(kind: type, value: object) -> object:
    """For msgspec decoders: a `Samples` series from text."""
    if kind is Samples and isinstance(value, str):
        return Samples.decode(value)
    raise NotImplementedError(f"cannot read {kind.__name__}")


_encoder = msgspec.json.Encoder(enc_hook=encode_hook)
_record_decoder = msgspec.json.Decoder(Record, dec_hook=decode_hook)


class _Line(msgspec.Struct):
    crc32: int
    record: msgspec.Raw


class _Version(msgspec.Struct):
    schema_version: int = SCHEMA_VERSION


_version_decoder = msgspec.json.Decoder(_Version)
_line_decoder = msgspec.json.Decoder(_Line)


def to_builtins(value: object) -> Any:  # noqa: ANN401 - whatever the struct holds
    """A struct as plain dicts, lists and numbers."""
    return msgspec.to_builtins(value, enc_hook=encode_hook)


def encode_record(record: Record) -> bytes:
    """A record as JSON."""
    return _encoder.encode(record)


def decode_record(data: bytes) -> Record:
    """A record from JSON.

    Raises:
        StoreError: The bytes are no record, or one of a newer schema.
    """
    try:
        # First the version alone: a newer record's fields may mean nothing here.
        check_schema(_version_decoder.decode(data).schema_version, "record")
        return _record_decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StoreError(f"not a record: {error}") from None


def encode_line(record: Record) -> bytes:
    """A journal line: the record's JSON beside the CRC-32 of exactly those bytes."""
    body = encode_record(record)
    return b'{"crc32": %d, "record": %s}\n' % (zlib.crc32(body), body)


def decode_line(line: bytes) -> Record:
    """The record of a journal line.

    Raises:
        StoreError: The line was cut, changed, or comes from a newer edgebench.
    """
    try:
        parts = _line_decoder.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise StoreError("cut or damaged line") from None
    body = bytes(parts.record)
    if zlib.crc32(body) != parts.crc32:
        raise StoreError("checksum does not match")
    return decode_record(body)


def check_schema(version: int, what: str) -> None:
    """Refuse what a newer edgebench wrote.

    Raises:
        StoreError: ``version`` is newer than this package knows.
    """
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{what} has schema version {version}, this edgebench reads up to {SCHEMA_VERSION}",
            remedy="upgrade edgebench",
        )


def encode_manifest(manifest: Manifest) -> bytes:
    """``run.json`` as indented JSON."""
    return msgspec.json.format(_encoder.encode(manifest), indent=1) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """``run.json`` read back.

    Raises:
        StoreError: Not a manifest, or one of a newer schema.
    """
    try:
        version = msgspec.json.decode(data, type=dict[str, Any]).get("schema_version")
        if isinstance(version, int):
            check_schema(version, "run.json")
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StoreError(f"run.json is damaged: {error}") from None


def json_schemas() -> dict[str, bytes]:
    """JSON Schema of what a run folder holds, by file name: for readers without this package."""
    kinds = {"record.schema.json": Record, "run.schema.json": Manifest}
    return {
        name: json.dumps(msgspec.json.schema(kind, schema_hook=_schema_hook), indent=1).encode()
        + b"\n"
        for name, kind in kinds.items()
    }


def _schema_hook(kind: type) -> dict[str, Any]:
    if kind is Samples:
        words = "uint64 little-endian, byte-shuffled, zlib, base64"
        return {"type": "string", "contentEncoding": "base64", "description": words}
    raise NotImplementedError(f"no schema for {kind.__name__}")

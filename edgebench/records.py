"""What a run leaves behind: cases, records of launches, and the manifest of the run.

``None`` means "not measured" and is never written as 0. The unit is the last word of a name.
Statistics are not stored; they are derived on reading (see ``edgebench.report.rows``).
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

from edgebench.machine import DeviceFacts, Environment, Look, Stage
from edgebench.metering import Power
from edgebench.samples import Samples, inflate_bits

SCHEMA_VERSION = 1
"""Raised by one when a stored field changes its meaning; older versions are migrated when read."""

Precision = Literal["fp32", "fp16", "bf16", "int8", "int8_dynamic"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "bf16", "int8", "int8_dynamic")
Status = Literal["ok", "failed", "timeout", "oom", "crashed", "skipped"]
Scenario = Literal["single_stream", "multi_stream", "offline", "server", "paced", "sustained"]
SCENARIOS: tuple[Scenario, ...] = (
    "single_stream",
    "multi_stream",
    "offline",
    "server",
    "paced",
    "sustained",
)
Region = Literal["invoke", "e2e"]
REGIONS: tuple[Region, ...] = ("invoke", "e2e")
Engine = Literal["edgebench", "loadgen"]
ENGINES: tuple[Engine, ...] = ("edgebench", "loadgen")
Tuning = Literal["native", "equal"]
TUNINGS: tuple[Tuning, ...] = ("native", "equal")
Task = Literal["classification", "detection", "segmentation", "other"]
"""What a workload's outputs mean, which decides how far they may differ from the reference's;
``other`` is a user's model of which nothing is told: its outputs are numbers."""
Weights = Literal["trained", "published", "random", "unknown"]
"""Where a workload's weights come from; random ones have no accuracy and are never quantised in
earnest: their int8 is measured, but its parity is no gate. Of a user's model nobody told."""
_LATER: dict[str, object] = {
    "tuning": "native",
    "parameters": {},
    "image_sha256": "",
    "model_precision": None,
}
"""Fields that a case got after the first version: left out at their default, old ids stay."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One combination of everything that may change a figure."""

    workload: str
    workload_version: int
    source_sha256: str
    backend: str
    format: str
    precision: Precision
    model_precision: Precision | None = None
    """Of the model file, where the runtime computes in another one than its file holds."""
    accelerator: str = "cpu"
    threads: int = 1
    batch: int = 1
    streams: int = 1
    scenario: Scenario = "single_stream"
    region: Region = "invoke"
    engine: Engine = "edgebench"
    """Who asks for the inferences and keeps the time."""
    tuning: Tuning = "native"
    """Spinning, arenas, denormals: as the runtime ships, or set alike on every runtime."""
    parameters: dict[str, float] = {}
    """Of the scenario, the unit in the name: ``rate_hz``, ``bound_ms``, ``minutes`` ..."""
    image_sha256: str = ""
    """Region e2e: the image file that is decoded."""
    options: dict[str, str] = {}

    @property
    def file_precision(self) -> Precision:
        """Precision of the model file."""
        return self.model_precision or self.precision

    @property
    def case_id(self) -> str:
        """First 12 hex digits of sha256 over the case's canonical JSON (sorted keys)."""
        plain = msgspec.to_builtins(self)
        known = {key: value for key, value in plain.items() if _LATER.get(key) != value}
        return hashlib.sha256(msgspec.json.encode(known, order="sorted")).hexdigest()[:12]

    @property
    def label(self) -> str:
        """What a person calls the case: ``mnist_cnn/litert/int8``, then what is not default."""
        extra = [f"t{self.threads}"] if self.threads != 1 else []
        extra += [f"b{self.batch}"] if self.batch != 1 else []
        extra += [f"s{self.streams}"] if self.streams != 1 else []
        extra += [self.scenario] if self.scenario != "single_stream" else []
        extra += [f"{key}={value:g}" for key, value in sorted(self.parameters.items())]
        extra += [self.region] if self.region != "invoke" else []
        extra += [self.engine] if self.engine != "edgebench" else []
        extra += [self.tuning] if self.tuning != "native" else []
        extra += [self.accelerator] if self.accelerator != "cpu" else []
        extra += [f"{key}={value}" for key, value in sorted(self.options.items())]
        return "/".join([self.workload, self.backend, self.precision, *extra])


class Effective(msgspec.Struct, frozen=True, kw_only=True):
    """What really ran, read back from the runtime; ``None`` where it cannot be read back."""

    backend_version: str | None = None
    precision: str | None = None
    """Type in which most multiplications were computed."""
    precision_ratio: float | None = None
    """Share of multiplications in that type."""
    accelerator: str | None = None
    accelerator_ops_ratio: float | None = None
    """Share of operators that ran on the accelerator or delegate."""
    threads: int | None = None
    tuning: dict[str, str] = {}
    """What ``Case.tuning`` sets, each as it is set here, or ``unsettable``."""
    words: str = ""
    """The runtime's own words: kernels, providers, delegates."""


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """Outputs against the fp32 reference outputs (logits), over ``samples`` inputs."""

    samples: int
    cosine: float
    """Smallest cosine similarity of any sample's vector, over all outputs of a float type (over
    all where none is)."""
    max_abs_error: float
    """Over the same outputs."""
    top1_ratio: float | None
    """Share of samples with the reference's largest output; None but for one output that is a
    number a class, of two or more."""
    equal_ratio: float | None = None
    """Share of elements that are the reference's, the least of any output of an integer type (an
    index, an argmax); None where there is none."""
    softmax: bool = False
    """Whether the model ends in softmax: compared is then with the softmax of the reference."""


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Top-1 hits over labelled samples."""

    samples: int
    correct: int
    source: str
    """Where the labelled samples come from."""
    hits: bytes | None = None
    """Which samples, in their order (`edgebench.samples.deflate_bits`): what a paired test needs;
    None in records that are older than this field."""

    def __post_init__(self) -> None:
        """Refuse hits that do not add up: a paired test would be made of nonsense."""
        if self.hits is not None and self.right.bit_count() != self.correct:
            raise ValueError(f"hits are not {self.correct} of {self.samples}")

    @property
    def right(self) -> int:
        """``hits`` as an integer: bit i is 1 where sample i was right."""
        return inflate_bits(self.hits or b"", self.samples)


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How good the answers of another task than classification are, over labelled samples."""

    metric: Literal["map50", "miou"]
    """Mean average precision at an overlap of one half, or mean intersection over union."""
    samples: int
    ratio: float
    """From 0 to 1."""
    source: str
    """Where the labelled samples come from."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One point of a search: a rate that was tried (server) or a way to work (offline)."""

    batch: int = 1
    streams: int = 1
    rate_hz: float | None = None
    """Queries asked for per second."""
    throughput_ips: float | None = None
    p99_ns: int | None = None
    held: bool | None = None
    """Whether the bound held; None where that cannot be told."""
    reason: str = ""
    """Why there is no throughput."""


class Minute(msgspec.Struct, frozen=True, kw_only=True):
    """One minute of a sustained launch, or what was left of the last one."""

    inferences: int
    window_ns: int
    p50_ns: int
    p99_ns: int | None = None
    environment: Environment


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
    """What the scenario calls latency: of an inference, of a query, or since the scheduled time."""
    service_ns: Samples = msgspec.field(default_factory=Samples)
    """Where latency holds waiting too: the inferences alone."""
    converged: bool | None = None
    """Whether the launch's own interval reached its target before the time was up."""
    clock_ns: int | None = None
    """Median cost of one clock reading in this process."""
    stage_ns: dict[str, Samples] = {}
    """Region e2e: the stages of every iteration, in the order they run."""
    pipeline: str | None = None
    """Region e2e: the library that made inputs of images, and its version."""
    counts: dict[str, int] = {}
    """Of the scenario: ``frames_offered``, ``frames_dropped``, ``deadline_misses``, ``spin_ns``,
    ``kept_every`` (of a series too long to keep whole) ..."""
    trials: tuple[Trial, ...] = ()
    minutes: tuple[Minute, ...] = ()
    engine_figures: dict[str, float] = {}
    """What another engine reports, under its own names and in its own units."""
    window_ns: int | None = None
    inferences: int | None = None
    """Calls of ``invoke`` in the window; each holds ``case.batch`` samples."""
    samples: int | None = None
    """Samples inferred in the window where that is not ``inferences`` times ``case.batch``."""
    cpu_ns: int | None = None
    """CPU time of the worker (all threads) in the window, staging included."""
    run_delay_ns: int | None = None
    """Time the worker's main thread stood runnable in a queue during the window."""
    involuntary_switches: int | None = None
    rss_baseline_byte: int | None = None
    rss_load_byte: int | None = None
    rss_peak_byte: int | None = None
    pss_load_byte: int | None = None
    """Proportional set size with the model loaded: shared pages counted by share."""
    instructions: int | None = None
    """Retired in the window by all threads, where the kernel lets this process count them."""
    cycles: int | None = None
    """CPU cycles of all threads in the window; as above."""
    cooldown_ns: int | None = None
    """Waited before this launch's block until the device was as cool as at the start."""
    launch_ns: int | None = None
    """The whole launch as the parent saw it, from starting the worker to its end."""
    power: Power | None = None
    parity: Parity | None = None
    accuracy: Accuracy | None = None
    quality: Quality | None = None
    environment_before: Environment | None = None
    environment_after: Environment | None = None
    looks: tuple[Look, ...] = ()
    """What the parent saw of the machine while the launch ran, about once a second."""
    intruders: dict[str, int] = {}
    """CPU time in ns that other processes used during the window, by name, the busiest first."""
    caveats: tuple[str, ...] = ()


class ParityLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How unlike the reference outputs may be; None leaves that limit to the task's."""

    min_cosine: float | None = None
    """Smallest cosine similarity of any output vector."""
    min_top1_ratio: float | None = None
    """Smallest share of reference inputs that keep their largest output."""


class PlannedCase(msgspec.Struct, frozen=True, kw_only=True):
    """A case of a run's plan; ``skip`` says why it cannot run here, in one line."""

    case_id: str
    case: Case
    skip: str = ""
    launches: int | None = None
    """Launches planned, where the scenario does not want as many as the run."""
    task: Task = "classification"
    weights: Weights = "trained"
    parity: ParityLimits | None = None
    """The workload's own limits for this precision."""
    macs: int | None = None
    """Multiply-accumulates of one sample, as the workload's file tells them."""
    parameters: int | None = None
    """Of the workload's model: how many weights it has."""


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
    ended: str = ""
    """Why the run ended; empty while it is under way, and where it was interrupted or killed."""
    facts: DeviceFacts
    backend_versions: dict[str, str] = {}
    config: dict[str, Any] = {}
    plan: tuple[PlannedCase, ...]

"""What is planted on a device that nobody has: its cells, and how it came by their figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgebench.machine import DeviceFacts
from edgebench.metering import Tier
from edgebench.records import Precision, Scenario, Task, Weights


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is planted of a case; None is not measured."""

    backend: str = "onnxruntime"
    precision: Precision = "fp32"
    latency_ms: float = 10.0
    """Median of what the scenario calls latency; region e2e: the sum of its stages goes before."""
    threads: int = 1
    top1_ratio: float | None = None
    """Of 1,000 samples, the first ones are right: of two cells one loses samples and wins none."""
    rss_mib: float = 50.0
    power_w: float | None = None
    """While it infers; None: no meter."""
    effective_precision: str | None = None
    """What it ran in; as asked where not told."""
    cosine: float = 0.99999
    """Below 0.9 it is invalid in every precision."""
    reason: str = ""
    """Why it failed; empty: it did not."""
    workload: str = ""
    """That of the run where not told."""
    task: Task = "classification"
    weights: Weights = "trained"
    accelerator: str = "cpu"
    effective_accelerator: str | None = None
    """Where it ran; as asked where not told."""
    batch: int = 1
    streams: int = 1
    """Of scenarios with several: latency_ms is that of a query with so many."""
    scenario: Scenario = "single_stream"
    options: Mapping[str, str] = field(default_factory=dict)
    map50_ratio: float | None = None
    """Of 500 scenes."""
    miou_ratio: float | None = None
    found_batch: int = 1
    """offline: the samples of a call that gave the most a second."""
    found_streams: int = 1
    holds_hz: float | None = None
    """server: the rate that it bears; None: none was shown."""
    camera_hz: float = 30.0
    """paced."""
    in_time_ratio: float = 1.0
    """paced: share of the frames answered before the next one came."""
    burst_sustained_ratio: float = 1.0
    """sustained: share of its first speed that it keeps."""
    slowed_after_s: float | None = None
    """sustained: when heat began to slow it down."""
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    """Region e2e: medians of the stages (`edgebench.report.columns.STAGES`), in order."""
    intruders_ratio: Mapping[str, float] = field(default_factory=dict)
    """Of a CPU that other processes used, by name; more than 0.1 together is suspect."""
    throttled: bool = False
    """Whether the firmware slowed it down all the time: suspect."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """A unit of a kind of device and what is measured on it."""

    name: str
    """The kind; with a descriptor of this name it has a price and published powers."""
    unit: str = ""
    """Its device_id; the kind's name where not told."""
    cells: tuple[Cell, ...] = ()
    tier: Tier = "board_measured"
    idle_w: float = 2.0
    launch_spread_ratio: float = 0.01
    """Standard deviation of launches' medians."""
    facts: DeviceFacts | None = None
    """Its facts; name and unit go before what they say."""
    source_sha256: str = "0" * 64
    """Of the model; a real one's, to be held against real runs of it."""
    latency_factor: float = 1.0
    """Of all its latencies: what this unit is slower than its kind, or today than else."""
    backend_version: str = "0"

"""Runs of devices that nobody has: made of stated figures and a seed, stored as any other run.

For tests of what reads results (choosing, reports, importing) and for trying it out. Every record
says in its caveats that it was planted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from edgebench import __version__
from edgebench.codec import encode_line, encode_manifest
from edgebench.machine import DeviceFacts
from edgebench.metering import Channel, Power, Series, Tier
from edgebench.records import (
    Accuracy,
    Case,
    Effective,
    Manifest,
    Parity,
    PlannedCase,
    Precision,
    Record,
)
from edgebench.samples import Samples
from edgebench.units import NS_PER_MS, NS_PER_S

_UW_PER_W = 1_000_000
_BYTE_PER_MIB = 1 << 20
_WINDOW_S = 30
_CAVEAT = "planted by edgebench.testing.fleet: nothing was measured"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is planted of a case; None is not measured."""

    backend: str = "onnxruntime"
    precision: Precision = "fp32"
    latency_ms: float = 10.0
    """Median."""
    threads: int = 1
    top1_ratio: float | None = None
    rss_mib: float = 50.0
    power_w: float | None = None
    """While it infers; None: no meter."""
    effective_precision: str | None = None
    """What it ran in; as asked where not told."""
    cosine: float = 0.99999
    """Below 0.9 it is invalid in every precision."""
    reason: str = ""
    """Why it failed; empty: it did not."""


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


def write(
    folder: Path,
    device: Device,
    *,
    workload: str = "mnist_cnn",
    started_at_utc: str = "2026-01-01T00:00:00Z",
    seed: int = 1,
    launches: int = 6,
    samples: int = 400,
) -> Path:
    """Write one run of a device, and return its folder.

    Args:
        folder: The run's folder is made below it.
        device: What is planted.
        workload: Of all its cells.
        started_at_utc: Newer runs of a unit go before older ones.
        seed: Of the noise; the same seed gives the same bytes.
        launches: Of each cell.
        samples: Inferences of each launch.
    """
    rng = np.random.default_rng(seed)
    stamp = started_at_utc.replace("-", "").replace(":", "")
    run_id = f"{stamp}-{rng.integers(1 << 24):06x}"
    manifest = _manifest(device, workload, (run_id, started_at_utc), seed, launches)
    made = folder / run_id
    made.mkdir(parents=True)
    (made / "run.json").write_bytes(encode_manifest(manifest))
    with (made / "results.jsonl").open("wb") as journal:
        for cell, planned in zip(device.cells, manifest.plan, strict=True):
            for launch in range(1 if cell.reason else launches):
                begun = Record(
                    run_id=run_id,
                    started_at_utc=started_at_utc,
                    launch=launch,
                    case_id=planned.case_id,
                    status="ok",
                    caveats=(_CAVEAT,),
                )
                journal.write(encode_line(_filled(begun, device, cell, rng, samples)))
    return made


def _manifest(
    device: Device, workload: str, which: tuple[str, str], seed: int, launches: int
) -> Manifest:
    run_id, started_at_utc = which
    metered = any(cell.power_w is not None for cell in device.cells)
    return Manifest(
        run_id=run_id,
        started_at_utc=started_at_utc,
        edgebench_version=__version__,
        preset="standard",
        seed=seed,
        launches=launches,
        method={"power_s": float(_WINDOW_S)} if metered else {},
        ended="done",
        facts=_facts(device),
        backend_versions={cell.backend: "0" for cell in device.cells},
        plan=tuple(_planned(cell, workload) for cell in device.cells),
    )


def _facts(device: Device) -> DeviceFacts:
    told = device.facts or DeviceFacts(device="", device_id="")
    return msgspec.structs.replace(told, device=device.name, device_id=device.unit or device.name)


def _planned(cell: Cell, workload: str) -> PlannedCase:
    case = Case(
        workload=workload,
        workload_version=1,
        source_sha256="0" * 64,
        backend=cell.backend,
        format="onnx",
        precision=cell.precision,
        threads=cell.threads,
    )
    return PlannedCase(case_id=case.case_id, case=case)


def _filled(
    begun: Record, device: Device, cell: Cell, rng: np.random.Generator, samples: int
) -> Record:
    if cell.reason:
        return msgspec.structs.replace(begun, status="failed", stage="load", reason=cell.reason)
    median_ns = cell.latency_ms * NS_PER_MS * np.exp(rng.normal(0, device.launch_spread_ratio))
    latency_ns = (median_ns * rng.lognormal(0, 0.02, samples)).astype(np.int64)
    ran = cell.effective_precision or cell.precision
    return msgspec.structs.replace(
        begun,
        model_size_byte=_BYTE_PER_MIB,
        effective=Effective(precision=ran, precision_ratio=1.0, accelerator="cpu"),
        load_ns=20 * NS_PER_MS,
        first_inference_ns=int(2 * median_ns),
        latency_ns=Samples(latency_ns.tolist()),
        window_ns=int(latency_ns.sum()),
        inferences=samples,
        cpu_ns=int(latency_ns.sum()),
        rss_baseline_byte=30 * _BYTE_PER_MIB,
        rss_load_byte=int(cell.rss_mib * _BYTE_PER_MIB),
        rss_peak_byte=int(cell.rss_mib * _BYTE_PER_MIB * np.exp(rng.normal(0, 0.002))),
        power=_power(device, cell, float(median_ns), rng),
        parity=Parity(samples=16, cosine=cell.cosine, max_abs_error=1e-5, top1_ratio=1.0),
        accuracy=_accuracy(cell) if begun.launch == 0 else None,
    )


def _accuracy(cell: Cell) -> Accuracy | None:
    if cell.top1_ratio is None:
        return None
    samples = 1000
    return Accuracy(samples=samples, correct=round(samples * cell.top1_ratio), source="planted")


def _power(device: Device, cell: Cell, median_ns: float, rng: np.random.Generator) -> Power | None:
    if cell.power_w is None:
        return None
    idle_end = 10 * NS_PER_S
    end = idle_end + _WINDOW_S * NS_PER_S
    t_ns = range(0, end + NS_PER_S, NS_PER_S)
    mean = [device.idle_w if t < idle_end else cell.power_w for t in t_ns]
    noise = rng.normal(1, device.launch_spread_ratio) * rng.normal(1, 0.01, len(mean))
    partial = ("all but the CPU",) if device.tier == "partial_measured" else ()
    channel = Channel(
        name="planted", tier=device.tier, quantity="power_uw", covers=("device",), excludes=partial
    )
    return Power(
        idle_start_ns=0,
        idle_end_ns=idle_end,
        start_ns=idle_end,
        end_ns=end,
        inferences=int((end - idle_end) / median_ns),
        series=(
            Series(
                meter="planted",
                channel=channel,
                t_ns=Samples(t_ns),
                value=Samples(int(w * n * _UW_PER_W) for w, n in zip(mean, noise, strict=True)),
            ),
        ),
    )


def write_all(folder: Path, devices: Sequence[Device]) -> tuple[Path, ...]:
    """A run of each device, below ``folder/<unit>``; the seed is the device's place."""
    return tuple(
        write(folder / (one.unit or one.name), one, seed=place)
        for place, one in enumerate(devices, 1)
    )

"""Runs of devices that nobody has: made of stated figures and a seed, stored as any other run.

For tests of what reads results (choosing, reports, importing) and for trying it out. Every record
says in its caveats that it was planted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import msgspec
import numpy as np

from edgebench import __version__
from edgebench.codec import encode_line, encode_manifest
from edgebench.machine import DeviceFacts
from edgebench.records import Case, Manifest, PlannedCase, Record
from edgebench.testing.fleet_cells import Cell, Device
from edgebench.testing.fleet_records import MINUTES, POWER_S, SAMPLES_PER_QUERY, filled

__all__ = ["Cell", "Device", "units", "write", "write_all", "write_history"]

_BEGIN = "2026-01-01T00:00:00Z"
_FORM = "%Y-%m-%dT%H:%M:%SZ"
_IMAGE_SHA256 = "1" * 64
_BOUND_MS = 100.0


def write(
    folder: Path,
    device: Device,
    *,
    workload: str = "mnist_cnn",
    started_at_utc: str = _BEGIN,
    seed: int = 1,
    launches: int = 6,
    samples: int = 400,
) -> Path:
    """Write one run of a device, and return its folder.

    Args:
        folder: The run's folder is made below it.
        device: What is planted.
        workload: Of its cells that name none.
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
                )
                journal.write(encode_line(filled(begun, device, cell, rng, samples)))
    return made


def write_all(folder: Path, devices: Sequence[Device]) -> tuple[Path, ...]:
    """A run of each device, below ``folder/<unit>``; the seed is the device's place."""
    return tuple(
        write(folder / (one.unit or one.name), one, seed=place)
        for place, one in enumerate(devices, 1)
    )


def write_history(
    folder: Path, device: Device, factors: Sequence[float], *, seed: int = 1
) -> tuple[Path, ...]:
    """A run a day of one unit, whose latencies change over the days.

    Args:
        folder: The runs' folders are made below it.
        device: What is planted on the first day.
        factors: Of the latencies on each day; the first day is 2026-01-01.
        seed: Of the first day; each day has the next one.
    """
    first = datetime.strptime(_BEGIN, _FORM).replace(tzinfo=timezone.utc)
    return tuple(
        write(
            folder,
            replace(device, latency_factor=device.latency_factor * factor),
            started_at_utc=(first + timedelta(days=day)).strftime(_FORM),
            seed=seed + day,
        )
        for day, factor in enumerate(factors)
    )


def units(
    device: Device, count: int, *, spread_ratio: float = 0.02, seed: int = 1
) -> tuple[Device, ...]:
    """Several units of one kind, ``NAME-1`` and so on, each as much slower or faster as it is.

    Args:
        device: The kind.
        count: How many.
        spread_ratio: Standard deviation of the logarithm of their latencies.
        seed: Of that spread.
    """
    factors = np.exp(np.random.default_rng(seed).normal(0, spread_ratio, count))
    return tuple(
        replace(device, unit=f"{device.name}-{place}", latency_factor=float(factor))
        for place, factor in enumerate(factors, 1)
    )


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
        method={"power_s": float(POWER_S)} if metered else {},
        ended="done",
        facts=_facts(device),
        backend_versions={cell.backend: device.backend_version for cell in device.cells},
        plan=tuple(_planned(device, cell, cell.workload or workload) for cell in device.cells),
    )


def _facts(device: Device) -> DeviceFacts:
    told = device.facts or DeviceFacts(device="", device_id="")
    return msgspec.structs.replace(told, device=device.name, device_id=device.unit or device.name)


def _planned(device: Device, cell: Cell, workload: str) -> PlannedCase:
    case = Case(
        workload=workload,
        workload_version=1,
        source_sha256=device.source_sha256,
        backend=cell.backend,
        format="onnx",
        precision=cell.precision,
        accelerator=cell.accelerator,
        threads=cell.threads,
        batch=cell.batch,
        streams=cell.streams,
        scenario=cell.scenario,
        region="e2e" if cell.stages_ms else "invoke",
        parameters=_parameters(cell),
        image_sha256=_IMAGE_SHA256 if cell.stages_ms else "",
        options=dict(cell.options),
    )
    return PlannedCase(case_id=case.case_id, case=case, task=cell.task, weights=cell.weights)


def _parameters(cell: Cell) -> dict[str, float]:
    """Of the scenario, as a plan has them."""
    known: dict[str, dict[str, float]] = {
        "multi_stream": {"samples_per_query": float(SAMPLES_PER_QUERY)},
        "offline": {"max_batch": 64.0, "max_streams": 4.0},
        "server": {"bound_ms": _BOUND_MS},
        "paced": {"rate_hz": cell.camera_hz},
        "sustained": {"minutes": float(MINUTES)},
    }
    return known.get(cell.scenario, {})

"""Records of launches that never were, from what `edgebench.testing.fleet_cells` plants."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgebench.machine import THROTTLE_BITS, Environment, Look
from edgebench.metering import Channel, Power, Series
from edgebench.records import Accuracy, Effective, Minute, Parity, Quality, Record, Trial
from edgebench.samples import Samples, deflate_bits
from edgebench.testing.fleet_cells import Cell, Device
from edgebench.units import BYTE_PER_MIB, NS_PER_MS, NS_PER_S

POWER_S = 30
"""Length of a power pass."""
MINUTES = 10
"""Length of a sustained launch."""
SAMPLES_PER_QUERY = 8
"""multi_stream."""
_UW_PER_W = 1_000_000
_CAVEAT = "planted by edgebench.testing.fleet: nothing was measured"
_SPREAD_RATIO = 0.02
"""Standard deviation of inferences within a launch."""
_LABELLED, _SCENES = 1000, 500
_HOT_DEGC, _RISE_DEGC, _RISE_S, _TOP_MHZ = 80.0, 35.0, 60.0, 2400.0
"""Of a sustained launch: where its temperature ends, how far and how fast it rises; its clock."""
_FIRMWARE_THROTTLES = 2
"""A bit of `Environment.throttle_bits`."""

_Array = NDArray[np.float64]


def filled(
    begun: Record, device: Device, cell: Cell, rng: np.random.Generator, samples: int
) -> Record:
    """A launch's record with everything that its cell plants.

    Args:
        begun: What it is of and when it was.
        device: Its spread, its meter and its factor.
        cell: Of this case.
        rng: The launch's noise comes from here.
        samples: Inferences (queries, frames) in its window.
    """
    begun = msgspec.structs.replace(begun, caveats=(_CAVEAT,))
    if cell.reason:
        return msgspec.structs.replace(begun, status="failed", stage="load", reason=cell.reason)
    drawn = device.latency_factor * np.exp(rng.normal(0, device.launch_spread_ratio))
    noise = rng.lognormal(0, _SPREAD_RATIO, samples)
    median_ns = float(cell.latency_ms * NS_PER_MS * drawn)
    launch = msgspec.structs.replace(
        begun,
        model_size_byte=BYTE_PER_MIB,
        effective=_effective(device, cell),
        load_ns=20 * NS_PER_MS,
        first_inference_ns=int(2 * median_ns),
        rss_baseline_byte=30 * BYTE_PER_MIB,
        rss_load_byte=int(cell.rss_mib * BYTE_PER_MIB),
        rss_peak_byte=int(cell.rss_mib * BYTE_PER_MIB * np.exp(rng.normal(0, 0.002))),
        power=_power(device, cell, median_ns, rng),
        parity=Parity(samples=16, cosine=cell.cosine, max_abs_error=1e-5, top1_ratio=1.0),
        accuracy=_accuracy(cell) if begun.launch == 0 else None,
        quality=_quality(cell) if begun.launch == 0 else None,
    )
    launch = _timed(launch, cell, median_ns * noise)
    launch = _by_scenario(launch, cell, float(drawn))
    return _disturbed(launch, cell)


def _effective(device: Device, cell: Cell) -> Effective:
    return Effective(
        backend_version=device.backend_version,
        precision=cell.effective_precision or cell.precision,
        precision_ratio=1.0,
        accelerator=cell.effective_accelerator or cell.accelerator,
    )


def _timed(launch: Record, cell: Cell, latency_ns: _Array) -> Record:
    """Latencies and the window that they fill; of region e2e the stages that they are made of."""
    stages = {}
    if cell.stages_ms:
        share = latency_ns / (cell.latency_ms * NS_PER_MS)
        parts = {name: (ms * NS_PER_MS * share).astype(int) for name, ms in cell.stages_ms.items()}
        latency_ns = np.sum(list(parts.values()), axis=0)
        stages = {name: Samples(taken.tolist()) for name, taken in parts.items()}
    whole_ns = latency_ns.astype(np.int64)
    window_ns = int(whole_ns.sum())
    return msgspec.structs.replace(
        launch,
        latency_ns=Samples(whole_ns.tolist()),
        window_ns=window_ns,
        inferences=len(whole_ns),
        cpu_ns=window_ns,
        stage_ns=stages,
        pipeline="planted 0" if stages else None,
    )


def _by_scenario(launch: Record, cell: Cell, drawn: float) -> Record:
    count, window_ns = launch.inferences or 0, launch.window_ns or 1
    if cell.scenario == "multi_stream":
        return msgspec.structs.replace(launch, samples=SAMPLES_PER_QUERY * count)
    if cell.scenario == "offline":
        window_ns //= cell.found_streams
        ips = count * cell.found_batch * NS_PER_S / window_ns
        found = Trial(batch=cell.found_batch, streams=cell.found_streams, throughput_ips=ips)
        samples = count * cell.found_batch
        return msgspec.structs.replace(
            launch, samples=samples, window_ns=window_ns, trials=(found,)
        )
    if cell.scenario == "server":
        held = cell.holds_hz is not None
        rate_hz = (cell.holds_hz or 1e3 / cell.latency_ms) / drawn
        return msgspec.structs.replace(launch, trials=(Trial(rate_hz=rate_hz, held=held),))
    if cell.scenario == "paced":
        late = count - round(count * cell.in_time_ratio)
        counts = {"frames_offered": count, "frames_dropped": 0, "deadline_misses": late}
        return msgspec.structs.replace(launch, counts=counts, service_ns=launch.latency_ns)
    return _sustained(launch, cell) if cell.scenario == "sustained" else launch


def _sustained(launch: Record, cell: Cell) -> Record:
    """Minutes whose medians fall evenly from burst to sustained before the last third begins.

    As in a real launch every n-th latency is kept, n a power of 3.
    """
    latency_ns = np.asarray(launch.latency_ns, dtype=np.float64)
    median_ns = float(np.median(latency_ns))
    hot_from = MINUTES - MINUTES // 3
    minutes = []
    for minute in range(MINUTES):
        p50_ns = median_ns / cell.burst_sustained_ratio ** min(1.0, minute / hot_from)
        minutes.append(
            Minute(
                inferences=int(60 * NS_PER_S / p50_ns),
                window_ns=60 * NS_PER_S,
                p50_ns=int(p50_ns),
                environment=Environment(),
            )
        )
    counts = [minute.inferences for minute in minutes]
    every = 3 ** math.ceil(math.log(max(1.0, sum(counts) / len(latency_ns)), 3))
    medians = np.repeat([minute.p50_ns for minute in minutes], counts)[::every]
    kept = medians * np.resize(latency_ns / median_ns, len(medians))
    window_ns = 60 * NS_PER_S * MINUTES
    return msgspec.structs.replace(
        launch,
        latency_ns=Samples(kept.astype(np.int64).tolist()),
        inferences=sum(counts),
        window_ns=window_ns,
        cpu_ns=window_ns,
        minutes=tuple(minutes),
        counts={"kept_every": every},
        looks=_warming(cell),
    )


def _warming(cell: Cell) -> tuple[Look, ...]:
    """A look every ten seconds at a device that heats up, and clocks down once it is slowed."""
    looks = []
    for second in range(0, 60 * MINUTES, 10):
        slowed = cell.slowed_after_s is not None and second >= cell.slowed_after_s
        looks.append(
            Look(
                t_ns=second * NS_PER_S,
                stage="measure",
                hottest_degc=round(_HOT_DEGC - _RISE_DEGC * math.exp(-second / _RISE_S), 1),
                cpu_mhz=(_TOP_MHZ * (cell.burst_sustained_ratio if slowed else 1.0),),
                slowed_by=(THROTTLE_BITS[_FIRMWARE_THROTTLES],) if slowed else (),
            )
        )
    return tuple(looks)


def _disturbed(launch: Record, cell: Cell) -> Record:
    """What the machine and its other guests did meanwhile; nothing is known where nothing did."""
    window_ns = launch.window_ns or 0
    used_ns = {name: int(share * window_ns) for name, share in cell.intruders_ratio.items()}
    seen = Environment(throttle_bits=1 << _FIRMWARE_THROTTLES) if cell.throttled else None
    return msgspec.structs.replace(
        launch, intruders=used_ns, environment_before=seen, environment_after=seen
    )


def _accuracy(cell: Cell) -> Accuracy | None:
    if cell.top1_ratio is None:
        return None
    correct = round(_LABELLED * cell.top1_ratio)
    hits = deflate_bits(sample < correct for sample in range(_LABELLED))
    return Accuracy(samples=_LABELLED, correct=correct, source="planted", hits=hits)


def _quality(cell: Cell) -> Quality | None:
    if cell.map50_ratio is not None:
        told = cell.map50_ratio
        return Quality(metric="map50", samples=_SCENES, ratio=told, source="planted")
    if cell.miou_ratio is not None:
        told = cell.miou_ratio
        return Quality(metric="miou", samples=_SCENES, ratio=told, source="planted")
    return None


def _power(device: Device, cell: Cell, median_ns: float, rng: np.random.Generator) -> Power | None:
    """A reading a second: ten seconds of idling, one in between, then the window."""
    if cell.power_w is None:
        return None
    idle_end = 10 * NS_PER_S
    start = idle_end + NS_PER_S
    end = start + POWER_S * NS_PER_S
    t_ns = range(0, end + NS_PER_S, NS_PER_S)
    mean = [device.idle_w if t <= idle_end else cell.power_w for t in t_ns]
    noise = rng.normal(1, device.launch_spread_ratio) * rng.normal(1, 0.01, len(mean))
    partial = ("all but the CPU",) if device.tier == "partial_measured" else ()
    channel = Channel(
        name="planted", tier=device.tier, quantity="power_uw", covers=("device",), excludes=partial
    )
    uw = (int(w * n * _UW_PER_W) for w, n in zip(mean, noise, strict=True))
    return Power(
        idle_start_ns=0,
        idle_end_ns=idle_end,
        start_ns=start,
        end_ns=end,
        inferences=math.floor((end - start) / median_ns),
        series=(Series(meter="planted", channel=channel, t_ns=Samples(t_ns), value=Samples(uw)),),
    )

"""Results of six made-up devices, with all that a page may have to show, for its acceptance."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from edgebench.codec import decode_line, encode_line
from edgebench.machine import Look
from edgebench.metering import Tier
from edgebench.records import Precision
from edgebench.testing.fleet import Cell, Device, write
from edgebench.units import NS_PER_S

DEVICES: tuple[tuple[str, float, float, Tier], ...] = (
    ("raspberry-pi-5", 1.0, 3.0, "board_measured"),
    ("jetson-orin-nano", 0.35, 7.0, "board_measured"),
    ("rock-5b", 0.8, 4.5, "wall_measured"),
    ("intel-n100", 0.5, 9.0, "wall_measured"),
    ("raspberry-pi-4", 2.6, 3.5, "board_measured"),
    ("raspberry-pi-zero-2-w", 9.0, 1.4, "board_measured"),
)
"""Name, latency beside the first one's, W while it infers, tier of its meter."""
BACKENDS = {"onnxruntime": 1.0, "litert": 0.9, "openvino": 0.8, "ncnn": 1.1}
PRECISIONS: dict[Precision, float] = {"fp32": 1.0, "fp16": 0.8, "int8": 0.45, "int8_dynamic": 0.6}
LEAST_WORKLOADS, CELLS_EACH = 4, 36
"""Workloads are as many as it takes, each with so many cells a device at most."""
LAUNCHES, SAMPLES = 4, 300
UNMETERED = DEVICES[-1][0]


def plant(folder: Path, cells: int, seed: int = 1) -> None:
    """Six runs with so many cells in all.

    Half of the devices look at their temperature and clock each second, as real runs do.

    Args:
        folder: The runs' folders are made below it.
        cells: Of all devices together.
        seed: The same seed gives the same bytes.
    """
    rng = random.Random(seed)  # noqa: S311 - it plants, and keeps no secret
    each = [cells // len(DEVICES) + (place < cells % len(DEVICES)) for place in range(len(DEVICES))]
    for place, ((name, factor, watt, tier), share) in enumerate(zip(DEVICES, each, strict=True)):
        workloads = max(LEAST_WORKLOADS, -(-share // CELLS_EACH))
        kinds = [_of_workload(number, factor, watt, rng) for number in range(workloads)]
        mixed = itertools.chain.from_iterable(zip(*kinds, strict=True))
        made = tuple(itertools.islice(mixed, share))
        if name == UNMETERED:
            made = tuple(Cell(**{**vars(cell), "power_w": None}) for cell in made)
        device = Device(name=name, cells=made, tier=tier, idle_w=watt * 0.4)
        run = write(folder / name, device, seed=seed + place, launches=LAUNCHES, samples=SAMPLES)
        if place % 2 == 0:
            _watched(run / "results.jsonl", rng)


def _of_workload(number: int, factor: float, watt: float, rng: random.Random) -> Iterator[Cell]:
    """Cells of one workload on one device: the telling ones first, what repeats them last."""
    task = ("classification", "classification", "detection", "segmentation")[number % 4]
    ms = factor * (0.4, 28.0, 60.0, 340.0)[number % 4] * (1 + number // 4 / 10)
    base: dict[str, Any] = {"workload": f"{task}_{number}", "task": task, "power_w": watt}

    def cell(backend: str = "onnxruntime", precision: Precision = "int8", **more: Any) -> Cell:  # noqa: ANN401
        latency_ms = ms * BACKENDS[backend] * PRECISIONS[precision] * rng.uniform(0.9, 1.1)
        told = base | {"rss_mib": 40 + ms / 10, "latency_ms": latency_ms} | _judged(task, rng)
        return Cell(backend=backend, precision=precision, **(told | _struck(rng) | more))

    every = list(itertools.product(BACKENDS, PRECISIONS))
    yield from (cell(*one) for one in every[:8])
    stages = {"decode": ms / 3, "resize": ms / 6, "normalise": ms / 20, "copy_in": ms / 90}
    stages |= {"invoke": ms / 2, "copy_out": ms / 90, "postprocess": ms / 60}
    yield cell(stages_ms=stages)
    yield cell(scenario="sustained", burst_sustained_ratio=0.7, slowed_after_s=70.0)
    yield cell(scenario="offline", found_batch=8, found_streams=2)
    for backend, much in (("onnxruntime", 0.8), ("litert", 0.6)):
        for count in (1, 2, 4):
            query: dict[str, Any] = {"scenario": "multi_stream", "latency_ms": 4 * ms / count**much}
            yield cell(backend, streams=count, **query)
        for count in (2, 4):
            yield cell(backend, threads=count, latency_ms=ms / 2 / count**much)
            yield cell(backend, batch=count, latency_ms=ms / 2 * count**0.95)
    yield from (cell(*one) for one in every[8:])
    yield from (cell(batch=batch, latency_ms=ms * batch**0.95) for batch in (8, 16))
    yield cell(scenario="server", holds_hz=700 / ms)
    yield cell("litert", stages_ms=stages)
    for backend, precision in every:
        for threads in (6, 8):
            more = {"threads": threads, "latency_ms": ms / threads**0.8}
            yield cell(backend, precision, **more)


def _judged(task: str, rng: random.Random) -> dict[str, Any]:
    name = {"detection": "map50_ratio", "segmentation": "miou_ratio"}.get(task, "top1_ratio")
    return {name: rng.uniform(0.7, 0.8)}


def _struck(rng: random.Random) -> dict[str, Any]:
    """One cell in five did not go as asked."""
    wrong: tuple[dict[str, Any], ...] = (
        {"reason": "ImportError: libgomp.so.1: cannot open shared object file: No such file"},
        {"cosine": 0.71},
        {"intruders_ratio": {"apt": 0.3, "snapd": 0.2}},
        {"effective_precision": "fp32"},
        {"throttled": True},
    )
    return rng.choice(wrong) if rng.random() < 0.2 else {}


def _watched(journal: Path, rng: random.Random) -> None:
    """Add a look a second to each launch that has none."""
    lines = []
    for line in journal.read_bytes().splitlines():
        record = decode_line(line)
        if not record.looks:
            heat = 50 + 20 * rng.random()
            looks = tuple(
                Look(
                    t_ns=second * NS_PER_S,
                    stage="measure",
                    hottest_degc=heat + second,
                    cpu_mhz=(1800.0, 2400.0 - 10 * second),
                )
                for second in range(5)
            )
            record = msgspec.structs.replace(record, looks=looks)
        lines.append(encode_line(record))
    journal.write_bytes(b"".join(lines))

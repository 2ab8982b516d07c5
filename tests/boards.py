"""A board with figures that are easy to reckon with, for tests of sizing and cost."""

from __future__ import annotations

from edgebench.analysis.candidates import Candidate, Figure

CELL: dict[str, object] = {
    "device": "board",
    "device_id": "one",
    "workload": "mnist_cnn",
    "workload_version": 1,
    "backend": "litert",
    "precision": "int8",
    "accelerator": "cpu",
    "threads": 1,
    "batch": 1,
    "streams": 1,
    "scenario": "single_stream",
    "region": "invoke",
    "engine": "edgebench",
    "status": "ok",
    "validity": "valid",
    "launches": 6,
}
RATE = {"throughput_ips": 150.0, "throughput_lo_ips": 146.0, "throughput_hi_ips": 155.0}
POWER = {
    "power_tier": "board_measured",
    "power_w": 8.8,
    "power_lo_w": 8.8,
    "power_hi_w": 8.8,
    "power_idle_w": 2.8,
    "energy_net_mj": 40.0,
    "energy_net_lo_mj": 38.0,
    "energy_net_hi_mj": 42.0,
}
PRICE = {"price_usd": Figure(80.0, exact=True, source="a shop (2023)")}
ENVELOPE = {"idle_w": Figure(3.0, exact=True), "load_w": Figure(10.0, exact=True)}


def board(told: dict[str, Figure] | None = None, /, **cells: object) -> Candidate:
    return Candidate(name="board", rows=({**CELL, **cells},), told=PRICE if told is None else told)

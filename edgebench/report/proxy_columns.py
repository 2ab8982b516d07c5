"""Columns in energy's place where no meter measured; filled by `edgebench.report.proxies`."""

from __future__ import annotations

from edgebench.report.column import Column

PROXIES: tuple[Column, ...] = (
    Column(
        "cpu_per_inference_ms",
        "float",
        "CPU time of all threads per inference (a call with `batch` samples), copying the input in "
        "included: a proxy for energy, empty where an accelerator ran",
    ),
    Column(
        "cpu_per_inference_mcycles",
        "float",
        "million CPU cycles of all threads per inference (1000 are a core-GHz-second): a proxy for "
        "energy, empty where an accelerator ran",
    ),
    Column(
        "cpu_cycles_source",
        "str",
        "counted: by the CPU, in user space; estimated: CPU time times the mean frequency",
    ),
    Column(
        "cpu_per_inference_minstructions",
        "float",
        "million instructions of all threads in user space per inference, counted by the CPU: a "
        "proxy for energy, empty where an accelerator ran",
    ),
    Column(
        "envelope_energy_lo_mj",
        "float",
        "no measurement: the device's idle power as published times the time per inference; empty "
        "where an accelerator ran, whose power the published load does not hold",
    ),
    Column(
        "envelope_energy_hi_mj",
        "float",
        "no measurement: the most that the device drew under CPU load as published, likewise",
    ),
    Column("envelope_source", "str", "who published both powers, and of which year they are"),
)

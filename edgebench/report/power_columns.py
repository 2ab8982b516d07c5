"""Columns about power and energy; filled by `edgebench.report.energy_rows`."""

from __future__ import annotations

from edgebench.report.column import Column

POWER: tuple[Column, ...] = (
    Column(
        "power_tier",
        "str",
        "where power and energy come from, best first: wall_measured, board_measured, "
        "partial_measured (see power_excludes), model_calibrated; never ranked with one another",
        heading="tier",
    ),
    Column("power_source", "str", "the meter, and the channels of it that were added up"),
    Column("power_excludes", "str", "what of the device that meter does not see"),
    Column("power_w", "float", "mean power during the power pass, mean of launches", heading="W"),
    Column("power_lo_w", "float", "lower end of its 95 % interval (Student's t)"),
    Column("power_hi_w", "float", "upper end of its 95 % interval"),
    Column(
        "power_idle_w",
        "float",
        "the same with the model loaded and nothing at work",
        heading="idle W",
    ),
    Column(
        "energy_gross_mj",
        "float",
        "energy per inference (a call with `batch` samples), copying the input in and idle power "
        "included; mean of launches",
        heading="gross mJ",
    ),
    Column("energy_gross_lo_mj", "float", "lower end of its 95 % interval (Student's t)"),
    Column("energy_gross_hi_mj", "float", "upper end of its 95 % interval"),
    Column(
        "energy_net_mj",
        "float",
        "the same above idle: what the inference adds",
        heading="net mJ",
    ),
    Column("energy_net_lo_mj", "float", "lower end of its 95 % interval (Student's t)"),
    Column("energy_net_hi_mj", "float", "upper end of its 95 % interval"),
    Column("power_launches", "int", "launches that those means and intervals are of"),
    Column(
        "power_samples",
        "int",
        "readings of the meter in the window of the launch with the fewest; fewer than 10 are "
        "refused",
        heading="readings",
    ),
    Column(
        "power_coverage_ratio",
        "float",
        "share of the window between the first reading and the last; less than 0.95 is refused",
    ),
    Column("power_reason", "str", "why no energy was measured where it was asked for"),
)

"""Columns about power and energy, from the power passes of a case's launches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from edgebench.analysis import energy
from edgebench.records import Case, Record
from edgebench.report.figures import Row
from edgebench.stats import Interval

NO_SENSOR = "no power sensor here"
_ONLY = "only of single_stream, region invoke, edgebench's own engine"


def of(case: Case, good: Sequence[Record], method: Mapping[str, object], caveats: list[str]) -> Row:
    """Energies with their intervals, or why there are none; nothing where no one asked for them."""
    powers = [record.power for record in good if record.power is not None]
    if not powers:
        asked = method.get("power_s") is not None
        return {"power_reason": f"not measured: {_why_none(case)}"} if asked else {}
    try:
        cell = energy.of_launches(powers, _ran_on(case, good))
    except energy.RefusedError as error:
        return {"power_reason": f"not measured: {error.message}"}
    caveats += cell.notes
    return {
        "power_tier": cell.tier,
        "power_source": cell.source,
        "power_excludes": "; ".join(cell.excludes) or None,
        **_interval("power", "w", cell.power_w),
        "power_idle_w": cell.idle_w,
        **_interval("energy_gross", "mj", cell.gross_mj),
        **_interval("energy_net", "mj", cell.net_mj),
        "power_launches": cell.launches,
        "power_samples": cell.readings,
        "power_coverage_ratio": cell.coverage_ratio,
    }


def _why_none(case: Case) -> str:
    plain = (case.scenario, case.region, case.engine) == ("single_stream", "invoke", "edgebench")
    return NO_SENSOR if plain else _ONLY


def _ran_on(case: Case, good: Sequence[Record]) -> str:
    told = (record.effective.accelerator for record in good if record.effective is not None)
    return next((name for name in told if name), case.accelerator)


def _interval(name: str, unit: str, found: Interval | None) -> Row:
    if found is None:
        return {}
    limits = {f"{name}_lo_{unit}": found.low, f"{name}_hi_{unit}": found.high}
    return {f"{name}_{unit}": found.value, **{k: v for k, v in limits.items() if not math.isnan(v)}}

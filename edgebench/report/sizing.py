"""`edgebench.pareto` and `edgebench.cost`: fronts and costs of a frame, as frames."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgebench.analysis import candidates, capacity, directions, published
from edgebench.analysis import cost as costs
from edgebench.analysis import pareto as fronts
from edgebench.analysis.candidates import Candidate, Cells
from edgebench.analysis.cost import Need
from edgebench.analysis.standings import Objective
from edgebench.errors import UsageError
from edgebench.report import cost_table, front
from edgebench.report.columns import BY_NAME, COLUMNS
from edgebench.report.frame import DTYPES, records, typed
from edgebench.store import merge

if TYPE_CHECKING:
    import pandas as pd

_FIGURES = frozenset(column.name for column in COLUMNS if column.kind != "str")
_TEXT = frozenset(
    {
        *("question", "candidate", "place", "beaten_by", "close_to", "reasons", "notes"),
        *("capacity_basis", "cost_power_tier", "cost_power_basis"),
    }
)


def pareto(
    frame: pd.DataFrame,
    objectives: str | Sequence[str],
    *,
    workload: str | Sequence[str] | None = None,
    prices_usd: Mapping[str, float] | None = None,
    allow_tier: str | Sequence[str] = (),
    require_valid: bool = False,
    each_unit: bool = False,
    need: Need | None = None,
) -> pd.DataFrame:
    """The candidates that no other one beats in all that is wanted, and who beats the others.

    Args:
        frame: Of `edgebench.load`, or any of its rows; the latest run of each (device_id, case_id)
            counts.
        objectives: Figures, two or more: ``"latency_p50_ms,energy_net_mj"`` or a list of them.
            Which way is better is known of most; of another it is stated: ``"drift_ratio:min"``.
        workload: Only this one, or these; else each that the frame has.
        prices_usd: By device; they go before published ones.
        allow_tier: Tiers of power whose figures may be held against each other, labelled.
        require_valid: Suspect and imported cells are left out, too.
        each_unit: Units of one kind of device are candidates each by itself.
        need: So many cameras; objectives may then name what that costs (``cost_total_usd``).

    Returns:
        One row a candidate of each question, members first, with the columns of
        `edgebench.report.front.columns`: ``place`` is member, dominated or left out; ``beaten_by``
        the nearest member that is nowhere worse; ``sure`` whether the intervals tell that;
        ``close_to`` of a member another one that it is nowhere told apart from as better.

    Raises:
        UsageError: The frame lacks a column of `load` or is empty, a figure or a workload does not
            exist, or power figures of several tiers would be held against each other.
    """
    wanted = _objectives(objectives)
    rows, groups = _groups(frame, workload, prices_usd, each_unit=each_unit)
    of_need = [one.name for one in wanted if one.name in costs.NAMES]
    if need is None and of_need:
        raise UsageError(f"{of_need[0]} is of a need", remedy="state it: need=Need(...)")
    known = _FIGURES | frozenset(costs.NAMES if need else ())
    tiers = _words(allow_tier)
    how = functools.partial(fronts.front, require_valid=require_valid, known=known)
    evidence = capacity.evidence(rows if need else ())
    found = []
    for some in groups:
        spent = [costs.estimate(one, need, evidence) for one in some] if need else []
        made = how([one.told for one in spent] or some, wanted, allow_tiers=tiers)
        found.append(fronts.explained(made, {one.candidate.name: one for one in spent}))
    return typed(front.rows(found), {name: _kind(name) for name in front.columns(found)})


def cost(
    frame: pd.DataFrame,
    *,
    cameras: int,
    fps: float,
    years: float = 3.0,
    hours_per_day: float = 24.0,
    kwh_usd: float | None = None,
    utilisation_ratio: float = 0.8,
    workload: str | Sequence[str] | None = None,
    prices_usd: Mapping[str, float] | None = None,
    each_unit: bool = False,
) -> pd.DataFrame:
    """How many devices so many cameras need with each candidate, what they draw and cost.

    Args:
        frame: Of `edgebench.load`, or any of its rows; the latest run of each (device_id, case_id)
            counts. Other scenarios of a cell are evidence, too: its sustained speed, its power.
        cameras: So many; none is split between two devices.
        fps: Frames a second of each camera; each is one inference.
        years: The devices run so long.
        hours_per_day: In which frames come; in the others the devices idle.
        kwh_usd: Price of a kilowatt hour; without it electricity is told in kWh alone.
        utilisation_ratio: Share of the capacity that is planned for.
        workload: Only this one, or these; else each that the frame has.
        prices_usd: By device; they go before published ones.
        each_unit: Units of one kind of device are candidates each by itself.

    Returns:
        One row a candidate of each question, with the columns of
        `edgebench.report.cost_table.COLUMNS`; the unit is the last word of a name. Missing is not
        known, and ``reasons`` tell why; ``notes`` tell what the figures rest on.

    Raises:
        UsageError: The frame lacks a column of `load` or is empty, there is no such workload, or
            nothing could be planned with the need.
    """
    need = Need(
        cameras=_whole(cameras),
        rate_hz=fps,
        years=years,
        hours_per_day=hours_per_day,
        kwh_usd=kwh_usd,
        utilisation_ratio=utilisation_ratio,
    )
    rows, groups = _groups(frame, workload, prices_usd, each_unit=each_unit)
    found = costs.of_candidates([one for some in groups for one in some], need, rows)
    return typed(cost_table.rows(found), {name: _kind(name) for name in cost_table.COLUMNS})


def _objectives(stated: str | Sequence[str]) -> tuple[Objective, ...]:
    return directions.objectives(stated if isinstance(stated, str) else ",".join(stated))


def _groups(
    frame: pd.DataFrame,
    workload: str | Sequence[str] | None,
    prices_usd: Mapping[str, float] | None,
    *,
    each_unit: bool,
) -> tuple[list[Cells], list[list[Candidate]]]:
    rows: list[Cells] = [*merge.latest(records(frame), each_setup=True)]
    wanted = _words(workload)
    known = sorted({str(row["workload"]) for row in rows})
    for name in wanted:
        if name not in known:
            raise UsageError(f"there are no results of workload {name!r}", remedy=", ".join(known))
    rows = [row for row in rows if not wanted or row["workload"] in wanted]
    if not rows:
        raise UsageError("the frame is empty", remedy="use edgebench.load")
    told = published.of_devices((str(row["device"]) for row in rows), prices_usd)
    return rows, candidates.of_rows(rows, told, each_unit=each_unit)


def _words(stated: str | Sequence[str] | None) -> tuple[str, ...]:
    return (stated,) if isinstance(stated, str) else tuple(stated or ())


def _whole(cameras: int) -> int:
    """Numpy's whole numbers are whole numbers, too."""
    return int(cameras) if hasattr(cameras, "__index__") and cameras is not True else cameras


def _kind(name: str) -> str:
    if name in _TEXT:
        return "string"
    column = BY_NAME.get(name)
    if name == "sure":
        return "boolean"
    return "float64" if column is None or column.kind == "float" else DTYPES[column.kind]

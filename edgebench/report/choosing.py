"""From rows to answers: what was asked, checked, and put to `edgebench.analysis.recommend`."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edgebench.analysis import candidates, published
from edgebench.analysis.candidates import Candidate, Cells
from edgebench.analysis.constraints import Constraint
from edgebench.analysis.published import PRICE
from edgebench.analysis.recommend import Answer, Objective, recommend
from edgebench.errors import UsageError, plain
from edgebench.report.columns import BY_NAME, COLUMNS

OBJECTIVE = Objective("latency_p50_ms")
FACTS = (PRICE, "idle_w", "load_w", "npu_tops", "limit_degc")
"""Published figures of devices that limits and objectives may name."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A decision to make."""

    limits: tuple[Constraint, ...] = ()
    objective: Objective = OBJECTIVE
    workloads: tuple[str, ...] = ()
    """Empty: each one that there are results of."""
    prices_usd: Mapping[str, float] = field(default_factory=dict)
    """By device; they go before published ones."""
    allow_tiers: tuple[str, ...] = ()
    require_valid: bool = False


def objective(minimise: str | None, maximise: str | None) -> Objective:
    """What to rank by; the median latency where nothing is said.

    Raises:
        UsageError: Both are said.
    """
    if minimise and maximise:
        raise UsageError("rank by one figure: minimise or maximise")
    if minimise or maximise:
        return Objective(maximise or minimise or "", more_is_better=bool(maximise))
    return OBJECTIVE


def answers(rows: Sequence[Cells], asked: Asked) -> tuple[Answer, ...]:
    """An answer for each question that the rows hold, in the order they came.

    Args:
        rows: The newest of each (device_id, case_id), or all runs.
        asked: Limits, objective, workloads.

    Raises:
        UsageError: A workload has no results, a figure does not exist, a price is none, or power
            figures of several tiers would be ranked together.
    """
    _check_prices(asked.prices_usd)
    wanted = _of_workloads(rows, asked.workloads)
    told = published.of_devices((str(row["device"]) for row in wanted), asked.prices_usd)
    groups = candidates.of_rows(wanted, told)
    check_figures((asked.objective.name, *(limit.name for limit in asked.limits)), groups)
    return tuple(
        recommend(
            group,
            asked.limits,
            asked.objective,
            allow_tiers=asked.allow_tiers,
            require_valid=asked.require_valid,
        )
        for group in groups
    )


def _of_workloads(rows: Sequence[Cells], wanted: Sequence[str]) -> list[Cells]:
    known = sorted({str(row["workload"]) for row in rows})
    for name in wanted:
        if name not in known:
            there = plain(", ".join(known))
            raise UsageError(f"there are no results of workload {name!r}", remedy=f"of: {there}")
    if not known:
        raise UsageError("there are no results", remedy="edgebench run makes some")
    return [row for row in rows if not wanted or row["workload"] in wanted]


def check_figures(names: Iterable[str], groups: Sequence[Sequence[Candidate]]) -> None:
    """Refuse a figure that nobody could have.

    Raises:
        UsageError: It names the wrong one, and what may be meant.
    """
    told = {name for group in groups for one in group for name in one.told}
    numbers = {column.name for column in COLUMNS if column.kind != "str"}
    known = sorted({*told, *numbers, *FACTS})
    for name in names:
        if name in known:
            continue
        if name in BY_NAME:
            raise UsageError(f"{name} is no number", remedy="limit and rank by figures")
        near = difflib.get_close_matches(name, known, n=3)
        remedy = f"perhaps {' or '.join(near)}" if near else "see edgebench report --list-columns"
        raise UsageError(f"there is no figure {name!r}", remedy=remedy)


def _check_prices(prices_usd: Mapping[str, float]) -> None:
    for device, price in prices_usd.items():
        if not 0 <= price < math.inf:
            raise UsageError(f"{price} is no price of {device!r}", remedy="state it in US dollars")

"""Whether a cell keeps a budget: broken only where the whole interval lies beyond the limit."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping, Sequence
from statistics import NormalDist
from typing import Literal, NamedTuple

from edgebench.analysis.candidates import Cells, Figure, figure_of
from edgebench.analysis.compare import holm
from edgebench.analysis.constraints import Constraint, Sense
from edgebench.errors import UsageError
from edgebench.stats import CONFIDENCE, student_t_cdf, student_t_quantile

Verdict = Literal["kept", "can't tell", "broken", "not measured"]
KEPT: Verdict = "kept"
CANNOT_TELL: Verdict = "can't tell"
BROKEN: Verdict = "broken"
NOT_MEASURED: Verdict = "not measured"
EXACT = frozenset(
    {
        *("model_size_mib", "model_parameters_count", "work_mmac", "precision_ratio"),
        *("parity_cosine", "parity_top1_ratio", "parity_equal_ratio"),
    }
)
"""Figures that every launch has alike: counts, and what the same inputs give."""
_OF_SAMPLES = frozenset({"top1_ratio", "in_time_ratio"})
"""Proportions of samples: their interval is no matter of launches."""
_NORMAL = _OF_SAMPLES | {"latency_p99_ms"}
"""Intervals that are no Student's t over launches."""
_OF_METERS = ("power_", "energy_")


class Judged(NamedTuple):
    """One limit on one cell."""

    limit: Constraint
    verdict: Verdict
    figure: Figure | None
    """None where it was not measured."""
    reason: str = ""
    """Why it was not."""

    @property
    def clears(self) -> bool:
        """Whether the whole interval lies beyond the limit, whatever is judged beside it."""
        if self.figure is None or self.figure.low is None or self.figure.high is None:
            return False
        if self.limit.sense == "max":
            return self.figure.low > self.limit.bound
        return self.figure.high < self.limit.bound

    @property
    def passes(self) -> bool:
        """What was not measured never does."""
        return self.verdict in {KEPT, CANNOT_TELL}


def limits(
    most: Mapping[str, float], least: Mapping[str, float], columns: Collection[str]
) -> tuple[Constraint, ...]:
    """Limits as a test writes them: ``max={"latency_p99_ms": 33}``.

    Args:
        most: The largest value of a figure that is put up with.
        least: The smallest.
        columns: Every figure there is.

    Raises:
        UsageError: A figure is unknown or has no interval, or its bound is no number.
    """
    senses: tuple[tuple[Sense, Mapping[str, float]], ...] = (("max", most), ("min", least))
    for sense, given in senses:
        told: object = given  # of a test's author, whom no type checker may have met
        if not isinstance(told, Mapping):
            raise UsageError(f"{told!r} is no limit", remedy=f'{sense}={{"latency_p99_ms": 33}}')
    found = [
        Constraint(name, sense, bound) for sense, given in senses for name, bound in given.items()
    ]
    for one in found:
        _check(one, columns)
    return tuple(found)


def _check(limit: Constraint, columns: Collection[str]) -> None:
    name, sense, bound = limit
    if name not in columns:
        near = difflib.get_close_matches(str(name), columns, 1)
        remedy = f"did you mean {near[0]}?" if near else "see `edgebench report --list-columns`"
        raise UsageError(f"there is no figure {name!r}", remedy=remedy)
    # A bool is an int, and a string from a configuration would fail in the middle of a test.
    told: object = bound
    if isinstance(told, bool) or not isinstance(told, (int, float)) or not math.isfinite(told):
        raise UsageError(f"{name}: {bound!r} is no limit", remedy=f"{sense}={{{name!r}: 33}}")
    stem, _, unit = name.rpartition("_")
    if name not in EXACT and f"{stem}_lo_{unit}" not in columns:
        raise UsageError(
            f"{name} has no interval: nothing tells whether a limit on it is surely broken",
            remedy="latency_p50_ms, latency_p99_ms, rss_peak_mib, top1_ratio ... have one",
        )


def judge(row: Cells, checked: Sequence[Constraint]) -> tuple[Judged, ...]:
    """Each limit on one cell, all judged together: Holm's p-value decides what is broken.

    What every launch has alike is no matter of chance, and does not count among them.

    Args:
        row: A row of `edgebench.report.rows`.
        checked: Of `limits`.
    """
    reason = obstacle(row)
    figures = [None if reason else figure_of(row, limit.name) for limit in checked]
    lacking = [
        reason or _lacking(row, limit.name, one)
        for limit, one in zip(checked, figures, strict=True)
    ]
    p_values = [
        None if why or one is None else _p_beyond(row, limit, one)
        for limit, one, why in zip(checked, figures, lacking, strict=True)
    ]
    together = holm(
        [None if limit.name in EXACT else p for limit, p in zip(checked, p_values, strict=True)]
    )
    judged = zip(checked, figures, lacking, p_values, together, strict=True)
    return tuple(
        Judged(limit, _verdict(limit, one, alone if p_holm is None else p_holm), one, why)
        for limit, one, why, alone, p_holm in judged
    )


def obstacle(row: Cells) -> str:
    """Why no figure of a cell counts, in one line; empty where they do."""
    if row.get("status") != "ok":
        return f"{row.get('status')}: {row.get('reason') or 'no reason known'}"
    if row.get("validity") == "invalid":
        return f"invalid: {row.get('caveats')}"
    if row.get("fallback"):
        return f"fallback: {row.get('fallback')} (ran {row.get('effective_precision')})"
    return ""


def _lacking(row: Cells, name: str, figure: Figure | None) -> str:
    """Why a figure cannot be judged; empty where it can."""
    if figure is None:
        return _unmeasured(row, name)
    if name in EXACT:
        return ""
    if figure.low is None or figure.high is None:
        return "it has no interval here"
    if name not in _OF_SAMPLES and _launches(row, name) < 2:  # noqa: PLR2004 - a spread needs two
        return "one launch does not tell the spread between launches"
    return ""


def _unmeasured(row: Cells, name: str) -> str:
    if name.startswith("top1"):
        return "no labelled images"
    if name.startswith(_OF_METERS):
        return str(row.get("power_reason") or "no meter measured power")
    stem = name.removeprefix("latency_").partition("_")[0]
    told = [part for part in str(row.get("caveats") or "").split("; ") if f"{stem} needs" in part]
    return "; ".join(told) or "this run has no such figure"


def _launches(row: Cells, name: str) -> int:
    found = row.get("power_launches" if name.startswith(_OF_METERS) else "launches")
    return found if isinstance(found, int) else 0


def _p_beyond(row: Cells, limit: Constraint, figure: Figure) -> float:
    """Against the limit being kept: below 0.05 exactly where the 95 % interval lies beyond it.

    The arm of the interval that points to the limit is the spread: an interval need not be
    symmetrical. Ratios are judged on the logarithm, as intervals over launches are made.
    """
    sign = 1 if limit.sense == "max" else -1
    end = figure.low if limit.sense == "max" else figure.high
    if end is None or limit.name in EXACT:
        return 0.0 if sign * (figure.value - limit.bound) > 0 else 1.0
    points = (figure.value, end, limit.bound)
    value, nearest, bound = map(math.log, points) if min(points) > 0 else points
    away, arm = sign * (value - bound), sign * (value - nearest)
    if arm <= 0:
        return 0.0 if away > 0 else 1.0
    if limit.name in _NORMAL:
        normal = NormalDist()
        tail = normal.cdf(-away / arm * normal.inv_cdf(0.5 + CONFIDENCE / 2))
    else:
        df = _launches(row, limit.name) - 1
        tail = student_t_cdf(-away / arm * student_t_quantile(0.5 + CONFIDENCE / 2, df), df)
    return min(1.0, 2 * tail)


def _verdict(limit: Constraint, figure: Figure | None, p_holm: float | None) -> Verdict:
    if figure is None or p_holm is None:
        return NOT_MEASURED
    if p_holm < 1 - CONFIDENCE:
        return BROKEN
    beyond = figure.value - limit.bound if limit.sense == "max" else limit.bound - figure.value
    return CANNOT_TELL if beyond > 0 else KEPT

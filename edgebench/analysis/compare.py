"""Which of two is faster, and is that known: ratios with intervals, verdicts, Holm over a table.

Everything is a ratio B / A on the logarithm, so swapping A and B mirrors the answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from edgebench.stats import CONFIDENCE, student_t_cdf, student_t_quantile

MARGIN_RATIO = 0.02
"""An interval inside 1 / 1.02 .. 1.02 means that the two are the same for every purpose."""
CANNOT_TELL = "can't tell"
NOT_COMPARABLE = "not comparable"
SAME = "same"


class Metric(NamedTuple):
    """How a column is compared."""

    less: str
    """The verdict where B's value is the smaller one."""
    more: str
    more_is_better: bool = False
    spread: Literal["launches", "linear", "pooled", "unknown"] = "launches"
    """What its interval was made of: Student's t over launches, of their logarithms or (linear) of
    the figures themselves; or all samples together; unknown where it has none."""
    launches: str = "launches"
    """The column that counts the launches behind it."""
    margin_ratio: float = MARGIN_RATIO
    """What is the same for every purpose."""


_POWER = Metric("less", "more", spread="linear", launches="power_launches")
_ONCE = Metric("faster", "slower", spread="unknown")
STAGES = (
    *("decode", "resize", "crop", "normalise", "copy_in", "invoke", "copy_out", "postprocess"),
)
"""Of an image's way; each has a column ``stage_*_ms``."""
METRICS: dict[str, Metric] = {
    "latency_p50_ms": Metric("faster", "slower"),
    "latency_p99_ms": Metric("faster", "slower", spread="pooled"),
    "throughput_ips": Metric("slower", "faster", more_is_better=True),
    "server_rate_hz": Metric("lower", "higher", more_is_better=True),
    "rss_peak_mib": Metric("smaller", "larger"),
    "top1_ratio": Metric("worse", "better", more_is_better=True, spread="pooled"),
    "map50_ratio": Metric("worse", "better", more_is_better=True, spread="unknown"),
    "miou_ratio": Metric("worse", "better", more_is_better=True, spread="unknown"),
    "energy_net_mj": _POWER,
    "energy_gross_mj": _POWER,
    "power_w": _POWER,
    # Of 30 frames a second 2 % are 36 a minute that nobody answered: not the same for anyone.
    "in_time_ratio": Metric(
        "worse", "better", more_is_better=True, spread="pooled", margin_ratio=0.001
    ),
    "burst_sustained_ratio": Metric("worse", "better", more_is_better=True),
    **{f"stage_{stage}_ms": Metric("faster", "slower") for stage in STAGES},
    "load_ms": _ONCE,
    "first_inference_ms": _ONCE,
}
DEFAULT_METRIC = "latency_p50_ms"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """B against A."""

    verdict: str
    """faster, slower, same, can't tell or not comparable; other metrics have words of their own."""
    reason: str = ""
    """Why it cannot be told or compared."""
    ratio: float | None = None
    """B / A; None where one of them is not measured."""
    low: float | None = None
    """Lower end of the ratio's 95 % interval; None where nothing tells the spread."""
    high: float | None = None
    p_value: float | None = None
    """Two-sided, against a ratio of 1."""
    pairs: int = 0
    """Independent observations behind it: pairs of launches, or launches of the smaller side."""
    log_se: float | None = None
    """Standard error of the ratio's logarithm."""
    df: float = 0.0
    """Degrees of freedom of that standard error."""

    def interval(self, confidence: float) -> tuple[float, float] | None:
        """The ratio's interval at another confidence."""
        if self.log_se is None or self.ratio is None:
            return None
        half = student_t_quantile(0.5 + confidence / 2, self.df) * self.log_se
        return self.ratio * math.exp(-half), self.ratio * math.exp(half)

    def p_beyond(self, limit_ratio: float, *, more: bool) -> float | None:
        """Twice the p-value against a ratio that keeps within a limit.

        Below 0.05 exactly where the two-sided 95 % interval lies beyond the limit.

        Args:
            limit_ratio: The largest (or smallest) B / A that keeps within it.
            more: Whether it is the largest.
        """
        if self.log_se is None or self.ratio is None:
            return None
        away = math.log(self.ratio / limit_ratio) * (1 if more else -1)
        return min(1.0, 2 * _upper_tail(away, self.log_se, self.df))


def paired(
    log_ratios: Sequence[float], metric: str = DEFAULT_METRIC, *, deciding: int | None = None
) -> Comparison:
    """B against A measured side by side: Student's t on the logarithms of the pairs' ratios.

    A pair is what shares its minute: launches of the same block, or a pair of live workers. Drift
    that both suffered cancels inside it.

    Args:
        log_ratios: ``log(B / A)`` of each pair, shape (pairs,).
        metric: A key of `METRICS`.
        deciding: So many first pairs whose spread decided how many there are; the interval is then
            made of their spread alone (Stein 1945, see `edgebench.runner.turns`).
    """
    logs = np.asarray(log_ratios, dtype=np.float64)
    n = len(logs)
    if n == 0:
        return Comparison(verdict=CANNOT_TELL, reason="no pair of launches")
    centre = float(logs.mean())
    if n == 1:
        reason = "one pair: the spread between launches is not known"
        return Comparison(verdict=CANNOT_TELL, reason=reason, ratio=math.exp(centre), pairs=1)
    basis = logs[:deciding]
    log_se = float(basis.std(ddof=1)) / math.sqrt(n)
    return _judged(centre, log_se, len(basis) - 1, n, metric)


def unpaired(a: Sequence[float], b: Sequence[float], metric: str = DEFAULT_METRIC) -> Comparison:
    """B against A measured at different times: Welch's t on the logarithms of launch figures.

    What changed between the two times (heat, neighbours) is in the ratio and not in the interval.

    Source: Welch (1947), Biometrika 34; degrees of freedom by Satterthwaite (1946).

    Args:
        a: A positive figure of each launch of A, shape (launches,).
        b: The same of B.
        metric: A key of `METRICS`.
    """
    return _welch(_of_launches(a), _of_launches(b), metric)


def _of_launches(figures: Sequence[float]) -> _Side:
    logs = np.log(np.asarray(figures, dtype=np.float64))
    n = len(logs)
    if n == 0:
        return _Side(None, None, 0, 0)
    log_se = float(logs.std(ddof=1)) / math.sqrt(n) if n > 1 else None
    return _Side(float(logs.mean()), log_se, n - 1, n)


class Summary(NamedTuple):
    """What a row tells of a figure."""

    value: float | None
    low: float | None
    high: float | None
    launches: int


def summaries(a: Summary, b: Summary, metric: str = DEFAULT_METRIC) -> Comparison:
    """B against A from their estimates and 95 % intervals alone.

    Student's interval of logarithms gives their standard error back exactly, so this is `unpaired`
    without the launches. Student's interval of the figures themselves (energies, which must add up
    and may be 0) gives back theirs, and its share of the figure is that of the logarithm to first
    order (the delta method). An interval over pooled samples (p99's bootstrap, Wilson's) is read as
    a normal one, which leaves the verdict on the careful side: the launches still give the degrees
    of freedom.
    """
    return _welch(_side(a, metric), _side(b, metric), metric)


class _Side(NamedTuple):
    log_value: float | None
    log_se: float | None
    df: float
    launches: int
    fault: str = ""
    """Why there is no standard error, or no logarithm; one of two sides is named before it."""


def _side(summary: Summary, metric: str) -> _Side:
    value, low, high, launches = summary
    df = launches - 1
    if value is None or value <= 0:
        fault = "" if value is None else f"is {value:.4g}: a ratio needs more than 0"
        return _Side(None, None, df, launches, fault)
    if low is None or high is None or df < 1:
        return _Side(math.log(value), None, df, launches)
    if low <= 0:
        return _Side(math.log(value), None, df, launches, "may be 0: its interval reaches it")
    spread = METRICS[metric].spread
    half = (high - low) / (2 * value) if spread == "linear" else math.log(high / low) / 2
    pooled = spread == "pooled"
    scale = _NORMAL if pooled else student_t_quantile(0.5 + CONFIDENCE / 2, df)
    return _Side(math.log(value), half / scale, df, launches)


_NORMAL = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


def _welch(a: _Side, b: _Side, metric: str) -> Comparison:
    launches = min(a.launches, b.launches)
    for name, side in (("A", a), ("B", b)):
        if side.log_value is None:
            fault = f"{metric} of {name} {side.fault}" if side.fault else f"not measured in {name}"
            return Comparison(verdict=CANNOT_TELL, reason=fault)
    centre = (b.log_value or 0.0) - (a.log_value or 0.0)
    for name, side in (("A", a), ("B", b)):
        if side.log_se is None:
            reason = f"{name} has no interval: it needs two launches or more"
            if METRICS[metric].spread == "unknown":
                reason = f"{metric} has no interval: nothing tells how sure it is"
            elif side.fault:
                reason = f"{metric} of {name} {side.fault}"
            return Comparison(
                verdict=CANNOT_TELL, reason=reason, ratio=math.exp(centre), pairs=launches
            )
    parts = [((side.log_se or 0.0) ** 2, side.df) for side in (a, b)]
    variance = sum(part for part, _ in parts)
    df = float(min(a.df, b.df))
    if variance > 0:
        df = variance**2 / sum(part**2 / df for part, df in parts)
    return _judged(centre, math.sqrt(variance), df, launches, metric)


def _judged(centre: float, log_se: float, df: float, pairs: int, metric: str) -> Comparison:
    half = student_t_quantile(0.5 + CONFIDENCE / 2, df) * log_se
    comparison = Comparison(
        verdict="",
        ratio=math.exp(centre),
        low=math.exp(centre - half),
        high=math.exp(centre + half),
        p_value=min(1.0, 2 * _upper_tail(abs(centre), log_se, df)),
        pairs=pairs,
        log_se=log_se,
        df=df,
    )
    return replace(comparison, verdict=verdict(comparison, comparison.p_value, metric))


def _upper_tail(away: float, log_se: float, df: float) -> float:
    """P(T > away / log_se); without any spread the sign alone decides."""
    if log_se == 0.0:
        return 0.5 if away == 0.0 else float(away < 0)
    return student_t_cdf(-away / log_se, df)


def verdict(comparison: Comparison, p_value: float | None, metric: str) -> str:
    """The word for a comparison whose p-value may have been adjusted.

    Args:
        comparison: With its 95 % interval, or without one.
        p_value: As judged: its own, or Holm's.
        metric: A key of `METRICS`.
    """
    low, high, ratio = comparison.low, comparison.high, comparison.ratio
    if low is None or high is None or ratio is None or p_value is None:
        return comparison.verdict
    margin = 1 + METRICS[metric].margin_ratio
    if high <= margin and low >= 1 / margin:
        return SAME
    if p_value < 1 - CONFIDENCE:
        return METRICS[metric].more if ratio > 1 else METRICS[metric].less
    return CANNOT_TELL


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values adjusted for being judged together; None stays None and does not count.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian
    Journal of Statistics 6(2). The chance of even one false alarm among them stays at 5 %.
    """
    known = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[index] = largest
    return adjusted


_ALIKE_SHARE = 0.9
_ALIKE_CELLS = 4
_ALIKE_BAND = (0.5, 1.5)


def common_factor(ratios: Sequence[float | None]) -> float | None:
    """The factor by which (nearly) all cells of a table moved; None where they did not.

    One change that hits every runtime and model alike is rarely the code's. At least four cells,
    nine in ten of them between half and one and a half times the middle one's change, and that
    beyond the margin of `same`.
    """
    logs = np.log([ratio for ratio in ratios if ratio is not None])
    if len(logs) < _ALIKE_CELLS:
        return None
    centre = float(np.median(logs))
    if abs(centre) <= math.log1p(MARGIN_RATIO):
        return None
    low, high = (side * centre for side in _ALIKE_BAND)
    alike = np.mean((logs >= min(low, high)) & (logs <= max(low, high)))
    return math.exp(centre) if alike >= _ALIKE_SHARE else None


def judged_together(
    comparisons: Sequence[Comparison], metric: str = DEFAULT_METRIC
) -> list[tuple[Comparison, float | None]]:
    """Each comparison of a table with Holm's p-value, and the verdict that stands by it."""
    adjusted = holm([comparison.p_value for comparison in comparisons])
    return [
        (replace(one, verdict=verdict(one, p, metric)), p)
        for one, p in zip(comparisons, adjusted, strict=True)
    ]

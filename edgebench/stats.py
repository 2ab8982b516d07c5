"""Statistics that a device needs on the spot, on numpy alone.

What only the laptop needs lives in ``edgebench.analysis`` on scipy. Every function here is held
against scipy by a test. Confidence is two-sided and 0.95 unless told.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

CONFIDENCE = 0.95
_T_BISECTIONS = 200
_NEWTON_STEPS = 12
_NEAR = 1e-13
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)


class Interval(NamedTuple):
    """An estimate and its confidence limits, all in the unit of the data."""

    value: float
    low: float
    high: float

    @property
    def half_width_ratio(self) -> float:
        """Half the interval over the estimate: the precision reached."""
        return (self.high - self.low) / (2 * self.value) if self.value else math.inf


def quantile(values: ArrayLike, q: float) -> float:
    """The nearest-rank quantile: always a value that was observed.

    Source: ``numpy.quantile(method="inverted_cdf")``, Hyndman & Fan (1996) definition 1.

    Args:
        values: At least one value, any order, shape (n,).
        q: Between 0 and 1.
    """
    series = np.asarray(values)
    # numpy's own, without the third of the time that its general case takes to find this rank.
    rank = max(0, math.ceil(len(series) * q - 1))
    return float(np.partition(series, rank)[rank])


def middle(values: ArrayLike) -> float:
    """The median: of an even number of values halfway between the two in the middle.

    As ``numpy.median``, in a tenth of its time: many short series are judged.

    Args:
        values: At least one value, any order, none of them NaN, shape (n,).
    """
    series = np.asarray(values, dtype=np.float64)
    upper = len(series) // 2
    lower = upper - 1 + len(series) % 2
    ordered = np.partition(series, (lower, upper))
    return float((ordered[lower] + ordered[upper]) / 2)


def min_samples(q: float, confidence: float = CONFIDENCE) -> int:
    """Samples below which a quantile has no finite two-sided interval, so is not reported.

    At 0.95: 6 for the median, 36 for p90, 72 for p95, 368 for p99, 3,688 for p99.9. The largest
    of n samples lies below the quantile with probability q^n, which must not exceed the tail.
    """
    tail = (1 - confidence) / 2
    return math.ceil(math.log(tail) / math.log(max(q, 1 - q)))


def binomial_cdf(n: int, p: float) -> NDArray[np.float64]:
    """P(X <= k) for k = 0 .. n of a binomial(n, p), shape (n + 1,)."""
    log_factorial = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, n + 1)))))
    k = np.arange(n + 1)
    log_pmf = (
        log_factorial[n]
        - log_factorial
        - log_factorial[::-1]
        + k * math.log(p)
        + (n - k) * math.log1p(-p)
    )
    return np.asarray(np.minimum(np.cumsum(np.exp(log_pmf)), 1.0), dtype=np.float64)


def order_statistic_ranks(n: int, q: float, confidence: float = CONFIDENCE) -> tuple[int, int]:
    """Ranks (1-based) of the order statistics that enclose the q-quantile.

    Source: Conover (1999), Practical Nonparametric Statistics, section 3.2; distribution-free for
    independent samples. Rank 0 or n + 1 means that the limit is infinite.
    """
    tail = (1 - confidence) / 2
    cdf = binomial_cdf(n, q)
    low = int(np.searchsorted(cdf, tail, side="right"))
    high = int(np.searchsorted(cdf, 1 - tail, side="left")) + 1
    return low, high


def autocorrelation_time(values: ArrayLike) -> float:
    """How many samples of a series are worth one independent one; 1 or more.

    The integrated autocorrelation time by Geyer's initial positive sequence (Geyer 1992,
    "Practical Markov Chain Monte Carlo", Statistical Science 7(4)): autocorrelations are summed in
    adjacent pairs for as long as the pairs stay positive.

    Args:
        values: The series in the order it was measured, shape (n,).
    """
    series = np.asarray(values, dtype=np.float64)
    n = len(series)
    series = series - series.mean()
    power = float(np.square(series).sum())  # no BLAS: its threads would linger in a worker
    if n < 4 or power == 0.0:  # noqa: PLR2004 - one pair of lags needs four samples
        return 1.0
    size = 1 << (2 * n - 1).bit_length()
    spectrum = np.fft.rfft(series, size)
    rho = np.fft.irfft(spectrum * np.conj(spectrum), size)[: n // 2] / power
    pairs = rho[: len(rho) // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    stop = int(negative[0]) if len(negative) else len(pairs)
    return max(1.0, 2.0 * float(pairs[:stop].sum()) - 1.0)


def quantile_interval(
    values: ArrayLike, q: float, confidence: float = CONFIDENCE, *, correlated: bool = True
) -> Interval | None:
    """A quantile of one series with its order-statistic interval.

    The number of samples is deflated by the autocorrelation time of the indicator "at or below
    the quantile", because neighbouring latencies resemble each other.

    Args:
        values: The series in the order it was measured, shape (n,).
        q: Between 0 and 1.
        confidence: Two-sided.
        correlated: False treats the samples as independent.

    Returns:
        None where the (deflated) number of samples gives no finite interval.
    """
    series = np.asarray(values, dtype=np.float64)
    n = len(series)
    if n < min_samples(q, confidence):
        return None
    estimate = quantile(series, q)
    tau = autocorrelation_time(series <= estimate) if correlated else 1.0
    effective = max(1, int(n / tau))
    low, high = order_statistic_ranks(effective, q, confidence)
    if low < 1 or high > effective:
        return None
    ordered = np.sort(series)
    first = max(0, min(n - 1, math.floor(low / effective * n) - 1))
    last = max(0, min(n - 1, math.ceil(high / effective * n) - 1))
    return Interval(estimate, float(ordered[first]), float(ordered[last]))


def student_t_cdf(t: float, df: float) -> float:
    """P(T <= t) of Student's t; 1 <= df, whole (exact) or fractional (to 1e-9).

    Source: Abramowitz & Stegun (1964), 26.7.3 (odd df) and 26.7.4 (even df): finite sums. Between
    whole numbers, the integral that both sums solve (``t = sqrt(df) tan(theta)``).
    """
    if df != int(df):
        return _student_t_cdf_by_quadrature(t, df)
    df = int(df)
    theta = math.atan2(abs(t), math.sqrt(df))
    cos2 = math.cos(theta) ** 2
    term = total = 1.0 if df % 2 == 0 else math.cos(theta)
    for j in range(2 if df % 2 == 0 else 3, df - 1, 2):
        term *= cos2 * (j - 1) / j
        total += term
    if df == 1:
        between = 2 * theta / math.pi
    elif df % 2:
        between = 2 / math.pi * (theta + math.sin(theta) * total)
    else:
        between = math.sin(theta) * total
    return 0.5 + math.copysign(between / 2, t)


def _student_t_cdf_by_quadrature(t: float, df: float) -> float:
    """As `student_t_cdf`: the integral of ``cos(theta) ** (df - 1)`` by Gauss and Legendre."""
    # The tail's own integral, so that small tails keep their digits, from the far end: its angle v
    # is w^4, which smooths sin(v) ** (df - 1) at 0; what lies 12 deviations off adds nothing.
    last = math.atan2(math.sqrt(df), abs(t))
    ends = [max(0.0, last - 12 / math.sqrt(df)) ** 0.25, last**0.25]
    half = (ends[1] - ends[0]) / 2
    w = ends[0] + half * (1 + _NODES)
    density = np.sin(w**4) ** (df - 1) * 4 * w**3
    log_beta = math.lgamma(0.5) + math.lgamma(df / 2) - math.lgamma((df + 1) / 2)
    tail: float = half * float(_WEIGHTS @ density) / math.exp(log_beta)
    return tail if t < 0 else 1 - tail


@functools.lru_cache(maxsize=1024)
def student_t_quantile(p: float, df: float) -> float:
    """The p-quantile of Student's t, by halving on its distribution; 0 < p < 1."""
    if p < 0.5:  # noqa: PLR2004 - the distribution is symmetric about its median
        return -student_t_quantile(1 - p, df)
    low, high = 0.0, 1.0
    if df != int(df):  # between its neighbours', which are cheap
        low, high = (student_t_quantile(p, whole) for whole in (math.ceil(df), math.floor(df)))
    while student_t_cdf(high, df) < p:
        low, high = high, 2 * high
    # Where Newton's steps lead is enclosed first: what is left to halve is a few last digits.
    near = _newton(p, df, low)
    for end in (near * (1 - _NEAR), near * (1 + _NEAR)):
        if low < end < high:
            low, high = (end, high) if student_t_cdf(end, df) < p else (low, end)
    for _ in range(_T_BISECTIONS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if student_t_cdf(middle, df) < p else (low, middle)
    return (low + high) / 2


def _newton(p: float, df: float, start: float) -> float:
    """Near the p-quantile of Student's t (p > 0.5), from below: no step leads beyond it."""
    log_scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    found = start
    for _ in range(_NEWTON_STEPS):
        density = math.exp(log_scale - (df + 1) / 2 * math.log1p(found * found / df))
        step = (student_t_cdf(found, df) - p) / density
        found = max(0.0, found - step)
        if abs(step) <= _NEAR * found:
            break
    return found


def log_t_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """The geometric mean of a few positive values with Student's t interval of their logarithms.

    For medians of launches: launches are independent, samples inside one are not.

    Returns:
        None for fewer than two values.
    """
    k = len(values)
    if k < 2:  # noqa: PLR2004 - a spread needs two
        return None
    logs = np.log(np.asarray(values, dtype=np.float64))
    centre = float(logs.mean())
    spread = float(logs.std(ddof=1)) / math.sqrt(k)
    half = student_t_quantile(0.5 + confidence / 2, k - 1) * spread
    return Interval(math.exp(centre), math.exp(centre - half), math.exp(centre + half))


def wilson_interval(hits: int, n: int, confidence: float = CONFIDENCE) -> Interval:
    """A proportion with Wilson's score interval.

    Source: Wilson (1927), "Probable inference", JASA 22(158).

    Args:
        hits: Successes, 0 .. n.
        n: Trials, at least 1.
        confidence: Two-sided.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = hits / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def early_stopping(values: ArrayLike, q: float, confidence: float = 0.99) -> float | None:
    """MLPerf's upper bound of a quantile: what LoadGen calls its early-stopping estimate.

    The t-th largest value, where t is the largest number for which t or fewer of n samples above
    the quantile have a probability below ``1 - confidence``. It is no estimate of the quantile
    itself, and lies above the observed one.

    Source: MLCommons inference policies, ``inference_rules.adoc``, "Early stopping" (confidence
    0.99, tolerance 0); LoadGen's ``early_stopping.cc`` and ``results.cc``.

    Args:
        values: Independent samples in any order, shape (n,).
        q: Between 0 and 1.
        confidence: One-sided.

    Returns:
        None below `early_stopping_min_samples`.
    """
    ordered = np.sort(np.asarray(values))
    n = len(ordered)
    if n < early_stopping_min_samples(q, confidence):
        return None
    rank = int(np.searchsorted(binomial_cdf(n, 1 - q), 1 - confidence, side="left")) - 1
    return float(ordered[n - rank])


def early_stopping_min_samples(q: float, confidence: float = 0.99) -> int:
    """Samples that `early_stopping` needs: 64 for p90, 130 for p95, 662 for p99, 6,636 for p99.9.

    So many that one or none above the quantile would be a rare event.
    """
    low, high = 1, 2
    while not _one_is_rare(high, q, confidence):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _one_is_rare(middle, q, confidence) else (middle, high)
    return high


def _one_is_rare(n: int, q: float, confidence: float) -> bool:
    return q**n + n * (1 - q) * q ** (n - 1) < 1 - confidence

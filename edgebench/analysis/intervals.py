"""Figures of a case from the launches of it, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgebench.stats import (
    CONFIDENCE,
    Interval,
    autocorrelation_time,
    log_t_interval,
    min_samples,
    quantile,
    quantile_interval,
)

_RESAMPLES = 1000
_MIN_BLOCK = 5
_MAX_BLOCKS = 400
_MIN_LAUNCHES = 3
"""Resampling fewer launches than this says nothing about the spread between them."""


def median(launches: Sequence[NDArray[np.float64]]) -> Interval | float | None:
    """The typical latency of a case: the geometric mean of its launches' medians.

    Launches are independent and samples inside one are not, so the interval is Student's t on the
    logarithms of the launch medians. A single launch has only its own order-statistic interval,
    which knows nothing of the spread between launches.

    Args:
        launches: One array of ns per launch, shape (n,), in the order measured.

    Returns:
        An interval in ns; a bare estimate where no interval can be had; None without samples.
    """
    medians = [quantile(values, 0.5) for values in launches if len(values)]
    if not medians:
        return None
    if len(medians) == 1:
        return quantile_interval(launches[0], 0.5) or medians[0]
    return log_t_interval(medians)


def tail(
    launches: Sequence[NDArray[np.float64]],
    q: float,
    *,
    confidence: float = CONFIDENCE,
    resamples: int = _RESAMPLES,
    seed: int = 1,
) -> Interval | float | None:
    """A high quantile of all samples of a case, by a two-level block bootstrap over launches.

    Launches are drawn with replacement, then blocks of neighbouring samples inside each, so both
    the spread between launches and the correlation inside them widen the interval (the percentile
    bootstrap of plain samples is far too narrow for both reasons).

    Args:
        launches: One array of ns per launch, shape (n,), in the order measured.
        q: 0.9 or higher.
        confidence: Two-sided.
        resamples: Bootstrap replicates.
        seed: Of the replicates, so that a report is the same each time.

    Returns:
        An interval in ns; a bare estimate with fewer than 3 launches; None with fewer samples
        than a finite interval needs (`min_samples`).
    """
    filled = [values for values in launches if len(values)]
    pooled = np.concatenate(filled) if filled else np.empty(0)
    if len(pooled) < min_samples(q, confidence):
        return None
    estimate = quantile(pooled, q)
    if len(filled) < _MIN_LAUNCHES:
        return estimate
    replicates = _replicates(
        filled, quantile(pooled, max(0.0, 1 - 4 * (1 - q))), q, resamples, seed
    )
    low, high = np.quantile(replicates, [(1 - confidence) / 2, (1 + confidence) / 2])
    # The estimate belongs inside its own interval; with few launches the replicates may not span
    # it when one launch alone holds the tail.
    return Interval(estimate, min(float(low), estimate), max(float(high), estimate))


def _block_length(values: NDArray[np.float64], q: float) -> int:
    """Four autocorrelation times, at least 5 samples, and no more than 400 blocks a launch."""
    tau = autocorrelation_time(values <= quantile(values, q))
    longest = max(1, len(values) // 4)
    return int(min(max(_MIN_BLOCK, round(4 * tau), len(values) // _MAX_BLOCKS), longest))


def _replicates(
    launches: Sequence[NDArray[np.float64]], floor: float, q: float, resamples: int, seed: int
) -> NDArray[np.float64]:
    """The q-quantile of each bootstrap replicate, shape (resamples,).

    Only the largest samples decide a high quantile, so only those at or above ``floor`` are
    carried: each with the number of times its block was drawn.
    """
    rng = np.random.default_rng(seed)
    k = len(launches)
    drawn = rng.multinomial(k, [1 / k] * k, size=resamples)
    weights: list[NDArray[np.int64]] = []
    for index, samples in enumerate(launches):
        block_of = np.flatnonzero(samples >= floor) // _block_length(samples, q)
        blocks = -(-len(samples) // _block_length(samples, q))
        tail_blocks, column = np.unique(block_of, return_inverse=True)
        share = np.full(len(tail_blocks) + 1, 1 / blocks)
        share[-1] = max(0.0, 1 - len(tail_blocks) / blocks)  # all blocks without a tail sample
        # A launch drawn twice has its blocks drawn twice as often.
        counts = rng.multinomial(drawn[:, index] * blocks, share / share.sum())
        weights.append(counts[:, column])
    values = np.concatenate([samples[samples >= floor] for samples in launches])
    down = np.argsort(-values, kind="stable")
    above = np.cumsum(np.concatenate(weights, axis=1)[:, down], axis=1)
    totals = drawn @ np.array([len(samples) for samples in launches])
    reached = above > (1 - q) * totals[:, np.newaxis]
    position = np.where(reached.any(axis=1), reached.argmax(axis=1), len(values) - 1)
    return np.asarray(values[down][position], dtype=np.float64)

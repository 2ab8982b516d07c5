"""Figures of a case from the launches of it, with their intervals."""

from __future__ import annotations

import math
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
_CARRIED, _LUCK = 1.5, 10.0
"""Samples carried into the bootstrap at first, as a multiple of those above the quantile; more
where these are few, for the luck of drawing them."""
_CELLS = 2_000_000
"""Replicates times samples that are held at once: 16 MB."""
_ROUNDING = 1e-9
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
    filled = [values for values in launches if len(values)]
    medians = [quantile(values, 0.5) for values in filled]
    if not medians:
        return None
    if len(medians) == 1:
        return quantile_interval(filled[0], 0.5) or medians[0]
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
    replicates = _replicates(filled, q, resamples, np.random.default_rng(seed))
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
    launches: Sequence[NDArray[np.float64]], q: float, resamples: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The q-quantile of each bootstrap replicate, shape (resamples,).

    Only samples high enough to decide a replicate are carried. How high that is depends on how
    unlike the launches are (one drawn many times, or never, may hold the whole tail), so it is
    tried: where any replicate reaches below what was carried, all are drawn anew with twice as
    much.
    """
    pooled = np.concatenate(launches)
    lengths = [_block_length(samples, q) for samples in launches]
    above = (1 - q) * len(pooled)
    share = (_CARRIED + _LUCK / math.sqrt(above)) * (1 - q)
    while True:
        floor = quantile(pooled, 1 - share) if share < 1 else float(pooled.min())
        found = _carried_replicates(
            launches, lengths, floor=floor, q=q, resamples=resamples, rng=rng
        )
        if found is not None:
            return found
        share *= 2


def _carried_replicates(
    launches: Sequence[NDArray[np.float64]],
    lengths: Sequence[int],
    *,
    floor: float,
    q: float,
    resamples: int,
    rng: np.random.Generator,
) -> NDArray[np.float64] | None:
    """As `_replicates`, from the samples at or above ``floor``; None where they do not suffice.

    Each sample is carried with the number of times its block was drawn; the quantile is where the
    weight of all samples above it reaches the tail. Replicates are made in portions, so that
    memory stays bounded on a small device.
    """
    kept = [np.flatnonzero(samples >= floor) for samples in launches]
    values = np.concatenate([s[index] for s, index in zip(launches, kept, strict=True)])
    down = np.argsort(-values, kind="stable")
    sizes = np.array([len(samples) for samples in launches])
    blocks = [-(-len(s) // length) for s, length in zip(launches, lengths, strict=True)]
    used, block_of = _used_blocks(kept, lengths)
    carried = np.bincount(block_of, minlength=sum(used))
    ordered = values[down]
    portion = max(1, _CELLS // max(1, len(values)))
    found = []
    for first in range(0, resamples, portion):
        count = min(portion, resamples - first)
        drawn = rng.multinomial(len(launches), [1 / len(launches)] * len(launches), size=count)
        per_launch = zip(used, blocks, drawn.T, strict=True)
        draws = np.concatenate([_block_draws(*one, rng) for one in per_launch])
        totals = drawn @ sizes
        # inverted_cdf: n - ceil(q n) samples lie above the quantile.
        allowed = totals - np.ceil(q * totals - _ROUNDING)
        if len(values) < sizes.sum() and not (carried @ draws > allowed).all():
            return None
        above = np.cumsum(draws[block_of[down]], axis=0, dtype=np.int32)
        position = np.count_nonzero(above <= allowed, axis=0)
        found.append(ordered[np.minimum(position, len(values) - 1)])
    return np.concatenate(found).astype(np.float64)


def _used_blocks(
    kept: Sequence[NDArray[np.intp]], lengths: Sequence[int]
) -> tuple[list[int], NDArray[np.intp]]:
    """How many blocks of each launch carry a sample, and the place of each sample's among all."""
    used: list[int] = []
    places = []
    for index, length in zip(kept, lengths, strict=True):
        begins = np.diff(index // length, prepend=-1) > 0
        places.append(np.cumsum(begins) - 1 + sum(used))
        used.append(int(np.count_nonzero(begins)))
    return used, np.concatenate(places)


def _block_draws(
    used: int, blocks: int, drawn: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int32]:
    """How often each block that carries something was drawn, shape (used, replicates).

    A launch drawn twice has its blocks drawn twice as often. First how many draws fall on blocks
    that carry something, then on which: the same distribution as drawing each, and much faster.

    Args:
        used: Blocks of the launch that carry something.
        blocks: All its blocks.
        drawn: How often each replicate drew the launch, shape (replicates,).
        rng: Advanced.
    """
    replicates = len(drawn)
    if not used:
        return np.zeros((0, replicates), dtype=np.int32)
    hits = rng.binomial(drawn * blocks, min(1.0, used / blocks))
    which = rng.integers(used, size=int(hits.sum()))
    place = which * replicates + np.repeat(np.arange(replicates), hits)
    counts = np.bincount(place, minlength=used * replicates).reshape(used, replicates)
    return counts.astype(np.int32)

"""Where a series of latencies becomes steady, by change points; a finding, never a reason to trim.

The recipe (medians of a few, scaled by the spread of their first differences, PELT with an l2 cost
and a penalty of 3 ln m, parts within 1 % alike) was chosen on simulated series: it leaves flat ones
alone, where MSER-5 cuts into them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgebench import stats

Kind = Literal["flat", "warm-up", "no steady state", "slowdown"]
KINDS: tuple[Kind, ...] = ("flat", "warm-up", "no steady state", "slowdown")
"""From the harmless to what a reader must know."""
ALIKE_RATIO = 0.01
"""Levels closer than this are the same level."""
_BIN, _MAX_BINS = 5, 600
_MIN_BINS = 12
_MIN_SIZE = 3
_CLIP = 10.0
_QUIET_RATIO = 0.002
"""Noise below this is taken as this: a clock's steps are no change of level."""
_MAD_TO_SD = 1.4826
_MAX_RHO = 0.8
_BRIEF_SHARE = 0.05
"""A part that is faster than the end for less than this of the series is a fluke."""
_STEADY_SHARE = 0.9
"""What must lie at the final level, from its first time on, to be called steady."""
_MIN_STEADY_SHARE = 0.2


class Steady(NamedTuple):
    """What became of a series."""

    kind: Kind
    start: int
    """Iteration at which the final level begins; 0 for a flat series."""
    ratio: float
    """Final level over the first one (warm-up), or over the fastest before it (slowdown)."""


class _Part(NamedTuple):
    first: int
    last: int
    level: float

    @property
    def length(self) -> int:
        return self.last - self.first


def steady(series: NDArray[np.float64]) -> Steady | None:
    """Classify one launch's series, warm-up included.

    Args:
        series: Latencies in the order measured, shape (n,).

    Returns:
        None where ruptures is not installed (a device) or the series is too short to judge.
    """
    width = max(_BIN, -(-len(series) // _MAX_BINS))
    bins = len(series) // width
    if bins < _MIN_BINS:
        return None
    medians = np.median(series[: bins * width].reshape(bins, width), axis=1)
    breaks = _change_points(medians)
    if breaks is None:
        return None
    edges = [0, *(_refined(series, edge * width, width) for edge in breaks), len(series)]
    bin_edges = [0, *breaks, bins]
    parts = [
        _Part(edges[i], edges[i + 1], stats.middle(medians[bin_edges[i] : bin_edges[i + 1]]))
        for i in range(len(edges) - 1)
    ]
    return _classified(parts)


def middle(found: Sequence[Steady]) -> Steady | None:
    """What speaks for a case: the launch in the middle, ordered by how much it matters."""
    ordered = sorted(found, key=lambda one: (KINDS.index(one.kind), one.start))
    return ordered[len(ordered) // 2] if ordered else None


def _change_points(medians: NDArray[np.float64]) -> list[int] | None:
    """Bins at which the level changes."""
    try:
        # The C implementation of PELT; its linear kernel is the l2 cost.
        from ruptures import KernelCPD  # noqa: PLC0415 - heavy, and no device has it
    except ImportError:
        return None
    centre = stats.middle(medians)
    scale = max(_noise(medians), _QUIET_RATIO * centre) or 1.0
    scaled = np.clip((medians - centre) / scale, -_CLIP, _CLIP)
    finder = KernelCPD(kernel="linear", min_size=_MIN_SIZE).fit(scaled.reshape(-1, 1))
    return [int(edge) for edge in finder.predict(pen=3 * np.log(len(medians)))[:-1]]


def _noise(medians: NDArray[np.float64]) -> float:
    """The standard deviation that white noise would need to wander as far as these bins do.

    First differences do not see a change of level, but they see less than half of the noise where
    neighbours resemble each other. How much less, second ones tell: of an AR(1) process they are
    ``1 + rho`` times as large (in variance).
    """
    near, far = (_spread(medians[lag:] - medians[:-lag]) for lag in (1, 2))
    rho = min(max((far / near) ** 2 - 1, 0.0), _MAX_RHO) if near else 0.0
    return float(near / np.sqrt(2) * np.sqrt(1 + rho) / (1 - rho))


def _spread(steps: NDArray[np.float64]) -> float:
    """The root mean square of steps, the few large ones cut to 3 deviations."""
    most = 3 * _MAD_TO_SD * stats.middle(np.abs(steps))
    return float(np.sqrt(np.mean(np.clip(steps, -most, most) ** 2)))


def _refined(series: NDArray[np.float64], edge: int, width: int) -> int:
    """The sample within two bins of ``edge`` that best parts the two levels around it."""
    low, high = edge - 2 * width, edge + 2 * width
    window = series[max(0, low) : high]
    before, after = stats.middle(window[: 2 * width]), stats.middle(window[-2 * width :])
    # Clipped to the two levels: a single stall must not draw the edge to itself.
    clipped = np.clip(window, min(before, after), max(before, after))
    cost = [
        clipped[:cut].var() * cut + clipped[cut:].var() * (len(clipped) - cut)
        for cut in range(1, len(clipped))
    ]
    return max(0, low) + 1 + int(np.argmin(cost))


def _classified(parts: Sequence[_Part]) -> Steady:
    final = parts[-1].level
    total = parts[-1].last
    alike = [abs(part.level / final - 1) <= ALIKE_RATIO for part in parts]
    faster = [p for p, same in zip(parts, alike, strict=True) if not same and p.level < final]
    if sum(part.length for part in faster) > _BRIEF_SHARE * total:
        # The final level's last beginning: after the last part that was faster.
        return Steady("slowdown", faster[-1].last, final / min(part.level for part in faster))
    first = alike.index(True)
    start = parts[first].first
    at_level = sum(p.length for p, same in zip(parts, alike, strict=True) if same)
    whole = total - start
    if at_level < _STEADY_SHARE * whole or whole < _MIN_STEADY_SHARE * total:
        return Steady("no steady state", parts[-1].first, final / parts[0].level)
    if first == 0:
        return Steady("flat", 0, 1.0)
    return Steady("warm-up", start, final / parts[0].level)

"""The schedule: blocks that each hold one launch of every case, in random order.

Drift of the machine then spreads over all cases instead of punishing those that come last.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from edgebench import stats
from edgebench.runner.config import Preset


def order(case_ids: Sequence[str], seed: int, launch: int) -> tuple[str, ...]:
    """One block: every case once, in an order fixed by the run's seed and the block's number."""
    shuffled = sorted(case_ids)
    random.Random(f"{seed}/{launch}").shuffle(shuffled)  # noqa: S311 - a schedule, no secret
    return tuple(shuffled)


def needs_more(medians_ns: Sequence[float], launches: int, preset: Preset) -> bool:
    """Whether a case is to be launched again.

    Args:
        medians_ns: Medians of its ok launches.
        launches: All its launches so far.
        preset: Holds minimum, maximum and target. The target is a Student-t half-width of the
            median across launches: a precision, not a dispersion, so it falls with every launch.
    """
    if launches < preset.min_launches:
        return True
    if launches >= preset.max_launches or preset.target_ratio is None:
        return False
    interval = stats.log_t_interval(medians_ns)
    return interval is None or interval.half_width_ratio > preset.target_ratio

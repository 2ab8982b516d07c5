"""Ranks of what may be chosen: the best leads, and what ties with it shares its rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgebench.analysis.figure import Figure
from edgebench.analysis.standings import Objective, Standing
from edgebench.analysis.ties import Figures, margin_ratio

_FASTEST = "latency_p50_ms"


def ranked(standings: Sequence[Standing], objective: Objective) -> list[Standing]:
    """Standings in order, with ranks and ties.

    Of those left the best value leads and whoever ties with it shares its rank; then the best of
    the rest leads. Ties are not handed on: what ties with the second only is in the next rank.
    Ranks count ranks, not candidates, so that another one beside the first moves nobody down.

    Args:
        standings: Each has its objective.
        objective: As asked.
    """
    known = [(one, one.figure) for one in standings if one.figure is not None]
    known.sort(key=lambda pair: (objective.sign * pair[1].value, *_then(pair[0], pair[1])))
    if not known:
        return []
    figures = Figures([figure for _, figure in known], margin_ratio(objective.name))
    ties = [figures.tied(place).astype(np.int32) for place in range(len(known))]
    ranks = _ranks(ties)
    order = np.lexsort((np.arange(len(known)), ranks))
    place_of = np.argsort(order)
    names = np.array([known[place][0].candidate.name for place in order], dtype=object)
    found = []
    for now, place in enumerate(order):
        others = np.sort(place_of[ties[place]])
        named = tuple(names[others[others != now]].tolist())
        found.append(replace(known[place][0], rank=int(ranks[place]), ties=named))
    return found


def _then(standing: Standing, figure: Figure) -> tuple[float, str]:
    """Of the same price the fastest first (a board's cells cost the same), then by name."""
    latency = standing.candidate.figure(_FASTEST) if figure.exact else None
    return math.inf if latency is None else latency.value, standing.candidate.name


def _ranks(ties: Sequence[NDArray[np.int32]]) -> NDArray[np.int64]:
    """A rank for each place, from the places that each is tied with."""
    found = np.zeros(len(ties), dtype=np.int64)
    rank = 0
    for place, mine in enumerate(ties):
        if not found[place]:
            rank += 1
            found[place] = rank
            found[mine[found[mine] == 0]] = rank
    return found

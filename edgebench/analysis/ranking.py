"""Ranks of what may be chosen: the best leads, and what ties with it shares its rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgebench.analysis import pairing
from edgebench.analysis.candidates import Candidate
from edgebench.analysis.standings import Objective, Standing
from edgebench.analysis.ties import Figures, margin_ratio

_SECOND = (("latency_p50_ms", 1), ("throughput_ips", -1), ("server_rate_hz", -1))
"""Of equal values the first of these leads that the scenario lets hold against others."""


def ranked(standings: Sequence[Standing], objective: Objective) -> list[Standing]:
    """Standings in order, with ranks and ties.

    Of those left the best value leads and whoever ties with it shares its rank; then the best of
    the rest leads. Ties are not handed on: what ties with the second only is in the next rank.
    Ranks count ranks, not candidates, so that another one beside the first moves nobody down. Equal
    values (prices are) stand in the order of what else their scenario is about: median latency,
    throughput or the rate that was held; that decides no rank.

    Args:
        standings: Each has its objective.
        objective: As asked.
    """
    known = [(one, one.figure) for one in standings if one.figure is not None]
    known.sort(key=lambda pair: _order(pair[0].candidate, objective.sign * pair[1].value))
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


def _order(candidate: Candidate, value: float) -> tuple[float, float, str]:
    found = second(candidate)
    return value, math.inf if found is None else found, candidate.name


def second(candidate: Candidate) -> float | None:
    """What goes before between equal values, the least first; None where it was not measured."""
    for name, sign in _SECOND:
        if not pairing.obstacle_of(name, candidate.row, {}):
            figure = candidate.figure(name)
            return None if figure is None else sign * figure.value
    return None


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

"""Ranks of what may be chosen: the best leads, and what ties with it shares its rank."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgebench.analysis.standings import Objective, Standing
from edgebench.analysis.ties import Figures


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
    known.sort(key=lambda pair: (objective.sign * pair[1].value, pair[0].candidate.name))
    if not known:
        return []
    figures = Figures([figure for _, figure in known])
    ties = [np.flatnonzero(figures.tied(place)).astype(np.int32) for place in range(len(known))]
    ranks = _ranks(ties)
    order = sorted(range(len(known)), key=lambda place: (ranks[place], place))
    names = [one.candidate.name for one, _ in known]
    found = []
    for place in order:
        others = sorted((int(i) for i in ties[place] if i != place), key=lambda i: (ranks[i], i))
        named = tuple(names[i] for i in others)
        found.append(replace(known[place][0], rank=ranks[place], ties=named))
    return found


def _ranks(ties: Sequence[np.typing.NDArray[np.int32]]) -> list[int]:
    """A rank for each place, from the places that each is tied with."""
    found = np.zeros(len(ties), dtype=np.int64)
    rank = 0
    for place, mine in enumerate(ties):
        if not found[place]:
            rank += 1
            found[place] = rank
            found[mine[found[mine] == 0]] = rank
    return [int(one) for one in found]

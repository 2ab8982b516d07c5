"""One device, or one cell, for several questions at once: who may serve them all, at what loss."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from edgebench.analysis.candidates import Candidate
from edgebench.analysis.recommend import Answer, Standing

Key = Callable[[Candidate], Hashable]
_BOARD = ("device", "device_setup")
_CELL = (*_BOARD, "backend", "precision", "accelerator", "threads", "options")


class Serving(NamedTuple):
    """What keeps the limits of every question."""

    device: str
    chosen: tuple[Standing, ...]
    """Its best standing in each answer, in their order."""
    loss_ratio: float | None
    """Its worst objective against the best candidate's, at least 1; None where figures may be 0."""


def device(candidate: Candidate) -> Hashable:
    """One board, set up alike, whatever runs on it: its best cell is taken for each question."""
    return tuple(candidate.row.get(name) for name in _BOARD)


def cell(candidate: Candidate) -> Hashable:
    """One board, runtime and precision, set alike for every question."""
    return tuple(candidate.row.get(name) for name in _CELL)


def of_answers(answers: Sequence[Answer], key: Key) -> list[Serving]:
    """Who ranks in every answer, the smallest loss first.

    Args:
        answers: With the same objective.
        key: `device` or `cell`: what is to be the same in all of them.
    """
    best: list[dict[Hashable, Standing]] = []
    for answer in answers:
        first: dict[Hashable, Standing] = {}
        for one in answer.ranked:
            first.setdefault(key(one.candidate), one)
        best.append(first)
    if not best:
        return []
    shared = [name for name in best[0] if all(name in other for other in best)]
    found = [_serving(answers, tuple(first[name] for first in best)) for name in shared]
    return sorted(found, key=_order)


def _serving(answers: Sequence[Answer], chosen: tuple[Standing, ...]) -> Serving:
    ratios = [_ratio(answer, one) for answer, one in zip(answers, chosen, strict=True)]
    known = [ratio for ratio in ratios if ratio is not None]
    loss = max(known) if len(known) == len(ratios) else None
    return Serving(str(chosen[0].candidate.row.get("device")), chosen, loss)


def _ratio(answer: Answer, one: Standing) -> float | None:
    mine, best = one.figure, answer.ranked[0].figure
    if mine is None or best is None or mine.value <= 0 or best.value <= 0:
        return None
    return best.value / mine.value if answer.objective.more_is_better else mine.value / best.value


def _order(one: Serving) -> tuple[float, int, str]:
    ranks = [standing.rank or 0 for standing in one.chosen]
    return one.loss_ratio or 1.0, max(ranks), one.chosen[0].candidate.name

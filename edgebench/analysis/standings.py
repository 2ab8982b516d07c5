"""What an answer is made of: where each candidate stands, and what would change that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from edgebench.analysis.candidates import Candidate
from edgebench.analysis.constraints import Break, Constraint
from edgebench.analysis.figure import Figure


class Objective(NamedTuple):
    """What is made as small, or as large, as it goes."""

    name: str
    more_is_better: bool = False

    @property
    def sign(self) -> int:
        """Times a value: less is better."""
        return -1 if self.more_is_better else 1


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a candidate stands."""

    candidate: Candidate
    rank: int | None = None
    """1 is the best, 2 the next; those that cannot be told apart from the best of theirs share
    one; None: it does not rank."""
    figure: Figure | None = None
    """Its objective."""
    ties: tuple[str, ...] = ()
    """Candidates that it cannot be told apart from, by name, the best first."""
    refusals: tuple[str, ...] = ()
    """Why it does not rank whatever its figures: invalid, fallback, not measured, another tier."""
    breaks: tuple[Break, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader should know of one that ranks: suspect, a limit within its interval ..."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What would have to be otherwise for a candidate to rank before the winner."""

    candidate: str
    """By name."""
    kind: Literal["objective", "limits", "mend"]
    """objective: the runner-up's figure would have to be better; limits: those that it breaks would
    have to give way (`breaks`); mend: what refuses it would have to be mended (`refusals`)."""
    figure: Figure
    """Its objective as it is."""
    to_tie: float | None = None
    """Objective at which it could not be told apart from the winner."""
    to_win: float | None = None
    """Objective beyond which it would rank first, alone; None: there is no such figure."""
    breaks: tuple[Break, ...] = ()
    refusals: tuple[str, ...] = ()
    words: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The choice for one question, the best first, those that fell out last."""

    question: str
    """Its workload, and what is not usual."""
    objective: Objective
    constraints: tuple[Constraint, ...]
    standings: tuple[Standing, ...]
    changes: tuple[str, ...] = ()
    """What would have to change for another one to win, a line each, the least change first; the
    few that a reader wants."""
    alternatives: tuple[Change, ...] = ()
    """The same, all of them, as figures."""

    @property
    def ranked(self) -> tuple[Standing, ...]:
        """Those that may be chosen, the best first."""
        return tuple(one for one in self.standings if one.rank is not None)

    @property
    def rejected(self) -> tuple[Standing, ...]:
        """Those that fell out."""
        return tuple(one for one in self.standings if one.rank is None)

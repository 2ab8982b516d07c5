"""`edgebench.recommend`: a decision made on a frame, as frames, text and a notebook's table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebench.analysis.constraints import Constraint, Sense
from edgebench.analysis.cost import Need
from edgebench.analysis.recommend import Answer
from edgebench.errors import UsageError
from edgebench.report import (
    choice_data,
    choice_html,
    choice_markdown,
    choice_table,
    choosing,
)
from edgebench.report.choosing import Decided
from edgebench.report.columns import BY_NAME
from edgebench.report.frame import DTYPES, records, typed
from edgebench.report.rows import Row
from edgebench.store import merge

if TYPE_CHECKING:
    import pandas as pd

_TEXT = ("question", "verdict", "candidate", "ties", "reasons", "notes", "constraint", "reason")
_KINDS = {"rank": "Int64", "units": "Int64", "sure": "boolean"} | dict.fromkeys(_TEXT, "string")
_REJECTED = (
    *("question", "candidate", "device", "backend", "precision"),
    *("constraint", "figure", "bound", "excess", "sure", "reason"),
)


@dataclass(frozen=True, repr=False)
class Recommendation:
    """What to take, as answers and as frames; in a notebook it shows itself."""

    decided: tuple[Decided, ...]
    """One a question: a workload, and what is not usual about how it was measured."""

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The answer to each question, with every candidate, its figures and its reasons."""
        return tuple(one.answer for one in self.decided)

    @property
    def best(self) -> pd.DataFrame:
        """The candidate to take, one row a question in which any keeps the limits.

        Columns as of `ranked`.
        """
        return self._standings({"take"})

    @property
    def ranked(self) -> pd.DataFrame:
        """All that may be chosen, one row each, the best of each question first.

        ``rank`` 1 is the best, and those that cannot be told apart share one. Each figure that was
        used has the ends of its 95 % interval beside it; the unit is the last word of its name.
        """
        return self._standings({"take", "ranked"})

    @property
    def rejected(self) -> pd.DataFrame:
        """Why each other fell out, one row a candidate and reason.

        ``figure``, ``bound`` and ``excess`` (above 0: how far beyond) are in the unit of the
        constraint; they are missing where the reason is no limit, or nothing was measured.
        ``sure``: the whole 95 % interval lies beyond the bound.
        """
        found = [
            row
            for answer in self.answers
            for one in answer.rejected
            for row in choice_data.rejected_rows(answer, one)
        ]
        return _frame(found, _REJECTED)

    def _standings(self, verdicts: set[str]) -> pd.DataFrame:
        rows, columns = choice_data.csv_rows(self.decided)
        found = [row for row in rows if row["verdict"] in verdicts]
        return _frame(found, [name for name in columns if name not in {"verdict", "reasons"}])

    def to_dict(self) -> dict[str, object]:
        """Everything, as ``edgebench recommend --json`` prints it."""
        return choice_data.to_json(self.decided)

    def to_markdown(self) -> str:
        """As text for a pull request."""
        return choice_markdown.text(self.decided)

    def __str__(self) -> str:
        return choice_table.text(self.decided)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return choice_html.text(self.decided)


def recommend(
    frame: pd.DataFrame,
    *,
    max: Mapping[str, float] | None = None,  # noqa: A002 - as the option is called
    min: Mapping[str, float] | None = None,  # noqa: A002 - as above
    minimise: str | None = None,
    maximise: str | None = None,
    workload: str | Sequence[str] | None = None,
    prices_usd: Mapping[str, float] | None = None,
    allow_tier: str | Sequence[str] = (),
    require_valid: bool = False,
    sure: bool = False,
    each_unit: bool = False,
    all_runs: bool = False,
    need: Need | None = None,
) -> Recommendation:
    """Which device, runtime and precision to take, and why the others fell out.

    Args:
        frame: Of `edgebench.load`, or any of its rows.
        max: Limits by figure, in the unit that ends its name: ``{"latency_p99_ms": 33}``. Figures
            are columns of the frame and what is published of a device (``price_usd``).
        min: The same for what must not be less.
        minimise: What ranks; where nothing is said its cost (with a need) or the median latency.
        maximise: The same for what is to be large.
        workload: Only this one, or these; else each that the frame has.
        prices_usd: By device; they go before published ones.
        allow_tier: Tiers of power that count; several are ranked together, labelled.
        require_valid: Suspect and imported cells fall out, too.
        sure: Limits must be kept by the whole 95 % interval.
        each_unit: Units of one kind of device are ranked each by itself, not as their mean.
        all_runs: Every run is a candidate, not only the latest of each unit, setup and case.
        need: So many cameras; limits and objectives may then name their costs.

    Raises:
        UsageError: As `edgebench.report.choosing.decide`; or the frame lacks a column.
    """
    asked = choosing.Asked(
        limits=(*_limits(max, "max"), *_limits(min, "min")),
        objective=choosing.objective(minimise, maximise),
        workloads=_words(workload),
        prices_usd=prices_usd or {},
        allow_tiers=_words(allow_tier),
        require_valid=require_valid,
        sure=sure,
        each_unit=each_unit,
        need=need,
    )
    rows = records(frame) if all_runs else merge.latest(records(frame), each_setup=True)
    return Recommendation(choosing.decide(rows, asked))


def _limits(stated: Mapping[str, float] | None, sense: Sense) -> list[Constraint]:
    example = f"write {sense}={{'latency_p99_ms': 33}}"
    if not isinstance(stated or {}, Mapping):
        raise UsageError(f"{stated!r} are no limits", remedy=example)
    for name, bound in (stated or {}).items():
        try:
            known = math.isfinite(bound)
        except TypeError:
            known = False
        if not known:
            raise UsageError(f"{bound!r} is no limit of {name}", remedy=example)
    return [Constraint(name, sense, float(bound)) for name, bound in (stated or {}).items()]


def _words(stated: str | Sequence[str] | None) -> tuple[str, ...]:
    return (stated,) if isinstance(stated, str) else tuple(stated or ())


def _frame(rows: Sequence[Row], columns: Sequence[str]) -> pd.DataFrame:
    """Rows as a frame: text as ``string``, figures as float64, what is missing as missing."""
    return typed(rows, {name: _kind(name) for name in columns})


def _kind(name: str) -> str:
    if name in _KINDS:
        return _KINDS[name]
    column = BY_NAME.get(name)
    return "float64" if column is None or column.kind == "float" else DTYPES[column.kind]

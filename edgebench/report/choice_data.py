"""A recommendation for other programs: JSON with everything in it, and CSV rows."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.analysis import cost, leads, serving
from edgebench.analysis.candidates import Figure
from edgebench.analysis.constraints import Break, Constraint
from edgebench.analysis.recommend import Answer, Change, Standing
from edgebench.analysis.serving import Serving
from edgebench.report import choice, choice_best, cost_table, front
from edgebench.report.choosing import Decided
from edgebench.report.rows import Row

SCHEMA = 1
"""Of the JSON; keys are added without a new number, and never change their meaning."""
_TELLS = (*front.TELLS, "validity", "power_tier")
_UNITS = ("device_id", "run_id", "case_id", "imported_from")
"""Columns that its units differ in."""


def to_json(decided: Sequence[Decided]) -> dict[str, object]:
    """Every answer with every candidate, as `json.dumps` takes it; None is not measured."""
    answers = [one.answer for one in decided]
    names = choice.figures(answers, _more(decided))
    return {
        "schema": SCHEMA,
        "answers": [
            _answer(one.answer, names)
            | {
                "front": front.to_json(one.front) if one.front else None,
                "cost": cost_table.to_json(one.costs) if one.costs else None,
            }
            for one in decided
        ],
        "serving_all": {
            "device": [_serving(one) for one in serving.of_answers(answers, serving.device)],
            "cell": [_serving(one) for one in serving.of_answers(answers, serving.cell)],
        },
    }


def _answer(answer: Answer, names: Sequence[str]) -> dict[str, object]:
    return {
        "question": answer.question,
        "workload": answer.standings[0].candidate.row.get("workload"),
        "objective": answer.objective._asdict(),
        "limits": [_limit(one) for one in answer.constraints],
        "best": answer.ranked[0].candidate.name if answer.ranked else None,
        "sentence": choice.sentence(answer),
        "beside": choice.second_lines(answer),
        "lead": _lead(answer),
        "order": choice_best.order(answer, answer.ranked),
        "candidates": [_standing(one, names) for one in answer.standings],
        "changes": list(answer.changes),
        "alternatives": [_change(one) for one in answer.alternatives],
    }


def _lead(answer: Answer) -> dict[str, object] | None:
    """Its figure over that of the next in rank."""
    found = leads.of(answer)
    return found and {"candidate": found[0], **found[1]._asdict()}


def _change(one: Change) -> dict[str, object]:
    return {
        "candidate": one.candidate,
        "kind": one.kind,
        "figure": _figure(one.figure),
        "to_tie": front.finite(one.to_tie),
        "to_win": front.finite(one.to_win),
        "breaks": [_break(broken) for broken in one.breaks],
        "refusals": list(one.refusals),
        "words": one.words,
    }


def _more(decided: Sequence[Decided]) -> tuple[str, ...]:
    """Figures beside those of limits and objective: a front's, costs."""
    fronts = [one.name for each in decided if each.front for one in each.front.objectives]
    return (*fronts, *(cost.NAMES if any(each.costs for each in decided) else ()))


def _limit(one: Constraint) -> dict[str, object]:
    return one._asdict()


def _standing(one: Standing, names: Sequence[str]) -> dict[str, object]:
    candidate = one.candidate
    return {
        "name": candidate.name,
        "rank": one.rank,
        **{name: candidate.row.get(name) for name in _TELLS},
        "units": [{name: row.get(name) for name in _UNITS} for row in candidate.rows],
        "figures": {name: _figure(candidate.figure(name)) for name in names},
        "ties": list(one.ties),
        "refusals": choice.refusals(one),
        "breaks": [_break(broken) for broken in one.breaks],
        "notes": list(one.notes),
    }


def _break(one: Break) -> dict[str, object]:
    return {
        "limit": _limit(one.constraint),
        "figure": _figure(one.figure),
        "excess": front.finite(one.excess),
        "sure": one.sure,
        "unit": one.unit or None,
        "needed": front.finite(one.needed),
        "words": choice.break_words(one),
    }


def _figure(figure: Figure | None) -> dict[str, object] | None:
    if figure is None:
        return None
    ends = {name: front.finite(getattr(figure, name)) for name in ("value", "low", "high")}
    return figure._asdict() | ends


def _serving(one: Serving) -> dict[str, object]:
    return {
        "device": one.device,
        "candidates": [standing.candidate.name for standing in one.chosen],
        "loss_ratio": one.loss_ratio,
    }


def csv_rows(decided: Sequence[Decided]) -> tuple[list[Row], tuple[str, ...]]:
    """``(rows, columns)``: one row a candidate of an answer, the best first.

    Its figures are those used, each with the ends of its 95 % interval beside it; ``reasons`` are
    why it fell out, ``verdict`` is take, ranked or rejected.
    """
    answers = [one.answer for one in decided]
    names = choice.figures(answers, _more(decided))
    wide = tuple(part for name in names for part in (name, *_spread(answers, name)))
    columns = ("question", "rank", "verdict", "candidate", *_TELLS[:7], "units", *wide)
    columns = (*columns, "ties", "reasons", "notes", *_TELLS[7:], "imported_from")
    return [_row(answer, one, names) for answer in answers for one in answer.standings], columns


def _spread(answers: Sequence[Answer], name: str) -> tuple[str, ...]:
    """The ends of its interval; a price and a count have none."""
    told = (one.candidate.figure(name) for answer in answers for one in answer.standings)
    known = [figure for figure in told if figure is not None]
    return () if known and all(figure.exact for figure in known) else front.ends(name)


def verdict(answer: Answer, one: Standing) -> str:
    """take: the first of the answer; ranked: any other that may be chosen; rejected."""
    if one.rank is None:
        return "rejected"
    return "take" if one is answer.ranked[0] else "ranked"


def _row(answer: Answer, one: Standing, names: Sequence[str]) -> Row:
    candidate = one.candidate
    row: Row = {
        "question": answer.question,
        "rank": one.rank,
        "verdict": verdict(answer, one),
        "candidate": candidate.name,
        "units": len(candidate.rows),
        "ties": "; ".join(one.ties) or None,
        "reasons": "; ".join(choice.reasons(one)) or None,
        "notes": "; ".join(one.notes) or None,
    }
    for name in (*_TELLS, "imported_from"):
        row[name] = front.plain_value(candidate.row.get(name))
    for name in names:
        row |= front.cells(name, candidate.figure(name))
    return row


def rejected_rows(answer: Answer, one: Standing) -> list[Row]:
    """A row for each reason why a candidate fell out; figures in the constraint's unit."""
    base: Row = {"question": answer.question, "candidate": one.candidate.name}
    base |= {
        name: front.plain_value(one.candidate.row.get(name))
        for name in ("device", "backend", "precision")
    }
    found: list[Row] = [base | {"reason": words} for words in choice.refusals(one)]
    for broken in one.breaks:
        figure = broken.figure
        found.append(
            base
            | {
                "constraint": broken.constraint.words,
                "figure": front.finite(figure.value) if figure else None,
                "bound": broken.constraint.bound,
                "excess": front.finite(broken.excess),
                "sure": broken.sure if figure else None,
                "reason": choice.break_words(broken),
            }
        )
    return found

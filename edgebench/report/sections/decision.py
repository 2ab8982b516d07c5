"""The answer to a stated question, as the page tells it: the choice, its figures, then why."""

from __future__ import annotations

from typing import Any

from edgebench.analysis.candidates import Candidate, Figure
from edgebench.analysis.constraints import Constraint
from edgebench.analysis.recommend import Answer, Standing
from edgebench.report import choice, choice_best, choosing
from edgebench.report.choosing import Asked
from edgebench.report.grid import Cell, Grid, Head
from edgebench.report.page import listing, wording
from edgebench.report.page.listing import Listing
from edgebench.report.page.wording import figure, number, said, sentence
from edgebench.report.sections.base import Material
from edgebench.report.table import clean

FALLEN = "fallen"
"""The set of data: what fell out of each question, and why."""
_GROUPS = 4
"""Reasons that are told before the rest is counted."""


def told(material: Material) -> dict[str, Any]:
    """What was asked, an answer a question, and what would serve all of them.

    Raises:
        UsageError: As `edgebench.report.choosing.decide`.
    """
    asked = material.asked
    found = [one.answer for one in choosing.decide(material.rows, asked)]
    places = {id(row): place for place, row in enumerate(material.rows)}
    material.data.add(FALLEN, [record for one in found for record in _fallen(one, places)])
    return {
        "asked": _asked(asked),
        "answers": [_answer(material, one) for one in found if one.ranked],
        "without": [_answer(material, one) for one in found if not one.ranked],
        "serving": [clean(sentence(line)) for line in choice.serving_lines(found)],
    }


def _begun(line: str) -> str:
    """A sentence of its own; one that begins with a name begins as that does."""
    return f"I{line[1:]}" if line.startswith(("it ", "its ")) else line


def _asked(asked: Asked) -> str:
    """The question in one sentence."""
    name, more = asked.objective or choosing.OBJECTIVE
    limits = [wording.limit(*limit) for limit in asked.limits]
    first = f"the {'highest' if more else 'lowest'} {said(name).noun}"
    parts = [f"{first} with {choice.listed(limits)}" if limits else first]
    parts += [f"power counts if {' or '.join(asked.allow_tiers)}"] if asked.allow_tiers else []
    parts += ["suspect and imported cells fall out"] if asked.require_valid else []
    parts += ["whole 95 % intervals must keep the limits"] if asked.sure else []
    return clean("; ".join(parts))


def _answer(material: Material, answer: Answer) -> dict[str, Any]:
    best = answer.ranked[0] if answer.ranked else None
    seconds = [_begun(clean(sentence(line))) for line in choice.second_lines(answer)]
    changes = [clean(sentence(line)) for line in answer.changes]
    shown = answer.ranked[: choice.BEST]
    return {
        "question": clean(answer.question),
        "best": _best(best, answer) if best else None,
        "nothing": "" if best else clean(choice.sentence(answer)),
        "seconds": seconds,
        "next": changes[0] if changes else "",
        "changes": changes[1:],
        "ranked": len(answer.ranked),
        "ranking": _ranking(answer),
        "order": [clean(sentence(line)) for line in choice_best.order(answer, shown)],
        "rejected": len(answer.rejected),
        "groups": _groups(answer),
        "fallen": _listing(material, answer) if answer.rejected else None,
    }


def _best(best: Standing, answer: Answer) -> dict[str, Any]:
    name = answer.objective.name
    return {
        "name": clean(best.candidate.name),
        "figure": _figure(name, best.figure),
        "noun": said(name).noun,
        "interval": _interval(name, best.figure),
        "limits": [_kept(best.candidate, limit) for limit in answer.constraints],
        "notes": [clean(sentence(words)) for words in best.notes],
    }


def _figure(name: str, known: Figure | None) -> str:
    return figure(name, known.value, exact=known.exact) if known else choice.value(None)


def _interval(name: str, known: Figure | None) -> str:
    if known is None or known.exact or known.low is None or known.high is None:
        return ""
    scale = said(name).scale
    return f"95 % interval {number(known.low * scale)} to {number(known.high * scale)}"


def _kept(candidate: Candidate, limit: Constraint) -> dict[str, str]:
    """A limit that is kept, and what is left of it where the unit that is nearest to it stands."""
    known = [one for _, one in candidate.by_unit(limit.name) if one is not None]
    nearest = max(known, key=lambda one: limit.beyond(one.value))
    spare = -limit.beyond(nearest.value)
    share = f" ({spare / abs(limit.bound):.0%})" if 0 < spare < abs(limit.bound) else ""
    return {
        "limit": wording.limit(*limit),
        "figure": _figure(limit.name, nearest),
        "interval": _interval(limit.name, nearest),
        "spare": f"{figure(limit.name, spare)} to spare{share}",
    }


def _groups(answer: Answer) -> list[str]:
    """Why the others fell out, counted: the largest group first; of a single one, one of it."""
    found = choice.grouped(answer.rejected)
    if len(found) == 1:
        [one] = found
        first = "; ".join(choice.reasons(one.members[0]))
        return [f"{clean(one.members[0].candidate.name)}: {clean(sentence(first))}"]
    lines = [f"{len(one.members)} {_reason(one.reason)}" for one in found[:_GROUPS]]
    rest = sum(len(one.members) for one in found[_GROUPS:])
    return [*lines, *([f"{rest} for other reasons"] if rest else [])]


def _reason(kind: str) -> str:
    return clean(sentence(kind.replace("breaks ", "break ")))


def _fallen(answer: Answer, places: dict[int, int]) -> list[dict[str, Any]]:
    """A record each that fell out, the nearest first."""
    near = choice.nearest(answer.rejected)
    names = {one.candidate.name for one in near}
    others = [one for one in answer.rejected if one.candidate.name not in names]
    return [
        {
            "row": places[id(one.candidate.row)],
            "question": clean(answer.question),
            "place": place,
            "candidate": clean(one.candidate.name),
            "reasons": clean(sentence("; ".join(choice.reasons(one)))),
        }
        for place, one in enumerate((*near, *others), 1)
    ]


def _listing(material: Material, answer: Answer) -> Listing:
    question = clean(answer.question)
    fields = (
        listing.number("place", "nearest"),
        listing.text("candidate"),
        listing.text("reasons", "why it fell out"),
    )
    caption = f"What fell out of {question}: first what is nearest to the limits"
    return material.listing(
        Listing(caption=caption, fields=fields, source=FALLEN, where={"question": [question]})
    )


def _ranking(answer: Answer) -> Grid | None:
    """The best few, with the figures that were asked about."""
    if not answer.ranked:
        return None
    names = choice.figures([answer])
    heads = (Head("rank"), Head("candidate"), *map(_head, names))
    rows = [
        [
            Cell(choice.rank(one, answer)),
            Cell(clean(one.candidate.name)),
            *(Cell(_short(name, one.candidate.figure(name))) for name in names),
        ]
        for one in answer.ranked[: choice.BEST]
    ]
    caption = f"What keeps all limits of {clean(answer.question)}, the best first"
    return Grid(caption=caption, heads=heads, rows=rows, sortable=False)


def _head(name: str) -> Head:
    noun, unit, _ = said(name)
    return Head(clean(f"{noun} {unit}".strip()), numeric=True)


def _short(name: str, known: Figure | None) -> str:
    """A figure with its interval; a share as its unit has it."""
    scale = said(name).scale
    if known is None or scale == 1:
        return choice.short(name, known)
    ends = [None if end is None else end * scale for end in known[1:3]]
    return choice.short("", known._replace(value=known.value * scale, low=ends[0], high=ends[1]))

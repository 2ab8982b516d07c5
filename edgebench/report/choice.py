"""A recommendation in words: what to take, what cannot be told apart, why the others fell out.

The terminal, Markdown, HTML and JSON forms are all made of these.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from edgebench.analysis import serving
from edgebench.analysis.candidates import Figure
from edgebench.analysis.constraints import Break
from edgebench.analysis.figure import stated
from edgebench.analysis.published import PRICE
from edgebench.analysis.recommend import Answer, Standing
from edgebench.analysis.serving import Serving
from edgebench.errors import plain
from edgebench.report import choice_best
from edgebench.report.columns import BY_NAME
from edgebench.report.figures import lopsided, plus_minus
from edgebench.report.table import number
from edgebench.stats import Interval

BEST = 10
"""Ranked candidates that are shown before the rest is counted."""
NEAREST = 5
"""Candidates that fell out and are shown with their figures before the rest is counted."""
FEW = 12
"""So many that fell out are all shown, a line each."""
_NAMED = 3
_HEADINGS = {"price_usd": "USD"}
_NO_PRICE = "its price is not known (--price DEVICE=USD)"
_DIGITS = re.compile(r"\d[\d.,]*")


class Group(NamedTuple):
    """Candidates that fell out for the same reasons."""

    reason: str
    members: tuple[Standing, ...]
    """The nearest first."""


def figures(answers: Sequence[Answer], more: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the figures used: the objective, those under limits, the price where known."""
    found: list[str] = []
    for answer in answers:
        found += [answer.objective.name, *(limit.name for limit in answer.constraints)]
        if any(one.candidate.figure(PRICE) for one in answer.standings):
            found.append(PRICE)
    found += more
    return tuple(dict.fromkeys(found))


def heading(name: str) -> str:
    """A figure's short name, as in the table of `edgebench report`."""
    column = BY_NAME.get(name)
    return plain((column.heading if column else "") or _HEADINGS.get(name, name))


def value(figure: Figure | None) -> str:
    """``12.34``; a price or a count without zeros that nobody measured; ``-`` if unknown."""
    if figure is None or not math.isfinite(figure.value):
        return "-"
    if figure.exact:
        return f"{figure.value:.10g}"
    return number(figure.value)


def short(name: str, figure: Figure | None) -> str:
    """A figure for a table: ``12.34 ±3%``; of a ratio ``0.981 ±0.012``; ``>=23.20``."""
    if figure is None or not figure.value or not _has_ends(figure):
        return f">={value(least)}" if (least := _least(figure)) else value(figure)
    low, high = figure.low or 0.0, figure.high or 0.0
    if name.endswith("_ratio"):
        half = max(figure.value - low, high - figure.value)
        return f"{figure.value:.3f} ±{half:.3f}"
    if not figure.launches and lopsided(low, figure.value, high):
        return f"{number(low)}-{number(high)}"
    interval = Interval(abs(figure.value), low, high)
    return f"{value(figure)} {plus_minus(interval, tenths=True)}"


def long(figure: Figure | None) -> str:
    """A figure for a sentence: ``12.34 (95 %: 11.90 to 12.80)``."""
    if figure is None or not _has_ends(figure):
        return f"at least {value(least)}" if (least := _least(figure)) else value(figure)
    what = "" if figure.source else "95 %: "  # a cost's ends are its own kind, see its notes
    return f"{value(figure)} ({what}{number(figure.low)} to {number(figure.high)})"


def _least(figure: Figure | None) -> Figure | None:
    """The lower end of what has no upper one: of a meter that does not see all."""
    if figure is None or figure.low is None or figure.high is None or not math.isinf(figure.high):
        return None
    return Figure(figure.low)


def _has_ends(figure: Figure) -> bool:
    """Whether its interval is known; what has a least and no most (a partial meter) has none."""
    ends = (figure.low, figure.high)
    return not figure.exact and all(end is not None and math.isfinite(end) for end in ends)


def sentence(answer: Answer) -> str:
    """The answer first: what to take, its figure, and the limits it keeps; or that nothing does."""
    if not answer.ranked:
        return _nothing(answer)
    best = answer.ranked[0]
    kept = [
        f"{limit.name} {value(best.candidate.figure(limit.name))} "
        f"{'<=' if limit.sense == 'max' else '>='} {stated(limit.bound)}"
        for limit in answer.constraints
    ]
    keeping = f", keeping {', '.join(kept)}" if kept else ""
    return plain(
        f"take {best.candidate.name}: {answer.objective.name} {long(best.figure)}{keeping}"
    )


def _nothing(answer: Answer) -> str:
    many = len(answer.standings)
    if all(one.refusals for one in answer.standings):
        whom = "the only candidate has" if many == 1 else f"all {many} candidates have"
        return f"nothing can be chosen: {whom} a fault that no limit would mend"
    whom = "the only candidate does not" if many == 1 else f"none of {many} candidates does"
    return f"nothing keeps every limit: {whom}"


_UNSURE = "nothing tells how sure it is (one launch, or another tool's figure): any rank may be its"
"""Of a tie for want of knowledge, which must not read like one that was found."""


def second_lines(answer: Answer) -> list[str]:
    """What belongs to the first sentence: ties with the best and its lead, or what is nearest."""
    if not answer.ranked:
        near = nearest(answer.rejected)
        if not near:
            return []
        return [plain(f"nearest: {near[0].candidate.name}: {'; '.join(reasons(near[0]))}")]
    return [plain(line) for line in (*_ties(answer), *choice_best.lines(answer))]


def _ties(answer: Answer) -> list[str]:
    best = answer.ranked[0]
    unsure = [one.candidate.name for one in answer.ranked if one.figure and one.figure.is_unsure]
    if best.candidate.name in unsure and best.ties:
        return [f"its {answer.objective.name} has no interval over launches: {_UNSURE}"]
    known = [name for name in best.ties if name not in unsure]
    found = [f"{_tied(known, answer, best)}{_cheapest(answer, best, known)}"] if known else []
    if open_ := [name for name in best.ties if name in unsure]:
        has = "has" if len(open_) == 1 else "have"
        found.append(f"{listed(open_)} {has} no interval over launches: {_UNSURE}")
    return found


def _tied(names: Sequence[str], answer: Answer, best: Standing) -> str:
    if best.figure is not None and best.figure.exact:
        has = "has" if len(names) == 1 else "have"
        return (
            f"{listed(names)} {has} the same {answer.objective.name}; the faster ones stand first"
        )
    return f"{listed(names)} cannot be told apart from it by {answer.objective.name}"


def listed(names: Sequence[str]) -> str:
    """``A, B and C``, or ``A, B, C and 4 more``."""
    if len(names) > _NAMED + 1:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    head, last = ", ".join(names[:-1]), names[-1]
    return f"{head} and {last}" if head else last


def _cheapest(answer: Answer, best: Standing, names: Sequence[str]) -> str:
    """The least price of a tie, where money is not what was ranked by."""
    if answer.objective.name.endswith("_usd"):
        return ""
    tied = [best, *(one for one in answer.ranked if one.candidate.name in names)]
    prices = [(price.value, one) for one in tied if (price := one.candidate.figure(PRICE))]
    if len(prices) < len(tied):
        return ""
    least, which = min(prices, key=lambda pair: pair[0])
    if least == prices[0][0]:
        return ""
    return f"; the cheapest of them is {which.candidate.name} ({least:.10g} USD)"


def rank(standing: Standing, answer: Answer) -> str:
    """``1``, ``1=`` where others share it, ``-`` where it has none."""
    if standing.rank is None:
        return "-"
    shared = sum(one.rank == standing.rank for one in answer.ranked) > 1
    return f"{standing.rank}{'=' if shared else ''}"


def reasons(standing: Standing) -> list[str]:
    """Why a candidate fell out, each with its figures, and no reason twice."""
    broken = (plain(break_words(one)) for one in standing.breaks)
    return list(dict.fromkeys((*refusals(standing), *broken)))


def refusals(standing: Standing) -> list[str]:
    """Why a candidate fell out whatever its figures."""
    unknown = f"{PRICE} was not"
    return [_NO_PRICE if words.startswith(unknown) else plain(words) for words in standing.refusals]


def break_words(broken: Break) -> str:
    """A broken limit in one line."""
    if broken.figure is not None:
        return broken.words
    if broken.constraint.name == PRICE:
        return _NO_PRICE
    return broken.words.removeprefix(f"{broken.constraint.words}: ")


def nearest(rejected: Sequence[Standing]) -> list[Standing]:
    """Of those that fell out for limits alone, all measured: the smallest worst excess first."""
    left = [one for one in rejected if not one.refusals and _measured(one)]
    return sorted(left, key=_distance)


def _measured(standing: Standing) -> bool:
    return all(one.excess is not None and math.isfinite(one.excess) for one in standing.breaks)


def _distance(standing: Standing) -> tuple[float, int, str]:
    shares = [
        (one.excess or 0.0) / (abs(one.constraint.bound) or abs(one.excess or 0.0) or 1.0)
        for one in standing.breaks
    ]
    return max(shares, default=math.inf), len(shares), standing.candidate.name


def grouped(rejected: Sequence[Standing]) -> list[Group]:
    """Those that fell out by their reasons, each in one group, the largest group first."""
    near = nearest(rejected)
    groups: dict[str, list[Standing]] = {}
    for one in (*near, *_without(rejected, near)):
        groups.setdefault(kind(one), []).append(one)
    found = [Group(reason, tuple(members)) for reason, members in groups.items()]
    return sorted(found, key=lambda group: -len(group.members))


def kind(standing: Standing) -> str:
    """Why a candidate fell out, less its figures: what those of one group share."""
    if standing.refusals:
        kinds = [_refusal_kind(standing, words) for words in standing.refusals]
    else:
        broken = [f"breaks {one.constraint.words}" for one in standing.breaks if one.figure]
        lacking = (one.constraint.name for one in standing.breaks if one.figure is None)
        missing = [f"{name} not known" for name in lacking]
        kinds = [*broken, *missing]
    return plain(", ".join(dict.fromkeys(kinds)))


def _refusal_kind(standing: Standing, words: str) -> str:
    """``failed`` of ``failed: no kernel``, whichever unit it is of."""
    for row in standing.candidate.rows:
        words = words.removeprefix(f"{row.get('device_id')}: ")
    return _DIGITS.sub("#", words.partition(":")[0])


def rejected_lines(answer: Answer, *, everything: bool = False) -> list[str]:
    """Why the others fell out: a line a candidate; of many the nearest, and the rest counted."""
    rejected = answer.rejected
    if everything or len(rejected) <= FEW:
        near = nearest(rejected)
        return [_line(one) for one in (*near, *_without(rejected, near))]
    shown = nearest(rejected)[:NEAREST]
    return [*map(_line, shown), *map(_group_line, grouped(_without(rejected, shown)))]


def _without(standings: Sequence[Standing], others: Sequence[Standing]) -> list[Standing]:
    names = {one.candidate.name for one in others}
    return [one for one in standings if one.candidate.name not in names]


def _line(standing: Standing) -> str:
    return f"{plain(standing.candidate.name)}: {'; '.join(reasons(standing))}"


def _group_line(group: Group) -> str:
    first = group.members[0]
    if len(group.members) == 1:
        return _line(first)
    which = "nearest" if first.breaks and _measured(first) and not first.refusals else "one is"
    told = "; ".join(map(plain, first.refusals)) or "; ".join(reasons(first))
    return f"{len(group.members)} x {group.reason}; {which} {plain(first.candidate.name)}: {told}"


class Notes(NamedTuple):
    """Remarks on ranked candidates, each numbered once."""

    marks: dict[str, str]
    """By candidate: ``1,3``."""
    lines: list[tuple[str, str]]
    """Each number with its remark."""


def notes(shown: Sequence[Standing]) -> Notes:
    """Number the remarks of those shown; alike but for their digits, they share a number."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    marks: dict[str, list[int]] = {}
    for one in shown:
        for words in one.notes:
            kind = _DIGITS.sub("#", words)
            kinds.setdefault(kind, []).append((one.candidate.name, words))
            mine = marks.setdefault(one.candidate.name, [])
            place = list(kinds).index(kind) + 1
            if place not in mine:
                mine.append(place)
    lines = [_note(place, cells) for place, cells in enumerate(kinds.values(), 1)]
    return Notes({name: ",".join(map(str, places)) for name, places in marks.items()}, lines)


def _note(place: int, cells: Sequence[tuple[str, str]]) -> tuple[str, str]:
    name, words = cells[0]
    alike = len({told for _, told in cells}) == 1
    return str(place), plain(words if alike else f"{words} (the first, {name})")


def serving_lines(answers: Sequence[Answer]) -> list[str]:
    """Where there are several questions: what would serve them all."""
    if len(answers) <= 1:
        return []
    empty = sum(not answer.ranked for answer in answers)
    if empty:
        return [f"nothing serves all {len(answers)}: of {empty} of them nothing can be chosen"]
    found = []
    for what, key in (("device", serving.device), ("device, runtime and setting", serving.cell)):
        able = serving.of_answers(answers, key)
        if not able:
            found.append(f"no one {what} keeps the limits of all {len(answers)}")
            continue
        found.append(plain(f"one {what} for all {len(answers)}: {_served(able[0], answers)}"))
    return found


def _served(best: Serving, answers: Sequence[Answer]) -> str:
    parts = [
        f"{answer.question}: {one.candidate.name}"
        for answer, one in zip(answers, best.chosen, strict=True)
    ]
    same = {one.candidate.name for one in best.chosen}
    told = same.pop() if len(same) == 1 else f"{best.device} ({'; '.join(parts)})"
    if best.loss_ratio is None:
        return told
    name, more = answers[0].objective
    if more:
        return f"{told}, never below {1 / best.loss_ratio:.3g} x the best {name}"
    return f"{told}, never above {best.loss_ratio:.3g} x the best {name}"

"""A recommendation as Markdown, for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.analysis.recommend import Answer, Standing
from edgebench.errors import plain
from edgebench.report import choice, choice_best, choice_more
from edgebench.report.choice import heading
from edgebench.report.choice_more import Beside
from edgebench.report.choosing import Decided


def text(decided: Sequence[Decided], *, everything: bool = False) -> str:
    """One section an answer; as many candidates as in the terminal.

    Args:
        decided: One a question.
        everything: All candidates, instead of the best, the nearest and a count of the others.
    """
    found: list[str] = []
    for one in decided:
        found += _answer(one.answer, everything=everything)
        for beside in choice_more.tables(one, everything=everything):
            found += _beside(beside)
    served = choice.serving_lines([one.answer for one in decided])
    found += [f"- {inert(line)}" for line in served]
    return "\n".join(found).rstrip() + "\n"


def inert(words: str) -> str:
    """Words as code, in which names mention nobody, link nowhere and end no table's cell.

    A bar cannot stand in a table's cell whatever is put before it, and a backtick ends the code.
    """
    bare = " ".join(plain(words).replace("`", "'").replace("|", "¦").split())
    return f"`{bare}`" if bare else ""


def _answer(answer: Answer, *, everything: bool) -> list[str]:
    shown = answer.ranked if everything else answer.ranked[: choice.BEST]
    found = [f"### {inert(answer.question)}", "", inert(choice.sentence(answer)), ""]
    found += [*_list(choice.second_lines(answer)), *_table(answer, shown)]
    if more := len(answer.ranked) - len(shown):
        found += [f"and {more} more that rank", ""]
    found += _section(
        "Why the others fell out", choice.rejected_lines(answer, everything=everything)
    )
    return found + _section("What would have to change", answer.changes)


def _table(answer: Answer, shown: Sequence[Standing]) -> list[str]:
    if not shown:
        return []
    names, told = choice.figures([answer]), choice.notes(shown)
    heads = ["rank", "candidate", *(inert(heading(name)) for name in names)]
    heads += ["note"] if told.lines else []
    align = ["--:", ":--", *("--:" for _ in heads[2:])]
    lines = [_row(heads), _row(align)]
    for one in shown:
        cells = [choice.rank(one, answer), inert(one.candidate.name)]
        cells += [choice.short(name, one.candidate.figure(name)) for name in names]
        cells += [told.marks.get(one.candidate.name, "")] if told.lines else []
        lines.append(_row(cells))
    notes = [f"- {mark}: {inert(words)}" for mark, words in told.lines]
    notes += [f"- {inert(line)}" for line in choice_best.order(answer, shown)]
    return [*lines, "", *notes, *([""] if notes else [])]


def _beside(one: Beside) -> list[str]:
    align = [":--", *("--:" for _ in one.heads[1:])]
    rows = [_row([inert(name), *figures]) for name, *figures in one.rows]
    head = [_row([inert(cell) for cell in one.heads]), _row(align)]
    return [f"**{inert(one.title)}**", "", *head, *rows, "", *_list(one.lines)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"**{title}**", "", *_list(lines)] if lines else []


def _list(lines: Sequence[str]) -> list[str]:
    return [*(f"- {inert(line)}" for line in lines), ""] if lines else []

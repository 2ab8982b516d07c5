"""A recommendation in a notebook: one piece of HTML with nothing to fetch and nothing to run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from edgebench.analysis.recommend import Answer, Standing
from edgebench.errors import plain
from edgebench.report import choice, choice_best, choice_more
from edgebench.report.choice import heading
from edgebench.report.choice_more import Beside
from edgebench.report.choosing import Decided

_LINE = "border-bottom:1px solid rgba(128,128,128,.4);padding:.2em .6em;"
"""Grey that shows on white and on black; all other colours are the notebook's own."""
_LEFT, _RIGHT = (f"{_LINE}text-align:{side}" for side in ("left", "right"))


def text(decided: Sequence[Decided]) -> str:
    """One block an answer; of many candidates as many as in the terminal.

    Args:
        decided: One a question.
    """
    blocks = []
    for one in decided:
        blocks.append(_answer(one.answer))
        blocks += [_beside(beside) for beside in choice_more.tables(one)]
    blocks.append(_list(choice.serving_lines([one.answer for one in decided])))
    return f'<div class="edgebench-recommendation">{"".join(blocks)}</div>'


def _answer(answer: Answer) -> str:
    shown = answer.ranked[: choice.BEST]
    more = len(answer.ranked) - len(shown)
    return "".join(
        [
            f"<h4>{_safe(answer.question)}</h4>",
            f"<p><strong>{_safe(choice.sentence(answer))}</strong></p>",
            _list(choice.second_lines(answer)),
            _table(answer, shown) if shown else "",
            f"<p>and {more} more that rank</p>" if more else "",
            _section("why the others fell out", choice.rejected_lines(answer)),
            _section("what would have to change", answer.changes),
        ]
    )


def _table(answer: Answer, shown: Sequence[Standing]) -> str:
    names, told = choice.figures([answer]), choice.notes(shown)
    heads = ["", "candidate", *map(heading, names), *(["note"] if told.lines else [])]
    rows = []
    for one in shown:
        cells = [choice.rank(one, answer), one.candidate.name]
        cells += [choice.short(name, one.candidate.figure(name)) for name in names]
        cells += [told.marks.get(one.candidate.name, "")] if told.lines else []
        rows.append(cells)
    lines = [f"{mark}: {words}" for mark, words in told.lines]
    return _grid(heads, rows, 1) + _list([*lines, *choice_best.order(answer, shown)])


def _beside(one: Beside) -> str:
    return f"<p>{_safe(one.title)}</p>{_grid(one.heads, one.rows, 0)}{_list(one.lines)}"


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]], name_at: int) -> str:
    """A table in which one column holds names and the others hold figures."""
    body = "".join(_row(cells, "td", name_at) for cells in rows)
    head = _row(heads, "th", name_at)
    return (
        '<table style="border-collapse:collapse">'
        f"<thead>{head}</thead><tbody>{body}</tbody></table>"
    )


def _row(cells: Sequence[str], tag: str, name_at: int) -> str:
    made = (
        f'<{tag} style="{_LEFT if place == name_at else _RIGHT}">{_safe(cell)}</{tag}>'
        for place, cell in enumerate(cells)
    )
    return f"<tr>{''.join(made)}</tr>"


def _section(title: str, lines: Sequence[str]) -> str:
    return f"<p>{title}</p>{_list(lines)}" if lines else ""


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{_safe(line)}</li>' for line in lines)}</ul>" if lines else ""


def _safe(words: str) -> str:
    return escape(plain(words))

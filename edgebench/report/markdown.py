"""GitHub's Markdown for pull requests: whatever a name holds, it stays a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgebench.errors import plain

_LOOKALIKE = str.maketrans({"`": "'", "|": "\u00a6"})
"""The two characters that end a code span or a table's cell: no escape holds in both."""


def code(text: object) -> str:
    """A stranger's text as a code span: no mention, link, HTML or formatting comes of it."""
    words = plain(str(text)).translate(_LOOKALIKE).strip()
    return f"`{words}`" if words else "-"


def grid(headings: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table; its cells are written as they stand, so names go through `code` first.

    Args:
        headings: Our own words.
        rows: As many cells each as there are headings.
        right: Columns of figures.
    """
    rule = ["--:" if i in right else "---" for i in range(len(headings))]
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, rule, *rows))


def folded(title: str, lines: Sequence[str]) -> str:
    """Lines under a title that opens when it is clicked; empty where there are none."""
    if not lines:
        return ""
    return "\n".join(
        [f"<details><summary>{title}</summary>", "", *(f"- {x}" for x in lines), "", "</details>"]
    )


def join(*parts: str) -> str:
    """Parts as paragraphs, those that are empty left out."""
    return "\n\n".join(part for part in parts if part) + "\n"

"""Plain text that fits 80 columns."""

from __future__ import annotations

import textwrap

WIDTH = 80


def plain(words: str) -> str:
    """Words on one line, without what would steer a terminal: files may have any name."""
    return "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in words)


def fill(words: str, first: str = "", rest: str = "") -> str:
    """Words wrapped to 80 columns; ``first`` and ``rest`` begin the first and the other lines."""
    return textwrap.fill(
        " ".join(plain(words).split()),
        width=WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    )


def one_line(words: str) -> str:
    """Words cut to one line of 80 columns; blanks stay as they are."""
    words = plain(words)
    return words if len(words) <= WIDTH else f"{words[: WIDTH - 3].rstrip()}..."


def count(number: int, one: str, more: str = "") -> str:
    """``1 cell``, ``2 cells``; ``more`` where the plural is more than an s."""
    return f"{number} {one if number == 1 else more or f'{one}s'}"

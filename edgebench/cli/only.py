"""Fewer rows: those with certain values in certain columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from edgebench.cli.params import check_columns
from edgebench.cli.text import plain
from edgebench.errors import UsageError
from edgebench.report.rows import Row, Value

_NAMED = 8
"""Values that a message lists at most."""


class Only(click.ParamType[tuple[str, tuple[str, ...]]]):
    """``workload=a,b`` as ``("workload", ("a", "b"))``."""

    name = "COLUMN=VALUE[,VALUE]"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's contract
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, tuple[str, ...]]:
        """Take it apart; whether there is such a column is seen where columns are known."""
        if isinstance(value, tuple):
            return value
        column, _, words = str(value).partition("=")
        values = tuple(word.strip() for word in words.split(",") if word.strip())
        if not column.strip() or not values:
            self.fail(f"{value!r} is not like workload=mnist_cnn", param, ctx)
        return column.strip(), values


OPTION: Callable[..., Any] = click.option(
    "--only",
    multiple=True,
    type=Only(),
    help="Keep only rows with such a value, in every output (--only device=pi5,orin).",
)


def gathered(pairs: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """By column the values that are kept: a column that is named again has more of them.

    Raises:
        UsageError: A column does not exist.
    """
    found: dict[str, tuple[str, ...]] = {}
    for column, values in pairs:
        found[column] = (*found.get(column, ()), *values)
    check_columns(tuple(found))
    return found


def kept(rows: Sequence[Row], wanted: Mapping[str, Sequence[str]]) -> list[Row]:
    """The rows that have, in each column that is named, one of its values.

    Args:
        rows: Any.
        wanted: By column; a column without values keeps every row.

    Raises:
        UsageError: No row has such a value, or none has all that is wanted.
    """
    left = list(rows)
    for column, values in wanted.items():
        known = sorted({_words(row.get(column)) for row in rows} - {""})
        for value in values:
            if value not in known:
                raise UsageError(f"no {column} {value!r} here", remedy=_instead(known))
        left = [row for row in left if not values or _words(row.get(column)) in values]
    if rows and not left:
        raise UsageError("no cell is left", remedy="what is to be kept has none in common")
    return left


def _instead(known: Sequence[str]) -> str:
    if not known:
        return "no cell has one"
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return plain(f"there is {', '.join(known[:_NAMED])}{more}")


def _words(value: Value) -> str:
    """A value as the CSV has it."""
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value)

"""Option types shared by subcommands: repetition and commas are both accepted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from edgebench.errors import UsageError

_Command = TypeVar("_Command", bound=Callable[..., Any])


class CommaList(click.ParamType[tuple[Any, ...]]):
    """``-w a,b`` as ``("a", "b")``; with ``multiple=True`` use `flatten` on the result."""

    name = "list"

    def __init__(self, item: click.ParamType[Any] | type = str, metavar: str = "NAME") -> None:
        self._item = click.types.convert_type(item)
        self.name = metavar

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's contract
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[Any, ...]:
        """Convert each part on its own, so that the message names the part that is wrong."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",") if part.strip()]
        if not parts:  # an empty shell variable must not stand for "everything"
            self.fail("names nothing", param, ctx)
        return tuple(self._item.convert(part, param, ctx) for part in parts)


class Ratio(click.ParamType[float]):
    """A share: ``1%`` or ``0.01``."""

    name = "ratio"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's contract
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """As a number; whether it makes sense is judged where a file's value is, too."""
        text = str(value).strip()
        try:
            return float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            self.fail(f"{text!r} is not a share such as 1% or 0.01", param, ctx)


class Duration(click.ParamType[float]):
    """A time in seconds: ``30s``, ``10m``, ``1h30m`` or a plain number."""

    name = "duration"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's contract
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """The sum of the parts, each of them once and the largest first."""
        text = str(value).strip()
        number = r"(\d+(?:\.\d+)?)"
        if re.fullmatch(number, text):
            return float(text)
        found = re.fullmatch(rf"(?:{number}h)?(?:{number}m)?(?:{number}s)?", text)
        if not text or found is None:
            self.fail(f"{text!r} is not a time such as 30s, 10m or 1h30m", param, ctx)
        hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return 3600 * hours + 60 * minutes + seconds


def flatten(groups: Sequence[Sequence[Any]]) -> tuple[Any, ...]:
    """``(("a", "b"), ("c",))`` as ``("a", "b", "c")``, each once."""
    return tuple(dict.fromkeys(item for group in groups for item in group))


def check_columns(names: Sequence[str]) -> None:
    """Refuse a column that does not exist.

    Raises:
        UsageError: It names the wrong one.
    """
    from edgebench.report.columns import BY_NAME

    for name in names:
        if name not in BY_NAME:
            raise UsageError(
                f"there is no column {name!r}", remedy="see `edgebench report --list-columns`"
            )


def together(*options: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    """Several options as one decorator, in the order of --help."""

    def decorated(function: _Command) -> _Command:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated

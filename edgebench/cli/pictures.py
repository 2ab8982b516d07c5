"""Pictures of charts: `edgebench report --svg CHART --png CHART=FILE`."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgebench.cli import files
from edgebench.cli.params import CommaList, flatten
from edgebench.cli.text import plain
from edgebench.errors import UsageError
from edgebench.report.rows import Row
from edgebench.store.read import StoredRun

if TYPE_CHECKING:
    from edgebench.report.picture import Style

_KINDS = ("svg", "png")


@dataclass(frozen=True)
class Wanted:
    """Pictures that were asked for."""

    pictures: tuple[tuple[str, str, str], ...]
    """Of each its kind, its chart and its file."""
    style: dict[str, Any]

    def __bool__(self) -> bool:
        return bool(self.pictures)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of pictures; it gets them as ``pictures``, a `Wanted`."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **given: Any) -> None:  # noqa: ANN401 - click's contract
        named = {kind: flatten(given.pop(kind)) for kind in _KINDS}
        style = {name: given.pop(name) for name in ("width_px", "scale", "dark", "rows")}
        command(*arguments, pictures=_wanted(named, style), **given)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def write(wanted: Wanted, runs: Sequence[StoredRun], rows: Sequence[Row]) -> None:
    """Draw every picture, and only then write any.

    Raises:
        UsageError: A chart has nothing to draw, or its file cannot be written.
    """
    from edgebench.report import picture
    from edgebench.report.sections.base import Material

    material = Material(runs, rows)
    style: Style = picture.Style(**wanted.style)
    charts = dict.fromkeys(chart for _, chart, _ in wanted.pictures)
    drawn = {chart: picture.svg(material, chart, style) for chart in charts}
    for kind, chart, target in wanted.pictures:
        data = picture.png(drawn[chart], style) if kind == "png" else drawn[chart].encode()
        if target == files.STDOUT:
            files.to_stdout(data)
        else:
            files.write(Path(target), data)
            click.echo(plain(f"{chart} in {target}"), err=True)


def _wanted(named: dict[str, tuple[str, ...]], style: dict[str, Any]) -> Wanted:
    """What was asked, checked before anything is read; its files are checked with all others.

    Raises:
        UsageError: A chart is unknown, or an option has nothing to be of.
    """
    given = {name: value for name, value in style.items() if value not in (None, False)}
    pictures = []
    for kind, words in named.items():
        for word in words:
            chart, equals, target = word.partition("=")
            if equals and not target:
                raise UsageError(f"--{kind} {word}: names no file", remedy=f"--{kind} {chart}=FILE")
            pictures.append((kind, chart, target or f"{chart}.{kind}"))
    if not pictures:
        if given:
            raise UsageError(
                f"--{next(iter(given)).removesuffix('_px')} is of pictures",
                remedy="add --svg CHART or --png CHART",
            )
        return Wanted((), {})
    if "scale" in given and not named["png"]:
        raise UsageError("--scale is of PNG", remedy="add --png CHART; an SVG has --width")
    _check([chart for _, chart, _ in pictures])
    return Wanted(tuple(pictures), given)


def _check(charts: Sequence[str]) -> None:
    from edgebench.report import picture

    known = picture.meanings()
    for chart in charts:
        if chart not in known:
            close = difflib.get_close_matches(chart, known, 1)
            near = f"did you mean {close[0]}? " if close else ""
            raise UsageError(
                f"no chart {plain(chart)!r}", remedy=f"{near}there is {', '.join(known)}"
            )


def _list(context: click.Context, _option: click.Parameter, value: bool) -> None:
    if not value:
        return
    from edgebench.report import picture

    for name, meaning in picture.meanings().items():
        click.echo(f"{name:18} {meaning}")
    context.exit()


_OPTIONS = (
    *(
        click.option(
            f"--{kind}",
            multiple=True,
            type=CommaList(metavar="CHART[=FILE]"),
            help=f"Draw a chart as {kind.upper()} (default: CHART.{kind}; - for stdout).",
        )
        for kind in _KINDS
    ),
    click.option(
        "--list-charts",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_list,
        help="Print every chart with its meaning and stop.",
    ),
    click.option(
        "--width", "width_px", type=click.IntRange(100, 10_000), metavar="PX", help="Of a picture."
    ),
    click.option(
        "--scale",
        type=click.FloatRange(0.1, 10),
        metavar="N",
        help="Pixels of a PNG by pixel of its chart (default: 2).",
    ),
    click.option("--dark", is_flag=True, help="Pictures for dark slides."),
    click.option(
        "--rows",
        type=click.IntRange(min=1),
        metavar="N",
        help="Rows in a panel of a picture at most: the first of its order.",
    ),
)

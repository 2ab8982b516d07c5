"""`edgebench report`: stored results as a table, JSON, CSV, HTML or pictures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from edgebench.analysis.definitions import DEFINITIONS
from edgebench.cli import asking, files, show
from edgebench.cli import only as only_
from edgebench.cli import pictures as pictures_
from edgebench.cli.params import CommaList, check_columns, flatten, together
from edgebench.cli.text import fill, plain
from edgebench.errors import UsageError
from edgebench.report import choosing, csv_, gather, rows, table, units
from edgebench.report.choosing import Asked
from edgebench.report.column import Column
from edgebench.report.columns import COLUMNS, defined
from edgebench.store.read import StoredRun


@click.command("report")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--csv", "csv_file", metavar="FILE", help="Write every column as CSV (- for stdout).")
@click.option("--html", "html_file", metavar="FILE", help="Write one HTML page that opens offline.")
@pictures_.options
@only_.OPTION
@click.option("--columns", multiple=True, type=CommaList(), help="Columns to show or write.")
@click.option(
    "--all-runs", is_flag=True, help="Every run, not only the latest of each case and device."
)
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON instead of a table.")
@click.option(
    "--definition",
    type=click.Choice(tuple(DEFINITIONS)),
    help="Add the figures that another tool would give of the same samples.",
)
@click.option("--list-columns", is_flag=True, help="Print every column with its meaning and stop.")
@together(*asking.OPTIONS)
def command(
    paths: tuple[Path, ...],
    csv_file: str | None,
    html_file: str | None,
    columns: tuple[tuple[str, ...], ...],
    definition: str | None,
    *,
    pictures: pictures_.Wanted,
    only: tuple[tuple[str, tuple[str, ...]], ...],
    all_runs: bool,
    as_json: bool,
    list_columns: bool,
    **question: Any,  # noqa: ANN401 - the options of `asking`
) -> None:
    """Show results as a table, or write them as CSV, HTML or pictures.

    PATHS are run folders or any folders above them (default: edgebench-results); several devices'
    results are put together by naming, or copying together, their folders.

    The HTML page answers a question first: --max to --sure state it, as for `edgebench
    recommend`; without them it tells what is fastest. It can be asked otherwise on the page. A
    question leaves out no row; --only does.
    """
    _check_targets(csv_file, html_file, pictures, as_json=as_json)
    asked = _asked(question, html_file)
    if list_columns:
        for column in (*COLUMNS, *_added(definition)):
            click.echo(f"{column.name:24} {column.meaning}")
        return
    names = flatten(columns)
    check_columns(names)
    wanted = only_.gathered(only)
    runs, found, problems = gather.gather(
        paths or (Path("edgebench-results"),),
        all_runs=all_runs,
        definition=definition,
        keep_runs=html_file is not None or bool(pictures),  # they draw their samples
        each_setup=html_file is not None,  # to choose between those is a choice, too
    )
    found = only_.kept(found, wanted)
    for problem in problems:
        click.echo(f"edgebench: {plain(problem)}", err=True)
    if as_json or (csv_file is None and html_file is None and not pictures):
        _print(found, names, definition, as_json=as_json)
    if csv_file is not None:
        _write_csv(found, csv_file, names, _added(definition))
    if html_file is not None:
        _write_html(html_file, tuple(runs), found, problems, asked)
    if pictures:
        pictures_.write(pictures, runs, found)


def _print(
    found: list[rows.Row], names: Sequence[str], definition: str | None, *, as_json: bool
) -> None:
    shown = names or (table.defined_columns(found, definition) if definition else ())
    show.print_rows(found, shown, as_json=as_json)
    for line in () if as_json else units.lines(found):
        click.echo(fill(line, "", "  "), err=True)


def _check_targets(
    csv_file: str | None, html_file: str | None, pictures: pictures_.Wanted, *, as_json: bool
) -> None:
    """Refuse what cannot be written, or would be written over, before anything is read.

    Raises:
        UsageError: A file cannot be written, or two outputs have one target.
    """
    named = {"--csv": csv_file, "--html": html_file, "--json": "-" if as_json else None}
    files.check_all(
        [
            *((option, target) for option, target in named.items() if target is not None),
            *((f"--{kind}", target) for kind, _, target in pictures.pictures),
        ]
    )


def _asked(question: dict[str, Any], html_file: str | None) -> Asked:
    """What the page is asked; nothing else of the command can answer it."""
    asked = asking.asked(question)
    if html_file is None and asked != Asked():
        some = ",".join(asked.workloads)
        raise UsageError(
            "limits, --minimise, --workload and the like are questions, which only --html answers",
            remedy=f"to keep rows: --only workload={some}"
            if asked == Asked(workloads=asked.workloads)
            else "add --html FILE, or ask: edgebench recommend",
        )
    for doubt in choosing.backwards(asked):
        click.echo(f"edgebench: {doubt}", err=True)
    return asked


def _added(definition: str | None) -> tuple[Column, ...]:
    return () if definition is None else defined(definition)


def _write_csv(
    found: list[rows.Row], target: str, names: Sequence[str], added: Sequence[Column]
) -> None:
    if target == "-":
        csv_.write(found, sys.stdout, names, added)
        return
    files.write(Path(target), csv_.encoded(found, names, added))
    click.echo(f"{len(found)} rows in {target}", err=True)


def _write_html(
    target: str,
    runs: Sequence[StoredRun],
    found: list[rows.Row],
    problems: Sequence[str],
    asked: Asked,
) -> None:
    from edgebench.report import html

    page = html.build(runs, found, problems, asked)
    if target == "-":
        click.echo(page, nl=False)
        return
    files.write(Path(target), page.encode())
    click.echo(f"report in {target}; open it in a browser", err=True)

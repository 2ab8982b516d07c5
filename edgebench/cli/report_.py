"""`edgebench report`: stored results as a table, JSON, CSV or HTML."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from edgebench.analysis.definitions import DEFINITIONS
from edgebench.cli import show
from edgebench.cli.params import CommaList, check_columns, flatten
from edgebench.errors import UsageError
from edgebench.report import csv_, gather, rows, table
from edgebench.report.column import Column
from edgebench.report.columns import COLUMNS, defined
from edgebench.store.read import StoredRun


@click.command("report")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--csv", "csv_file", metavar="FILE", help="Write every column as CSV (- for stdout).")
@click.option("--html", "html_file", metavar="FILE", help="Write one HTML page that opens offline.")
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
def command(
    paths: tuple[Path, ...],
    csv_file: str | None,
    html_file: str | None,
    columns: tuple[tuple[str, ...], ...],
    definition: str | None,
    *,
    all_runs: bool,
    as_json: bool,
    list_columns: bool,
) -> None:
    """Show results as a table, or write them as CSV or HTML.

    PATHS are run folders or any folders above them (default: edgebench-results); several devices'
    results are put together by naming, or copying together, their folders.
    """
    if list_columns:
        for column in (*COLUMNS, *_added(definition)):
            click.echo(f"{column.name:24} {column.meaning}")
        return
    names = flatten(columns)
    check_columns(names)
    runs, found, problems = gather.gather(
        paths or (Path("edgebench-results"),),
        all_runs=all_runs,
        definition=definition,
        keep_runs=html_file is not None,  # the page draws their samples
    )
    for problem in problems:
        click.echo(f"edgebench: {problem}", err=True)
    if as_json or (csv_file is None and html_file is None):
        shown = names or (table.defined_columns(found, definition) if definition else ())
        show.print_rows(found, shown, as_json=as_json)
    if csv_file is not None:
        _write_csv(found, csv_file, names, _added(definition))
    if html_file is not None:
        _write_html(tuple(runs), found, problems, html_file)


def _added(definition: str | None) -> tuple[Column, ...]:
    return () if definition is None else defined(definition)


def _write_csv(
    found: list[rows.Row], target: str, names: Sequence[str], added: Sequence[Column]
) -> None:
    if target == "-":
        csv_.write(found, sys.stdout, names, added)
        return
    try:
        with Path(target).open("w", encoding="utf-8", newline="") as file:
            csv_.write(found, file, names, added)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from None
    click.echo(f"{len(found)} rows in {target}", err=True)


def _write_html(
    runs: Sequence[StoredRun], found: list[rows.Row], problems: Sequence[str], target: str
) -> None:
    from edgebench.report import html

    page = html.build(runs, found, problems)
    if target == "-":
        click.echo(page, nl=False)
        return
    try:
        Path(target).write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from None
    click.echo(f"report in {target}; open it in a browser", err=True)

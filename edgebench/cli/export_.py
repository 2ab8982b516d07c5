"""`edgebench export`: results in the form that another tool reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from edgebench import plugins
from edgebench.cli import files, only
from edgebench.cli.params import CommaList, check_columns, flatten
from edgebench.cli.text import count, fill, one_line, plain
from edgebench.errors import EdgebenchError, UsageError
from edgebench.protocols import Exported
from edgebench.report import gather
from edgebench.report.behind import Behind
from edgebench.report.columns import COLUMNS

_RESULTS = Path("edgebench-results")
_FILTERS = ("workload", "backend", "precision")


@click.command("export")
@click.argument("name", metavar="FORMAT", required=False)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="FILE", default="-", help="The file to write (default: - for stdout)."
)
@click.option("--columns", multiple=True, type=CommaList(), help="Columns to write.")
@click.option(
    "--all-runs", is_flag=True, help="Every run, not only the latest of each case and device."
)
@click.option("-w", "--workload", multiple=True, type=CommaList(), help="Only these workloads.")
@click.option("-b", "--backend", multiple=True, type=CommaList(), help="Only these backends.")
@click.option("-p", "--precision", multiple=True, type=CommaList(), help="Only these precisions.")
@click.option("--list", "list_formats", is_flag=True, help="Print every format and stop.")
def command(
    name: str | None,
    paths: tuple[Path, ...],
    output: str,
    *,
    columns: tuple[tuple[str, ...], ...],
    workload: tuple[tuple[str, ...], ...],
    backend: tuple[tuple[str, ...], ...],
    precision: tuple[tuple[str, ...], ...],
    all_runs: bool,
    list_formats: bool,
) -> None:
    """Write results in the form that another tool reads.

    FORMAT is pytest-benchmark, parquet, jsonl or markdown, one of a plug-in (--list), or
    my_module:MyExporter. PATHS are run folders or any folders above them (default:
    edgebench-results).
    """
    if list_formats:
        _list()
        return
    if name is None:
        known = ", ".join(plugins.names(plugins.EXPORTERS))
        raise UsageError("export to which format?", remedy=f"one of {known}")
    names = flatten(columns)
    _check(names)
    exporter = plugins.open_exporter(name)
    places = paths or (_RESULTS,)
    rows, problems = gather.read(places, all_runs=all_runs)
    for problem in problems:
        click.echo(f"edgebench: {plain(problem)}", err=True)
    chosen = [flatten(words) for words in (workload, backend, precision)]
    rows = only.kept(rows, dict(zip(_FILTERS, chosen, strict=True)))
    if not rows:
        raise UsageError("no cell is left to export")
    exported = exporter.write(rows, names, Behind(places))
    for note in exported.notes:
        click.echo(fill(note, "", "  "), err=True)
    _write(exported, output, len(rows))


def _check(names: Sequence[str]) -> None:
    """Refuse a column that is none, or is only there where another tool's definition is asked."""
    check_columns(names)
    known = {column.name for column in COLUMNS}
    for name in names:
        if name not in known:
            raise UsageError(
                f"{name} is another tool's figure", remedy="edgebench report --definition ... --csv"
            )


def _write(exported: Exported, output: str, rows: int) -> None:
    if output == "-":
        files.to_stdout(exported.data)
        return
    files.write(Path(output), exported.data)
    click.echo(plain(f"{count(rows, 'row')} in {output}"), err=True)


def _list() -> None:
    """Every format with the ending of its file; one that cannot be used says why."""
    for name in plugins.names(plugins.EXPORTERS):
        try:
            exporter = plugins.open_exporter(name)
            words = (type(exporter).__doc__ or "").strip().partition("\n")[0]
            line = f"{name:17} {exporter.suffix:9} {words}"
        except (EdgebenchError, ImportError) as error:
            line = f"{name:17} not available: {error}"
        click.echo(one_line(line))

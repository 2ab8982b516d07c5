"""`edgebench compare`: two runs, or a run and a baseline; exit 1 where a limit is broken."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from edgebench.analysis import limits
from edgebench.analysis.compare import DEFAULT_METRIC, METRICS
from edgebench.analysis.limits import Limit
from edgebench.cli import files, show
from edgebench.cli.main import EXIT_LIMIT
from edgebench.cli.params import CommaList, flatten
from edgebench.cli.text import fill, plain
from edgebench.errors import UsageError
from edgebench.report import comparison, comparison_markdown, csv_, gather
from edgebench.report.columns import COLUMNS
from edgebench.report.comparison import Break, Compared
from edgebench.report.rows import Row
from edgebench.report.table import clean
from edgebench.store import baselines, merge

_RESULTS = Path("edgebench-results")


@click.command("compare")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--baseline", metavar="NAME", help="Compare with this baseline (or its .json file).")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    type=CommaList(metavar="METRIC"),
    help=f"What is compared: {', '.join(METRICS)}.",
)
@click.option(
    "--fail",
    "fails",
    multiple=True,
    type=CommaList(metavar="METRIC:+5%"),
    help="Exit 1 where B is surely worse than A by more than this.",
)
@click.option("--csv", "csv_file", metavar="FILE", help="Write the pairs as CSV (- for stdout).")
@click.option("--json", "as_json", is_flag=True, help="Print the pairs as JSON.")
@click.option("--markdown", is_flag=True, help="Print a summary for a pull request.")
def command(
    paths: tuple[Path, ...],
    baseline: str | None,
    metrics: tuple[tuple[str, ...], ...],
    fails: tuple[tuple[str, ...], ...],
    csv_file: str | None,
    *,
    as_json: bool,
    markdown: bool,
) -> int:
    """Say which cells of B differ from those of A, and whether that is known.

    PATHS are two run folders (or folders above them: the latest figures of each case and device
    count), or with --baseline one (default: edgebench-results). B / A comes with its 95 % interval
    and a verdict: faster, slower, same (within 2 %; frames in time: 0.1 %), can't tell or not
    comparable. Energies and powers are compared within one tier only.

    Limits like --fail latency_p50_ms:+5% or --fail throughput_ips:-5% end in exit code 1 only where
    the interval lies beyond them, all cells and limits judged together (Holm).
    """
    files.check_all([("--csv", csv_file)] if csv_file is not None else [])
    checked = [limits.parse(words) for words in flatten(fails)]
    wanted = flatten(metrics) or tuple(limit.metric for limit in checked) or (DEFAULT_METRIC,)
    for metric in wanted:
        limits.check_metric(metric)
    a, b = _sides(paths, baseline)
    found = comparison.of_rows(a, b, wanted, checked)
    if all(row["case_id_a"] is None or row["case_id_b"] is None for row in found.rows):
        raise UsageError("A and B have no cell in common", remedy="compare runs of the same cases")
    if markdown:
        click.echo(comparison_markdown.build(found, checked), nl=False)
    _print(found, as_json=as_json, csv_file=csv_file, shown=not markdown)
    if checked:
        _gate(found, checked)
    return EXIT_LIMIT if found.breaks else 0


def _sides(paths: Sequence[Path], baseline: str | None) -> tuple[list[Row], list[Row]]:
    if baseline is not None:
        if len(paths) > 1:
            raise UsageError("--baseline is A: name one run to compare with it")
        stored = baselines.read(baseline).rows
        blank: Row = dict.fromkeys(column.name for column in COLUMNS)
        return merge.latest([blank | row for row in stored]), _latest((paths or (_RESULTS,))[0])
    if len(paths) != 2:  # noqa: PLR2004 - two sides
        raise UsageError(
            f"compare takes two runs, not {len(paths)}", remedy="or one and --baseline NAME"
        )
    return _latest(paths[0]), _latest(paths[1])


def _latest(path: Path) -> list[Row]:
    found, problems = gather.read([path])
    for problem in problems:
        click.echo(f"edgebench: {plain(problem)}", err=True)
    return found


def _print(found: Compared, *, as_json: bool, csv_file: str | None, shown: bool) -> None:
    if as_json:
        click.echo(json.dumps({"rows": found.rows, "broken": _broken(found.breaks)}, indent=1))
    if csv_file == "-":
        csv_.write(found.rows, sys.stdout, comparison.COLUMNS)
    elif csv_file is not None:
        files.write(Path(csv_file), csv_.encoded(found.rows, comparison.COLUMNS))
    if as_json or csv_file == "-" or not shown:
        return
    for metric in dict.fromkeys(str(row["metric"]) for row in found.rows):
        mine = [row for row in found.rows if row["metric"] == metric]
        click.echo(metric)
        show.console().print(comparison.table(mine))
        for note in comparison.notes(mine):
            click.echo(fill(note, "", "  "), err=True)


def _broken(breaks: Sequence[Break]) -> list[dict[str, object]]:
    return [
        {"limit": one.limit.words, "case": one.row["case"], "low": one.low, "high": one.high}
        for one in breaks
    ]


def _gate(found: Compared, checked: Sequence[Limit]) -> None:
    """Say on stderr which limits are broken.

    Raises:
        UsageError: A limit has no cell with an interval: a gate that checks nothing must not pass.
    """
    for limit in checked:
        mine = [row for row in found.rows if row["metric"] == limit.metric]
        if all(row["ratio_lo"] is None for row in mine):
            reason = f"{mine[0]['verdict']}: {mine[0]['reason']}"
            raise UsageError(clean(f"{limit.words} could be checked on no cell: {reason}"))
    for one in found.breaks:
        words = (
            f"limit broken: {one.row['case']}: {one.limit.words}: B / A is "
            f"{one.row['ratio']:.3f}, surely within {one.low:.3f} to {one.high:.3f}"
        )
        click.echo(fill(clean(words), "", "  "), err=True)
    if not found.breaks:
        click.echo("no limit is surely broken", err=True)

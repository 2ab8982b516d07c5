"""`edgebench recommend`: which device, runtime and precision, and why the others fell out."""

from __future__ import annotations

from pathlib import Path

import click

from edgebench.analysis import candidates, constraints, published
from edgebench.analysis.recommend import Answer, Objective, recommend
from edgebench.cli.params import CommaList, flatten
from edgebench.errors import UsageError
from edgebench.report import gather

_RESULTS = Path("edgebench-results")
_OBJECTIVE = "latency_p50_ms"


@click.command("recommend")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--max", "most", multiple=True, metavar="FIGURE=N", help="No more than this.")
@click.option("--min", "least", multiple=True, metavar="FIGURE=N", help="No less than this.")
@click.option("--minimise", metavar="FIGURE", help=f"Rank by this ({_OBJECTIVE}).")
@click.option("--maximise", metavar="FIGURE", help="Rank by the most of this.")
@click.option("-w", "--workload", "workloads", multiple=True, type=CommaList())
def command(
    paths: tuple[Path, ...],
    *,
    most: tuple[str, ...],
    least: tuple[str, ...],
    minimise: str | None,
    maximise: str | None,
    workloads: tuple[tuple[str, ...], ...],
) -> None:
    """Choose among the results of several devices."""
    if minimise and maximise:
        raise UsageError("rank by one figure: --minimise or --maximise")
    limits = [constraints.parse(words, "max") for words in most]
    limits += [constraints.parse(words, "min") for words in least]
    objective = Objective(maximise or minimise or _OBJECTIVE, more_is_better=bool(maximise))
    rows, problems = gather.read(paths or (_RESULTS,))
    for problem in problems:
        click.echo(f"edgebench: {problem}", err=True)
    wanted = flatten(workloads)
    rows = [row for row in rows if not wanted or row["workload"] in wanted]
    told = published.of_devices(str(row["device"]) for row in rows)
    for group in candidates.of_rows(rows, told):
        _print(recommend(group, limits, objective))


def _print(answer: Answer) -> None:
    click.echo(answer.question)
    for one in answer.standings:
        value = f"{one.figure.value:.4g}" if one.figure else "-"
        click.echo(f"  {one.rank or '-':>2} {one.candidate.name:50} {value}")
        for words in (*one.refusals, *(broken.words for broken in one.breaks)):
            click.echo(f"       {words}")

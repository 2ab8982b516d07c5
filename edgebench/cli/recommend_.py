"""`edgebench recommend`: which device, runtime and precision, and why the others fell out."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from edgebench.analysis import constraints
from edgebench.analysis.recommend import Answer
from edgebench.cli import show
from edgebench.cli.main import EXIT_LIMIT
from edgebench.cli.params import CommaList, flatten
from edgebench.errors import UsageError
from edgebench.report import choice_data, choice_markdown, choice_table, choosing, csv_, gather

_RESULTS = Path("edgebench-results")


@click.command("recommend")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--max", "most", multiple=True, metavar="FIGURE=N", help="No more than this.")
@click.option("--min", "least", multiple=True, metavar="FIGURE=N", help="No less than this.")
@click.option("--minimise", metavar="FIGURE", help="Rank by this (latency_p50_ms).")
@click.option("--maximise", metavar="FIGURE", help="Rank by the most of this.")
@click.option("-w", "--workload", "workloads", multiple=True, type=CommaList(), help="Only these.")
@click.option("--price", "prices", multiple=True, metavar="DEVICE=USD", help="What it costs you.")
@click.option(
    "--allow-tier",
    "tiers",
    multiple=True,
    type=CommaList(metavar="TIER"),
    help="Tiers of power that may be ranked together, labelled.",
)
@click.option("--require-valid", is_flag=True, help="Suspect cells fall out, too.")
@click.option("--all-runs", is_flag=True, help="Every run, not only the latest of each.")
@click.option("--all", "everything", is_flag=True, help="Show every candidate.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--csv", "csv_file", metavar="FILE", help="Write a row a candidate (- for stdout).")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print it as Markdown.")
def command(
    *,
    paths: tuple[Path, ...],
    most: tuple[str, ...],
    least: tuple[str, ...],
    minimise: str | None,
    maximise: str | None,
    workloads: tuple[tuple[str, ...], ...],
    prices: tuple[str, ...],
    tiers: tuple[tuple[str, ...], ...],
    csv_file: str | None,
    require_valid: bool,
    all_runs: bool,
    everything: bool,
    as_json: bool,
    as_markdown: bool,
) -> int:
    """Choose a device, a runtime and a precision, and say why the others fell out.

    PATHS are run folders or any folders above them (default: edgebench-results). Limits must all be
    kept, and a figure that was not measured keeps none. Figures are the columns of `edgebench
    report --list-columns` and what is published of a device: price_usd, idle_w, load_w, npu_tops.

    Exit code 1 where nothing keeps every limit.
    """
    limits = [constraints.parse(words, "max") for words in most]
    limits += [constraints.parse(words, "min") for words in least]
    asked = choosing.Asked(
        limits=tuple(limits),
        objective=choosing.objective(minimise, maximise),
        workloads=flatten(workloads),
        prices_usd=dict(_price(words) for words in prices),
        allow_tiers=flatten(tiers),
        require_valid=require_valid,
    )
    rows, problems = gather.read(paths or (_RESULTS,), all_runs=all_runs)
    for problem in problems:
        click.echo(f"edgebench: {problem}", err=True)
    answers = choosing.answers(rows, asked)
    _write(answers, as_json=as_json, as_markdown=as_markdown, csv_file=csv_file, all_=everything)
    return 0 if all(answer.ranked for answer in answers) else EXIT_LIMIT


def _price(words: str) -> tuple[str, float]:
    device, equals, number = words.strip().rpartition("=")
    try:
        price = float(number)
    except ValueError:
        price = math.nan
    if not equals or not device or math.isnan(price):
        raise UsageError(f"{words!r} is no price", remedy="write --price raspberry-pi-5=80")
    return device, price


def _write(
    answers: Sequence[Answer], *, as_json: bool, as_markdown: bool, csv_file: str | None, all_: bool
) -> None:
    if as_json:
        click.echo(json.dumps(choice_data.to_json(answers), indent=1, allow_nan=False))
    if as_markdown:
        click.echo(choice_markdown.text(answers, everything=all_), nl=False)
    if csv_file is not None:
        _write_csv(answers, csv_file)
    if as_json or as_markdown or csv_file == "-":
        return
    console = show.console()
    for part in choice_table.parts(answers, everything=all_):
        console.print(part)


def _write_csv(answers: Sequence[Answer], target: str) -> None:
    rows, columns = choice_data.csv_rows(answers)
    if target == "-":
        csv_.write(rows, sys.stdout, columns)
        return
    try:
        with Path(target).open("w", encoding="utf-8", newline="") as file:
            csv_.write(rows, file, columns)
    except OSError as error:
        raise UsageError(f"cannot write {target}: {error.strerror}") from None
    click.echo(f"{len(rows)} rows in {target}", err=True)

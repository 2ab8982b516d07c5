"""`edgebench recommend`: which device, runtime and precision, and why the others fell out."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from edgebench.analysis import directions
from edgebench.cli import asking, costing, files, show
from edgebench.cli.main import EXIT_LIMIT
from edgebench.cli.params import together
from edgebench.cli.text import plain
from edgebench.errors import UsageError
from edgebench.report import choice_data, choice_markdown, choice_table, choosing, csv_, gather
from edgebench.report.choosing import Asked, Decided
from edgebench.store import merge

_RESULTS = Path("edgebench-results")


@click.command("recommend")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@together(*asking.OPTIONS)
@click.option("--pareto", metavar="FIGURE,...", help="The front of these figures, too.")
@together(*costing.OPTIONS)
@click.option("--each-unit", is_flag=True, help="Rank each unit of a kind of device by itself.")
@click.option("--all-runs", is_flag=True, help="Every run, not only the latest of each.")
@click.option("--all", "everything", is_flag=True, help="Show every candidate.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--csv", "csv_file", metavar="FILE", help="Write a row a candidate (- for stdout).")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print it as Markdown.")
def command(
    *,
    paths: tuple[Path, ...],
    pareto: str | None,
    each_unit: bool,
    all_runs: bool,
    csv_file: str | None,
    everything: bool,
    as_json: bool,
    as_markdown: bool,
    **stated: Any,  # noqa: ANN401 - the options of `asking` and of `costing`
) -> int:
    """Choose a device, a runtime and a precision, and say why the others fell out.

    PATHS are run folders, imports or any folders above them (default: edgebench-results). Limits
    must all be kept, and a figure that was not measured keeps none. Figures are the columns of
    `edgebench report --list-columns` and what is published of a device: price_usd, idle_w, load_w,
    npu_tops ...; with --cameras and --fps also what that costs: cost_total_usd, cost_power_w ...

    Exit code 1 where nothing keeps every limit.
    """
    files.check_all([("--csv", csv_file)] if csv_file is not None else [])
    front = directions.objectives(pareto) if pareto else ()
    question = {name: stated.pop(name) for name in asking.NAMES}
    asked = replace(
        asking.asked(question, front),
        each_unit=each_unit,
        need=costing.need(**stated),
    )
    decided = _decided(paths, asked, all_runs=all_runs)
    _write(decided, as_json=as_json, as_markdown=as_markdown, csv_file=csv_file, all_=everything)
    return 0 if all(one.answer.ranked for one in decided) else EXIT_LIMIT


def _decided(paths: Sequence[Path], asked: Asked, *, all_runs: bool) -> Sequence[Decided]:
    """The decisions; on stderr what could not be read, and what may have been meant otherwise."""
    rows, problems = gather.read(paths or (_RESULTS,), all_runs=True)
    rows = rows if all_runs else merge.latest(rows, each_setup=True)
    for problem in problems:
        click.echo(f"edgebench: {plain(problem)}", err=True)
    decided = choosing.decide(rows, asked)
    for doubt in choosing.backwards(asked):
        click.echo(f"edgebench: {doubt}", err=True)
    return decided


def _write(
    decided: Sequence[Decided],
    *,
    as_json: bool,
    as_markdown: bool,
    csv_file: str | None,
    all_: bool,
) -> None:
    forms = {"--json": as_json, "--markdown": as_markdown, "--csv -": csv_file == "-"}
    if len(asked := [form for form, wanted in forms.items() if wanted]) > 1:
        raise UsageError(f"{' and '.join(asked)} would both be stdout", remedy="ask for one")
    if as_json:
        click.echo(json.dumps(choice_data.to_json(decided), indent=1, allow_nan=False))
    if as_markdown:
        click.echo(choice_markdown.text(decided, everything=all_), nl=False)
    if csv_file is not None:
        _write_csv(decided, csv_file)
    if as_json or as_markdown or csv_file == "-":
        return
    console = show.console()
    for part in choice_table.parts(decided, everything=all_):
        console.print(part)


def _write_csv(decided: Sequence[Decided], target: str) -> None:
    rows, columns = choice_data.csv_rows(decided)
    if target == "-":
        csv_.write(rows, sys.stdout, columns)
        return
    files.write(Path(target), csv_.encoded(rows, columns))
    click.echo(f"{len(rows)} rows in {target}", err=True)

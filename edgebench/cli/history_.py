"""`edgebench history`: one case over all its runs, where its level changed, and what with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from edgebench.analysis import history
from edgebench.analysis.change_points import MIN_POINTS
from edgebench.analysis.compare import DEFAULT_METRIC
from edgebench.analysis.history import History
from edgebench.cli.params import CommaList, flatten
from edgebench.cli.text import count, fill, plain
from edgebench.errors import UsageError
from edgebench.report import gather
from edgebench.report import history as report
from edgebench.report.figures import words
from edgebench.runner import labels

_RESULTS = Path("edgebench-results")
_NAMED = 4


@click.command("history")
@click.argument("what", nargs=-1, metavar="[PATH...] [CASE...]")
@click.option(
    "--metric",
    default=DEFAULT_METRIC,
    metavar="FIGURE",
    help=f"A column with numbers ({DEFAULT_METRIC}).",
)
@click.option(
    "--device", "devices", multiple=True, type=CommaList(metavar="ID"), help="Only these units."
)
@click.option("--json", "as_json", is_flag=True, help="Print all runs and changes as JSON.")
def command(
    what: tuple[str, ...], metric: str, devices: tuple[tuple[str, ...], ...], *, as_json: bool
) -> None:
    """Show a case's figure over all its runs, and where its level changed.

    PATHS are run folders or any folders above them (default: edgebench-results). A CASE is named as
    the tables name it: mnist_cnn/litert/int8, then /t4 and what else is not usual. Without one, the
    cases whose level changed are shown.

    Each unit of a device has a history of its own. A change is told where runs that did not change
    would look like it in less than 5 %, with its 95 % interval, and only if it can be more than
    2 %; runs of another preset and of `edgebench ab` are none of its runs.
    """
    report.check_metric(metric)
    paths, cases = _parted(what)
    rows, problems = gather.read(paths or [_RESULTS], all_runs=True)
    for problem in problems:
        click.echo(f"edgebench: {plain(problem)}", err=True)
    found = _chosen(history.of_rows(rows, metric), cases, flatten(devices))
    if as_json:
        click.echo(json.dumps([row for one in found for row in report.rows(one)], indent=1))
        return
    shown = found if cases or len(found) == 1 else [one for one in found if one.changes]
    for one in shown:
        click.echo("\n".join(report.lines(one)))
    _tell_rest(found, shown)


def _parted(what: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Folders that are there, and cases, each as `history.labelled` would name it."""
    paths, cases = [], []
    for one in what:
        if Path(one).exists():
            paths.append(Path(one))
            continue
        try:
            fields = labels.parse(one)
        except UsageError as error:
            raise UsageError(
                f"{one!r} is no folder, and no case either", remedy=error.remedy
            ) from None
        pairs = {name: fields.get(name) or {} for name in ("parameters", "options")}
        pairs["parameters"] = {key: f"{value:g}" for key, value in pairs["parameters"].items()}
        cases.append(history.labelled(fields | {k: words(v) for k, v in pairs.items()}))
    return paths, cases


def _chosen(
    found: Sequence[History], cases: Sequence[str], devices: Sequence[str]
) -> list[History]:
    """Those asked for.

    Raises:
        UsageError: There is none; the message names some that there are.
    """
    for name, wanted in (("case", cases), ("device_id", devices)):
        known = {_name(one, name) for one in found}
        for missing in (one for one in wanted if one not in known):
            there = sorted(known)
            more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
            raise UsageError(
                f"no run of {missing!r}", remedy=f"there is {', '.join(there[:_NAMED])}{more}"
            )
        found = [one for one in found if not wanted or _name(one, name) in wanted]
    if not found:
        raise UsageError("no run of these cases on these units", remedy="name fewer of both")
    return list(found)


def _name(one: History, name: str) -> str:
    return history.labelled(one.row) if name == "case" else str(one.row.get(name))


def _tell_rest(found: Sequence[History], shown: Sequence[History]) -> None:
    """What the lines of runs leave out, on stderr."""
    counted = [sum(point.figure is not None for point in one.points) for one in found]
    few = sum(runs < MIN_POINTS for runs in counted)
    calm = len(found) - len(shown)
    if calm:
        click.echo(f"{count(calm, 'history', 'histories')} without a change: name a case", err=True)
    if few:
        words_of = count(few, "history", "histories")
        line = f"{words_of} with fewer than {MIN_POINTS} runs that count: none can be told a change"
        click.echo(fill(line, "", "  "), err=True)

"""`edgebench baseline`: the figures of a run under a name, for `edgebench compare --baseline`."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import click

from edgebench import __version__
from edgebench.cli.text import count, one_line, plain
from edgebench.errors import UsageError
from edgebench.report import rows
from edgebench.report.table import clean
from edgebench.store import baselines, imported, merge
from edgebench.store.read import folders_with, read_all


@click.group("baseline")
def command() -> None:
    """Save, list and remove baselines.

    A baseline is one small file, edgebench-baselines/NAME.json: commit it, or keep it in the cache
    of a CI job.
    """


@command.command("save")
@click.argument("name")
@click.argument("run", type=click.Path(path_type=Path), default=Path("edgebench-results"))
def save(name: str, run: Path) -> None:
    """Save the latest figures of RUN (default: edgebench-results) as baseline NAME."""
    baselines.path_of(name)  # a wrong name is told before anything is read
    runs, problems = read_all([run])
    for problem in problems:
        click.echo(f"edgebench: {plain(problem)}", err=True)
    if foreign := folders_with(imported.FILE, run):
        others = count(len(foreign), "import")
        click.echo(f"{others} left out: a baseline holds what edgebench measured", err=True)
    found = [row for row in merge.latest(rows.of_runs(runs)) if row["status"] == "ok"]
    if not found:
        raise UsageError(f"no cell of {run} is ok: nothing to compare with")
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    path = baselines.save(name, found, saved_at_utc=now, version=__version__)
    cells = count(len(found), "cell")
    click.echo(f"{cells} in {path}; compare: edgebench compare --baseline {name}", err=True)


@command.command("list")
def list_() -> None:
    """Every baseline in one line."""
    names = baselines.names()
    if not names:
        click.echo("no baselines here; edgebench baseline save NAME", err=True)
    for name in names:
        stored = baselines.read(name)
        devices = ", ".join(sorted({str(row.get("device")) for row in stored.rows}))
        line = f"{name:16} {stored.saved_at_utc} {count(len(stored.rows), 'cell')}  {devices}"
        click.echo(clean(one_line(line)))


@command.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """Remove the baseline NAME."""
    click.echo(f"removed {baselines.remove(name)}", err=True)

"""`edgebench attach`: an external meter's log becomes a part of a run that is over."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from edgebench.cli import power_options
from edgebench.cli.power_log import attach_log
from edgebench.errors import UsageError
from edgebench.meters.csv_ import Csv


@click.command("attach")
@click.argument("run", type=click.Path(path_type=Path))
@power_options.CSV
@power_options.OFFSET
@power_options.COVERS
@power_options.COLUMNS
def command(
    run: Path,
    power_csv: str | None,
    power_csv_offset_s: float | None,
    power_covers: Literal["wall", "board"] | None,
    power_csv_columns: tuple[tuple[str, ...], ...],
) -> None:
    """Add an external power meter's log to the run folder RUN.

    The log must hold the power passes of the run (--standard, or --power-window S with
    --power-csv). The run's records stay as they are: readings go into readings.jsonl beside them,
    and a log that is attached again takes the place of the earlier.
    """
    if power_csv is None:
        raise UsageError("which log? --power-csv is missing", remedy="add --power-csv FILE")
    log = Csv(
        Path(power_csv),
        offset_s=power_csv_offset_s or 0.0,
        covers=power_covers or "wall",
        columns=power_options.columns(power_csv_columns),
    )
    for line in attach_log(run, log):
        click.echo(line, err=True)

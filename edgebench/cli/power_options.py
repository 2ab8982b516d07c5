"""Options about power: of `edgebench run`, and those of an external log of `edgebench attach`."""

from __future__ import annotations

import math
import shlex
import shutil
from pathlib import Path
from typing import Any

import click

from edgebench.cli.params import CommaList, flatten
from edgebench.errors import UsageError
from edgebench.meters.csv_ import Csv
from edgebench.runner.config import NO_METER, RunConfig

CSV = click.option(
    "--power-csv",
    metavar="FILE",
    help="Log of an external power meter: time and W, or V and A; read after the last launch.",
)
OFFSET = click.option(
    "--power-offset",
    "--power-csv-offset",
    "power_csv_offset_s",
    type=float,
    metavar="S",
    help="Added to the log's times: how far the meter's clock is behind this machine's; the Unix "
    "time of its start where the log counts from 0.",
)
COVERS = click.option(
    "--power-covers",
    type=click.Choice(["wall", "board"]),
    help="What the external meter stands at: the plug (default), or the board's own input.",
)
COLUMNS = click.option(
    "--power-columns",
    "power_csv_columns",
    multiple=True,
    type=CommaList(),
    help="Names or numbers of the log's columns: TIME,WATTS or TIME,VOLTS,AMPS (default: by their "
    "names).",
)
COMMAND = click.option(
    "--power-command",
    metavar="CMD",
    help="A program that prints the power in W, a number a line, for as long as it runs.",
)
METER = click.option(
    "--meter",
    "meters",
    multiple=True,
    type=CommaList(),
    help="Meters to read in a power pass (default: the best that can be read here, not in "
    "--quick; see `edgebench meters list`), or none.",
)
WINDOW = click.option(
    "--power-window",
    "power_s",
    type=float,
    metavar="S",
    help="Length of the power pass (default: 30; none in --quick).",
)
RATE = click.option(
    "--power-rate",
    "power_rate_hz",
    type=float,
    metavar="HZ",
    help="How often meters are read (default: 10).",
)
OF_RUN = (METER, WINDOW, RATE, CSV, OFFSET, COLUMNS, COMMAND, COVERS)


def columns(groups: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """The columns that were named.

    Raises:
        click.BadParameter: Neither two nor three.
    """
    named = flatten(groups)
    if len(named) not in (0, 2, 3):
        raise click.BadParameter("TIME,WATTS or TIME,VOLTS,AMPS", param_hint="--power-columns")
    return named


def told(options: dict[str, Any]) -> dict[str, Any]:
    """What the command line says of meters, by the names of a `RunConfig`."""
    window = ("power_s", "power_rate_hz")
    names = (*window, "power_csv", "power_csv_offset_s", "power_command", "power_covers")
    named = columns(options["power_csv_columns"])
    read = {"meters": flatten(options["meters"]), "power_csv_columns": named}
    return {name: options[name] for name in names} | read


def check(config: RunConfig) -> None:
    """Refuse what could not be measured, or would be found missing after the last launch only.

    Raises:
        UsageError: In one line that says how to mend it.
    """
    if not math.isfinite(config.power_csv_offset_s):
        raise UsageError(f"--power-offset {config.power_csv_offset_s:g}: must be a number of s")
    _check_belonging(config)
    if config.power_csv is not None:
        _check_log(config)
    if config.power_command is not None:
        _check_program(config.power_command)


def _check_belonging(config: RunConfig) -> None:
    """An option of a meter that nobody named would be passed over without a word."""
    named = {"--power-csv FILE": config.power_csv, "--power-command CMD": config.power_command}
    external = [option for option, value in named.items() if value is not None]
    if NO_METER in config.meters and (external or config.power_s is not None):
        other = external[0] if external else "--power-window S"
        raise UsageError(f"--meter none excludes {other}", remedy="leave one of them out")
    for option, is_told in (
        ("--power-offset", config.power_csv_offset_s != 0),
        ("--power-columns", bool(config.power_csv_columns)),
    ):
        if is_told and config.power_csv is None:
            raise UsageError(f"{option} is of a log", remedy="add --power-csv FILE")
    if config.power_covers != "wall" and not external:
        remedy = "add --power-csv FILE or --power-command CMD"
        raise UsageError("--power-covers is of an external meter", remedy=remedy)


def _check_log(config: RunConfig) -> None:
    """A log that is there must be one already; one that is not must have a folder to come to."""
    path = Path(config.power_csv or "")
    if not path.parent.is_dir():
        raise UsageError(f"--power-csv {path}: there is no folder {path.parent}")
    if path.exists() and path.stat().st_size:
        Csv(path, offset_s=config.power_csv_offset_s, columns=config.power_csv_columns).check()


def _check_program(command: str) -> None:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--power-command: {error}", remedy="quote it as for a shell") from None
    if not words or shutil.which(words[0]) is None:
        what = words[0] if words else command
        remedy = "name one in PATH, or with its folder"
        raise UsageError(f"--power-command: {what!r} is no program", remedy=remedy)

"""The options of `edgebench run`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgebench.cli import model_options, power_options
from edgebench.cli.params import CommaList, Duration, Ratio
from edgebench.records import ENGINES, PRECISIONS, REGIONS, SCENARIOS, TUNINGS

_F = Callable[..., Any]

_WHAT = (
    click.option(
        "-w",
        "--workload",
        multiple=True,
        type=CommaList(),
        help="Workloads (default: all with default = true).",
    ),
    model_options.MODEL,
    click.option(
        "-b",
        "--backend",
        multiple=True,
        type=CommaList(),
        help="Backends (default: all installed).",
    ),
    click.option(
        "-p",
        "--precision",
        multiple=True,
        type=CommaList(click.Choice(PRECISIONS), "|".join(PRECISIONS)),
        help="Precisions (default: all there are).",
    ),
    click.option(
        "-a",
        "--accelerator",
        multiple=True,
        type=CommaList(),
        help="Where to run: cpu (default), gpu, npu ... as `edgebench backends` lists them.",
    ),
    click.option(
        "--threads",
        multiple=True,
        type=CommaList(int, "N"),
        help="Threads of the runtime (default: 1; --thorough adds all usable).",
    ),
    click.option(
        "--batch",
        multiple=True,
        type=CommaList(int, "N"),
        help="Samples in one inference (default: 1).",
    ),
    click.option(
        "--streams",
        multiple=True,
        type=CommaList(int, "N"),
        help="Sessions at work at once (multi_stream, offline, server).",
    ),
)
_HOW = (
    click.option(
        "--quick",
        is_flag=True,
        help="3 launches of 0.3 s each (default). Where nothing is named it aims at 50 s: the more "
        "cells the shorter (0.1 s at least), and 2 launches where 3 do not fit.",
    ),
    click.option(
        "--standard", is_flag=True, help="6 launches of 2 s each, cooling down in between."
    ),
    click.option(
        "--thorough",
        is_flag=True,
        help="6 to 20 launches of 2 to 10 s, until the median is known to 2 %.",
    ),
    click.option(
        "--target",
        "target_ratio",
        type=Ratio(),
        metavar="R",
        help="How well the median is to be known (half of its 95 % interval), for --thorough and "
        "--budget: 1% or 0.01 (default: 2%).",
    ),
    click.option(
        "--budget",
        "budget_s",
        type=Duration(),
        metavar="T",
        help="Time for the whole run (30s, 10m, 1h30m): 3 launches of every cell, then more where "
        "intervals are widest.",
    ),
    click.option(
        "--accuracy",
        type=click.Choice(["samples", "full", "none"]),
        help="Labelled images to judge on: a workload's own samples (default), its full data set "
        "(see `edgebench data`), or none.",
    ),
    click.option("--seed", type=int, help="Fixes the order of launches."),
    click.option(
        "--scenario",
        multiple=True,
        type=CommaList(click.Choice(SCENARIOS), "NAME"),
        help="How inferences are asked for: single_stream (default: one after the other), "
        "multi_stream (queries of 8), offline (the best batch and streams), server (arrivals at "
        "random), paced (a camera), sustained (minutes on end).",
    ),
    click.option(
        "--rate",
        "rate_hz",
        type=float,
        metavar="HZ",
        help="Frames a second of paced (default: 30); server: this rate instead of a search.",
    ),
    click.option(
        "--bound",
        "bound_ms",
        type=float,
        metavar="MS",
        help="Latency that 99 % of a server's answers must keep (default: 100).",
    ),
    click.option(
        "--minutes", type=float, metavar="M", help="Length of a sustained launch (default: 10)."
    ),
    click.option(
        "--region",
        multiple=True,
        type=CommaList(click.Choice(REGIONS), "|".join(REGIONS)),
        help="What is timed: the runtime alone (invoke, default), or from the image file to the "
        "answer (e2e).",
    ),
    click.option(
        "--image",
        metavar="FILE",
        help="What --region e2e decodes: a JPEG or other image (default: one that ships).",
    ),
    click.option(
        "--engine",
        type=click.Choice(ENGINES),
        help="Who asks and keeps the time: edgebench (default), or MLPerf's LoadGen.",
    ),
    click.option(
        "--tuning",
        type=click.Choice(TUNINGS),
        help="Spinning, arenas, denormals as each runtime ships (native, default) or set alike "
        "(equal).",
    ),
)
_WHERE = (
    click.option(
        "-o",
        "--output",
        metavar="DIR",
        help="Parent of the run folder (default: edgebench-results).",
    ),
    click.option(
        "--resume",
        metavar="RUN_DIR",
        type=click.Path(path_type=Path),
        help="Rerun what is missing or failed in a run folder.",
    ),
    click.option(
        "--dry-run", is_flag=True, help="List the cells and the expected time; measure nothing."
    ),
    click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Options from a TOML file; the command line wins.",
    ),
    click.option("--dump-config", is_flag=True, help="Print the options as TOML and stop."),
    click.option("--device-name", metavar="NAME", help="A name for this unit instead of a hash."),
    click.option(
        "--timeout",
        "timeout_s",
        type=float,
        metavar="S",
        help="Seconds that a stage of a launch may take (default: 60); ten times that for a chunk "
        "of the final check of its outputs.",
    ),
    click.option(
        "--memory-limit",
        "memory_limit_mib",
        type=int,
        metavar="MIB",
        help="Stop a worker that grows beyond this.",
    ),
    click.option(
        "--columns",
        multiple=True,
        type=CommaList(),
        help="Columns of the table (see `edgebench report --list-columns`).",
    ),
    click.option(
        "--require-valid",
        is_flag=True,
        help="Exit with 3 where a cell is suspect or invalid, too, and say why.",
    ),
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Tell of each launch its median, what really ran, and what the runtime printed.",
    ),
    click.option(
        "--json", "as_json", is_flag=True, help="Print the rows as JSON instead of a table."
    ),
)


def apply(command: _F) -> _F:
    """Add every option, in the order that --help shows."""
    for option in reversed((*_WHAT, *model_options.ABOUT, *_HOW, *power_options.OF_RUN, *_WHERE)):
        command = option(command)
    return command

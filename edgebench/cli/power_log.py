"""Putting an external meter's log beside a run's records, at the end of the run or later."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

import click

from edgebench.cli.text import count, fill, plain
from edgebench.errors import EdgebenchError, UsageError
from edgebench.metering import Attached, Power, Series
from edgebench.meters.csv_ import Csv, Log
from edgebench.records import Record
from edgebench.runner.config import RunConfig
from edgebench.runner.journal import Journal
from edgebench.store import attached, read

_SHOWN = 5
_NO_RISE = (
    "beware: by this log the device drew no more while the model ran than while it idled: "
    "is --power-offset right?"
)


def attach_log(folder: Path, csv: Csv) -> tuple[str, ...]:
    """Cut the log into launches and write them beside the records; what is to be said of it.

    Raises:
        UsageError: There is no log, no power pass, or the one does not hold the other.
        StoreError: There is no run, or the disk is full.
    """
    run = read.read_run(folder)
    passes = [record for record in run.records if record.power is not None]
    if not passes:
        raise UsageError(
            f"{folder}: no launch has a power pass",
            remedy="measure with `edgebench run --standard --power-csv FILE`",
        )
    log = csv.log()
    found = [
        Attached(
            case_id=record.case_id,
            launch=record.launch,
            attempt=record.attempt,
            source=csv.path.name,
            offset_s=csv.offset_s,
            series=series,
        )
        for record in passes
        if record.power is not None and (series := csv.series(log, record.power)) is not None
    ]
    if not found:
        windows = [record.power for record in passes if record.power is not None]
        raise UsageError(
            f"{csv.path}: no reading within a power pass; {_spans(log, windows)}",
            remedy="set --power-offset to the difference of the clocks",
        )
    earlier, _ = attached.read(folder)
    Journal(folder).write(attached.FILE, attached.encode(earlier, found))
    readings = count(sum(len(one.series.t_ns) for one in found), "reading")
    of = f"{len(found)} of {count(len(passes), 'power pass', 'power passes')}"
    beware = (_NO_RISE,) if _shows_no_rise(found, passes) else ()
    return (*_problems(log), f"{readings} of {csv.path} attached to {of}", *beware)


def after_run(config: RunConfig, folder: Path, records: tuple[Record, ...]) -> tuple[Record, ...]:
    """The run's records, with the log that was told of; where it cannot be read, one line."""
    if config.power_csv is None or not any(record.power for record in records):
        return records
    csv = Csv(
        Path(config.power_csv),
        offset_s=config.power_csv_offset_s,
        covers=config.power_covers,
        columns=config.power_csv_columns,
    )
    try:
        lines = attach_log(folder, csv)
    except EdgebenchError as error:
        words = f"power log not attached: {error}; when that is mended:"
        click.echo(fill(plain(words), "", "  "), err=True)
        click.echo(f"  {plain(_again(config, folder))}", err=True)  # a broken line is no command
        return attached.merged(records, attached.read(folder)[0])
    for line in lines:
        click.echo(fill(plain(line), "", "  "), err=True)
    return attached.merged(records, attached.read(folder)[0])


def _again(config: RunConfig, folder: Path) -> str:
    """The command that attaches the log as the run was told to."""
    words = ["edgebench", "attach", str(folder), "--power-csv", str(config.power_csv)]
    if config.power_csv_offset_s:
        words += ["--power-offset", f"{config.power_csv_offset_s!r}"]
    if config.power_covers != "wall":
        words += ["--power-covers", config.power_covers]
    if config.power_csv_columns:
        words += ["--power-columns", ",".join(config.power_csv_columns)]
    return shlex.join(words)


def _shows_no_rise(found: Sequence[Attached], passes: Sequence[Record]) -> bool:
    """Whether the log shows no more power in the windows with work than in those without."""
    powers = {(one.case_id, one.launch, one.attempt): one.power for one in passes}
    rises: list[float] = []
    for one in found:
        power = powers[one.case_id, one.launch, one.attempt]
        if power is None or power.idle_start_ns is None or power.idle_end_ns is None:
            continue
        work = _mean_uw(one.series, power.start_ns, power.end_ns)
        idle = _mean_uw(one.series, power.idle_start_ns, power.idle_end_ns)
        if work is not None and idle is not None:
            rises.append(work - idle)
    return bool(rises) and sum(rises) <= 0


def _mean_uw(series: Series, start_ns: int, end_ns: int) -> float | None:
    pairs = zip(series.t_ns, series.value, strict=True)
    inside = [value for t_ns, value in pairs if start_ns <= t_ns <= end_ns]
    return sum(inside) / len(inside) if inside else None


def _problems(log: Log) -> Iterator[str]:
    yield from log.problems[:_SHOWN]
    if len(log.problems) > _SHOWN:
        yield f"... and {len(log.problems) - _SHOWN} more such lines"


def _spans(log: Log, windows: list[Power]) -> str:
    """Both spans by UTC: an hour between them is a time zone."""
    told = [power for power in windows if power.utc_offset_ns is not None]
    begin = min((p.start_ns + (p.utc_offset_ns or 0) for p in told), default=None)
    end = max((p.end_ns + (p.utc_offset_ns or 0) for p in told), default=None)
    if begin is None or end is None:
        return "the run does not tell its wall clock"
    log_span = f"{_utc(log.utc_ns[0])} to {_utc(log.utc_ns[-1])}"
    return f"the log is of {log_span}, the run of {_utc(begin)} to {_utc(end)}"


def _utc(utc_ns: int) -> str:
    return f"{datetime.fromtimestamp(utc_ns / 1e9, timezone.utc):%Y-%m-%dT%H:%M:%SZ}"

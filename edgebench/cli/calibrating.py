"""Carrying out `edgebench devices calibrate`: known loads, a meter beside them, and a fit."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import click

from edgebench import plugins, power_model, resources
from edgebench.analysis import energy, power_fit
from edgebench.analysis.power_fit import NotFeltError, NotIdentifiedError, Point
from edgebench.cli import power_options
from edgebench.cli.text import one_line
from edgebench.errors import UsageError
from edgebench.host import cpu, identify
from edgebench.metering import Power, Series
from edgebench.meters import activity
from edgebench.meters.command import Command
from edgebench.meters.csv_ import Csv
from edgebench.power_model import Activity, ClusterModel, PowerModel
from edgebench.protocols import Meter
from edgebench.runner import journal, loads
from edgebench.runner.config import RunConfig
from edgebench.samples import Samples
from edgebench.units import human_s

ROOT = Path("/")
_SETTLE_S = 2.0
_LEAST_S = 5.0
"""A load, after it has settled: fifty readings of a meter that has ten a second."""
_READ_S = 0.1
_MEASURED = ("wall_measured", "board_measured", "partial_measured")


class Stretch(NamedTuple):
    """A load's window: when it was, what the CPUs did, and what the meter said."""

    load: str
    start_ns: int
    end_ns: int
    activities: tuple[Activity, ...]
    series: tuple[Series, ...]
    """Of the meter's channels."""
    utc_offset_ns: int


def calibrate(
    meter: Meter,
    seconds: float,
    seed: int,
    device_name: str | None = None,
    at_work: Callable[[loads.Load], AbstractContextManager[None]] = loads.at_work,
) -> PowerModel:
    """Run every load while the meter reads, and fit.

    Args:
        meter: Probed.
        seconds: For all loads together.
        seed: Of their order.
        device_name: As `edgebench run` takes it.
        at_work: Has a load run for as long as its block does.

    Raises:
        UsageError: The time is too short, or what was seen makes no model.
    """
    machine = power_model.machine_key(ROOT)
    if not machine:
        raise UsageError(
            "this machine has no id that a model could be bound to",
            remedy="systemd-machine-id-setup writes one to /etc/machine-id",
        )
    clusters = activity.clusters(ROOT)
    allowed = set(cpu.allowed_cpus())
    usable = [_cpus(cluster, allowed) for cluster in clusters]
    planned = loads.plan([cpus for cpus in usable if cpus], seed)
    each_s = seconds / len(planned) - _SETTLE_S
    if each_s < _LEAST_S:
        least = math.ceil(len(planned) * (_SETTLE_S + _LEAST_S) / 6) / 10  # tenths of a minute
        raise UsageError(
            f"{len(planned)} loads do not fit into {human_s(seconds)}",
            remedy=f"give --minutes {least:g} or more",
        )
    stretches = []
    for number, load in enumerate(planned, 1):
        say(f"[{number}/{len(planned)}] {load.name}, {human_s(_SETTLE_S + each_s)}")
        with at_work(load):
            time.sleep(_SETTLE_S)
            stretches.append(_watch(meter, load.name, each_s, clusters))
        if not isinstance(meter, Csv):
            _power_w(stretches[-1])  # too little is told now, not after the last load
    if isinstance(meter, Csv):
        stretches = _logged(meter, stretches)
    return _model(meter, stretches, clusters, device_name, machine)


def _cpus(cluster: activity.Cluster, allowed: set[int]) -> list[int]:
    return sorted(number for domain in cluster for number in domain.cpus if number in allowed)


def opened(name: str | None, config: RunConfig) -> Meter:
    """The meter to fit to, probed.

    Args:
        name: Of a meter that reads this device by itself.
        config: Tells of a log or a program instead.

    Raises:
        UsageError: There is none or more than one, it cannot be read, or it is itself a model.
    """
    told = [what for what in (name, config.power_csv, config.power_command) if what is not None]
    if len(told) != 1:
        raise UsageError(
            f"{'no meter' if not told else 'more than one meter'} to calibrate by",
            remedy="give one of --meter NAME, --power-csv FILE and --power-command CMD",
        )
    power_options.check(config)
    meter = _made(name, config)
    probe = meter.probe(ROOT)
    if not probe.available:
        raise UsageError(f"meter {meter.name}: {probe.reason}", remedy=probe.remedy)
    if tiers := {one.tier for one in meter.channels} - set(_MEASURED):
        raise UsageError(f"meter {meter.name} measures nothing itself: {', '.join(sorted(tiers))}")
    return meter


def _made(name: str | None, config: RunConfig) -> Meter:
    if config.power_csv is not None:
        return Csv(
            Path(config.power_csv),
            offset_s=config.power_csv_offset_s,
            covers=config.power_covers,
            columns=config.power_csv_columns,
        )
    if config.power_command is not None:
        return Command(config.power_command, config.power_covers)
    try:
        found: Meter = plugins.load(plugins.METERS, name or "")()
    except ImportError as error:
        raise UsageError(f"meter {name}: {error}", remedy="install what it needs") from None
    return found


def _watch(
    meter: Meter, load: str, seconds: float, clusters: Sequence[activity.Cluster]
) -> Stretch:
    """Read meter and books side by side.

    Raises:
        UsageError: The kernel's books vanished.
    """
    book = tuple((array("Q"), array("Q")) for _ in meter.channels)
    looks = [activity.look(ROOT, clusters)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for (t_ns, value), reading in zip(book, meter.read(), strict=True):
            if reading is not None and (not t_ns or reading[0] > t_ns[-1]):
                t_ns.append(reading[0])
                value.append(reading[1])
        time.sleep(_READ_S)
        looks.append(activity.look(ROOT, clusters))
    known = [look for look in looks if look is not None]
    seen = activity.mean(known, clusters)
    if seen is None:
        raise UsageError("/proc/stat does not tell what the CPUs do")
    series = tuple(
        Series(meter=meter.name, channel=channel, t_ns=Samples(t_ns), value=Samples(value))
        for channel, (t_ns, value) in zip(meter.channels, book, strict=True)
    )
    return Stretch(load, known[0].t_ns, known[-1].t_ns, seen, series, _utc_offset_ns())


def _utc_offset_ns() -> int:
    return time.time_ns() - time.perf_counter_ns()


def _logged(csv: Csv, stretches: Sequence[Stretch]) -> list[Stretch]:
    """The stretches with what a log says of them.

    Raises:
        UsageError: The log cannot be read, or does not hold them.
    """
    log, found = csv.log(), []
    for one in stretches:
        window = Power(
            start_ns=one.start_ns,
            end_ns=one.end_ns,
            inferences=0,
            utc_offset_ns=one.utc_offset_ns,
        )
        series = csv.series(log, window)
        if series is None:
            raise UsageError(
                f"{csv.path}: no reading while {one.load} ran",
                remedy="set --power-offset to the difference of the clocks",
            )
        found.append(one._replace(series=(series,)))
    return found


def _model(
    meter: Meter,
    stretches: Sequence[Stretch],
    clusters: Sequence[activity.Cluster],
    device_name: str | None,
    machine: str,
) -> PowerModel:
    """Fit what was seen.

    Raises:
        UsageError: The meter gave too little, or the loads do not identify the terms.
    """
    points = [
        Point(load=one.load, activities=one.activities, power_w=_power_w(one)) for one in stretches
    ]
    try:
        found = power_fit.fit(points)
    except NotFeltError as error:
        raise UsageError(
            f"no model: {error}", remedy="is the meter at this device, and its unit right?"
        ) from None
    except NotIdentifiedError as error:
        least = min(sum(activity.busy for activity in point.activities) for point in points)
        raise UsageError(
            f"no model: {error}; other processes kept {least:.1f} CPUs busy throughout",
            remedy="leave the device alone meanwhile; `edgebench doctor` names who is busy",
        ) from None
    facts = identify.identify(device_name=device_name, devices=resources.open_devices())
    counted = [channel for channel in meter.channels if channel.counted]
    return PowerModel(
        device=facts.device,
        device_id=facts.device_id,
        machine=machine,
        made_at_utc=journal.utc(datetime.now(timezone.utc)),
        meter=meter.name,
        covers=tuple(dict.fromkeys(word for channel in counted for word in channel.covers)),
        excludes=tuple(dict.fromkeys(word for channel in counted for word in channel.excludes)),
        idle_w=found.idle_w,
        error_ratio=found.error_ratio,
        loads=found.loads,
        clusters=tuple(
            _cluster(cluster, place, found, points) for place, cluster in enumerate(clusters)
        ),
    )


def _power_w(stretch: Stretch) -> float:
    """Mean power of a load by the sum of the meter's counted channels.

    Raises:
        UsageError: The meter gave too little.
    """
    counted = energy.distinct([one for one in stretch.series if one.channel.counted])
    try:
        return energy.summed(counted, stretch.start_ns, stretch.end_ns).power_w
    except energy.RefusedError as error:
        raise UsageError(
            f"{stretch.load}: {error.message}", remedy="a slower meter needs more --minutes"
        ) from None


def _cluster(
    cluster: activity.Cluster, place: int, found: power_fit.Fit, points: Sequence[Point]
) -> ClusterModel:
    """One cluster's terms with the activity that they are of."""
    seen = [point.activities[place] for point in points]
    slowest = [one.min_ghz for one in seen if one.min_ghz is not None]
    fastest = [one.max_ghz for one in seen if one.max_ghz is not None]
    return ClusterModel(
        cpus=tuple(sorted(number for domain in cluster for number in domain.cpus)),
        linear_w=found.linear_w[place],
        cubic_w=found.cubic_w[place],
        busy_max=max(one.busy for one in seen),
        min_ghz=min(slowest, default=None),
        max_ghz=max(fastest, default=None),
    )


def say(line: str) -> None:
    """A line for people."""
    click.echo(one_line(line), err=True)

"""What `edgebench run --model` adds to a plan: taken models, and all that was derived of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import click
import msgspec

from edgebench.cli import model_options
from edgebench.cli.text import fill
from edgebench.derive import cache
from edgebench.protocols import Probe
from edgebench.runner import launcher
from edgebench.runner.config import RunConfig, ordered_precisions
from edgebench.specs import Workload
from edgebench.units import BYTE_PER_MIB

if TYPE_CHECKING:
    from edgebench.derive.reach import Cell

_DERIVING = 10.0
"""A converter may take so many times what a stage of a launch may."""

Ask = Callable[[Sequence[str]], Sequence[Probe]]


class Taken(NamedTuple):
    """The user's models as workloads."""

    workloads: dict[str, Workload]
    faults: dict[str, dict[Cell, str]]
    """Why a format and precision of one could not be made."""
    absent: dict[str, dict[str, None]]
    """What no converter is installed for, by what is to be installed."""

    @property
    def keys(self) -> dict[str, str]:
        """What each was made of, as one hash; see `adopt.take.key_of`."""
        return {name: workload.folder.name for name, workload in self.workloads.items()}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was not derived, and what the figures mean, a line each."""
        lacking = (f"not derived: {', '.join(what)}: {why}" for why, what in self.absent.items())
        return (*lacking, *(_note(name, each) for name, each in self.workloads.items()))


def taken(
    config: RunConfig,
    probes: Mapping[str, Probe],
    others: Mapping[str, Workload],
    ask: Ask,
    *,
    derive: bool = True,
) -> Taken:
    """Every ``--model`` as a workload.

    Args:
        config: With its models.
        probes: Of the backends that will run.
        others: Workloads that run beside them.
        ask: Probes further backends.
        derive: Make what is lacking; else only tell that it would be made.

    Raises:
        UsageError: One of them is no model, or cannot be run here.
    """
    about = msgspec.structs.asdict(config)
    model_options.check(config.models, about)
    found, named = Taken({}, {}, {}), config.backends_named
    if not config.models:
        return found
    from edgebench.adopt import reach, take
    from edgebench.adopt.describe import Runtimes

    wanted = [model_options.request(model, about) for model in config.models]
    memory = config.memory_limit_mib
    limits = launcher.Limits(
        timeout_s=config.timeout_s,
        measure_s=0.0,
        memory_byte=memory * BYTE_PER_MIB if memory else None,
    )
    runtimes = Runtimes(probes, ask, config.backends, limits)
    precisions = ordered_precisions(config.precisions)
    for one in take.take_all(wanted, runtimes, tuple(others), say):
        if derive:
            within_s = _DERIVING * config.timeout_s
            whole, faults = reach.derive(one, probes, precisions, say=say, timeout_s=within_s)
        else:
            whole = cache.attach(one)
            faults = dict.fromkeys(reach.lacking(one, probes, precisions), "would be derived first")
        found.workloads[one.spec.name] = whole
        found.faults[one.spec.name] = faults if named else _without_absent(faults, found.absent)
    return found


def _without_absent(
    faults: Mapping[Cell, str], absent: dict[str, dict[str, None]]
) -> dict[Cell, str]:
    """Faults of converters that are here; what nobody asked for and nothing makes is a note."""
    from edgebench.adopt import reach

    lacking = reach.absent()
    for (fmt, precision), why in faults.items():
        if why in lacking:
            absent.setdefault(why, {})[f"{fmt} {precision}"] = None
    return {cell: why for cell, why in faults.items() if why not in lacking}


def say(line: str) -> None:
    """A line for people."""
    click.echo(fill(line, "", "  "), err=True)


def _note(name: str, workload: Workload) -> str:
    from edgebench.adopt import reach

    calibrated = [m for m in workload.derived if cache.ON_RANDOM in m.tool]
    more = (
        ""
        if reach.reachable(workload)
        else "; no converter begins with such a file: nothing is derived"
    )
    more += f"; int8 is calibrated on {cache.ON_RANDOM}: give --images" if calibrated else ""
    return f"{name}: {workload.spec.summary}{more}"

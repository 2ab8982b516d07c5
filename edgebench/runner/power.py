"""The power pass as the runner has it: which meters, a sampler of its own, and when it reads.

The sampler is a process of the run, not of a launch; it reads in the stages ``idle`` and
``power`` of those launches that have them, and sleeps while latency is measured.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgebench import plugins, sampling
from edgebench.errors import UsageError, WireError
from edgebench.host import cpu
from edgebench.machine import Stage
from edgebench.metering import TIERS, Channel, Series, worst_tier
from edgebench.records import Case, Record
from edgebench.runner import durations, leftovers, surroundings
from edgebench.runner.config import LEAST_READINGS, NO_METER, Preset, RunConfig
from edgebench.samples import Samples
from edgebench.units import NS_PER_MS, NS_PER_S
from edgebench.wire import LaunchRequest

NO_SENSOR = "no power sensor here: proxies only"
_OPEN_TIMEOUT_S = 10.0
_PER_METER_S = 5.0
_HALT_TIMEOUT_S = 3.0
_END_TIMEOUT_S = 1.5
_READ_STAGES: frozenset[Stage] = frozenset({"idle", "power"})
_READINGS = 12
"""What a window of a slow sensor is to hold; 10 are needed (`edgebench.analysis.energy`)."""
_EXTERNAL = frozenset({"csv", "command"})
_EXTERNAL_S = 1.0
"""Many plugs and loggers have a new value so often; they do not tell."""
_LEAST_SETTLE_S, _MOST_SETTLE_S = 1.0, 5.0
"""A device has calmed down after the one; what needs longer than the other is refused anyway."""


class Process:
    """A sampler's process, told and asked; what its meters print is nobody's.

    Raises:
        WireError: It cannot be started.
    """

    def __init__(self) -> None:
        self._folder = leftovers.folder()
        self._rest = b""
        command = [sys.executable, "-m", "edgebench.meters.sampler"]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=surroundings.environment(1, Path(self._folder.name)),
                cwd=self._folder.name,  # `-m` puts it first on sys.path
            )
        except (OSError, ValueError) as error:
            self._folder.cleanup()
            raise WireError(f"it cannot be started: {error}") from None

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def tell(self, order: sampling.Order) -> None:
        """Send an order; one that is dead is found out by `answer`."""
        stdin = self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            if stdin is not None:
                stdin.write(sampling.pack(order))
                stdin.flush()

    def answer(self, limit_s: float) -> sampling.Answer:
        """What it says next.

        Raises:
            WireError: Nothing in that time, or nothing that can be read.
        """
        stdout = self._process.stdout
        if stdout is None:
            raise WireError("it has no pipe")
        deadline = time.monotonic() + limit_s
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise WireError(f"no answer for {limit_s:g} s")
                data = os.read(stdout.fileno(), 1 << 16)
                if not data:
                    raise WireError("it ended")
                self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        return sampling.read_answer(line)

    def end(self) -> None:
        """Have it let its meters go and end, else kill it; clear it away."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_TIMEOUT_S)
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        with contextlib.suppress(OSError):
            self._folder.cleanup()


class Sampling:
    """Meters of a run, read while its launches have their power pass.

    Args:
        process: A sampler that has opened the meters.
        found: Those to read.
        preset: How long.
        rate_hz: How often they are read, where they have a new value as often.
    """

    def __init__(
        self,
        process: Process,
        found: Sequence[sampling.Found],
        preset: Preset,
        rate_hz: float = sampling.RATE_HZ,
    ) -> None:
        self._process: Process | None = process
        self._names = tuple(one.probe.name for one in found)
        channels = [channel for one in found for channel in one.channels]
        self.settle_s = settle_s(channels)
        between_s = max(_slowest_s(channels), 1 / rate_hz)
        if not _EXTERNAL.isdisjoint(self._names):
            between_s = max(between_s, _EXTERNAL_S)
        idle_s = max(preset.idle_s, _READINGS * between_s)
        self._preset = msgspec.structs.replace(preset, idle_s=min(idle_s, preset.power_s or idle_s))
        self._cpus: tuple[int, ...] = ()
        self._asked = self._reading = False
        self._taken: list[sampling.Taken] = []
        self._ill = ""

    @property
    def pid(self) -> int | None:
        """The sampler's process; None where it is lost."""
        return self._process.pid if self._process is not None else None

    def seconds(self, case: Case, launch: int) -> float:
        """What the power pass adds to a launch; 0 where it has none."""
        if self._process is None:
            return 0.0
        pass_s = durations.power_s(case, self._preset, launch)
        return pass_s + 2 * self.settle_s if pass_s else 0.0

    def prepared(self, request: LaunchRequest) -> LaunchRequest:
        """The request with a power pass, where this launch has one."""
        self._asked = bool(self.seconds(request.case, request.launch))
        self._taken = []
        if not self._asked:
            return request
        self._cpus = aside(request)
        return msgspec.structs.replace(
            request,
            idle_s=self._preset.idle_s,
            power_s=self._preset.power_s,
            settle_s=self.settle_s,
        )

    def entered(self, stage: Stage) -> None:
        """The worker has told of a stage: read in its power pass, and in no other."""
        if self._asked and (stage in _READ_STAGES) != self._reading:
            if self._reading:
                self._halt()
            elif self._process is not None:
                order = sampling.Begin(meters=self._names, cpus=self._cpus)
                self._process.tell(order)
                self._reading = True

    def filled(self, record: Record) -> Record:
        """The record with what was read of its power pass."""
        if self._reading:  # the launch ended in the middle
            self._halt()
        words = [f"power: {self._ill}"] if self._ill and self._asked else []
        lost = {name: why for taken in self._taken for name, why in taken.lost.items()}
        words += [f"power: {name} was lost: {why}" for name, why in lost.items()]
        words += dict.fromkeys(f"power: {said}" for taken in self._taken for said in taken.caveats)
        if words:
            record = msgspec.structs.replace(record, caveats=(*record.caveats, *words))
        if record.power is None:
            return record
        series = _joined([one for taken in self._taken for one in taken.series])
        kept = tuple(one for one in series if one.meter not in lost)
        return msgspec.structs.replace(
            record, power=msgspec.structs.replace(record.power, series=kept)
        )

    def _halt(self) -> None:
        self._reading = False
        if self._process is None:
            return
        try:
            self._process.tell(sampling.Halt())
            answer = self._process.answer(_HALT_TIMEOUT_S)
        except WireError as error:
            self._ill = f"the sampler is lost: {error}"
            self.end()
            return
        if isinstance(answer, sampling.Taken):
            self._taken.append(answer)

    def end(self) -> None:
        """Clear the sampler away; more than once is once."""
        if self._process is not None:
            self._process.end()
            self._process = None


class Meters(NamedTuple):
    """What came of looking for meters."""

    sampling: Sampling | None = None
    note: str = ""
    """For people, once a run; empty where no power was asked for."""


NO_METERS = Meters()


@contextlib.contextmanager
def opened(config: RunConfig, preset: Preset, root: Path = cpu.ROOT) -> Iterator[Meters]:
    """The meters that a run is to read, opened in a process of their own, which ends with it.

    Args:
        config: Which meters; none named takes the best tier that can be read here.
        preset: As it will be carried out: without ``power_s`` no meter is looked for.
        root: Stands for ``/``.

    Raises:
        UsageError: A meter that was named cannot be read.
    """
    names = wanted(config)
    if preset.power_s is None or not names:
        yield Meters(note=NO_SENSOR if preset.power_s is not None else "")
        return
    try:
        process = Process()
    except WireError as error:
        yield Meters(note=f"{NO_SENSOR} (the sampler: {error})")
        return
    made: Sampling | None = None
    try:
        found = _ask(process, names, config, root)
        chosen = choose(found, preset.power_s, named=_is_told(config))
        note = NO_SENSOR
        if chosen:
            made = Sampling(process, chosen, preset, config.power_rate_hz)
            note = f"power: {', '.join(map(_described, chosen))}"
        yield Meters(sampling=made, note=note)
    finally:
        (made or process).end()


def wanted(config: RunConfig) -> tuple[sampling.Wanted, ...]:
    """Meters to look for: those told of, else all that are registered."""
    if NO_METER in config.meters:
        return ()
    named = tuple(sampling.Wanted(name=name) for name in config.meters)
    told = (*named, *_external(config))
    return told or tuple(sampling.Wanted(name=name) for name in plugins.names(plugins.METERS))


def _external(config: RunConfig) -> tuple[sampling.Wanted, ...]:
    """Meters that cannot be found, only told of: a log that grows, a program that prints."""
    found = []
    if config.power_csv is not None:
        path = str(Path(config.power_csv).absolute())
        log = {"path": path, "offset_s": config.power_csv_offset_s, "covers": config.power_covers}
        found.append(sampling.Wanted(name="csv", arguments=log))
    if config.power_command is not None:
        program = {"command": config.power_command, "covers": config.power_covers}
        program["folder"] = str(Path.cwd())  # what is named from here is not named from the sampler
        found.append(sampling.Wanted(name="command", arguments=program))
    return tuple(found)


def _is_told(config: RunConfig) -> bool:
    return bool(config.meters or _external(config))


def _ask(
    process: Process, names: Sequence[sampling.Wanted], config: RunConfig, root: Path
) -> tuple[sampling.Found, ...]:
    order = sampling.Open(
        parent_pid=os.getpid(), meters=tuple(names), root=str(root), rate_hz=config.power_rate_hz
    )
    process.tell(order)
    try:
        answer = process.answer(_OPEN_TIMEOUT_S + _PER_METER_S * len(names))
    except WireError as error:
        if _is_told(config):
            raise UsageError(f"the meters cannot be read: {error}") from None
        return ()
    return answer.meters if isinstance(answer, sampling.Opened) else ()


def choose(
    found: Sequence[sampling.Found], power_s: float, *, named: bool
) -> tuple[sampling.Found, ...]:
    """The meters to read: all that were named, else those of the best tier.

    A battery's gauge may be of a better tier than the processor's counter, but with a new value
    every half minute it has no figure of a window of ``power_s``.

    Raises:
        UsageError: One that was named cannot be read, or not often enough in such a window.
    """
    usable = [one for one in found if worst_tier(one.channels)]
    if named:
        for one in found:
            if one not in usable:
                reason = one.probe.reason or "it has nothing to read"
                raise UsageError(f"meter {one.probe.name!r}: {reason}", remedy=one.probe.remedy)
            _check_pace(one, power_s)
        return tuple(found)
    usable = [one for one in usable if _READINGS * _slowest_s(one.channels) <= power_s]
    ranks = [TIERS.index(tier) for one in usable if (tier := worst_tier(one.channels))]
    best = min(ranks, default=math.inf)
    return tuple(one for one, rank in zip(usable, ranks, strict=True) if rank == best)


def _check_pace(one: sampling.Found, power_s: float) -> None:
    """Refuse before it is measured what would be refused afterwards, for its few readings."""
    every_s = min((c.update_ms or 0.0) for c in one.channels) * NS_PER_MS / NS_PER_S
    if power_s < LEAST_READINGS * every_s:
        raise UsageError(
            f"meter {one.probe.name!r} has a new value every {every_s:g} s, too seldom for a "
            f"window of {power_s:g} s",
            remedy=f"--power-window {_READINGS * every_s:g} holds enough",
        )


def _described(one: sampling.Found) -> str:
    counted = ", ".join(channel.name for channel in one.channels if channel.counted)
    return f"{one.probe.name} ({worst_tier(one.channels)}: {counted})"


def settle_s(channels: Iterable[Channel]) -> float:
    """What is to pass before a window: the slowest sensor's value that began before it is over."""
    return min(max(_LEAST_SETTLE_S, 2 * _slowest_s(channels)), _MOST_SETTLE_S)


def _slowest_s(channels: Iterable[Channel]) -> float:
    """Between two values of the slowest sensor."""
    slowest_ms = max((channel.update_ms or 0.0 for channel in channels), default=0.0)
    return slowest_ms * NS_PER_MS / NS_PER_S


def aside(request: LaunchRequest) -> tuple[int, ...]:
    """CPUs for the sampler: others than the worker's, or one of its own where it has too many."""
    allowed = cpu.allowed_cpus()
    others = tuple(each for each in allowed if each not in request.cpus)
    if others:
        return others
    busy = request.case.threads * request.case.streams
    return allowed[-1:] if len(allowed) > busy else ()


def _joined(series: Sequence[Series]) -> tuple[Series, ...]:
    """One series a channel: what the stages' readings make together, in their order."""
    by_channel: dict[tuple[str, str], Series] = {}
    for one in series:
        key = one.meter, one.channel.name
        before = by_channel.get(key)
        by_channel[key] = one if before is None else _followed(before, one)
    return tuple(by_channel.values())


def _followed(a: Series, b: Series) -> Series:
    return msgspec.structs.replace(
        a,
        t_ns=Samples([*a.t_ns, *b.t_ns]),
        value=Samples([*a.value, *b.value]),
        failed_reads=a.failed_reads + b.failed_reads,
    )

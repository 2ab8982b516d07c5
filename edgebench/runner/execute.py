"""Carrying out a plan: block after block, launch after launch, each one stored as it ends."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from edgebench import stats
from edgebench.derive import cache
from edgebench.host.cpu import ROOT, planted
from edgebench.records import PlannedCase, Record
from edgebench.runner import (
    budget,
    durations,
    journal,
    launcher,
    leftovers,
    power,
    requests,
    schedule,
)
from edgebench.runner.config import Preset, RunConfig
from edgebench.runner.cooldown import CoolDown, Waited
from edgebench.runner.journal import Journal
from edgebench.runner.plan import Plan
from edgebench.units import BYTE_PER_MIB, NS_PER_S
from edgebench.wire import LaunchRequest


class Listener(Protocol):
    """Who wants to know how a run goes; called between launches, never during one."""

    def launch_begins(self, case: PlannedCase, launch: int, left_s: float | None) -> None:
        """A launch is about to start; ``left_s`` estimates the rest of the run."""

    def launch_ended(self, case: PlannedCase, record: Record) -> None:
        """A launch ended and its record is on the disk."""

    def block_ended(self, records: tuple[Record, ...]) -> None:
        """Every case had one more launch."""

    def cooling(self, now_degc: float, wanted_degc: float) -> None:
        """The next block waits until the device is as cool as at the start; once a second."""


class Execution:
    """One run under way.

    Args:
        run_id: Of the run folder.
        plan: What to measure.
        preset: How long and how often.
        config: Time-outs, interpreters.
        seed: Fixes the order of launches.
        store: Where records go.
        earlier: Records of an interrupted run that is being resumed, of every attempt.
        meters: Are read while launches have their power pass; without any there is none.
        root: Stands for ``/`` where temperatures are read.
    """

    def __init__(
        self,
        *,
        run_id: str,
        plan: Plan,
        preset: Preset,
        config: RunConfig,
        seed: int,
        store: Journal,
        earlier: Iterable[Record] = (),
        meters: power.Meters = power.NO_METERS,
        root: Path = ROOT,
    ) -> None:
        self.run_id = run_id
        self.plan = plan
        self.preset = preset
        self.config = config
        self.seed = seed
        self.store = store
        self.records: dict[tuple[str, int], Record] = {}
        self._median_ns: dict[tuple[str, int], float] = {}
        """Of every launch that has latencies; see `typical_ns`."""
        # A scenario that takes longer than the preset renews its time-out as it goes.
        self._limits = launcher.Limits(
            timeout_s=config.timeout_s,
            measure_s=preset.measure_max_s or preset.measure_s,
            memory_byte=config.memory_limit_mib * BYTE_PER_MIB if config.memory_limit_mib else None,
        )
        self.meters = meters
        self._extra_s: list[float] = []
        """What launches took beyond what was expected of them."""
        self.measured = 0
        """Launches made by this execution, those of a resumed run not counted."""
        self.ended = ""
        """Why `run` came to its end; empty before that."""
        self._unbegun = False
        """Whether a launch was not begun because the budget no longer held it."""
        self.short = False
        """Whether the last blocks were left out because the aim did not hold them."""
        self._root = root
        self._waited = Waited()
        earlier = tuple(earlier)
        self._spent_s = budget.spent_s(earlier)
        for record in earlier:
            known = self.records.get((record.case_id, record.launch))
            if known is None or known.attempt <= record.attempt:
                self._note(record)

    def run(self, listener: Listener) -> tuple[Record, ...]:
        """Measure everything that is not measured yet; return the latest record of each launch.

        Raises:
            StoreError: The results folder can no longer be written; earlier records stay.
        """
        leftovers.clear()
        self._budget = budget.Budget(self.preset.budget_s, self._spent_s)
        self._aim = budget.Budget(self.preset.aim_s, self._spent_s)
        cool = CoolDown(self.preset.cooldown_max_s, self._first_degc(), root=self._root)
        self._skip_impossible(listener)
        known = max((launch for _, launch in self.records), default=-1)
        for block in itertools.count():
            wanted = self._wanted(block)
            if not wanted and block > max(known, self.preset.min_launches - 1):
                break
            if self._beyond_aim(wanted, block):
                self.short = True
                break
            if wanted:
                self._waited = cool.wait(listener.cooling, self._budget.left_s())
                self._run_block(wanted, block, listener)
        self.ended = self._end()
        return tuple(self.records.values())

    def _run_block(self, wanted: Sequence[PlannedCase], block: int, listener: Listener) -> None:
        by_id = {planned.case_id: planned for planned in wanted}
        order = schedule.order(list(by_id), self.seed, block)
        for index, case_id in enumerate(order):
            if not self._fits(by_id[case_id], block):
                continue
            left_s = self._left_s(block, [by_id[each] for each in order[index:]])
            listener.launch_begins(by_id[case_id], block, left_s)
            listener.launch_ended(by_id[case_id], self._measure(by_id[case_id], block))
        listener.block_ended(tuple(self.records.values()))

    def _end(self) -> str:
        """Why there is nothing more to launch."""
        if self._unbegun:
            return "budget spent"
        if self.short:
            made = 1 + max(launch for _, launch in self.records)
            most = self.preset.min_launches
            return f"{made} of {most} launches: {self.preset.aim_s:g} s hold no more"
        target = self.preset.target_ratio
        if target is None:
            return "all launches made"
        aiming = [cell for cell in self.plan.runnable if self._preset(cell).target_ratio]
        if not aiming:
            return "all launches made"
        widths = [self._half_width(cell.case_id) for cell in aiming]
        return "target reached" if max(widths) <= target else "launch cap"

    @property
    def expected(self) -> int:
        """Launches still to be made at least, before `run` is called."""
        done = sum(record.status == "ok" for record in self.records.values())
        planned = sum(self._preset(each).min_launches for each in self.plan.runnable)
        return max(0, planned - done)

    def _preset(self, planned: PlannedCase) -> Preset:
        return durations.fitted(planned.case, self.preset)

    def _skip_impossible(self, listener: Listener) -> None:
        for planned in self.plan.cases:
            if planned.skip and (planned.case_id, 0) not in self.records:
                record = self._record(planned, 0, status="skipped", reason=planned.skip)
                listener.launch_ended(planned, self._keep(record))

    def _wanted(self, block: int) -> list[PlannedCase]:
        """Cases that lack this launch, or whose launch of an earlier attempt was not ok.

        Where a budget decides, blocks after the first ones hold the cases that need it most.
        """
        again, lacking = [], []
        for planned in self.plan.runnable:
            done = self.records.get((planned.case_id, block))
            if done is not None and done.status != "ok":
                again.append(planned)
            elif done is None and self._needs(planned) and self._fits(planned, block):
                lacking.append(planned)
        if self.preset.budget_s is not None and block >= self.preset.min_launches:
            if any(launch >= block for _, launch in self.records):
                return again  # who lacks this block was not in it
            widths = {cell.case_id: self._half_width(cell.case_id) for cell in lacking}
            widest = schedule.widest(widths)
            lacking = [cell for cell in lacking if cell.case_id in widest]
        return again + lacking

    def _fits(self, planned: PlannedCase, launch: int) -> bool:
        """Whether the budget holds one more launch of a case, judged by the longest so far.

        Power passes are counted apart: not every launch has one.
        """
        mine = [
            (record.launch_ns or 0) / NS_PER_S - self._power_s(planned, made)
            for (owner, made), record in self.records.items()
            if owner == planned.case_id
        ]
        besides_s = max(0.0, *mine) if mine else self._launch_s(planned)
        power_s = self._power_s(planned, launch if mine else 0)  # a case begins with its first
        fits = self._budget.holds(besides_s + power_s)
        self._unbegun |= not fits
        return fits

    def _beyond_aim(self, wanted: Sequence[PlannedCase], block: int) -> bool:
        """Whether a block is left out: the aim does not hold it, judged by the block before it.

        A block that an interrupted run had begun is ended: every case has as many launches.
        """
        if block < durations.AIM_LAUNCHES or any(launch >= block for _, launch in self.records):
            return False
        before = (self.records.get((planned.case_id, block - 1)) for planned in wanted)
        return not self._aim.holds(sum(r.launch_ns or 0 for r in before if r) / NS_PER_S)

    def _launch_s(self, planned: PlannedCase) -> float:
        """What a launch is expected to take, as earlier ones kept what was expected of them."""
        extra_s = sum(self._extra_s) / len(self._extra_s) if self._extra_s else 0.0
        expected_s = durations.launch_s(planned.case, self.preset)
        return max(self._preset(planned).measure_s, expected_s + extra_s)

    def _power_s(self, planned: PlannedCase, launch: int) -> float:
        """What the power pass adds to a launch."""
        sampling = self.meters.sampling
        return sampling.seconds(planned.case, launch) if sampling is not None else 0.0

    def _half_width(self, case_id: str) -> float:
        """How well a case's median is known; 0 for one that never worked."""
        return schedule.half_width(self._medians(case_id)) if self._worth(case_id) else 0.0

    def _first_degc(self) -> dict[str, float]:
        """Temperatures before the first launch of a run that is being resumed."""
        first = min(self.records.values(), key=lambda r: r.started_at_utc, default=None)
        before = first.environment_before if first is not None else None
        return before.temperature_degc if before is not None else {}

    def _needs(self, planned: PlannedCase) -> bool:
        if not self._worth(planned.case_id):
            return False  # it has never worked: once more would cost time and tell nothing
        launches = sum(owner == planned.case_id for owner, _ in self.records)
        medians = self._medians(planned.case_id)
        return schedule.needs_more(medians, launches, self._preset(planned))

    def _worth(self, case_id: str) -> bool:
        """Whether a case is new or has worked at least once."""
        return bool(self._medians(case_id)) or all(owner != case_id for owner, _ in self.records)

    def _medians(self, case_id: str) -> list[float]:
        return [median for (owner, _), median in self._median_ns.items() if owner == case_id]

    def _left_s(self, launch: int, in_block: Sequence[PlannedCase]) -> float | None:
        """What is expected of the rest of this block and the next ones."""
        if self.preset.budget_s is not None:
            return self._budget.left_s()
        if launch >= self.preset.min_launches:
            return None  # how many more it takes to reach a target, nobody knows
        later = [
            (each, block)
            for each in self.plan.runnable
            for block in range(launch + 1, self._preset(each).min_launches)
            if self._worth(each.case_id)
        ]
        whole = [*((each, launch) for each in in_block), *later]
        return sum(self._launch_s(each) + self._power_s(each, block) for each, block in whole)

    def _measure(self, planned: PlannedCase, launch: int) -> Record:
        start = time.monotonic()
        earlier = self.records.get((planned.case_id, launch))
        attempt = earlier.attempt + 1 if earlier is not None else 0
        request = self._request(planned, launch, attempt)
        log = self.store.logs / journal.log_name(request)
        backend = self.config.backends.get(planned.case.backend)
        sampling = self.meters.sampling
        if sampling is not None:
            request = sampling.prepared(request)
        python = backend.python if backend else None
        entered = sampling.entered if sampling is not None else None
        record = launcher.launch(request, self._limits, log, python, entered=entered)
        if sampling is not None:
            record = sampling.filled(record)
        took_s = time.monotonic() - start
        expected_s = durations.launch_s(planned.case, self.preset) + self._power_s(planned, launch)
        self._extra_s.append(took_s - expected_s)
        self.measured += 1
        told = (self._waited.caveat, self._of_model(planned), planted())
        caveats = [*record.caveats, *filter(None, told)]
        record = msgspec.structs.replace(
            record,
            launch_ns=int(took_s * NS_PER_S),
            cooldown_ns=self._waited.wait_ns,
            caveats=tuple(caveats),
        )
        return self._keep(record)

    def _of_model(self, planned: PlannedCase) -> str:
        """What is to be known of the model's file beside its figures."""
        case = planned.case
        model = self.plan.workloads[case.workload].model(case.format, case.file_precision)
        on_random = model is not None and f"calibrated on {cache.ON_RANDOM}" in model.tool
        return f"{case.file_precision} is calibrated on {cache.ON_RANDOM}" if on_random else ""

    def _keep(self, record: Record) -> Record:
        self.store.append(record)
        self._note(record)
        return record

    def _note(self, record: Record) -> None:
        key = record.case_id, record.launch
        self.records[key] = record
        self._median_ns.pop(key, None)
        if record.status == "ok" and len(record.latency_ns):
            self._median_ns[key] = typical_ns(record)

    def _record(self, planned: PlannedCase, launch: int, **fields: object) -> Record:
        base = Record(
            run_id=self.run_id,
            case_id=planned.case_id,
            launch=launch,
            started_at_utc=requests.now_utc(),
            status="failed",
        )
        return msgspec.structs.replace(base, **fields)

    def _request(self, planned: PlannedCase, launch: int, attempt: int) -> LaunchRequest:
        case, preset = planned.case, self._preset(planned)
        # Accuracy does not change from launch to launch: once is enough. Nor should parity, which
        # --quick believes: of a large network it takes longer than the window.
        samples = self.plan.labelled.get(case.workload) if launch == 0 else None
        return requests.build(
            run_id=self.run_id,
            case=case,
            workload=self.plan.workloads[case.workload],
            preset=preset,
            launch=launch,
            attempt=attempt,
            seed=self.seed,
            labelled=samples,
            picture=self.plan.picture,
            compares=launch == 0 or preset.name != "quick",
        )


def typical_ns(record: Record) -> float:
    """What a case's launches are held against each other by.

    The median latency; where a launch chose its own batch and streams (`Record.trials` with a
    throughput and no rate), the time a sample took, since calls of other sizes take other times.
    """
    chosen = record.trials[-1] if record.trials else None
    if chosen is not None and chosen.rate_hz is None and chosen.throughput_ips:
        return NS_PER_S / chosen.throughput_ips
    return stats.quantile(record.latency_ns, 0.5)

"""Carrying out a comparison: pairs of live workers, or whole launches where two do not fit."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import msgspec
import psutil

from edgebench import stats
from edgebench.host import environment
from edgebench.host.cpu import planted
from edgebench.records import SCHEMA_VERSION, Record
from edgebench.runner import journal, launcher, turns
from edgebench.runner.contenders import Contender
from edgebench.runner.journal import Journal
from edgebench.runner.labelled import Labelled
from edgebench.runner.live import LiveWorker, LostError, NoRoomError
from edgebench.runner.turns import Goal, PairLaunch
from edgebench.units import BYTE_PER_MIB, NS_PER_S
from edgebench.wire import LaunchRequest

FILE = "ab.json"
_LOOK_S = 1.0
_MIN_AVAILABLE_RATIO = 0.05
"""Share of the memory that must stay available while two models are loaded."""
Mode = Literal["turns", "abba"]
Told = Callable[[Sequence[PairLaunch], int], None]
"""Called after each launch with all launches so far and how many are wanted."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """``ab.json``: the launches of a comparison beside the records of both sides."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    a: str
    """Case id."""
    b: str
    mode: Mode = "turns"
    why_abba: str = ""
    """Why the two were not alive together."""
    goal: Goal
    launches: tuple[PairLaunch, ...] = ()
    """Each with its log ratio and the medians of its turns."""

    @property
    def needed(self) -> int:
        """Launches that the goal wants, as far as is known."""
        return turns.needed(self.launches, self.goal)

    @property
    def wanted(self) -> int:
        """Launches to be made: as many as are needed, or the cap."""
        return min(self.needed, self.goal.max_launches)

    @property
    def converged(self) -> bool:
        """Whether the ratio is known as well as the goal wants."""
        return len(self.launches) >= self.needed


class Contest:
    """A comparison under way.

    Args:
        run_id: Of the run folder.
        sides: A and B.
        goal: Precision and cap.
        seed: Fixes every order.
        store: Where records go.
        limits: Time-outs; ``memory_byte`` holds for the two together.
        labelled: Images that accuracy is judged on, of each side, in the first launch.
        caveat: Something that every record must tell.
    """

    def __init__(
        self,
        *,
        run_id: str,
        sides: tuple[Contender, Contender],
        goal: Goal,
        seed: int,
        store: Journal,
        limits: launcher.Limits,
        labelled: tuple[Labelled | None, Labelled | None] = (None, None),
        caveat: str = "",
    ) -> None:
        a, b = (side.case.case_id for side in sides)
        self.outcome = Outcome(run_id=run_id, a=a, b=b, goal=goal)
        self.records: list[Record] = []
        self.failed: Record | None = None
        """The record that ended the comparison."""
        self._sides = sides
        self._seed = seed
        self._store = store
        self._limits = limits
        self._labelled = labelled
        self._caveats = tuple(filter(None, (caveat, planted())))
        self._looked_s = 0.0
        self._alive: list[int] = []

    def run(self, told: Told, enough: Callable[[], bool] = lambda: False) -> Outcome:
        """Measure until the goal is reached, the cap, ``enough`` or a failure.

        Raises:
            StoreError: The results folder can no longer be written; earlier records stay.
        """

        def measure(launch: int) -> PairLaunch | None:
            pair = self._pair if self.outcome.mode == "turns" else self._whole
            measured = pair(launch)
            if measured is not None:
                self._keep_launches((*self.outcome.launches, measured))
                told(
                    self.outcome.launches, min(self.outcome.needed, self.outcome.goal.max_launches)
                )
            return measured

        try:
            turns.until_known(measure, self.outcome.goal, enough)
        except NoRoomError as error:
            self._turn_to_whole_launches(error)
            turns.until_known(measure, self.outcome.goal, enough)
        return self.outcome

    def _keep_launches(self, launches: tuple[PairLaunch, ...]) -> None:
        self.outcome = msgspec.structs.replace(self.outcome, launches=launches)
        body = msgspec.json.format(msgspec.json.encode(self.outcome), indent=1)
        self._store.write(FILE, body + b"\n")

    def _turn_to_whole_launches(self, error: NoRoomError) -> None:
        goal = self.outcome.goal
        least = max(goal.min_launches, turns.ABBA_LAUNCHES)
        goal = msgspec.structs.replace(
            goal, min_launches=least, max_launches=max(goal.max_launches, least)
        )
        self.outcome = msgspec.structs.replace(
            self.outcome, mode="abba", why_abba=str(error), goal=goal
        )
        self._keep_launches(())

    def _pair(self, launch: int) -> PairLaunch | None:
        """Two live workers in turns; None where one of them failed."""
        rng = random.Random(f"{self._seed}/{launch}")  # noqa: S311 - a schedule, no secret
        pair = _Pair(rng)
        with contextlib.ExitStack() as stack:
            try:
                for side in pair.order:
                    request = msgspec.structs.replace(self._request(side, launch), turns=True)
                    log = self._store.logs / journal.log_name(request)
                    python = self._sides[side].python
                    worker = LiveWorker(request, self._limits, log, python, self._check_room)
                    stack.callback(worker.end)
                    self._alive = [*pair.pids, worker.pid]
                    pair.add(side, worker)
                measured = pair.measure(launch)
                for side in pair.order:
                    self._keep(pair.workers.pop(side).stop())
            except LostError as error:
                self._lost(error.record, pair)
                return None
        return measured

    def _lost(self, record: Record, pair: _Pair) -> None:
        """Keep what a failed launch left: the reason, and the partner's turns."""
        self._keep(record)
        if record.status == "oom" and len(self._alive) > 1:
            raise NoRoomError(record.reason)
        self.failed = record
        for worker in pair.workers.values():
            if worker.turns and not worker.ended:
                with contextlib.suppress(LostError):
                    self._keep(worker.stop())

    def _whole(self, launch: int) -> PairLaunch | None:
        """Two whole launches, one after the other: A B, B A, A B ..."""
        medians_ns: dict[int, float] = {}
        first = (launch + self._seed) % 2
        for side in (first, 1 - first):
            request = self._request(side, launch)
            log = self._store.logs / journal.log_name(request)
            record = launcher.launch(request, self._limits, log, self._sides[side].python)
            self._keep(record)
            if record.status != "ok":
                self.failed = record
                return None
            medians_ns[side] = stats.quantile(record.latency_ns, 0.5)
        return PairLaunch(
            launch=launch,
            log_ratio=turns.log_ratio(medians_ns[0], medians_ns[1]),
            first="ab"[first],
            a_ns=(medians_ns[0],),
            b_ns=(medians_ns[1],),
        )

    def _keep(self, record: Record) -> None:
        caveats = (*record.caveats, *self._caveats)
        record = msgspec.structs.replace(record, caveats=caveats)
        self._store.append(record)
        self.records.append(record)

    def _request(self, side: int, launch: int) -> LaunchRequest:
        """A side's launch; where both sides are one case, theirs are numbered in turn."""
        number = launch if self.outcome.a != self.outcome.b else 2 * launch + side
        attempt = 0 if self.outcome.mode == "turns" else 1
        labelled = self._labelled[side] if launch == 0 else None
        return self._sides[side].request(self.outcome.run_id, number, attempt, labelled)

    def _check_room(self) -> None:
        """Whether two live models leave the device enough memory; looked at once a second.

        Raises:
            NoRoomError: They do not.
        """
        if len(self._alive) < 2 or time.monotonic() - self._looked_s < _LOOK_S:  # noqa: PLR2004 - a pair
            return
        self._looked_s = time.monotonic()
        memory = psutil.virtual_memory()
        if memory.available < _MIN_AVAILABLE_RATIO * memory.total:
            left = memory.available // BYTE_PER_MIB
            raise NoRoomError(f"with both models loaded only {left} MiB are available")
        limit = self._limits.memory_byte
        resident = sum(_rss_byte(pid) for pid in self._alive)
        if limit is not None and resident > limit:
            raise NoRoomError(
                f"both models together take {resident // BYTE_PER_MIB} MiB, "
                f"{limit // BYTE_PER_MIB} MiB allowed"
            )


def _rss_byte(pid: int) -> int:
    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


class _Pair:
    """The live workers of one launch."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.order = rng.choice(((0, 1), (1, 0)))
        """Who is loaded first, and checked first."""
        self.workers: dict[int, LiveWorker] = {}
        self._shapes: dict[int, turns.Shape] = {}

    @property
    def pids(self) -> list[int]:
        """Of the workers so far."""
        return [worker.pid for worker in self.workers.values()]

    def add(self, side: int, worker: LiveWorker) -> None:
        """Load a side's model; the other one sleeps meanwhile."""
        self.workers[side] = worker
        self._shapes[side] = turns.shape(worker.load())

    def measure(self, launch: int) -> PairLaunch:
        """The rounds of this launch."""
        a, b = self.workers[0], self.workers[1]
        before = _Cpu.now(self.pids)
        measured = turns.alternate(
            (a.turn, b.turn), (self._shapes[0], self._shapes[1]), rng=self._rng, launch=launch
        )
        idle = (a.idle_cpu_ratio, b.idle_cpu_ratio)
        others = _Cpu.now(self.pids).others_ratio(before)
        return msgspec.structs.replace(measured, idle_cpu_ratio=idle, others_cpu_ratio=others)


class _Cpu(NamedTuple):
    """CPU time so far, in ns: of everything on this machine, and of the pair and this process."""

    wall_ns: int
    all_ns: int | None
    ours_ns: int

    @classmethod
    def now(cls, pids: Sequence[int]) -> _Cpu:
        ours_s = time.process_time()
        for pid in pids:
            with contextlib.suppress(psutil.Error):
                times = psutil.Process(pid).cpu_times()
                ours_s += times.user + times.system
        all_ns = environment.snapshot().busy_all_ns
        return cls(time.monotonic_ns(), all_ns, round(ours_s * NS_PER_S))

    def others_ratio(self, before: _Cpu) -> float | None:
        """CPUs that others kept busy since then."""
        if self.all_ns is None or before.all_ns is None:
            return None
        others_ns = self.all_ns - before.all_ns - (self.ours_ns - before.ours_ns)
        return max(0.0, others_ns / max(1, self.wall_ns - before.wall_ns))

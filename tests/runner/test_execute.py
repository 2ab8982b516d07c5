"""Which launches a run makes, how long it waits, and why it ends: on launches that are played."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebench import wire
from edgebench.machine import Environment
from edgebench.records import Case, Manifest, PlannedCase, Record, Trial
from edgebench.runner import config as configs
from edgebench.runner import execute, launcher, plan, power
from edgebench.runner.config import Preset, PresetName, RunConfig
from edgebench.runner.cooldown import CoolDown, Waited
from edgebench.runner.execute import Execution
from edgebench.runner.journal import Journal
from edgebench.samples import Samples
from edgebench.testing import write_tree


class Player:
    """Launches that take a known time on a clock of their own; and who listens to the run."""

    def __init__(self, took_s: float, medians: Callable[[str, int], float]) -> None:
        self.now = 0.0
        self.took_s = took_s
        self.medians = medians
        self.made: list[tuple[str, int]] = []
        self.compared: list[int] = []
        self.blocks: list[list[str]] = []
        self.told: list[tuple[float, float]] = []

    def launch(self, request: wire.LaunchRequest, *_: object, **__: object) -> Record:
        windows = (request.idle_s or 0) + (request.power_s or 0) + 2 * request.settle_s
        self.now += self.took_s + windows
        self.made.append((request.case.precision, request.launch))
        self.compared += [request.launch] if request.compares else []
        middle = self.medians(request.case.precision, request.launch)
        return Record(
            run_id=request.run_id,
            case_id=request.case_id,
            launch=request.launch,
            attempt=request.attempt,
            started_at_utc=request.started_at_utc,
            status="ok" if middle else "failed",
            latency_ns=Samples([int(middle)] * 10 if middle else []),
        )

    def launch_begins(self, case: PlannedCase, launch: int, left_s: float | None) -> None: ...

    def launch_ended(self, case: PlannedCase, record: Record) -> None: ...

    def block_ended(self, records: tuple[Record, ...]) -> None: ...

    def cooling(self, now_degc: float, wanted_degc: float) -> None:
        self.told.append((now_degc, wanted_degc))


NOISE = (1.0, 1.09, 0.93, 1.05, 0.96, 1.02, 0.98)


def spread(precision: str, launch: int) -> float:
    """fp32 hardly varies between launches, int8 and fp16 do."""
    if precision == "fp32":
        return 1e6 + launch
    return 1e6 * NOISE[launch % len(NOISE)]


@pytest.fixture
def perform(
    tmp_path: Path, manifest: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Execution]:
    """Carries out a run of mnist_cnn on played launches."""

    def run(
        preset: Preset,
        player: Player,
        precisions: Iterable[str] = ("fp32", "fp16", "int8"),
        earlier: Iterable[Record] = (),
        root: Path = tmp_path,
        **fields: Any,  # noqa: ANN401 - of a case; and its meters
    ) -> Execution:
        meters = fields.pop("meters", power.NO_METERS)
        workloads = plan.choose_workloads(["mnist_cnn"])
        spec = workloads["mnist_cnn"].spec
        cases = [
            Case(
                workload=spec.name,
                workload_version=spec.version,
                source_sha256=spec.source_sha256,
                backend="onnxruntime",
                format="onnx",
                precision=precision,  # type: ignore[arg-type]
                **fields,
            )
            for precision in precisions
        ]
        planned = tuple(PlannedCase(case_id=case.case_id, case=case) for case in cases)
        monkeypatch.setattr(launcher, "launch", player.launch)
        monkeypatch.setattr(time, "monotonic", lambda: player.now)
        monkeypatch.setattr(time, "sleep", lambda s: setattr(player, "now", player.now + s))
        store = Journal.create(tmp_path, manifest(run_id=f"run{time.time_ns()}"))
        execution = Execution(
            run_id="r",
            plan=plan.Plan(cases=planned, workloads=workloads, probes={}),
            preset=preset,
            config=RunConfig(),
            seed=1,
            store=store,
            earlier=earlier,
            meters=meters,
            root=root,
        )
        execution.run(player)
        return execution

    return run


def budget(budget_s: float, **more: object) -> Preset:
    return configs.preset(RunConfig(budget_s=budget_s, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(("preset", "compared"), [("quick", {0}), ("standard", set(range(6)))])
def test_a_quick_run_compares_answers_in_a_cells_first_launch_only(
    perform: Callable[..., Execution], preset: PresetName, compared: set[int]
) -> None:
    player = Player(1.0, spread)
    perform(configs.PRESETS[preset], player)
    assert {launch for _, launch in player.made} >= {0, 1, 2}
    assert set(player.compared) == compared


def test_a_budget_goes_where_intervals_are_widest(perform: Callable[..., Execution]) -> None:
    player = Player(1.0, spread)
    execution = perform(budget(30.5), player)
    made = {name: [launch for p, launch in player.made if p == name] for name in ("fp32", "int8")}
    assert made["fp32"] == [0, 1, 2]  # known after three: nothing more is spent on it
    assert len(made["int8"]) > 8
    assert len(player.made) == 30
    assert player.now <= 30.5
    assert execution.ended == "budget spent"


@pytest.fixture
def with_power() -> Iterator[tuple[Preset, power.Meters]]:
    """A pass of 30 s and its baseline in each of the first 3 launches, by a meter that is open."""
    preset = budget(1.0, power_s=30.0)
    with power.opened(RunConfig(meters=("edgebench.testing:FakeMeter",)), preset) as meters:
        yield preset, meters


def test_a_case_whose_power_pass_no_longer_fits_a_budget_is_not_begun(
    perform: Callable[..., Execution], with_power: tuple[Preset, power.Meters]
) -> None:
    player, (preset, meters) = Player(1.0, spread), with_power
    perform(msgspec.structs.replace(preset, budget_s=60.0), player, ("int8", "fp16"), meters=meters)
    assert player.now <= 60
    assert len({precision for precision, _ in player.made}) == 1


def test_launches_without_a_power_pass_take_what_a_budget_has_left(
    perform: Callable[..., Execution], with_power: tuple[Preset, power.Meters]
) -> None:
    player, (preset, meters) = Player(1.0, spread), with_power
    perform(msgspec.structs.replace(preset, budget_s=150.0), player, ("int8",), meters=meters)
    assert len(player.made) > 10
    assert player.now <= 150


def test_the_same_seed_spends_a_budget_in_the_same_order(perform: Callable[..., Execution]) -> None:
    first, second = Player(1.0, spread), Player(1.0, spread)
    perform(budget(20), first)
    perform(budget(20), second)
    assert first.made == second.made


def test_a_budget_ends_early_when_every_target_is_reached(
    perform: Callable[..., Execution],
) -> None:
    player = Player(1.0, lambda _, launch: 1e6 + launch)
    execution = perform(budget(1000), player)
    assert len(player.made) == 9
    assert execution.ended == "target reached"


def test_a_budget_too_small_for_the_first_block_says_what_it_did_not_reach(
    perform: Callable[..., Execution],
) -> None:
    player = Player(5.0, spread)
    execution = perform(budget(11), player)
    assert len(player.made) == 2
    assert execution.ended == "budget spent"
    nothing = Player(5.0, spread)
    execution = perform(budget(0.1), nothing)
    assert (nothing.made, execution.ended) == ([], "budget spent")


def test_a_tighter_target_takes_more_launches(perform: Callable[..., Execution]) -> None:
    loose, tight = Player(1.0, spread), Player(1.0, spread)
    perform(budget(10_000, target_ratio=0.05), loose)
    perform(budget(10_000, target_ratio=0.03), tight)
    assert 9 < len(loose.made) < len(tight.made)


def test_a_case_that_never_settles_ends_at_the_launch_cap(
    perform: Callable[..., Execution],
) -> None:
    preset = msgspec.structs.replace(configs.PRESETS["thorough"], cooldown_max_s=None)
    player = Player(1.0, lambda _, launch: 1e6 * (1 + launch % 2))
    execution = perform(preset, player, ["int8"])
    assert len(player.made) == 20
    assert execution.ended == "launch cap"


def test_a_case_that_never_worked_does_not_eat_the_budget(
    perform: Callable[..., Execution],
) -> None:
    player = Player(1.0, lambda p, n: 0.0 if p == "int8" else 1e6 + n)
    execution = perform(budget(100), player, ["fp32", "int8"])
    assert player.made.count(("int8", 0)) == len([p for p, _ in player.made if p == "int8"]) == 1
    assert execution.ended == "target reached"


def test_a_resumed_budget_has_what_is_left_of_it(perform: Callable[..., Execution]) -> None:
    begun = Player(1.0, spread)
    first = perform(budget(12), begun)
    earlier = tuple(first.records.values())
    assert all(record.launch_ns == 10**9 for record in earlier)
    again = Player(1.0, spread)
    perform(budget(12), again, earlier=earlier)
    assert again.made == []
    more = Player(1.0, spread)
    perform(budget(17), more, earlier=earlier)
    assert len(more.made) == 5
    assert min(launch for _, launch in more.made) > max(launch for _, launch in begun.made)


QUICK = configs.PRESETS["quick"]


@pytest.mark.parametrize(("took_s", "made"), [(5.5, 9), (5.6, 6), (60.0, 6)])
def test_a_third_block_is_begun_only_where_the_aim_holds_it_whole(
    perform: Callable[..., Execution], took_s: float, made: int
) -> None:
    player = Player(took_s, spread)
    execution = perform(QUICK, player)
    assert len(player.made) == made
    told = "all launches made" if made == 9 else "2 of 3 launches: 50 s hold no more"
    assert execution.ended == told


def test_a_cell_that_never_worked_takes_no_room_of_the_aim(
    perform: Callable[..., Execution],
) -> None:
    player = Player(7.0, lambda precision, _: 0.0 if precision == "int8" else 1e6)
    perform(QUICK, player)
    assert sorted(launch for _, launch in player.made) == [0, 0, 0, 1, 1, 2, 2]


def test_a_resumed_run_ends_the_block_it_had_begun_and_keeps_its_aim(
    perform: Callable[..., Execution],
) -> None:
    records = tuple(perform(QUICK, Player(5.0, spread)).records.values())
    third, second, over = Player(100.0, spread), Player(18.0, spread), Player(1.0, spread)
    perform(QUICK, third, earlier=records[:7])
    assert [launch for _, launch in third.made] == [2, 2]
    ended = perform(QUICK, second, earlier=records[:4])
    assert [launch for _, launch in second.made] == [1, 1]
    again = perform(QUICK, over, earlier=tuple(ended.records.values()))
    assert over.made == []
    assert ended.ended == again.ended == "2 of 3 launches: 50 s hold no more"


ZONE = "sys/class/thermal/thermal_zone0"


def hot(root: Path, degc: float) -> None:
    write_tree(root, {f"{ZONE}/temp": f"{degc * 1000:.0f}\n", f"{ZONE}/type": "soc\n"})


STANDARD = msgspec.structs.replace(configs.PRESETS["standard"], min_launches=2, max_launches=2)


class Heated(Player):
    """Every launch heats by 6 degC; a second of waiting cools by 1."""

    def __init__(self, root: Path, *, cools: bool = True) -> None:
        super().__init__(1.0, spread)
        self.root, self.cools, self.degc = root, cools, 40.0
        hot(root, self.degc)

    def launch(self, request: wire.LaunchRequest, *_: object, **__: object) -> Record:
        self.degc += 6
        hot(self.root, self.degc)
        return super().launch(request)

    def cooling(self, now_degc: float, wanted_degc: float) -> None:
        super().cooling(now_degc, wanted_degc)
        if self.cools:
            self.degc -= 1
            hot(self.root, self.degc)


def test_blocks_begin_as_cool_as_the_run_began(
    perform: Callable[..., Execution], tmp_path: Path
) -> None:
    player = Heated(tmp_path / "root")
    execution = perform(STANDARD, player, ["fp32", "int8"], root=player.root)
    assert player.told[0] == (52.0, 43.0)
    assert player.told[-1] == (44.0, 43.0)
    waits = {record.launch: record.cooldown_ns for record in execution.records.values()}
    assert waits == {0: 0, 1: 9 * 10**9}
    assert all(record.caveats == () for record in execution.records.values())


def test_a_device_that_stays_hot_is_measured_all_the_same_and_says_so(
    perform: Callable[..., Execution], tmp_path: Path
) -> None:
    player = Heated(tmp_path / "root", cools=False)
    execution = perform(STANDARD, player, ["fp32"], root=player.root)
    first, second = sorted(execution.records.values(), key=lambda record: record.launch)
    assert (first.cooldown_ns, first.caveats) == (0, ())
    assert second.cooldown_ns == 120 * 10**9
    words = "began 6 degC warmer than the run's start after waiting 120 s"
    assert second.caveats == (words,)


def test_without_a_sensor_nobody_waits(perform: Callable[..., Execution], tmp_path: Path) -> None:
    player = Player(1.0, spread)
    execution = perform(STANDARD, player, ["fp32"], root=tmp_path / "bare")
    assert {record.cooldown_ns for record in execution.records.values()} == {None}
    assert player.now == 2.0


def test_quick_runs_never_wait(tmp_path: Path) -> None:
    hot(tmp_path, 40)
    cool = CoolDown(None, root=tmp_path)
    hot(tmp_path, 90)
    assert cool.wait(lambda *_: pytest.fail("it waits"), 100.0) == Waited(None, "")


def test_a_run_resumed_hot_waits_for_what_its_first_launch_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hot(tmp_path, 70)
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda s: now.__setitem__(0, now[0] + s))
    cool = CoolDown(
        30.0,
        Environment(temperature_degc={"thermal_zone0:soc": 41.0}).temperature_degc,
        root=tmp_path,
    )
    waited = cool.wait(lambda *_: None, 10.0)  # the budget leaves 10 s
    assert waited.wait_ns == 10 * 10**9
    assert waited.caveat.startswith("began 29 degC warmer")


def test_interrupting_a_wait_keeps_what_is_measured(
    perform: Callable[..., Execution], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = Heated(tmp_path / "root")
    kept: list[Record] = []
    monkeypatch.setattr(Journal, "append", lambda _, record: kept.append(record))
    monkeypatch.setattr(player, "cooling", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        perform(STANDARD, player, ["fp32"], root=player.root)
    assert [record.launch for record in kept] == [0]


def test_launches_that_chose_other_batches_are_compared_by_what_a_sample_takes() -> None:
    def chose(batch: int, ips: float) -> Record:
        return Record(
            run_id="r",
            case_id="c",
            launch=0,
            started_at_utc="",
            status="ok",
            latency_ns=Samples([int(batch * 1e9 / ips)] * 10),
            trials=(Trial(batch=1, throughput_ips=10.0), Trial(batch=batch, throughput_ips=ips)),
        )

    assert execute.typical_ns(chose(8, 1000.0)) == execute.typical_ns(chose(16, 1000.0)) == 1e6
    server = msgspec.structs.replace(
        chose(1, 1000.0), trials=(Trial(rate_hz=10.0, throughput_ips=9.0),)
    )
    assert execute.typical_ns(server) == 1e6


def test_a_run_of_paced_cases_alone_reached_no_target(perform: Callable[..., Execution]) -> None:
    paced = {"scenario": "paced", "parameters": {"rate_hz": 30.0}}
    execution = perform(budget(1000), Player(1.0, spread), ("fp32",), **paced)
    assert execution.ended == "all launches made"

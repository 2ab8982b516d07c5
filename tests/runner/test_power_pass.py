"""The power pass of real launches: when meters are read, which ones, and what a lost one costs."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from edgebench import resources, sampling, wire
from edgebench.analysis import energy
from edgebench.errors import UsageError
from edgebench.machine import Stage
from edgebench.metering import Channel, Tier
from edgebench.protocols import Probe
from edgebench.records import Case
from edgebench.runner import config as configs
from edgebench.runner import durations, launcher, power
from edgebench.runner.config import PRESETS, Preset, RunConfig
from edgebench.units import NS_PER_S

NULL = "edgebench.testing:NullBackend"
FAULTY = "edgebench.testing:FaultyBackend"
FAKE = "edgebench.testing:FakeMeter"
ABSENT = "absent_meter:Absent"
LIMITS = launcher.Limits(timeout_s=20.0, measure_s=0.3, idle_s=1.0, power_s=1.0)
PRESET = msgspec.structs.replace(PRESETS["quick"], power_s=1.5, idle_s=1.2, power_launches=2)
CONFIG = RunConfig(meters=(FAKE,), power_rate_hz=50.0)


@pytest.fixture
def request_for(case: Callable[..., Case]) -> Callable[..., wire.LaunchRequest]:
    """Makes requests for a short launch of mnist_cnn on a backend that computes nothing."""
    workload = resources.open_workload("mnist_cnn")

    def make(
        backend: str = NULL, launch: int = 0, options: dict[str, str] | None = None, **of: object
    ) -> wire.LaunchRequest:
        one = case(backend=backend, options=options or {"busy_us": "200"}, **of)
        model = workload.model("onnx", "fp32")
        assert model is not None
        return wire.LaunchRequest(
            parent_pid=os.getpid(),
            run_id="r",
            case_id=one.case_id,
            launch=launch,
            started_at_utc="2026-01-01T00:00:00Z",
            case=one,
            model_path=str(workload.file(model.path)),
            model_layout=model.layout,
            model_sha256=model.sha256,
            reference_path=str(workload.file("reference.npz")),
            warmup_s=0.0,
            warmup_max_s=1.0,
            measure_s=0.3,
        )

    return make


@pytest.fixture
def meters() -> Iterator[power.Sampling]:
    """A fake meter of 3 W, open."""
    with power.opened(CONFIG, PRESET) as found:
        assert found.note == f"power: {FAKE} (board_measured: wave)"
        assert found.sampling is not None
        yield found.sampling


def test_meters_are_read_in_both_windows_and_not_while_latency_is_measured(
    meters: power.Sampling, request_for: Callable[..., wire.LaunchRequest], tmp_path: Path
) -> None:
    request = meters.prepared(request_for())
    stages: list[Stage] = []
    told_ns: dict[Stage, tuple[int, int]] = {}

    def entered(stage: Stage) -> None:
        stages.append(stage)
        before_ns = time.perf_counter_ns()
        meters.entered(stage)  # comes back once it reads no more
        told_ns[stage] = before_ns, time.perf_counter_ns()

    record = launcher.launch(request, LIMITS, tmp_path / "log", entered=entered)
    record = meters.filled(record)
    assert record.status == "ok", record.reason
    assert stages == ["start", "load", "idle", "warmup", "measure", "power", "check"]
    taken = record.power
    assert taken is not None
    assert taken.idle_start_ns is not None
    assert taken.idle_end_ns is not None
    assert 1.2e9 <= taken.idle_end_ns - taken.idle_start_ns < 6e9
    assert taken.end_ns - taken.start_ns >= 1.5e9
    assert taken.start_ns - taken.idle_end_ns > 1.3e9  # warm-up, latency and a second to settle
    (series,) = taken.series
    (_, idle_ns), (power_ns, _) = told_ns["warmup"], told_ns["power"]
    assert [t for t in series.t_ns if idle_ns < t < power_ns] == []
    found = energy.of_meter(taken, FAKE)
    assert (found.power_w, found.idle_w) == pytest.approx((3.0, 3.0))
    each_s = (taken.end_ns - taken.start_ns) / taken.inferences / NS_PER_S
    assert found.gross_mj == pytest.approx(3e3 * each_s)
    assert each_s >= 200e-6
    assert taken.cpu_ns is not None
    assert taken.cpu_ns > 0.02e9, "it spins, on what a busy machine leaves it"


@pytest.mark.parametrize(
    "other",
    [
        {"launch": 2},
        {"scenario": "offline"},
        {"region": "e2e"},
        {"engine": "loadgen"},
    ],
)
def test_other_launches_are_asked_for_no_power_pass_and_wait_for_none(
    meters: power.Sampling,
    request_for: Callable[..., wire.LaunchRequest],
    other: dict[str, object],
) -> None:
    request = request_for(**other)
    assert meters.prepared(request) == request
    assert durations.power_s(request.case, PRESET, request.launch) == 0
    plain = request_for()
    assert durations.power_s(plain.case, PRESET, 0) == pytest.approx(2.7)
    assert meters.seconds(plain.case, 0) == pytest.approx(4.7)  # a second before either window
    assert meters.prepared(plain).power_s == 1.5


def test_a_launch_that_ends_in_its_power_pass_leaves_the_meters_fit_for_the_next(
    meters: power.Sampling, request_for: Callable[..., wire.LaunchRequest], tmp_path: Path
) -> None:
    # Until the power pass begins there is time for less than 50, in it for 250.
    faulty = {"fault": "segv", "at": "60", "sleep_us": "10000"}
    for backend, options, ended in (
        (FAULTY, faulty, ("crashed", "power")),
        (NULL, {}, ("ok", None)),
    ):
        request = meters.prepared(request_for(backend, options=options))
        record = launcher.launch(request, LIMITS, tmp_path / "log", entered=meters.entered)
        record = meters.filled(record)
        assert (record.status, record.stage) == ended, record.reason
    assert record.power is not None
    assert energy.of_meter(record.power, FAKE).power_w == pytest.approx(3.0)


def test_a_lost_sampler_costs_the_energy_and_nothing_else(
    meters: power.Sampling, request_for: Callable[..., wire.LaunchRequest], tmp_path: Path
) -> None:
    request = meters.prepared(request_for())

    def kill(stage: Stage) -> None:
        meters.entered(stage)
        if stage == "power":
            os.kill(meters.pid or 0, signal.SIGKILL)

    record = launcher.launch(request, LIMITS, tmp_path / "log", entered=kill)
    record = meters.filled(record)
    assert record.status == "ok"
    assert len(record.latency_ns) > 100
    assert any("the sampler is lost: it ended" in caveat for caveat in record.caveats)
    assert record.power is not None
    with pytest.raises(energy.RefusedError):
        energy.of_launches([record.power])
    assert meters.prepared(request_for()).power_s is None


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()[2] != "Z"
    except OSError:
        return False


def wait_for(what: Callable[[], bool]) -> None:
    """Wait for it, on a busy machine."""
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize("lost", [False, True])
def test_a_power_command_and_what_it_started_end_with_the_run(tmp_path: Path, lost: bool) -> None:
    """One that is deaf to SIGTERM; what it started nobody knows where the sampler hangs."""
    told, started = tmp_path / "told", tmp_path / "started"
    deaf = f"trap '' TERM; sleep 60 & echo $! > {started}; echo $$ > {told}; echo 3; wait; wait"
    config = RunConfig(power_command=shlex.join(["sh", "-c", deaf]))
    with power.opened(config, PRESET) as meters:
        assert meters.sampling is not None
        wait_for(lambda: told.exists() and bool(told.read_text()))
        pids = [int(each.read_text()) for each in (told, started)]
        assert all(map(alive, pids))
        if lost:
            os.kill(meters.sampling.pid or 0, signal.SIGSTOP)
    wait_for(lambda: not any(map(alive, pids[:1] if lost else pids)))
    if lost:
        os.kill(pids[1], signal.SIGKILL)


def found(name: str, *tiers: Tier, counted: bool = True) -> sampling.Found:
    channels = tuple(
        Channel(name=tier, tier=tier, quantity="power_uw", covers=("board",), counted=counted)
        for tier in tiers
    )
    probe = Probe(name=name, available=bool(tiers), reason="" if tiers else "masked", remedy="mend")
    return sampling.Found(probe=probe, channels=channels)


def test_the_best_tier_is_read_unless_meters_are_named() -> None:
    board, rails = found("hwmon", "board_measured"), found("rapl", "partial_measured")
    mixed = found("mixed", "wall_measured", "proxy")
    every = (rails, board, mixed, found("nvml"), found("inner", "wall_measured", counted=False))
    assert power.choose(every, 30.0, named=False) == (board,)
    assert power.choose((rails, mixed), 30.0, named=True) == (rails, mixed)
    assert power.choose((found("nvml"),), 30.0, named=False) == ()
    channels = (msgspec.structs.replace(board.channels[0], update_ms=5000.0),)
    slow = msgspec.structs.replace(board, channels=channels)
    assert power.choose((slow, rails), 30.0, named=False) == (rails,)
    assert power.choose((slow, rails), 60.0, named=False) == (slow,)
    assert power.choose((slow,), 60.0, named=True) == (slow,)
    with pytest.raises(UsageError, match="every 5 s, too seldom for a window of 30 s") as early:
        power.choose((slow,), 30.0, named=True)
    assert early.value.remedy == "--power-window 60 holds enough"
    with pytest.raises(UsageError, match="'nvml': masked") as refused:
        power.choose((board, found("nvml")), 30.0, named=True)
    assert refused.value.remedy == "mend"


def test_a_named_meter_that_cannot_be_read_is_a_mistake_of_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "absent_meter.py").write_text(
        "from edgebench.testing import FakeMeter\n"
        "class Absent(FakeMeter):\n"
        "    def __init__(self):\n"
        "        super().__init__(fault='absent')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    named = RunConfig(meters=(ABSENT,))
    with pytest.raises(UsageError, match="no fake sensor"), power.opened(named, PRESET):
        pytest.fail("it was opened")


def test_without_meters_no_time_is_spent_and_it_is_said_once(tmp_path: Path) -> None:
    with power.opened(RunConfig(preset="standard"), PRESETS["standard"], root=tmp_path) as nothing:
        assert nothing == power.Meters(note=power.NO_SENSOR)
    for config in (RunConfig(), RunConfig(preset="standard", meters=("none",))):
        with power.opened(config, configs.preset(config), root=tmp_path) as silent:
            assert silent == power.NO_METERS


@pytest.mark.parametrize(
    ("config", "power_s", "idle_s"),
    [
        (RunConfig(), None, 10.0),
        (RunConfig(preset="standard"), 30.0, 10.0),
        (RunConfig(preset="standard", meters=("none",)), None, 10.0),
        (RunConfig(meters=("rapl",)), 30.0, 10.0),
        (RunConfig(power_s=4.0), 4.0, 4.0),
        (RunConfig(power_csv="log.csv"), 30.0, 10.0),
        (RunConfig(power_command="meter"), 30.0, 10.0),
    ],
)
def test_quick_has_a_power_pass_only_where_it_is_asked_for(
    config: RunConfig, power_s: float | None, idle_s: float
) -> None:
    found = configs.preset(config)
    assert (found.power_s, found.idle_s) == (power_s, idle_s)
    assert (found.aim_s is None) == (power_s is not None or config.preset != "quick")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (RunConfig(power_s=0.0), "--power-window 0"),
        (RunConfig(power_s=float("nan")), "--power-window nan"),
        (RunConfig(power_rate_hz=0.0), "--power-rate 0"),
        (RunConfig(power_rate_hz=1e6), "--power-rate 1e"),
        (RunConfig(meters=("none", "rapl")), "--meter none"),
        (RunConfig(power_s=0.5), "holds 5 readings at 10 Hz, 10 are needed"),
        (RunConfig(preset="standard", power_rate_hz=0.1), "holds 3 readings"),
        (RunConfig(power_command="meter", power_rate_hz=0.1), "holds 3 readings"),
    ],
)
def test_power_that_cannot_be_measured_is_refused(config: RunConfig, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        configs.check(config, 2)


def test_an_external_meter_alone_is_read_where_one_is_told_of() -> None:
    (log,) = power.wanted(RunConfig(power_csv="log.csv", power_csv_offset_s=2.0))
    assert log.arguments == {
        "path": str(Path("log.csv").absolute()),
        "offset_s": 2.0,
        "covers": "wall",
    }
    program, named = power.wanted(RunConfig(power_command="meter -w", meters=("rapl",)))[::-1]
    here = str(Path.cwd())
    assert program.arguments == {"command": "meter -w", "covers": "wall", "folder": here}
    assert named == sampling.Wanted(name="rapl")


def test_stages_of_the_power_pass_have_their_length_before_they_time_out() -> None:
    limits = launcher.Limits(timeout_s=5.0, measure_s=1.0, idle_s=10.0, power_s=30.0)
    assert [limits.of(stage) for stage in ("load", "idle", "power")] == [5.0, 15.0, 65.0]


def test_a_slow_meters_longer_baseline_does_not_time_out(
    request_for: Callable[..., wire.LaunchRequest],
) -> None:
    limits = launcher.Limits(timeout_s=5.0, measure_s=1.0)
    slow = msgspec.structs.replace(request_for(), idle_s=24.0, power_s=60.0, settle_s=5.0)
    found = [limits.holding(slow).of(stage) for stage in ("load", "idle", "power")]
    assert found == [5.0, 34.0, 135.0]


@pytest.mark.parametrize(
    ("name", "rate_hz", "idle_s"),
    [("m", 10.0, 10.0), ("m", 1.0, 12.0), ("m", 0.1, 30.0), ("csv", 10.0, 12.0)],
)
def test_the_idle_baseline_holds_the_readings_of_a_slow_rate(
    request_for: Callable[..., wire.LaunchRequest], name: str, rate_hz: float, idle_s: float
) -> None:
    process = power.Process()
    try:
        chosen = [found(name, "wall_measured")]
        made = power.Sampling(process, chosen, PRESETS["standard"], rate_hz)
        assert made.prepared(request_for()).idle_s == pytest.approx(idle_s)
    finally:
        process.end()


def test_a_sensor_that_averages_long_has_long_to_settle() -> None:
    def of(update_ms: float | None) -> Channel:
        base = found("m", "board_measured").channels[0]
        return msgspec.structs.replace(base, update_ms=update_ms)

    assert [power.settle_s([of(ms)]) for ms in (None, 100, 1000, 60_000)] == [1.0, 1.0, 2.0, 5.0]


def test_the_sampler_keeps_off_the_cpus_under_test(
    request_for: Callable[..., wire.LaunchRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgebench.host.cpu.allowed_cpus", lambda: (0, 1, 2, 3))
    big = msgspec.structs.replace(request_for(), cpus=(2, 3))
    assert power.aside(big) == (0, 1)
    whole = msgspec.structs.replace(request_for(threads=2), cpus=(0, 1, 2, 3))
    assert power.aside(whole) == (3,)
    full = msgspec.structs.replace(request_for(threads=4), cpus=(0, 1, 2, 3))
    assert power.aside(full) == ()


def test_a_preset_of_an_older_run_has_no_power_pass() -> None:
    older = msgspec.convert(
        {"name": "quick", "min_launches": 3, "max_launches": 3, "measure_s": 0.3, "warmup_s": 0.05},
        Preset,
    )
    assert older.power_s is None

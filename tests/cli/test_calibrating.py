"""`edgebench devices calibrate` on a planted machine whose power is known: the whole way."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from edgebench import power_model
from edgebench.cli import calibrating
from edgebench.cli.calibrate_ import command
from edgebench.errors import UsageError
from edgebench.host import cpu
from edgebench.metering import Channel
from edgebench.meters import activity
from edgebench.meters.calibrated import Calibrated
from edgebench.meters.csv_ import Csv
from edgebench.protocols import Probe, Readings
from edgebench.runner import loads
from edgebench.runner.loads import Load
from edgebench.testing import write_tree

IDLE_W, LINEAR_W, CUBIC_W = 2.0, 0.6, 0.25
EPOCH_S = 1_700_000_000
GHZ = {0.0: 0.6, 0.25: 0.6, 0.5: 1.2, 1.0: 2.4}
"""What the planted governor makes of a duty."""
SECONDS = 120.0


class Machine:
    """Two CPUs whose books are kept as the kernel would, on a clock that only sleeping moves."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.busy, self.ghz, self.now_s = 0.0, 0.6, 1000.0
        self.log: Path | None = None
        self._busy_s, self._at_s = 0.0, dict.fromkeys(sorted({*GHZ.values(), 3.0}), 0.0)
        policy = "sys/devices/system/cpu/cpufreq/policy0"
        self._books = root / f"{policy}/stats/time_in_state"
        write_tree(
            root,
            {
                "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
                f"{policy}/affected_cpus": "0 1\n",
                f"{policy}/cpuinfo_max_freq": "2400000\n",
                f"{policy}/stats/time_in_state": "600000 0\n",
                "proc/stat": "cpu0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0\n",
            },
        )
        self._keep()

    @property
    def power_w(self) -> float:
        """What it draws at this moment."""
        return IDLE_W + self.busy * (LINEAR_W * self.ghz + CUBIC_W * self.ghz**3)

    @contextlib.contextmanager
    def at_work(self, load: Load) -> Iterator[None]:
        self.busy, self.ghz = len(load.cpus) * load.duty, GHZ[load.duty]
        yield
        self.busy, self.ghz = 0.0, 0.6

    def sleep(self, seconds: float) -> None:
        """Time passes, and who logs the power writes a line."""
        self.now_s += seconds
        self._busy_s += self.busy * seconds
        self._at_s[self.ghz] += seconds
        self._keep()
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{EPOCH_S + self.now_s:.6f},{self.power_w:.4f}\n")

    def monotonic(self) -> float:
        return self.now_s

    def perf_counter_ns(self) -> int:
        return round(1e9 * self.now_s)

    def time_ns(self) -> int:
        return EPOCH_S * 1_000_000_000 + self.perf_counter_ns()

    def _keep(self) -> None:
        each = int(50 * self._busy_s), 50 * self._busy_s
        lines = [f"cpu{i} {round(part)} 0 0 9 0 0 0\n" for i, part in enumerate(each)]
        _put(self.root / "proc/stat", "".join(lines))
        times = (f"{round(1e6 * ghz)} {int(100 * s)}\n" for ghz, s in self._at_s.items())
        _put(self._books, "".join(times))


def _put(path: Path, text: str) -> None:
    """At once, as the kernel's files change."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text)
    fresh.replace(path)


class Meter:
    """Reads the planted machine; a noise of a share of its power."""

    name = "planted"
    channels = (
        Channel(name="plug", tier="wall_measured", quantity="power_uw", covers=("device",)),
    )

    def __init__(self, machine: Machine, noise_ratio: float = 0.0) -> None:
        self._machine = machine
        self._noise_ratio = noise_ratio
        self._rng = random.Random(1)  # noqa: S311 - noise, no secret

    def probe(self, root: Path) -> Probe:
        del root
        return Probe(name=self.name, available=True)

    def read(self) -> Readings:
        noise = 1 + self._noise_ratio * self._rng.gauss(0, 1)
        return (
            (self._machine.perf_counter_ns(), max(0, round(1e6 * self._machine.power_w * noise))),
        )

    def close(self) -> None:
        """Nothing to release."""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """What `calibrate` takes for this device, with its clock."""
    made = Machine(tmp_path / "root")
    monkeypatch.setattr(calibrating, "ROOT", made.root)
    monkeypatch.setattr(calibrating, "time", made)
    monkeypatch.setattr(activity, "time", made)
    monkeypatch.setattr("edgebench.host.cpu.allowed_cpus", lambda: (0, 1))
    return made


def test_the_meter_calibrated_says_what_the_meter_would(machine: Machine) -> None:
    model = calibrating.calibrate(Meter(machine, 0.02), SECONDS, 1, "unit", machine.at_work)
    assert model.error_ratio < 0.05
    assert model.idle_w == pytest.approx(IDLE_W, rel=0.05)
    (cluster,) = model.clusters
    assert cluster.cpus == (0, 1)
    assert (cluster.min_ghz, cluster.max_ghz) == pytest.approx((0.6, 2.4), rel=0.1)

    path = power_model.write(model)
    assert power_model.read(path) == model
    meter = Calibrated()
    assert meter.probe(machine.root).available
    (channel,) = meter.channels
    assert (channel.tier, channel.fit_error_ratio) == ("model_calibrated", model.error_ratio)
    with machine.at_work(Load(cpus=(0, 1), duty=0.5)):
        meter.read()
        machine.sleep(0.5)
        (reading,) = meter.read()
        assert reading is not None
        assert reading[1] / 1e6 == pytest.approx(machine.power_w, rel=0.1)

    machine.busy, machine.ghz = 2.0, 3.0
    meter.read()
    machine.sleep(0.3)
    assert meter.read() == (None,)
    assert "fitted from" in meter.take_caveats()[0]
    assert meter.take_caveats() == ()

    (machine.root / "etc/machine-id").write_text("another\n")
    other = meter.probe(machine.root)
    assert not other.available
    assert other.reason == "no model was fitted on this unit"


def test_a_device_that_others_keep_busy_gets_no_model(machine: Machine) -> None:
    @contextlib.contextmanager
    def busy(load: Load) -> Iterator[None]:
        del load
        machine.busy = 2.0
        yield

    with pytest.raises(UsageError, match=r"cannot be told apart; other processes kept 2\.0 CPUs"):
        calibrating.calibrate(Meter(machine), SECONDS, 1, "unit", busy)


def test_a_meter_that_gives_too_little_ends_it_at_the_first_load(machine: Machine) -> None:
    class Silent(Meter):
        def read(self) -> Readings:
            return (None,)

    begun: list[Load] = []

    @contextlib.contextmanager
    def at_work(load: Load) -> Iterator[None]:
        begun.append(load)
        yield

    with pytest.raises(UsageError):
        calibrating.calibrate(Silent(machine), SECONDS, 1, "unit", at_work)
    assert len(begun) == 1


def test_too_little_time_is_refused_before_anything_runs(machine: Machine) -> None:
    with pytest.raises(UsageError, match="10 loads do not fit into 1 s") as caught:
        calibrating.calibrate(Meter(machine), 1.0, 1, "unit", machine.at_work)
    assert "--minutes" in caught.value.remedy


def test_a_machine_without_an_id_gets_no_model(machine: Machine) -> None:
    (machine.root / "etc/machine-id").unlink()
    with pytest.raises(UsageError, match="no id"):
        calibrating.calibrate(Meter(machine), SECONDS, 1, "unit", machine.at_work)


def test_a_log_may_be_the_meter(machine: Machine, tmp_path: Path) -> None:
    machine.log = tmp_path / "power.csv"
    machine.log.write_text("time,power (W)\n")
    csv = Csv(machine.log)
    csv.probe(machine.root)
    model = calibrating.calibrate(csv, SECONDS, 1, "unit", machine.at_work)
    assert model.idle_w == pytest.approx(IDLE_W, rel=0.05)
    assert model.covers == ("device",)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no meter to calibrate by"),
        (["--meter", "nvml", "--power-command", "true"], "more than one meter"),
        (["--meter", "edgebench.meters.calibrated:Calibrated"], "meter calibrated"),
        (["--meter", "nowhere:Nothing"], "nowhere"),
    ],
)
def test_a_meter_that_is_none_is_refused(words: list[str], told: str) -> None:
    result = CliRunner().invoke(command, words)
    assert isinstance(result.exception, UsageError)
    assert told in str(result.exception)


def test_a_folder_that_cannot_be_written_is_told_before_any_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("EDGEBENCH_DATA", str(tmp_path / "file"))
    result = CliRunner().invoke(command, ["--power-command", "true", "--power-covers", "board"])
    assert isinstance(result.exception, UsageError)
    assert "no model can be written to" in str(result.exception)
    assert "EDGEBENCH_DATA" in result.exception.remedy


def test_a_load_is_not_in_the_way_of_ctrl_c_and_ends_with_its_block() -> None:
    """A terminal's Ctrl-C goes to its whole session: a load in it would die with a traceback."""
    ours = psutil.Process()
    with loads.at_work(Load(cpus=(cpu.allowed_cpus()[0],), duty=0.25)):
        (child,) = (one for one in ours.children() if "edgebench.runner.busy" in one.cmdline())
        assert os.getsid(child.pid) == child.pid
    assert not child.is_running()

"""What a machine tells of being slowed down; whatever a file holds, nothing raises or becomes 0."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.host import cpu, environment, others, thermal, throttle
from edgebench.testing import write_tree
from edgebench.testing.sensors import FakeVcio

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
THERMAL = "sys/class/thermal"
CPU = "sys/devices/system/cpu"


@given(st.text())
def test_parsers_never_raise(text: str) -> None:
    bits = throttle.parse_throttled(text)
    assert bits is None or 0 <= bits < 1 << 32
    assert all(ns >= 0 for ns in environment.parse_residency(text).values())
    pressure = environment.parse_pressure(text)
    assert pressure is None or pressure >= 0


@given(st.binary())
def test_lines_of_any_bytes_never_raise(data: bytes) -> None:
    seen = others.parse_stat(data)
    assert seen is None or seen.key[0] >= 0


@given(st.dictionaries(st.integers(1, 10**7), st.integers(0, 10**12)))
def test_a_residency_is_read_as_it_was_written(ticks: dict[int, int]) -> None:
    text = "".join(f"{khz} {count}\n" for khz, count in ticks.items())
    wanted = {khz: count * TICK_NS for khz, count in ticks.items()}
    assert environment.parse_residency(text) == wanted


@given(st.integers(0, 0xF000F))
def test_bits_are_read_in_hexadecimal_with_and_without_a_prefix(bits: int) -> None:
    for text in (f"{bits:x}\n", f"0x{bits:x}", f"throttled=0x{bits:x}\n"):
        assert throttle.parse_throttled(text) == bits


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=15),
    st.integers(1, 1 << 22),
    st.integers(0, 10**6),
)
def test_a_process_may_have_any_name(name: str, pid: int, ticks: int) -> None:
    line = f"{pid} ({name}) S 1 2 77 0 -1 4 0 0 0 0 {ticks} 5 0 0 20 0 1 0 99 0 0"
    seen = others.parse_stat(line.encode())
    assert seen is not None
    assert (seen.key, seen.name, seen.parent, seen.session) == ((pid, 99), name, 1, 77)
    assert seen.cpu_ns == (ticks + 5) * TICK_NS


@pytest.mark.parametrize("node", ["vcio_gencmd", "vcio"])
def test_a_pi_s_firmware_is_asked_as_vcgencmd_asks_it(
    node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firmware = FakeVcio("throttled=0x50005", "get_throttled")
    monkeypatch.setattr("edgebench.vcio.kernel", firmware)
    assert throttle.throttle_bits(tmp_path) is None
    write_tree(tmp_path, {f"dev/{node}": ""})
    assert throttle.throttle_bits(tmp_path) == 0x50005
    firmware.error = 1
    assert throttle.throttle_bits(tmp_path) is None


@pytest.mark.parametrize("soc", ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"])
def test_a_pi_without_a_mailbox_is_read_by_its_file(tmp_path: Path, soc: str) -> None:
    write_tree(tmp_path, {f"sys/devices/platform/{soc}/get_throttled": "50005\n"})
    write_tree(tmp_path, {"dev/vcio": "a plain file is no mailbox\n"})
    bits = throttle.throttle_bits(tmp_path)
    assert bits == 0x50005
    assert throttle.words_now(bits) == ("under-voltage", "the firmware throttles the CPU")
    assert throttle.words_now(0x50000) == (), "what was once is not now"
    assert throttle.words_now(None) == ()


def test_counters_are_those_of_cores_and_packages_not_of_threads(tmp_path: Path) -> None:
    tree: dict[str, str] = {}
    for number, core in enumerate((0, 1, 0, 1)):
        tree |= {
            f"{CPU}/cpu{number}/thermal_throttle/core_throttle_count": f"{core + 1}\n",
            f"{CPU}/cpu{number}/thermal_throttle/package_throttle_count": "7\n",
            f"{CPU}/cpu{number}/topology/physical_package_id": "0\n",
            f"{CPU}/cpu{number}/topology/core_id": f"{core}\n",
        }
    assert throttle.throttle_counts(write_tree(tmp_path, tree)) == {"core": 3, "package": 7}


def test_over_current_of_a_jetson_counts_where_it_throttles(tmp_path: Path) -> None:
    hwmon = "sys/class/hwmon/hwmon3"
    tree = {f"{hwmon}/name": "soctherm_oc\n", "sys/class/hwmon/hwmon0/name": "ina3221\n"}
    for number, on in ((1, "1"), (2, "0"), (3, "1")):
        tree |= {f"{hwmon}/oc{number}_event_cnt": "9\n", f"{hwmon}/oc{number}_throt_en": on}
    tree[f"{hwmon}/oc3_event_cnt"] = "busy\n"
    assert throttle.throttle_counts(write_tree(tmp_path, tree)) == {"oc1": 9}


def test_only_what_slows_down_is_cooling_that_counts(tmp_path: Path) -> None:
    kinds = {
        "pwm-fan": "3",
        "cpufreq-cpu0": "2",
        "Processor": "0",
        "gpu-throttle-alert": "1",
        "TCC Offset": "10",
        "intel_powerclamp": "-1",
        "hot-surface-alert": "1",
        "devfreq-gpu-gpc-0": "gone",
    }
    for number, (kind, state) in enumerate(kinds.items()):
        folder = f"{THERMAL}/cooling_device{number}"
        write_tree(tmp_path, {f"{folder}/type": kind, f"{folder}/cur_state": state})
    assert thermal.cooling_states(tmp_path) == {
        "cooling_device1:cpufreq-cpu0": 2,
        "cooling_device2:Processor": 0,
        "cooling_device3:gpu-throttle-alert": 1,
        "cooling_device5:intel_powerclamp": 0,
    }


def test_the_environment_tells_of_clocks_pressure_steal_and_swap(tmp_path: Path) -> None:
    tree = {
        f"{CPU}/cpufreq/policy0/scaling_max_freq": "1000000\n",
        f"{CPU}/cpufreq/policy0/stats/time_in_state": "600000 7\nnonsense\n1000000 3\n",
        f"{CPU}/cpufreq/policy10/scaling_max_freq": "2000000\n",
        f"{CPU}/cpufreq/policy2/scaling_max_freq": "1800000\n",
        "proc/pressure/cpu": "some avg10=0.00 avg60=1.00 avg300=0.50 total=123\nfull total=9\n",
        "proc/pressure/io": "some avg10=0.00 total=none\n",
        "proc/stat": "cpu  100 0 50 1000 5 0 1 40 0 0\n",
        "proc/vmstat": "nr_free_pages 5\npswpin 10\npswpout 32\n",
        f"{THERMAL}/thermal_zone0/type": "cpu-thermal\n",
        f"{THERMAL}/thermal_zone0/temp": "48312\n",
        f"{THERMAL}/thermal_zone0/trip_point_0_type": "passive\n",
        f"{THERMAL}/thermal_zone0/trip_point_0_temp": "80000\n",
        f"{THERMAL}/thermal_zone0/trip_point_1_type": "critical\n",
        f"{THERMAL}/thermal_zone0/trip_point_1_temp": "60000\n",
    }
    seen = environment.snapshot(write_tree(tmp_path, tree))
    assert seen.residency_ns == {"policy0": {600000: 7 * TICK_NS, 1000000: 3 * TICK_NS}}
    assert seen.allowed_mhz == (1000.0, 1800.0, 2000.0), "in the order of their numbers"
    assert seen.pressure_ns == {"cpu": 123_000}
    assert seen.steal_ns == 40 * TICK_NS
    assert seen.swapped_pages == 42
    assert seen.limit_degc == {"thermal_zone0:cpu-thermal": 80.0}


def test_trips_that_only_wake_a_program_are_no_limits(tmp_path: Path) -> None:
    tree: dict[str, str] = {}
    for number, (kind, governor) in enumerate(
        (("x86_pkg_temp", "step_wise"), ("TSKN", "user_space"), ("acpitz", "step_wise"))
    ):
        zone = f"{THERMAL}/thermal_zone{number}"
        tree |= {f"{zone}/type": kind, f"{zone}/policy": governor, f"{zone}/temp": "54000"}
        tree |= {f"{zone}/trip_point_0_type": "passive", f"{zone}/trip_point_0_temp": "55000"}
    seen = environment.snapshot(write_tree(tmp_path, tree))
    assert len(seen.temperature_degc) == 3
    assert seen.limit_degc == {"thermal_zone2:acpitz": 55.0}


def test_only_clocks_of_cpus_that_we_may_run_on_are_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree: dict[str, str] = {}
    for name, cpus, mhz in (("policy0", "0 1 2 3", 1800), ("policy4", "4 5", 2400)):
        folder = f"{CPU}/cpufreq/{name}"
        tree |= {f"{folder}/affected_cpus": cpus, f"{folder}/scaling_max_freq": f"{mhz}000"}
        tree[f"{folder}/stats/time_in_state"] = f"{mhz}000 7\n"
    root = write_tree(tmp_path, tree)
    seen = {}
    for mine in ((0,), (5,), (3, 4)):
        monkeypatch.setattr(environment, "allowed_cpus", lambda mine=mine: mine)
        seen[mine] = environment.snapshot(root)
    assert list(seen[0,].residency_ns) == ["policy0"]
    assert seen[5,].allowed_mhz == (2400.0,)
    assert seen[3, 4].allowed_mhz == (1800.0, 2400.0)


def test_a_quota_of_an_ancestor_holds_us_back_too(tmp_path: Path) -> None:
    tree = {
        "proc/self/cgroup": "0::/user.slice/session.scope\n",
        "sys/fs/cgroup/user.slice/session.scope/cpu.stat": "usage_usec 5\nthrottled_usec 0\n",
        "sys/fs/cgroup/user.slice/cpu.stat": "throttled_usec 7\n",
        "sys/fs/cgroup/cpu.stat": "usage_usec 9\n",
    }
    assert environment.snapshot(write_tree(tmp_path, tree)).throttled_ns == 7000


def test_a_machine_that_tells_nothing_of_heat_is_not_cool(tmp_path: Path) -> None:
    seen = environment.snapshot(tmp_path)
    for name in ("steal_ns", "swapped_pages", "throttle_bits"):
        assert getattr(seen, name) is None
    for name in ("residency_ns", "allowed_mhz", "throttle_counts", "cooling_states", "limit_degc"):
        assert not getattr(seen, name)


def test_who_else_was_at_work_is_named_and_we_are_not(tmp_path: Path) -> None:
    def stat(pid: int, name: str, parent: int, session: int, ticks: int) -> None:
        line = f"{pid} ({name}) S {parent} 2 {session} 0 -1 4 0 0 0 0 {ticks} 0 0 0 20 0 1 0 9 0 0"
        write_tree(tmp_path, {f"proc/{pid}/stat": line})

    own, parent, session = os.getpid(), os.getppid(), os.getsid(0)

    def tell(ticks: int) -> None:
        stat(own, "worker", parent, session, ticks)
        stat(parent, "runner", 1, 1, ticks)
        stat(1_000_001, "sampler", parent, 1_000_001, ticks)
        stat(1_000_002, "compiler", own, session, ticks)
        stat(1_000_003, "cron (daily)", 1, 5, 2 * ticks)
        stat(1_000_004, "idle", 1, 6, 3)

    tell(10)
    watched = others.Others(tmp_path)
    tell(30)
    stat(1_000_005, "newcomer", 1, 7, 8)
    assert watched.intruders() == {"cron (daily)": 40 * TICK_NS, "newcomer": 8 * TICK_NS}


def test_a_script_is_named_for_its_programs_that_have_ended(tmp_path: Path) -> None:
    def stat(pid: int, name: str, parent: int, ticks: int, ended: int) -> None:
        line = f"{pid} ({name}) S {parent} 2 5 0 -1 4 0 0 0 0 {ticks} 0 {ended} 0 20 0 1 0 9 0 0"
        write_tree(tmp_path, {f"proc/{pid}/stat": line})

    stat(1_000_001, "script", 1, 10, 500)
    stat(1_000_002, "long", 1_000_001, 800, 20)
    stat(1_000_003, "quiet", 1, 5, 600)
    watched = others.Others(tmp_path)
    shutil.rmtree(tmp_path / "proc/1000002")
    # The long program came to 830 and 20, and short ones to 70.
    stat(1_000_001, "script", 1, 12, 500 + 850 + 70)
    assert watched.intruders() == {"script": (2 + 30 + 70) * TICK_NS}


def test_a_planted_root_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cpu.planted() == ""
    monkeypatch.setattr(cpu, "ROOT", Path("/planted"))
    assert "EDGEBENCH_ROOT=/planted" in cpu.planted()


@pytest.mark.parametrize(("root", "told"), [("", False), ("/", False), ("/planted", True)])
def test_every_command_says_that_it_sees_a_planted_machine(root: str, told: bool) -> None:
    command = [sys.executable, "-m", "edgebench", "--version"]
    environ = {**os.environ, "EDGEBENCH_ROOT": root}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert ("the machine was read from EDGEBENCH_ROOT=/planted" in done.stderr) == told
    assert told or done.stderr == ""

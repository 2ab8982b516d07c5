"""Every knob and counter that spoils a run: read from planted files, told with what mends it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edgebench.host import conditions, knobs, spoilers
from edgebench.host.conditions import Conditions, Zone
from edgebench.host.knobs import PowerMode
from edgebench.host.spoilers import Spoiler
from edgebench.machine import Environment
from edgebench.testing import write_tree

CPU = "sys/devices/system/cpu"
ORIN = {
    "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=15W >\nCPU_ONLINE CORE_0 1\n"
    "< POWER_MODEL ID=1 NAME=25W >\n< POWER_MODEL ID=2 NAME=MAXN_SUPER >\n< PM_CONFIG DEFAULT=1 >",
    "var/lib/nvpmodel/status": "pmode:0001 fmode:quiet",
    f"{CPU}/cpufreq/policy0/scaling_min_freq": "729600\n",
    f"{CPU}/cpufreq/policy0/scaling_max_freq": "1728000\n",
    "sys/class/devfreq/17000000.gpu/min_freq": "306000000\n",
    "sys/class/devfreq/17000000.gpu/max_freq": "1020000000\n",
}
QUIET = Conditions(
    cpus_online=(0, 1, 2, 3),
    cpus_allowed=(0, 1, 2, 3),
    cpus_usable=4,
    environment=Environment(cpu_mhz=(2400.0,)),
    zones=(Zone(name="cpu", degc=40.0),),
)


def found(root: Path, tree: dict[str, str]) -> dict[str, Spoiler]:
    seen = conditions.gather(write_tree(root, tree))
    return {one.what: one for one in spoilers.find(seen)}


def test_a_quiet_machine_has_none_and_lacks_nothing() -> None:
    assert spoilers.find(QUIET) == ()
    assert spoilers.unmeasured(QUIET) == ()


@pytest.mark.parametrize(
    ("bits", "whats"),
    [
        (0x0, []),
        (0x50000, ["under-voltage since boot", "throttled since boot"]),
        (0x50005, ["under-voltage, and is so now", "throttled, and is so now"]),
        (0x80008, ["the soft temperature limit was reached, and is so now"]),
        (0x20000, ["the clock was capped since boot"]),
    ],
)
def test_a_pis_firmware_tells_now_from_since_boot(bits: int, whats: list[str]) -> None:
    environment = Environment(cpu_mhz=(2400.0,), throttle_bits=bits)
    told = spoilers.find(msgspec.structs.replace(QUIET, environment=environment))
    assert [one.what for one in told] == whats
    assert all("since boot" in one.what or "just now" in one.why for one in told)


def test_the_alarm_of_a_pi_is_not_told_twice() -> None:
    environment = Environment(cpu_mhz=(2400.0,), throttle_bits=0x50000)
    seen = msgspec.structs.replace(QUIET, environment=environment, under_voltage=True)
    assert sum("under-voltage" in one.what for one in spoilers.find(seen)) == 1


def test_counters_of_an_x86_that_are_0_are_no_throttling() -> None:
    def told(counts: dict[str, int]) -> list[str]:
        environment = Environment(cpu_mhz=(2400.0,), throttle_counts=counts)
        seen = msgspec.structs.replace(QUIET, environment=environment)
        return [one.what for one in spoilers.find(seen)]

    assert told({"core": 0, "package": 0}) == []
    assert told({"core": 0, "package": 12}) == [
        "the hardware has slowed down since boot (times: package 12)"
    ]
    assert len(told({"package": 12, "oc1": 3})) == 2  # heat and supply are mended otherwise


def test_a_jetson_below_its_fastest_mode_is_told_the_way_there_and_back(tmp_path: Path) -> None:
    told = found(tmp_path, ORIN)
    assert told["power mode is 25W, not MAXN_SUPER"].remedy == (
        "sudo nvpmodel -m 2  # back: sudo nvpmodel -m 1"
    )
    assert "jetson_clocks is off (cpu, gpu)" in told


def test_a_jetson_at_its_fastest_with_held_clocks_has_no_such_spoiler(tmp_path: Path) -> None:
    held = {
        "var/lib/nvpmodel/status": "pmode:0002",
        f"{CPU}/cpufreq/policy0/scaling_min_freq": "1728000\n",
        "sys/class/devfreq/17000000.gpu/min_freq": "1020000000\n",
    }
    told = " ".join(found(tmp_path, {**ORIN, **held}))
    assert "power mode" not in told
    assert "jetson_clocks" not in told


def test_where_no_mode_is_called_maxn_the_one_of_most_watts_is_the_fastest(tmp_path: Path) -> None:
    modes = "< POWER_MODEL ID=0 NAME=15W >\n< POWER_MODEL ID=1 NAME=7W >\n"
    tree = {"etc/nvpmodel.conf": modes, "var/lib/nvpmodel/status": "pmode:0001"}
    now, best = knobs.jetson_modes(write_tree(tmp_path, tree))
    assert (now, best) == (PowerMode(number=1, name="7W"), PowerMode(number=0, name="15W"))
    assert knobs.jetson_modes(tmp_path / "nowhere") == (None, None)


def test_clocks_that_follow_the_load_are_loose_on_jetsons_alone(tmp_path: Path) -> None:
    tree = {name: text for name, text in ORIN.items() if name.startswith("sys/")}
    assert knobs.loose_clocks(write_tree(tmp_path, tree)) == ()


def test_preferences_and_profiles_that_save_energy_are_told(tmp_path: Path) -> None:
    tree = {
        f"{CPU}/cpufreq/policy0/energy_performance_preference": "balance_power\n",
        f"{CPU}/cpufreq/policy0/scaling_governor": "powersave\n",
        "sys/firmware/acpi/platform_profile": "quiet\n",
        "sys/firmware/acpi/platform_profile_choices": "quiet balanced performance\n",
    }
    told = found(tmp_path, tree)
    assert told["energy preference is balance_power"].remedy.endswith("/cpu/*/*/energy_p*e")
    assert "tee /sys/firmware/acpi" in told["platform profile is quiet"].remedy
    fast = {
        f"{CPU}/cpufreq/policy0/scaling_governor": "performance\n",
        "sys/firmware/acpi/platform_profile": "performance\n",
    }
    assert not {"energy", "platform"} & {what.split()[0] for what in found(tmp_path, {**fast})}


def test_siblings_isolation_and_a_narrow_mask_are_told(tmp_path: Path) -> None:
    tree = {
        f"{CPU}/online": "0-7\n",
        f"{CPU}/isolated": "6-7\n",
        "proc/self/status": "Name:\tx\nCpus_allowed_list:\t0,1,6\n",
        f"{CPU}/cpu0/topology/thread_siblings_list": "0-1\n",
        f"{CPU}/cpu1/topology/thread_siblings_list": "0-1\n",
        f"{CPU}/cpu6/topology/thread_siblings_list": "6-7\n",
    }
    told = found(tmp_path, tree)
    assert "CPUs share a core (SMT): 0+1" in told
    assert "CPUs 6 are isolated and in the affinity mask" in told
    assert "only 2 of 6 CPUs may be used (affinity)" in told
    told = found(tmp_path, {"proc/self/status": "Cpus_allowed_list:\t0,2\n"})
    assert "only 2 of 6 CPUs may be used (affinity)" in told


def test_cpus_that_are_left_out_because_they_are_isolated_are_no_narrow_mask(
    tmp_path: Path,
) -> None:
    tree = {f"{CPU}/online": "0-3\n", f"{CPU}/isolated": "2-3\n"}
    mask = {"proc/self/status": "Cpus_allowed_list:\t0-1\n"}
    assert not [what for what in found(tmp_path, {**tree, **mask}) if "CPUs" in what]


def test_waiting_steal_and_packed_swap_are_told(tmp_path: Path) -> None:
    tree = {
        "proc/pressure/cpu": "some avg10=2.00 avg60=0.00 avg300=0.00 total=1\n",
        "proc/pressure/memory": "some avg10=7.25 avg60=0.00 avg300=0.00 total=9\n",
        "proc/swaps": "Filename Type Size Used Priority\n/dev/zram0 partition 204800 20480 100\n",
        "proc/meminfo": "MemAvailable: 3000000 kB\nSwapTotal: 204800 kB\nSwapFree: 184320 kB\n",
    }
    told = found(tmp_path, tree)
    assert "something waited for the machine, of the last 10 s 7% for memory" in told
    assert "packing pages takes CPU time" in told["20 MiB of swap are in use (zram)"].why
    environment = Environment(cpu_mhz=(1.0,), steal_ns=int(20e9))
    stolen = msgspec.structs.replace(QUIET, environment=environment, up_ns=int(100e9))
    (spoiler,) = spoilers.find(stolen)
    assert spoiler.what == "the host gave 5.0% of the CPU time since boot to others (steal)"


def test_only_services_that_run_are_told_and_how_to_stop_them(tmp_path: Path) -> None:
    tree = {"proc/17/comm": "packagekitd\n", "proc/self/comm": "fwupd\n", "proc/9/comm": "sshd\n"}
    told = found(tmp_path, tree)
    services = {what: one.remedy for what, one in told.items() if "service" in what}
    assert services == {"the service packagekitd is running": "sudo systemctl stop packagekit"}


def test_a_quota_that_held_back_is_told_with_its_seconds() -> None:
    environment = Environment(cpu_mhz=(1.0,), throttled_ns=int(7e9))
    seen = msgspec.structs.replace(QUIET, environment=environment, cpu_quota=1.5)
    assert [one.what for one in spoilers.find(seen)] == [
        "a CPU quota of 1.5 CPUs",
        "the quota has held this group back for 7.0 s so far",
    ]


def test_closed_counters_spoil_nothing_but_are_told_as_unmeasured(tmp_path: Path) -> None:
    root = write_tree(tmp_path, {"proc/sys/kernel/perf_event_paranoid": "3\n"})
    seen = conditions.gather(root)
    (closed,) = spoilers.unmeasured(seen)
    assert closed.remedy.startswith("sudo sysctl kernel.perf_event_paranoid=2")
    assert not any("paranoid" in one.what for one in spoilers.find(seen))
    assert spoilers.unmeasured(msgspec.structs.replace(seen, perf_event_paranoid=2)) == ()


@pytest.mark.parametrize("junk", ["", "junk\n", "\x00", "-1 x\n"])
def test_files_that_hold_no_such_thing_are_read_as_nothing(tmp_path: Path, junk: str) -> None:
    names = ("proc/pressure/cpu", "proc/swaps", "proc/uptime", "var/lib/nvpmodel/status")
    more = ("proc/sys/kernel/perf_event_paranoid", f"{CPU}/isolated", "etc/nvpmodel.conf")
    seen = conditions.gather(write_tree(tmp_path, dict.fromkeys((*names, *more), junk)))
    assert (seen.pressure_ratios, seen.swap_devices, seen.power_mode) == ({}, (), None)
    assert (seen.up_ns, seen.perf_event_paranoid, seen.isolated) == (None, None, ())


def test_every_remedy_fits_a_line_to_be_copied_from(tmp_path: Path) -> None:
    tree = {
        **ORIN,
        f"{CPU}/online": "0-7\n",
        f"{CPU}/isolated": "6-7\n",
        f"{CPU}/cpu0/topology/thread_siblings_list": "0-1\n",
        f"{CPU}/cpufreq/policy0/energy_performance_preference": "balance_performance\n",
        f"{CPU}/cpufreq/policy0/cpuinfo_max_freq": "2728000\n",
        "proc/self/status": "Cpus_allowed_list:\t0,1,6\n",
        "proc/pressure/io": "some avg10=99.00 avg60=0.00 avg300=0.00 total=1\n",
        "sys/firmware/acpi/platform_profile": "low-power\n",
        "sys/firmware/acpi/platform_profile_choices": "low-power performance\n",
        "sys/fs/cgroup/cpu.max": "150000 100000\n",
        "sys/fs/cgroup/cpu.stat": "throttled_usec 7000000\n",
        **{f"proc/{n + 10}/comm": f"{name}\n" for n, name in enumerate(knobs._SERVICES)},
    }
    seen = conditions.gather(write_tree(tmp_path, tree))
    worst = msgspec.structs.replace(seen.environment, throttle_bits=0xF000A)
    worst = msgspec.structs.replace(worst, steal_ns=10**18, throttle_counts={"core": 3})
    seen = msgspec.structs.replace(seen, environment=worst, up_ns=10**10, perf_event_paranoid=4)
    everything = (*spoilers.find(seen), *spoilers.unmeasured(seen))
    assert len(everything) > 25
    assert [one.remedy for one in everything if len(one.remedy) > 73] == []

"""Planted machines of several kinds: what they are taken for, and what would spoil a run there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from edgebench import resources
from edgebench.host import conditions, cpu, environment, identify, spoilers
from edgebench.host.conditions import Busy, Conditions, Zone
from edgebench.machine import DeviceFacts, Environment
from edgebench.specs import DeviceMatch, DeviceSpec
from edgebench.testing import write_tree

_CLUSTER = "sys/devices/system/cpu"


def _clocks(*clusters: tuple[range, int, str]) -> dict[str, str]:
    """Files of cpufreq: CPUs, maximum in MHz, governor of each cluster."""
    files = {}
    for cpus, mhz, governor in clusters:
        policy = f"{_CLUSTER}/cpufreq/policy{cpus[0]}"
        for folder in (policy, *(f"{_CLUSTER}/cpu{n}/cpufreq" for n in cpus)):
            files[f"{folder}/scaling_governor"] = f"{governor}\n"
            for name in ("cpuinfo_max_freq", "scaling_max_freq", "scaling_cur_freq"):
                files[f"{folder}/{name}"] = f"{mhz}000\n"
    last = max(cpus[-1] for cpus, _, _ in clusters)
    return {**files, f"{_CLUSTER}/online": f"0-{last}\n"}


def _arm(parts: list[str], features: str, tail: str = "") -> str:
    """/proc/cpuinfo of an Arm board: a block for each CPU, then what the board says."""
    blocks = [
        f"processor\t: {number}\nBogoMIPS\t: 108.00\nFeatures\t: {features}\n"
        f"CPU implementer\t: 0x41\nCPU part\t: {part}\n"
        for number, part in enumerate(parts)
    ]
    return "\n".join([*blocks, tail])


def _x86(cpus: int, model: str, flags: str) -> str:
    return "\n".join(
        f"processor\t: {number}\nmodel\t\t: 190\nmodel name\t: {model}\nflags\t\t: {flags}\n"
        for number in range(cpus)
    )


def _memory(total_kib: int, free_kib: int, swapped_kib: int = 0) -> str:
    swap = f"SwapTotal: 102396 kB\nSwapFree: {102396 - swapped_kib} kB\n"
    return f"MemTotal: {total_kib} kB\nMemAvailable: {free_kib} kB\n{swap}"


QUIET = "0.02 0.03 0.00 1/140 900\n"

PI4 = {
    "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
    "proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
    "proc/cpuinfo": _arm(
        ["0xd08"] * 4,
        "fp asimd evtstrm crc32 cpuid",
        "Revision\t: d03114\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4",
    ),
    "proc/meminfo": _memory(3885396, 3000000, swapped_kib=20480),
    "proc/loadavg": "3.10 2.00 1.00 4/200 999\n",
    "sys/class/hwmon/hwmon1/name": "rpi_volt\n",
    "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "79400\n",
    **_clocks((range(4), 1800, "ondemand")),
}
PI5 = {
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
    "proc/cpuinfo": _arm(["0xd0b"] * 4, "fp asimd aes fphp asimdhp asimddp"),
    "proc/meminfo": _memory(8245764, 7000000),
    "proc/loadavg": QUIET,
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "41200\n",
    "sys/class/thermal/cooling_device0/type": "pwm-fan\n",
    "sys/class/thermal/cooling_device0/cur_state": "2\n",
    **_clocks((range(4), 2400, "performance")),
}
ORIN_NANO = {
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0",
    "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005-super\0nvidia,p3767-0005\0"
    "nvidia,tegra234\0",
    "proc/cpuinfo": _arm(["0xd42"] * 6, "fp asimd fphp asimdhp asimddp"),
    "proc/meminfo": _memory(7802752, 5400000),
    "proc/loadavg": QUIET,
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "92000\n",
    "sys/class/thermal/thermal_zone0/trip_point_0_type": "passive\n",
    "sys/class/thermal/thermal_zone0/trip_point_0_temp": "99000\n",
    "sys/class/thermal/cooling_device0/type": "cpufreq-cpu0\n",
    "sys/class/thermal/cooling_device0/cur_state": "3\n",
    **_clocks((range(4), 1728, "schedutil"), (range(4, 6), 1728, "schedutil")),
}
ROCK_5B = {
    "sys/firmware/devicetree/base/model": "Radxa ROCK 5B\0",
    "sys/firmware/devicetree/base/compatible": "radxa,rock-5b\0rockchip,rk3588\0",
    "proc/cpuinfo": _arm(["0xd05"] * 4 + ["0xd0b"] * 4, "fp asimd asimdhp asimddp"),
    "proc/meminfo": _memory(7925000, 7000000),
    "proc/loadavg": QUIET,
    **_clocks((range(4), 1800, "performance"), (range(4, 8), 2400, "performance")),
}
N100 = {
    "sys/class/dmi/id/sys_vendor": "Default string\n",
    "sys/class/dmi/id/product_name": "MINI S\n",
    "proc/cpuinfo": _x86(4, "Intel(R) N100", "fpu sse2 avx2 fma f16c avx_vnni"),
    "proc/meminfo": _memory(16000000, 15000000),
    "proc/loadavg": QUIET,
    **_clocks((range(4), 3400, "powersave")),
}
CLOUD_VM = {
    "sys/class/dmi/id/sys_vendor": "QEMU\n",
    "sys/class/dmi/id/product_name": "Standard PC (i440FX + PIIX, 1996)\n",
    "proc/cpuinfo": _x86(2, "AMD EPYC 7B13", "fpu avx2 fma hypervisor"),
    "proc/meminfo": _memory(4030000, 3500000),
    "proc/loadavg": QUIET,
    "sys/devices/system/cpu/online": "0-1\n",
}
CONTAINER = {
    ".dockerenv": "",
    "proc/self/cgroup": "0::/\n",
    "proc/cpuinfo": _x86(8, "Intel(R) Core(TM) i7-8700", "fpu avx2 fma"),
    "proc/meminfo": _memory(32000000, 30000000),
    "proc/loadavg": QUIET,
    "sys/fs/cgroup/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/memory.max": "134217728\n",
    **_clocks((range(8), 4600, "performance")),
}
CONTAINER_V1 = {
    "proc/self/cgroup": "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/docker/abc\n",
    "proc/cpuinfo": _arm(["0xd08"] * 4, "fp asimd", "Model\t\t: Raspberry Pi 4 Model B Rev 1.4"),
    "proc/meminfo": _memory(3885396, 3000000),
    "proc/loadavg": QUIET,
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
    "sys/fs/cgroup/cpu,cpuacct/cpu.stat": "nr_periods 9\nnr_throttled 2\nthrottled_time 7000\n",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912\n",
    "sys/fs/cgroup/unified/cgroup.procs": "1\n",
    **_clocks((range(4), 1800, "performance")),
}


def facts_of(tree: dict[str, str], root: Path) -> DeviceFacts:
    return identify.identify(devices=resources.open_devices(), root=write_tree(root, tree))


@pytest.mark.parametrize(
    ("tree", "device", "model", "features"),
    [
        (PI4, "raspberry-pi-4", "Cortex-A72", ("asimd",)),
        (PI5, "raspberry-pi-5", "Cortex-A76", ("asimd", "asimddp", "asimdhp", "fphp")),
        (
            ORIN_NANO,
            "jetson-orin-nano",
            "Cortex-A78AE",
            ("asimd", "asimddp", "asimdhp", "fphp"),
        ),
        (ROCK_5B, "rock-5b", "Cortex-A76 + Cortex-A55", ("asimd", "asimddp", "asimdhp")),
        (N100, "intel-n100", "Intel(R) N100", ("avx2", "fma", "f16c", "avx_vnni")),
    ],
    ids=["pi4", "pi5", "orin", "rock5b", "n100"],
)
def test_a_board_is_the_device_of_its_descriptor(
    tmp_path: Path, tree: dict[str, str], device: str, model: str, features: tuple[str, ...]
) -> None:
    facts = facts_of(tree, tmp_path)
    assert facts.device == device
    assert facts.cpu_model == model
    assert facts.isa_features == features
    assert facts.virtualisation is None


def test_a_given_name_names_the_unit_and_not_the_kind(tmp_path: Path) -> None:
    root = write_tree(tmp_path, PI5)
    known = identify.identify(device_name="rack-3", devices=resources.open_devices(), root=root)
    assert (known.device, known.device_id) == ("raspberry-pi-5", "rack-3")


def test_only_the_first_compatible_string_names_the_board(tmp_path: Path) -> None:
    tree = {**PI5, "proc/device-tree/compatible": "maker,clone\0raspberrypi,5-model-b\0"}
    assert facts_of(tree, tmp_path).device == "raspberry-pi-5-model-b-rev-1-0"
    assert identify.match_keys(tmp_path).compatible == ("maker,clone",)


def test_a_board_goes_before_its_chip_and_dmi_is_matched_whole(tmp_path: Path) -> None:
    write_tree(tmp_path, {**N100, "sys/class/dmi/id/sys_vendor": "Maker\n"})
    box = DeviceSpec(schema=1, name="box", match=DeviceMatch(dmi=("Maker MINI S",)))
    other = DeviceSpec(schema=1, name="other", match=DeviceMatch(dmi=("MINI S",)))
    chip = resources.open_device("intel-n100")
    found = identify.recognise([chip, other, box], tmp_path)
    assert found is not None
    assert found.name == "box"
    assert identify.recognise([other], tmp_path) is None


def test_clusters_are_told_apart_and_the_fast_one_is_measured_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "allowed_cpus", lambda: tuple(range(8)))
    facts = facts_of(ROCK_5B, tmp_path)
    told = [(c.cpus, c.model, c.max_mhz) for c in facts.cpu_clusters]
    assert told == [(4, "Cortex-A76", 2400.0), (4, "Cortex-A55", 1800.0)]
    assert cpu.choose_cpus(1, tmp_path) == (4, 5, 6, 7)


def test_capacity_orders_cpus_whose_frequency_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "allowed_cpus", lambda: (0, 1))
    base = "sys/devices/system/cpu"
    tree = {f"{base}/cpu0/cpu_capacity": "400", f"{base}/cpu1/cpu_capacity": "1024"}
    write_tree(tmp_path, {**tree, f"{base}/online": "0-1"})
    assert cpu.choose_cpus(1, tmp_path) == (1,)


def test_features_that_one_cpu_lacks_are_not_counted(tmp_path: Path) -> None:
    mixed = _arm(["0xd05"], "asimd asimddp").rstrip() + "\n\n"
    mixed += _arm(["0xd0b"], "asimd asimddp i8mm").replace("processor\t: 0", "processor\t: 1")
    assert facts_of({"proc/cpuinfo": mixed}, tmp_path).isa_features == ("asimd", "asimddp")


def test_a_container_of_version_1_cgroups_shows_its_limits_and_its_board(tmp_path: Path) -> None:
    facts = facts_of(CONTAINER_V1, tmp_path)
    assert facts.cpu_quota == 2.5
    assert facts.mem_limit_byte == 512 << 20
    assert facts.board == "Raspberry Pi 4 Model B Rev 1.4"
    assert facts.virtualisation == "container (docker)"
    assert environment.snapshot(tmp_path).throttled_ns == 7000


def test_no_limit_in_version_1_words_is_no_limit(tmp_path: Path) -> None:
    name = "sys/fs/cgroup/memory/memory.limit_in_bytes"
    write_tree(tmp_path, {name: "9223372036854771712\n"})
    assert environment.memory_limit_byte(tmp_path) is None


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (CLOUD_VM, "vm (QEMU)"),
        ({**CLOUD_VM, "run/.containerenv": ""}, "container (podman) in vm (QEMU)"),
        ({"proc/cpuinfo": "flags : fpu hypervisor\n"}, "vm (unknown hypervisor)"),
        (
            {"proc/device-tree/hypervisor/compatible": "xen,xen-4.17\0xen,xen\0"},
            "vm (xen,xen-4.17)",
        ),
        ({"proc/self/cgroup": "0::/kubepods/pod1/x\n"}, "container (kubepods)"),
        ({"run/systemd/container": "lxc\n"}, "container (lxc)"),
        ({"sys/class/dmi/id/sys_vendor": "Amazon EC2\n"}, None),
        ({}, None),
    ],
)
def test_containers_and_virtual_machines_are_told(
    tmp_path: Path, tree: dict[str, str], told: str | None
) -> None:
    assert identify.identify(root=write_tree(tmp_path, tree)).virtualisation == told


def whats(tree: dict[str, str], root: Path, busy: tuple[Busy, ...] = ()) -> list[str]:
    seen = conditions.gather(write_tree(root, tree), busy)
    return [spoiler.what for spoiler in spoilers.find(seen)]


def test_a_quiet_cool_board_has_no_spoiler(tmp_path: Path) -> None:
    assert whats(PI5, tmp_path) == []  # its fan turns, and that holds nothing back


def test_a_neglected_board_has_one_spoiler_for_each_fault(tmp_path: Path) -> None:
    assert whats(PI4, tmp_path) == [
        "under-voltage was seen",
        "CPU frequency governor is ondemand",
        "load average is 3.10 on 4 CPUs",
        "20 MiB of swap are in use",
        "it is hot already: cpu-thermal 79 degC",
    ]


def test_a_board_near_its_own_limit_is_hot_and_one_that_is_slowed_down_is_told(
    tmp_path: Path,
) -> None:
    found = whats(ORIN_NANO, tmp_path)
    assert "the kernel is slowing the CPU down" in found
    assert "it is hot already: cpu-thermal 92 of 99 degC" in found


def test_a_container_with_a_quota_is_told_with_its_memory(tmp_path: Path) -> None:
    assert whats(CONTAINER, tmp_path) == [
        "128 MiB of memory are granted",
        "a CPU quota of 1.5 CPUs",
        "this is a container (docker)",
        "no temperature can be read",
    ]


def test_a_virtual_machine_can_say_nothing_of_throttling(tmp_path: Path) -> None:
    found = spoilers.find(conditions.gather(write_tree(tmp_path, CLOUD_VM)))
    assert [spoiler.what for spoiler in found] == [
        "this is a vm (QEMU)",
        "the kernel shows no CPU frequency",
        "no temperature can be read",
    ]
    assert found[1].why == "nothing can be said about throttling"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"system": "darwin"}, "this is darwin"),
        ({"capped_mhz": (1200.0, 2400.0)}, "CPU frequency is capped at 1200 of 2400 MHz"),
        ({"on_battery": True}, "it runs on battery"),
    ],
)
def test_what_else_a_person_can_mend_is_told(changes: dict[str, object], what: str) -> None:
    quiet = Conditions(
        cpus_online=(0,),
        cpus_allowed=(0,),
        cpus_usable=1,
        environment=Environment(cpu_mhz=(2400.0,)),
        zones=(Zone(name="cpu", degc=40.0),),
    )
    assert spoilers.find(quiet) == ()
    (found,) = spoilers.find(msgspec.structs.replace(quiet, **changes))
    assert found.what == what
    assert found.remedy


def test_lifting_the_cap_of_a_slow_cluster_leaves_the_fast_one_alone(tmp_path: Path) -> None:
    cap = {"sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq": "1200000\n"}
    found = spoilers.find(conditions.gather(write_tree(tmp_path, {**ROCK_5B, **cap})))[0]
    assert found.what == "CPU frequency is capped at 1200 of 1800 MHz"
    assert found.remedy.startswith("echo 2400000 |")


def test_caps_batteries_and_alarms_are_read(tmp_path: Path) -> None:
    cap = "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq"
    supply = "sys/class/power_supply/BAT0"
    tree = {**PI4, cap: "1200000\n", f"{supply}/type": "Battery\n"}
    seen = conditions.gather(write_tree(tmp_path, {**tree, f"{supply}/status": "Discharging\n"}))
    assert seen.capped_mhz == (1200.0, 1800.0)
    assert seen.on_battery
    assert seen.under_voltage
    assert seen.governors == ("ondemand",)


def test_swap_is_switched_off_only_where_memory_can_hold_it(tmp_path: Path) -> None:
    def remedy(free_kib: int) -> str:
        tree = {**PI5, "proc/meminfo": _memory(900000, free_kib, swapped_kib=102396)}
        found = spoilers.find(conditions.gather(write_tree(tmp_path, tree)))
        return next(one.remedy for one in found if "swap" in one.what)

    assert remedy(800000) == "sudo swapoff -a"
    assert "swapoff" not in remedy(60000)


def test_busy_processes_are_named_before_the_load_average(tmp_path: Path) -> None:
    busy = (Busy(pid=7, name="firefox", cpu_ratio=0.8), Busy(pid=9, name="make", cpu_ratio=0.4))
    found = spoilers.find(conditions.gather(write_tree(tmp_path, PI4), busy))
    (others,) = [one for one in found if "other processes" in one.what]
    assert "120% of a CPU busy: firefox (7) 80%, make (9) 40%" in others.what
    assert "kill -STOP 7 9" in others.remedy
    assert not any("load average" in one.what for one in found)


def test_a_process_that_takes_the_cpu_is_found() -> None:
    spinning = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        for _ in range(20):  # a loaded machine may not let it run at once
            found = [one for one in conditions.busy_processes(0.3) if one.pid == spinning.pid]
            if found:
                break
    finally:
        spinning.kill()
        spinning.wait()
    assert found[0].cpu_ratio >= 0.1
    assert "python" in found[0].name


def test_an_empty_tree_tells_nothing_rather_than_something(tmp_path: Path) -> None:
    seen = conditions.gather(tmp_path)
    assert (seen.governors, seen.capped_mhz, seen.zones, seen.cooling) == ((), None, (), ())
    assert (seen.cpu_quota, seen.mem_limit_byte, seen.virtualisation) == (None, None, None)
    assert whats({}, tmp_path) == [
        "the kernel shows no CPU frequency",
        "no temperature can be read",
    ]

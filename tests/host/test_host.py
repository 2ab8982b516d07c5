"""This machine's facts, from planted trees: what is absent stays None and never becomes 0."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.host import cpu, environment, identify, process
from edgebench.testing import write_tree

PI5 = {
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd asimdhp asimddp\n"
    "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n",
    "proc/meminfo": "MemTotal:        8245764 kB\nMemAvailable:    7000000 kB\n"
    "SwapTotal:  100 kB\nSwapFree:   60 kB\n",
    "proc/loadavg": "0.50 0.40 0.30 1/200 1234\n",
    "proc/stat": "cpu  100 0 50 1000 5 0 1 0 0 0\ncpu0 1 2 3\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "sys/devices/system/cpu/online": "0-3\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "2400000\n",
    "sys/class/thermal/thermal_zone0/temp": "48312\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
}


def test_a_board_is_known_by_its_device_tree(tmp_path: Path) -> None:
    facts = identify.identify(root=write_tree(tmp_path, PI5))
    assert facts.device == "raspberry-pi-5-model-b-rev-1-0"
    assert facts.cpu_model == "Cortex-A76"
    assert facts.isa_features == ("asimd", "asimddp", "asimdhp")
    assert facts.mem_total_byte == 8245764 * 1024
    assert facts.virtualisation is None
    assert "0123456789abcdef" not in facts.device_id
    assert facts.device_id == identify.identify(root=tmp_path).device_id


def test_a_given_name_is_the_unit_and_not_the_kind(tmp_path: Path) -> None:
    facts = identify.identify(device_name="Rack 3 / Slot 7", root=write_tree(tmp_path, PI5))
    assert (facts.device, facts.device_id) == ("raspberry-pi-5-model-b-rev-1-0", "rack-3-slot-7")


def test_a_machine_that_tells_nothing_is_still_a_device(tmp_path: Path) -> None:
    facts = identify.identify(root=tmp_path)
    assert facts.device
    assert facts.board is None
    assert facts.mem_total_byte is None
    assert facts.device_id == identify.identify(root=tmp_path).device_id


def test_dmi_fillers_are_no_board(tmp_path: Path) -> None:
    tree = {
        "sys/class/dmi/id/sys_vendor": "To Be Filled By O.E.M.\n",
        "sys/class/dmi/id/product_name": "NUC7\n",
    }
    assert identify.identify(root=write_tree(tmp_path, tree)).board == "NUC7"


def test_the_environment_of_a_planted_tree(tmp_path: Path) -> None:
    seen = environment.snapshot(write_tree(tmp_path, PI5))
    assert seen.load_average_1min == 0.5
    assert seen.swap_used_byte == 40 * 1024
    assert seen.governor == "ondemand"
    assert seen.cpu_mhz == (2400.0,)
    assert seen.temperature_degc == {"thermal_zone0:cpu-thermal": 48.312}
    assert seen.busy_all_ns == 151 * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    assert seen.throttled_ns is None


def test_an_empty_tree_is_not_measured_rather_than_zero(tmp_path: Path) -> None:
    seen = environment.snapshot(tmp_path)
    assert seen.mem_available_byte is None
    assert seen.swap_used_byte is None
    assert seen.busy_all_ns is None
    assert seen.cpu_mhz == ()


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({"sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({"sys/fs/cgroup/cpu.max": "nonsense"}, None),
        (
            {
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            0.5,
        ),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1"}, None),
        (
            {
                "proc/self/cgroup": "0::/outer/inner\n",
                "sys/fs/cgroup/outer/inner/cpu.max": "max 100000",
                "sys/fs/cgroup/outer/cpu.max": "200000 100000",
            },
            2.0,
        ),
    ],
)
def test_a_cgroup_quota_of_any_ancestor_counts(
    tmp_path: Path, files: dict[str, str], quota: float | None
) -> None:
    assert cpu.cgroup_cpu_quota(write_tree(tmp_path, files)) == quota


def test_usable_cpus_is_the_least_of_all_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "allowed_cpus", lambda: (0, 1, 2, 3, 4, 5))
    tree = {"sys/devices/system/cpu/online": "0-3\n"}
    assert cpu.usable_cpus(write_tree(tmp_path, tree)) == 4
    write_tree(tmp_path, {"sys/fs/cgroup/cpu.max": "290000 100000"})
    assert cpu.usable_cpus(tmp_path) == 2
    write_tree(tmp_path, {"sys/fs/cgroup/cpu.max": "20000 100000"})
    assert cpu.usable_cpus(tmp_path) == 1


def test_the_fastest_clusters_are_measured_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "allowed_cpus", lambda: tuple(range(6)))
    tree = {"sys/devices/system/cpu/online": "0-5\n"}
    for number in range(6):
        top = "1800000" if number < 4 else "2400000"
        tree[f"sys/devices/system/cpu/cpu{number}/cpufreq/cpuinfo_max_freq"] = top
    write_tree(tmp_path, tree)
    assert cpu.choose_cpus(1, tmp_path) == (4, 5)
    assert cpu.choose_cpus(3, tmp_path) == (0, 1, 2, 3, 4, 5)


@given(st.text(alphabet="0123456789-, x", max_size=30))
def test_cpu_lists_never_raise(text: str) -> None:
    assert all(number >= 0 for number in cpu.parse_cpu_list(text))


def test_cpu_lists_are_read() -> None:
    assert cpu.parse_cpu_list("0-2,5,7-8") == (0, 1, 2, 5, 7, 8)


def test_this_process_has_books() -> None:
    rss = process.status_byte("VmRSS")
    peak = process.status_byte("VmHWM")
    assert rss is not None
    assert peak is not None
    assert peak >= rss > 1 << 20
    assert process.status_byte("NoSuchKey") is None

"""Clocks, caches, architecture, boards and power modes, file by file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.host import board, cores, cpu
from edgebench.testing import write_tree

CPU0 = "sys/devices/system/cpu/cpu0"
CPPC = {
    f"{CPU0}/acpi_cppc/nominal_freq": "3300\n",
    f"{CPU0}/acpi_cppc/nominal_perf": "132\n",
    f"{CPU0}/acpi_cppc/highest_perf": "168\n",
}
NVPMODEL = """
# FORMAT: < POWER_MODEL ID=0 NAME=never >
< POWER_MODEL ID=0 NAME=15W >
CPU_A78_0 MAX_FREQ 1497600
< POWER_MODEL ID=2 NAME=MAXN_SUPER >
< PM_CONFIG DEFAULT=0 >
"""


@pytest.mark.parametrize(
    ("tree", "mhz"),
    [
        ({}, None),
        (CPPC, 4200.0),
        ({f"{CPU0}/cpufreq/cpuinfo_max_freq": "3400000\n"}, 3400.0),
        ({f"{CPU0}/cpufreq/cpuinfo_max_freq": "0\n"}, None),
        ({**CPPC, f"{CPU0}/acpi_cppc/nominal_perf": "0\n"}, None),
        (  # a driver that knows the turbo is believed
            {
                **CPPC,
                f"{CPU0}/cpufreq/cpuinfo_max_freq": "3300000\n",
                f"{CPU0}/cpufreq/scaling_driver": "intel_pstate\n",
                "sys/devices/system/cpu/cpufreq/boost": "1\n",
            },
            3300.0,
        ),
        *(
            (
                {
                    **CPPC,
                    f"{CPU0}/cpufreq/cpuinfo_max_freq": "3300000\n",
                    f"{CPU0}/cpufreq/scaling_driver": "acpi-cpufreq\n",
                    "sys/devices/system/cpu/cpufreq/boost": f"{boost}\n",
                },
                mhz,
            )
            for boost, mhz in ((1, 4200.0), (0, 3300.0))
        ),
    ],
)
def test_a_clock_is_the_one_that_can_be_reached(
    tmp_path: Path, tree: dict[str, str], mhz: float | None
) -> None:
    assert cores.max_mhz(0, write_tree(tmp_path, tree)) == mhz


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ({"proc/sys/kernel/arch": "riscv64\n"}, "riscv64"),
        ({"proc/cpuinfo": "processor: 0\nCPU architecture: 8\n"}, "aarch64"),
        ({"proc/cpuinfo": "processor: 0\nCPU architecture: 7\n"}, "armv7l"),
        ({"proc/cpuinfo": "processor: 0\nflags: fpu lm avx2\n"}, "x86_64"),
        ({"proc/cpuinfo": "processor: 0\nflags: fpu\n"}, None),
    ],
)
def test_an_architecture_is_told_by_files(
    tmp_path: Path, tree: dict[str, str], told: str | None
) -> None:
    root = write_tree(tmp_path, tree)
    assert cores.architecture(cores.cpuinfo(root), root) == told


def test_caches_are_the_fastest_cpus_and_unreadable_ones_are_left_out(tmp_path: Path) -> None:
    base = "sys/devices/system/cpu"
    tree = {f"{base}/online": "0-1", f"{base}/cpu1/cpu_capacity": "1024"}
    for number, size in ((0, "32K"), (1, "64K")):
        index = f"{base}/cpu{number}/cache/index0"
        tree |= {f"{index}/level": "1", f"{index}/type": "Data", f"{index}/size": size}
    for broken, size in enumerate(("0K", "K", "many", "-4K"), start=1):
        index = f"{base}/cpu1/cache/index{broken}"
        tree |= {f"{index}/level": "2", f"{index}/type": "Unified", f"{index}/size": size}
    assert cores.caches_byte(write_tree(tmp_path, tree)) == {"L1d": 65536}


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ({}, None),
        ({"var/lib/nvpmodel/status": "pmode:0002 fmode:quiet"}, "MAXN_SUPER"),
        ({"var/lib/nvpmodel/status": "pmode:0007"}, "mode 7"),
        ({"var/lib/nvpmodel/status": "pmode:"}, None),
        ({"sys/firmware/acpi/platform_profile": "balanced\n"}, "balanced"),
        (
            {
                "sys/firmware/acpi/platform_profile": "balanced\n",
                "sys/devices/system/cpu/cpufreq/policy0/energy_performance_preference": "power\n",
            },
            "balanced (firmware), power (CPU)",
        ),
        (
            {
                "sys/devices/system/cpu/cpufreq/policy0/energy_performance_preference": "power\n",
                "sys/devices/system/cpu/cpufreq/policy1/energy_performance_preference": "default\n",
            },
            "power and default",
        ),
    ],
)
def test_a_power_mode_has_the_name_that_its_maker_gave_it(
    tmp_path: Path, tree: dict[str, str], told: str | None
) -> None:
    assert board.power_mode(write_tree(tmp_path, {"etc/nvpmodel.conf": NVPMODEL, **tree})) == told


def test_the_soc_bus_names_a_chip_without_a_device_tree(tmp_path: Path) -> None:
    bus = "sys/bus/soc/devices/soc0"
    tree = {f"{bus}/family": "Freescale i.MX\n", f"{bus}/soc_id": "i.MX8MQ\n"}
    assert board.soc(write_tree(tmp_path, tree)) == "Freescale i.MX i.MX8MQ"


def test_a_board_without_a_products_name_is_called_by_its_own(tmp_path: Path) -> None:
    names = {"sys_vendor": "To be filled by O.E.M.", "board_vendor": "AZW", "board_name": "SEi"}
    tree = {f"sys/class/dmi/id/{name}": f"{text}\n" for name, text in names.items()}
    root = write_tree(tmp_path, tree)
    assert board.board(root) == "AZW SEi"
    assert board.dmi(root) is None  # what descriptors match is the product


def test_a_list_of_more_cpus_than_linux_can_have_ends(tmp_path: Path) -> None:
    listed = ",".join(["0-4000000000"] * 10_000)
    write_tree(tmp_path, {"sys/devices/system/cpu/online": listed})
    assert len(cpu.online_cpus(tmp_path)) == 8192


@given(st.one_of(st.text(max_size=30), st.integers().map(str), st.just("9" * 5000)))
def test_a_whole_number_fits_what_the_kernel_counts_in(text: str) -> None:
    value = cpu.whole(text)
    assert value is None or abs(value) < 1 << 64


FIELDS = st.sampled_from(
    ["processor", "\t: ", "0\n", "²\n", "flags", "Features", "CPU part", "CPU implementer", "0x41"]
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(FIELDS, st.text(max_size=10)), max_size=30))
def test_no_cpuinfo_breaks_its_parser(parts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proc/cpuinfo"
        path.parent.mkdir()
        path.write_bytes("".join(parts).encode(errors="replace"))
        cpus = cores.cpuinfo(Path(folder))
        assert all(number >= -1 for number in cpus)
        assert isinstance(cores.features(cpus.values()), tuple)
        assert sum(c.cpus for c in cores.clusters(cpus, Path(folder))) >= 1


@given(st.text(max_size=400))
def test_a_name_is_one_line_of_what_can_be_shown(text: str) -> None:
    shown = board.plain(text)
    assert shown is None or (shown.isprintable() and shown == shown.strip() and shown)

"""What besides the CPU is on a bus is told once, by its name, and nothing else is."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.host.accelerators import accelerators
from edgebench.testing import write_tree

PCI = "sys/bus/pci/devices/0000:01:00.0"
NODES = "sys/bus/platform/devices"


def on_pci(vendor: str, device: str, kind: str, driver: str = "") -> dict[str, str]:
    bound = f"DRIVER={driver}\n" if driver else ""
    return {
        f"{PCI}/vendor": f"0x{vendor}\n",
        f"{PCI}/device": f"0x{device}\n",
        f"{PCI}/class": f"0x{kind}00\n",
        f"{PCI}/uevent": f"{bound}PCI_SLOT_NAME=0000:01:00.0\n",
    }


def node(name: str, compatible: str, driver: str = "", of_name: str = "npu") -> dict[str, str]:
    bound = f"DRIVER={driver}\n" if driver else ""
    told = f"{bound}OF_NAME={of_name}\nOF_COMPATIBLE_0={compatible}\nOF_COMPATIBLE_N=1\n"
    return {f"{NODES}/{name}/uevent": told}


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (on_pci("10de", "2335", "0302", "nvidia"), ("gpu", "NVIDIA GPU", "nvidia")),
        (on_pci("10de", "2684", "0300"), ("gpu", "NVIDIA GPU", "")),
        (on_pci("8086", "7d1d", "1200", "intel_vpu"), ("npu", "Intel NPU", "intel_vpu")),
        (on_pci("8086", "46d1", "0300", "i915"), ("gpu", "Intel GPU", "i915")),
        (on_pci("1002", "15bf", "0300", "amdgpu"), ("gpu", "AMD GPU", "amdgpu")),
        (on_pci("1022", "17f0", "1180", "amdxdna"), ("npu", "AMD NPU", "amdxdna")),
        (on_pci("1e60", "45c4", "0b40", "hailo1x"), ("npu", "Hailo-10H", "hailo1x")),
        (on_pci("1e60", "ffff", "0b40"), ("npu", "Hailo", "")),
        (on_pci("1ac1", "089a", "0880", "apex"), ("tpu", "Google Coral Edge TPU (PCIe)", "apex")),
        (node("17000000.gpu", "nvidia,ga10b", "gpu"), ("gpu", "NVIDIA Orin (ga10b)", "gpu")),
        (node("fdab0000.npu", "rockchip,rk3588-rknpu"), ("npu", "Rockchip NPU", "")),
        (node("38500000.npu", "vivante,gc", "etnaviv"), ("npu", "VeriSilicon NPU", "etnaviv")),
        (
            node("38000000.gpu", "vivante,gc", "etnaviv", of_name="gpu"),
            ("gpu", "VeriSilicon Vivante GPU", "etnaviv"),
        ),
        (node("galcore", "amlogic, galcore", "galcore"), ("npu", "VeriSilicon NPU", "galcore")),
    ],
)
def test_what_is_on_a_bus_is_told(
    tmp_path: Path, tree: dict[str, str], told: tuple[str, str, str]
) -> None:
    (found,) = accelerators(write_tree(tmp_path, tree))
    assert (found.kind, found.name, found.driver) == told


@pytest.mark.parametrize(
    "tree",
    [
        {},
        on_pci("1234", "1111", "0300", "bochs-drm"),  # what virtual machines show as a screen
        on_pci("10de", "22bd", "0403", "snd_hda_intel"),  # the sound of a graphics card
        on_pci("8086", "54c8", "0403", "snd_hda_intel"),
        node("38008000.gpu2d", "fsl,imx8-gpu", "galcore", of_name="gpu2d"),
        node("fd900000.vop", "rockchip,rk3588-vop"),
        {f"{PCI}/vendor": "0x10de\n"},
    ],
)
def test_what_runs_no_network_is_not_told(tmp_path: Path, tree: dict[str, str]) -> None:
    assert accelerators(write_tree(tmp_path, tree)) == ()


def test_the_cores_of_one_npu_are_one_accelerator(tmp_path: Path) -> None:
    cores = ("fdab0000.npu", "fdac0000.npu", "fdad0000.npu")
    tree: dict[str, str] = {}
    for core in cores:
        tree |= node(core, "rockchip,rk3588-rknn-core", "rocket")
    tree["sys/class/accel/accel0/device/uevent"] = "DRIVER=rocket\n"  # the same once more
    (found,) = accelerators(write_tree(tmp_path, tree))
    assert found.where == f"platform {' '.join(cores)}"


def test_an_accelerator_that_no_table_knows_has_its_drivers_name(tmp_path: Path) -> None:
    tree = {"sys/class/accel/accel0/device/uevent": "DRIVER=qaic\n"}
    (found,) = accelerators(write_tree(tmp_path, tree))
    assert (found.kind, found.name, found.where) == ("npu", "qaic", "/dev/accel/accel0")


def test_a_usb_accelerators_driver_is_its_interfaces(tmp_path: Path) -> None:
    usb = "sys/bus/usb/devices"
    tree = {
        f"{usb}/1-1/idVendor": "1a6e\n",
        f"{usb}/1-1/idProduct": "089a\n",
        f"{usb}/1-1/uevent": "DRIVER=usb\n",
        f"{usb}/1-1:1.0/uevent": "DRIVER=usbfs\n",
    }
    (found,) = accelerators(write_tree(tmp_path, tree))
    assert (found.kind, found.where, found.driver) == ("tpu", "usb 1a6e:089a", "usbfs")


def test_nvidias_driver_tells_the_product(tmp_path: Path) -> None:
    told = "Model: \t\t NVIDIA H200\nIRQ:   \t\t 42\n"
    tree = on_pci("10de", "2335", "0302", "nvidia")
    tree["proc/driver/nvidia/gpus/0000:01:00.0/information"] = told
    (found,) = accelerators(write_tree(tmp_path, tree))
    assert found.name == "NVIDIA H200"


def test_npus_stand_before_gpus(tmp_path: Path) -> None:
    tree = on_pci("8086", "46d1", "0300") | node("npu", "arm,ethos-u65")
    assert [one.kind for one in accelerators(write_tree(tmp_path, tree))] == ["npu", "gpu"]


LINES = st.sampled_from(
    ["DRIVER", "=", "\n", "OF_COMPATIBLE_0=", "OF_NAME=", "npu", "vivante,gc", "\x1b[2J", "\0"]
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(LINES, st.text(max_size=20)), max_size=12))
def test_no_uevent_breaks_the_search(parts: list[str]) -> None:
    told = "".join(parts).encode(errors="replace")
    with tempfile.TemporaryDirectory() as folder:
        root = write_tree(Path(folder), node("x", "arm,mali-g610") | on_pci("1e60", "2864", "0b40"))
        for path in (f"{NODES}/x/uevent", f"{PCI}/uevent"):
            (root / path).write_bytes(told)
        found = accelerators(root)
    assert any(one.where.startswith("pci") for one in found)
    assert all(one.driver.isprintable() and one.name for one in found)

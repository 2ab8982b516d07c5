"""What besides the CPU may run a network: that it is on a bus, not that it works.

Three buses are looked at: PCI and USB by vendor and product, the platform bus by the device
tree's ``compatible``. A table names what is known; besides, whatever the kernel itself holds for
a compute accelerator (/sys/class/accel) is told by its driver's name.

Source: Linux Documentation/ABI/testing/sysfs-bus-pci and sysfs-bus-usb, accel/introduction.rst;
PCI classes 03 (display), 0b (processor), 12 (processing accelerator) of the PCI Code and ID
Assignment Specification.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from edgebench.host.board import plain
from edgebench.host.cpu import ROOT, read_text, subfolders
from edgebench.machine import Accelerator, AcceleratorKind

_Known = tuple[AcceleratorKind, str]

_PCI: dict[tuple[str, str], _Known] = {
    ("1ac1", "089a"): ("tpu", "Google Coral Edge TPU (PCIe)"),
    ("1e60", "2864"): ("npu", "Hailo-8 or Hailo-8L"),  # one number for both
    ("1e60", "45c4"): ("npu", "Hailo-10H"),
    ("1e60", ""): ("npu", "Hailo"),
    ("1022", "1502"): ("npu", "AMD NPU"),
    ("1022", "17f0"): ("npu", "AMD NPU"),
    ("1022", "17f1"): ("npu", "AMD NPU"),
    ("1f9d", ""): ("npu", "Axelera"),
    ("1ff4", ""): ("npu", "DEEPX"),
}
"""By vendor and product; an empty product is any. Sources: google/gasket-driver, hailo-ai/
hailort-drivers, Linux drivers/accel/amdxdna, the makers' installation guides."""
_PCI_CLASSES: dict[tuple[str, str], _Known] = {
    ("10de", "03"): ("gpu", "NVIDIA GPU"),
    ("1002", "03"): ("gpu", "AMD GPU"),
    ("1002", "12"): ("gpu", "AMD GPU"),
    ("8086", "03"): ("gpu", "Intel GPU"),
    ("8086", "12"): ("npu", "Intel NPU"),  # driver intel_vpu
    ("10ee", "12"): ("fpga", "AMD Xilinx FPGA"),
}
"""By vendor and class."""
_USB: dict[tuple[str, str], _Known] = {
    ("1a6e", "089a"): ("tpu", "Google Coral Edge TPU (USB, not used yet)"),
    ("18d1", "9302"): ("tpu", "Google Coral Edge TPU (USB)"),  # once its firmware runs
    ("03e7", "2150"): ("npu", "Intel Movidius Myriad 2"),
    ("03e7", "2485"): ("npu", "Intel Movidius Myriad X"),
    ("03e7", "f63b"): ("npu", "Intel Movidius Myriad X"),
}
"""Sources: google-coral/libedgetpu, OpenVINO's udev rules, Luxonis' troubleshooting guide."""
_TREE: tuple[tuple[str, _Known], ...] = (
    ("nvidia,ga10b", ("gpu", "NVIDIA Orin (ga10b)")),
    ("nvidia,gv11b", ("gpu", "NVIDIA Xavier (gv11b)")),
    ("nvidia,gp10b", ("gpu", "NVIDIA Tegra X2 (gp10b)")),
    ("nvidia,gm20b", ("gpu", "NVIDIA Tegra X1 (gm20b)")),
    ("-nvdla", ("npu", "NVIDIA DLA")),
    ("-rknpu", ("npu", "Rockchip NPU")),  # the maker's kernel
    ("-rknn-core", ("npu", "Rockchip NPU")),  # mainline's driver rocket, a node for each core
    ("arm,ethos-", ("npu", "Arm Ethos")),
    ("-c71-dsp", ("dsp", "TI C7x")),
    ("-c7xv-dsp", ("dsp", "TI C7x")),
    ("-cdsp-pas", ("dsp", "Qualcomm Hexagon")),
    ("zynqmp-pcap-fpga", ("fpga", "AMD Xilinx programmable logic")),
    ("galcore", ("npu", "VeriSilicon NPU")),
    ("fsl,imx8-vipsi", ("npu", "VeriSilicon NPU")),
    ("vivante,gc", ("gpu", "VeriSilicon Vivante GPU")),
    ("fsl,imx6q-gpu", ("gpu", "VeriSilicon Vivante GPU")),
    ("fsl,imx8-gpu", ("gpu", "VeriSilicon Vivante GPU")),
    ("arm,mali-", ("gpu", "Arm Mali")),
    ("-v3d", ("gpu", "Broadcom VideoCore")),
    ("qcom,adreno", ("gpu", "Qualcomm Adreno")),
    ("img,img-", ("gpu", "Imagination PowerVR")),
)
"""By a part of ``compatible``, first match. Sources: Linux Documentation/devicetree/bindings
(gpu, npu, remoteproc, fpga) and the makers' kernels, where these have nodes of their own."""
_NOT_FOR_NETWORKS = {"gpu2d", "mix_gpu_ml", "imx8_gpu_ss"}
"""Nodes that share a ``compatible`` with a GPU: a blitter, and a list of the others."""
_ORDER: tuple[AcceleratorKind, ...] = ("npu", "tpu", "gpu", "dsp", "fpga")


def accelerators(root: Path = ROOT) -> tuple[Accelerator, ...]:
    """What there is: NPUs and TPUs first, then GPUs and the rest."""
    found = [*_on_pci(root), *_on_usb(root), *_on_platform(root)]
    told = {one.driver for one in found}
    found += [one for one in _of_class_accel(root) if one.driver not in told]
    return tuple(sorted(found, key=lambda one: _ORDER.index(one.kind)))


def _on_pci(root: Path) -> Iterator[Accelerator]:
    for folder in subfolders(root / "sys/bus/pci/devices"):
        vendor, device, kind = (_hex(folder / name) for name in ("vendor", "device", "class"))
        known = (
            _PCI.get((vendor, device))
            or _PCI.get((vendor, ""))
            or _PCI_CLASSES.get((vendor, kind[:2]))
        )
        if known is not None:
            yield Accelerator(
                kind=known[0],
                name=_nvidia_name(folder.name, root) or known[1],
                where=f"pci {plain(folder.name)} {vendor}:{device}",
                driver=_uevent(folder).get("DRIVER", ""),
            )


def _on_usb(root: Path) -> Iterator[Accelerator]:
    folders = subfolders(root / "sys/bus/usb/devices")
    for folder in folders:
        ids = (_hex(folder / "idVendor"), _hex(folder / "idProduct"))
        if (known := _USB.get(ids)) is not None:
            # A device's own driver is always "usb"; what works it is its interfaces' driver.
            interfaces = (f for f in folders if f.name.startswith(f"{folder.name}:"))
            drivers = (_uevent(interface).get("DRIVER") for interface in interfaces)
            yield Accelerator(
                kind=known[0],
                name=known[1],
                where=f"usb {':'.join(ids)}",
                driver=next((driver for driver in drivers if driver), ""),
            )


def _on_platform(root: Path) -> Iterator[Accelerator]:
    """The chip's own; several nodes of one kind and driver are cores of one accelerator."""
    nodes: dict[tuple[_Known, str], list[str]] = {}
    for folder in subfolders(root / "sys/bus/platform/devices"):
        told = _uevent(folder)
        names = [value for key, value in told.items() if key.startswith("OF_COMPATIBLE_")]
        known = _of_tree(names, told.get("OF_NAME", ""))
        if known is not None:
            where = nodes.setdefault((known, told.get("DRIVER", "")), [])
            where.append(plain(folder.name) or "")
    for ((kind, name), driver), where in nodes.items():
        places = f"platform {' '.join(where)}"
        yield Accelerator(kind=kind, name=name, where=places, driver=driver)


def _of_tree(names: list[str], node: str) -> _Known | None:
    if node in _NOT_FOR_NETWORKS:
        return None
    for part, known in _TREE:
        if any(part in name for name in names):
            # VeriSilicon's NPUs are GPUs without graphics: their node's name tells them apart.
            if known[1].startswith("VeriSilicon") and node in {"npu", "vipsi"}:
                return "npu", "VeriSilicon NPU"
            return known
    return None


def _of_class_accel(root: Path) -> Iterator[Accelerator]:
    for folder in subfolders(root / "sys/class/accel"):
        if driver := _uevent(folder / "device").get("DRIVER"):
            where = f"/dev/accel/{plain(folder.name)}"
            yield Accelerator(kind="npu", name=driver, where=where, driver=driver)


def _uevent(folder: Path) -> dict[str, str]:
    """What the kernel says of a device: ``KEY=value`` a line."""
    lines = (read_text(folder / "uevent") or "").splitlines()
    pairs = (line.partition("=") for line in lines)
    return {key: shown for key, _, value in pairs if (shown := plain(value))}


def _hex(path: Path) -> str:
    """A number as PCI (``0x10de``) and USB (``18d1``) write it, without the prefix."""
    return (plain(read_text(path)) or "").lower().removeprefix("0x")


def _nvidia_name(slot: str, root: Path) -> str | None:
    """The product's name, which NVIDIA's driver knows and the bus does not."""
    told = read_text(root / "proc/driver/nvidia/gpus" / slot / "information") or ""
    for line in told.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "Model":
            return plain(value)
    return None

"""What a machine is, what it is like just now, and what was seen of it while a launch ran."""

from __future__ import annotations

from typing import Literal

import msgspec

Stage = Literal["start", "load", "idle", "warmup", "measure", "power", "check"]
"""Of a launch, in this order; ``idle`` and ``power`` only where a meter measures."""
AcceleratorKind = Literal["gpu", "npu", "tpu", "dsp", "fpga"]


THROTTLE_BITS = {
    0: "under-voltage",
    1: "the firmware caps the CPU's frequency",
    2: "the firmware throttles the CPU",
    3: "the firmware's soft temperature limit",
}
"""Bits of `Environment.throttle_bits` that hold at this moment, as `Look.slowed_by` names them."""
STICKY_SHIFT = 16
"""So many bits above each is whether it ever did since boot."""
COUNTERS = {
    "core": "a core throttled itself for heat",
    "package": "the processor throttled itself for heat",
    "oc1": "under-voltage",
    "oc2": "over-current",
    "oc3": "over-current",
}
"""What it means that one of `Environment.throttle_counts` grew, as `Look.slowed_by` names it."""
OF_SUPPLY = frozenset({"under-voltage", "over-current"})
"""What lies at the power supply; all else that slows a device down is heat."""


class CpuCluster(msgspec.Struct, frozen=True, kw_only=True):
    """CPUs of one kind and speed; big.LITTLE boards have several."""

    model: str | None = None
    cpus: int
    max_mhz: float | None = None
    features: tuple[str, ...] = ()
    """Those of `DeviceFacts.isa_features`' kind that these CPUs have."""


class Accelerator(msgspec.Struct, frozen=True, kw_only=True):
    """Something besides the CPU that may run a network: that it is there, not that it works."""

    kind: AcceleratorKind
    name: str
    """As its maker or the kernel's driver calls it."""
    where: str = ""
    """How it was found: a bus and its numbers, or a device file."""
    driver: str = ""
    """The kernel's; empty where none is bound."""


class KnownPower(msgspec.Struct, frozen=True, kw_only=True):
    """A power of this kind of device as somebody published it; nothing measured here."""

    w: float
    source: str
    year: int


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What the device draws at least and at most, CPUs alone at work: its descriptor's facts."""

    idle: KnownPower
    load: KnownPower


class DeviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine says of itself; no host or user name."""

    device: str
    device_id: str
    board: str | None = None
    cpu_model: str | None = None
    architecture: str = ""
    cpus_online: int | None = None
    cpus_usable: int | None = None
    cpu_quota: float | None = None
    """CPUs that the cgroup's quota grants."""
    cpu_clusters: tuple[CpuCluster, ...] = ()
    """Fastest first."""
    isa_features: tuple[str, ...] = ()
    mem_total_byte: int | None = None
    mem_limit_byte: int | None = None
    kernel: str = ""
    os: str = ""
    virtualisation: str | None = None
    python: str = ""
    soc: str | None = None
    """The chip, as the device tree or the kernel's soc bus names it."""
    caches_byte: dict[str, int] = {}
    """Of the fastest CPU: ``L1d``, ``L1i``, ``L2``, ``L3``."""
    power_mode: str | None = None
    """What the maker calls the power budget it runs in: Jetson's ``15W``, an energy preference."""
    accelerators: tuple[Accelerator, ...] = ()
    envelope: Envelope | None = None
    """Kept with the run: its report then needs no descriptor."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The machine around a launch; counters are totals since boot or process start."""

    load_average_1min: float | None = None
    mem_available_byte: int | None = None
    swap_used_byte: int | None = None
    governor: str | None = None
    cpu_mhz: tuple[float, ...] = ()
    temperature_degc: dict[str, float] = {}
    limit_degc: dict[str, float] = {}
    """Where the kernel begins to slow down, of each temperature for which it tells."""
    busy_all_ns: int | None = None
    """CPU time of all processes on this machine since boot."""
    own_ns: int | None = None
    """What of it this process and its helpers have used, read at the same moment."""
    throttled_ns: int | None = None
    """Time the cgroup was held back by its CPU quota."""
    residency_ns: dict[str, dict[int, int]] = {}
    """Of each frequency domain, time since boot at each frequency in kHz (``time_in_state``)."""
    allowed_mhz: tuple[float, ...] = ()
    """What each frequency domain may reach just now (``scaling_max_freq``)."""
    throttle_counts: dict[str, int] = {}
    """Times since boot that the hardware slowed down: x86's ``core``, ``package`` for heat,
    Jetson's ``oc1`` for under-voltage, ``oc2`` and ``oc3`` for current."""
    throttle_bits: int | None = None
    """What a Raspberry Pi's firmware says (``get_throttled``): 4 bits for now, 4 since boot."""
    cooling_states: dict[str, int] = {}
    """Of cooling devices that slow something down: how far just now; 0 not at all."""
    pressure_ns: dict[str, int] = {}
    """Time since boot that something waited for ``cpu``, ``memory``, ``io`` (PSI, ``some``)."""
    steal_ns: int | None = None
    """Time since boot that a hypervisor gave to other guests."""
    swapped_pages: int | None = None
    """Pages since boot that went to swap or came back."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One look at the machine by the parent, while a launch runs in a process of its own."""

    t_ns: int
    """CLOCK_MONOTONIC."""
    stage: Stage
    hottest_degc: float | None = None
    cpu_mhz: tuple[float, ...] = ()
    """Of each frequency domain."""
    slowed_by: tuple[str, ...] = ()
    """What holds the device back at this moment: a cooling device, a throttle bit, in words."""

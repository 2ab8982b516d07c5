"""What RAPL's domains hold of each other and of the device, for both ways of reading them."""

from __future__ import annotations

from pathlib import Path

from edgebench.metering import Channel
from edgebench.meters import files

UPDATE_MS = 1.0
"""How often the processor has new values; AMD and Intel say 1 ms."""
_REST = ("storage, network, fans and displays", "losses of the power supply")
_COVERS = {
    "package": ("cpu",),
    "core": ("cpu",),
    "uncore": ("gpu",),
    "dram": ("ram",),
    "psys": ("soc",),
}
_EXCLUDES = {
    "package": ("graphics cards", "memory modules"),
    "core": ("caches, memory controller and graphics of the processor", "memory modules"),
    "uncore": ("processor cores", "memory modules"),
    "dram": ("processor",),
    "psys": ("what the board's maker left out of its platform domain",),
}


def channel(domain: str, name: str, *, counted: bool, gpu: bool, wrap_uj: int | None) -> Channel:
    """The channel of a domain.

    Args:
        domain: ``package``, ``core``, ``uncore``, ``dram`` or ``psys``.
        name: The channel's.
        counted: Whether it is a part of the sum.
        gpu: Whether this processor has graphics of its own, which its package then feeds.
        wrap_uj: Where the counter starts again.
    """
    covers = _COVERS[domain]
    return Channel(
        name=name,
        tier="partial_measured",
        quantity="energy_uj",
        covers=(*covers, "gpu") if domain == "package" and gpu else covers,
        excludes=(*_EXCLUDES[domain], *_REST),
        counted=counted,
        wrap_uj=wrap_uj,
        update_ms=UPDATE_MS,
    )


def counts(domain: str, found: frozenset[str]) -> bool:
    """Whether a domain is a part of the sum, given all domains that are there.

    psys holds the package and is not trusted to: it may lie below it. Core and uncore lie in the
    package; memory modules do not.
    """
    inner = domain in ("core", "uncore") and "package" in found
    return domain != "psys" and not inner


def absent(root: Path, driver: str) -> tuple[str, str]:
    """Why there is no RAPL here, and what to do about it.

    Args:
        root: Stands for ``/``.
        driver: The kernel's module that would show it.
    """
    if files.is_virtual(root):
        return "a virtual machine: its hypervisor passes no RAPL on", "measure on the host itself"
    if not files.cpu_words(root, "flags"):
        return "no x86 processor: RAPL is Intel's and AMD's", ""
    return "the kernel offers no RAPL domain", f"sudo modprobe {driver}"

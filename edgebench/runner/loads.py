"""Known loads for a device: which CPUs are busy, for which share of the time, and with what."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence

import msgspec

from edgebench.runner.busy import COPIES, PRODUCTS

_DUTIES = (0.25, 0.5, 1.0)
_END_S = 2.0


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """One load; no CPU is the idle one."""

    cpus: tuple[int, ...] = ()
    duty: float = 0.0
    """Share of the time that each is busy."""
    kind: str = PRODUCTS

    @property
    def name(self) -> str:
        """``2 CPUs (0, 1), 50% matrix products``."""
        if not self.cpus:
            return "idle"
        listed = ", ".join(map(str, self.cpus))
        many = "s" if len(self.cpus) > 1 else ""
        what = {PRODUCTS: "matrix products"}.get(self.kind, self.kind)
        return f"{len(self.cpus)} CPU{many} ({listed}), {self.duty:.0%} {what}"


def plan(clusters: Sequence[Sequence[int]], seed: int) -> tuple[Load, ...]:
    """Loads that tell clusters, numbers of CPUs and duties apart, in random order.

    Random, so that a device that warms up does not make later loads look more expensive.

    Args:
        clusters: CPUs of each that may be used.
        seed: Of the order.
    """
    found = [Load(), Load(duty=0.0, kind="again")]
    for cluster in clusters:
        for count in sorted({1, (len(cluster) + 1) // 2, len(cluster)} - {0}):
            cpus = tuple(cluster[:count])
            found += [Load(cpus=cpus, duty=duty) for duty in _DUTIES]
            found.append(Load(cpus=cpus, duty=1.0, kind=COPIES))
    if len(clusters) > 1:
        every = tuple(cpu for cluster in clusters for cpu in cluster)
        found += [Load(cpus=every, duty=duty) for duty in _DUTIES[1:]]
    random.Random(seed).shuffle(found)  # noqa: S311 - an order, no secret
    return tuple(found)


@contextlib.contextmanager
def at_work(load: Load) -> Iterator[None]:
    """The load runs for as long as the block does."""
    children: list[subprocess.Popen[bytes]] = []
    try:
        for cpu in load.cpus:
            words = [str(cpu), str(load.duty), load.kind, str(os.getpid())]
            command = [sys.executable, "-m", "edgebench.runner.busy", *words]
            # In a session of its own, a terminal's Ctrl-C reaches it through us alone.
            children.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
            )
        yield
    finally:
        for child in children:
            child.kill()
        for child in children:
            child.wait(_END_S)

"""A model of one unit's power, fitted to a meter: what it is of, and what it says of an activity.

``P = idle_w + sum over clusters (linear_w * sum(u * f) + cubic_w * sum(u * f^3))`` with ``u`` the
share of time that a CPU is busy and ``f`` its frequency in GHz, summed over the cluster's CPUs.
Switching takes ``C * V^2 * f``: linear in ``f`` where the voltage stays, cubic where it rises with
it; a sum of both covers what boards do in between. Kaup et al., "PowerPi" (LCN 2014), has a term of
utilisation for one core of one speed, Walker et al. (IEEE TCAD 36(1), 2017) terms a cluster and
frequency, arXiv 2407.02764 both on Jetson Nano and Raspberry Pi; all need the very board and a
meter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from edgebench import resources
from edgebench.specs import read_toml_as

FOLDER = "power"
"""Below the data home: a file a unit."""
IDLE = 0.1
"""Of a CPU: the kernel counts in ticks of 10 ms, a tenth of what lies between two readings."""
_GHZ_SLACK = 0.02


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """What the CPUs of one cluster did over a stretch of time."""

    busy: float
    """CPUs' worth of time that they were busy: from 0 to their number."""
    busy_ghz: float
    """As ``busy``, each CPU's share times its frequency in GHz; times 1 where none is known."""
    busy_ghz3: float
    """As above, times the cube."""
    min_ghz: float | None = None
    """Slowest frequency of those that were busy; None where none was, or frequencies are hidden."""
    max_ghz: float | None = None


class ClusterModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cluster's terms, and the activity that they were fitted to."""

    cpus: tuple[int, ...]
    linear_w: float
    """Of a busy CPU, a GHz."""
    cubic_w: float = 0.0
    """Of a busy CPU, a GHz cubed."""
    busy_max: float
    min_ghz: float | None = None
    """None: frequencies were hidden, and counted as 1 GHz."""
    max_ghz: float | None = None


class PowerModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``<data home>/power/<device_id>.toml``."""

    schema: Literal[1] = 1
    device: str
    device_id: str
    machine: str
    """A hash that only this unit has (`machine_key`): a copied card must not bring one along."""
    made_at_utc: str
    meter: str
    """What it was fitted to."""
    covers: tuple[str, ...]
    """What that meter fed; so is the next."""
    excludes: tuple[str, ...] = ()
    idle_w: float
    error_ratio: float
    """Root mean square of the relative errors for loads that had no part in the fit."""
    loads: int
    clusters: tuple[ClusterModel, ...]

    def power_w(self, activities: Sequence[Activity]) -> float:
        """What it says of an activity, one a cluster in their order."""
        return self.idle_w + sum(
            cluster.linear_w * seen.busy_ghz + cluster.cubic_w * seen.busy_ghz3
            for cluster, seen in zip(self.clusters, activities, strict=True)
        )


def beyond(model: PowerModel, activities: Sequence[Activity]) -> str:
    """In what an activity lies outside of what the model was fitted to; empty where in nothing."""
    for cluster, seen in zip(model.clusters, activities, strict=True):
        name = f"CPUs {', '.join(map(str, cluster.cpus))}"
        if seen.busy > cluster.busy_max + IDLE * len(cluster.cpus):
            return f"{name}: {seen.busy:.2f} busy, fitted up to {cluster.busy_max:.2f}"
        if seen.busy < IDLE or seen.min_ghz is None or seen.max_ghz is None:
            continue
        if cluster.min_ghz is None or cluster.max_ghz is None:
            return f"{name}: fitted without frequencies"
        low, high = cluster.min_ghz * (1 - _GHZ_SLACK), cluster.max_ghz * (1 + _GHZ_SLACK)
        if not low <= seen.min_ghz <= seen.max_ghz <= high:
            return (
                f"{name}: {seen.min_ghz:.2f} to {seen.max_ghz:.2f} GHz, "
                f"fitted from {cluster.min_ghz:.2f} to {cluster.max_ghz:.2f}"
            )
    return ""


def machine_key(root: Path) -> str:
    """A hash of what only this unit has; empty where it has nothing of the kind.

    Keyed otherwise than the device_id that is published (machine-id(5)).
    """
    for name in ("etc/machine-id", "var/lib/dbus/machine-id", "proc/device-tree/serial-number"):
        try:
            # A pipe in the file's place would never end.
            told = (root / name).read_bytes() if (root / name).is_file() else b""
        except OSError:
            continue
        text = told.decode("utf-8", "replace").strip("\0\n ")
        if text and text != "uninitialized":  # machine-id(5): an image before its first boot
            return hashlib.sha256(f"edgebench power model:{text}".encode()).hexdigest()[:16]
    return ""


def folder() -> Path:
    """Where models lie."""
    return resources.data_home() / FOLDER


def read(path: Path) -> PowerModel:
    """A model.

    Raises:
        UsageError: The file is missing or wrong, in one line that names the key.
    """
    return read_toml_as(path, PowerModel)


def write(model: PowerModel) -> Path:
    """Put a model into the data home, where an older one of the same unit gives way; its path.

    Raises:
        OSError: It cannot be written.
    """
    path = folder() / f"{model.device_id}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".part")
    try:
        fresh.write_text(dumps(model), encoding="utf-8")
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    return path


def dumps(model: PowerModel) -> str:
    """A model as TOML that `read` reads back to the same."""
    document = msgspec.to_builtins(model)
    clusters = document.pop("clusters")
    lines = _table(document)
    for cluster in clusters:
        lines += ["", "[[clusters]]", *_table(cluster)]
    return "\n".join(lines) + "\n"


def _table(table: dict[str, object]) -> list[str]:
    """JSON's values are TOML's, but for None, which is left out, and DEL, which is escaped."""
    return [
        f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
        for key, value in table.items()
        if value is not None
    ]

"""Whether more of a figure is better, for those where nobody would say otherwise."""

from __future__ import annotations

from edgebench.analysis.recommend import Objective
from edgebench.errors import UsageError

_LESS_UNITS = frozenset({"ms", "mj", "w", "mib", "usd", "kwh", "mcycles", "minstructions"})
_MORE_UNITS = frozenset({"ips", "gmacps", "tops"})
_MORE = frozenset(
    {
        *("top1_ratio", "map50_ratio", "miou_ratio", "in_time_ratio", "burst_sustained_ratio"),
        *("parity_cosine", "parity_top1_ratio", "parity_equal_ratio", "precision_ratio"),
        *("server_rate_hz", "cost_cameras_per_device", "cost_headroom_ratio"),
    }
)
_LESS = frozenset({"top1_loss_ratio", "quality_loss_ratio", "cost_devices"})
_UNTOLD = frozenset({"mem_mib", "mem_min_mib", "mem_max_mib"})
"""Of a device as sold: more may be wanted, or less be paid for."""
_WORDS = {"min": False, "max": True}


def more_is_better(name: str) -> bool | None:
    """Whether more of it is better; None where that depends on who asks."""
    unit = name.rpartition("_")[2]
    if name in _MORE or (unit in _MORE_UNITS):
        return True
    if name in _LESS or (unit in _LESS_UNITS and name not in _UNTOLD):
        return False
    return None


def objective(words: str) -> Objective:
    """An objective from ``latency_p50_ms``, or ``drift_ratio:min``.

    Raises:
        UsageError: There is no name, or nothing tells which way is better.
    """
    name, colon, way = (part.strip() for part in words.partition(":"))
    better = _WORDS.get(way.lower()) if colon else more_is_better(name)
    if not name or (colon and better is None):
        raise UsageError(
            f"{words!r} is no objective", remedy="write it like latency_p50_ms or top1_ratio:max"
        )
    if better is None:
        raise UsageError(
            f"nothing tells whether more or less of {name!r} is better",
            remedy=f"write {name}:min or {name}:max",
        )
    return Objective(name, more_is_better=better)


def objectives(words: str) -> tuple[Objective, ...]:
    """Several, with commas between; each figure once.

    Raises:
        UsageError: One is none, a figure stands twice, or there is only one.
    """
    found = tuple(objective(part) for part in words.split(","))
    if len({one.name for one in found}) < max(len(found), 2):
        raise UsageError(
            f"{words!r} are no objectives of a front: it needs two or more, each once",
            remedy="write them like latency_p50_ms,energy_net_mj",
        )
    return found

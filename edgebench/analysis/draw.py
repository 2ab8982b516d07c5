"""What a device draws under a load: measured, or as published, or not known.

Power goes with load as ``idle + energy per frame * frames a second``, the straight line of Fan,
Weber and Barroso (2007), "Power provisioning for a warehouse-sized computer", ISCA. Both come from
the power pass of one cell and so from one tier.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from edgebench.analysis import apart, capacity, ranges
from edgebench.analysis.candidates import Candidate, Figure
from edgebench.analysis.capacity import Evidence

ENVELOPE = "envelope"
"""The tier of published powers, which are no measurement of this load."""
PARTIAL = "partial_measured"
_MJ_PER_J = 1000
_NOTHING = Figure(0.0, exact=True)


class Draw(NamedTuple):
    """Power of one device."""

    tier: str | None
    """Of both; None where nothing is known."""
    basis: str
    """In words; why nothing is known."""
    idle_w: Figure = _NOTHING
    """At rest."""
    busy_w: Figure = _NOTHING
    """More than at rest, whatever the load: of an envelope, what it might be."""
    frame_j: Figure = _NOTHING
    """A frame's energy above idle."""

    def power_w(self, devices: Figure, frames_hz: float) -> Figure:
        """Of so many devices with so many frames a second between them."""
        resting = ranges.product(devices, ranges.plus(self.idle_w, self.busy_w))
        return ranges.plus(resting, ranges.scaled(self.frame_j, frames_hz))

    def resting_w(self, devices: Figure) -> Figure:
        """Of so many devices without any frame."""
        return ranges.product(devices, self.idle_w)


def of(candidate: Candidate, known: Evidence | None = None) -> Draw:
    """What a device of a candidate draws.

    Args:
        candidate: With a power pass of its own, or without.
        known: Rows of all scenarios: power is measured in single_stream, which other scenarios of
            the same cell may stand upon.
    """
    metered = candidate
    if candidate.figure("energy_net_mj") is None:
        metered = capacity.same_cell(candidate, known or {}, "single_stream") or candidate
    net_mj, idle_w = (metered.figure(name) for name in ("energy_net_mj", "power_idle_w"))
    if net_mj is not None and idle_w is not None:
        return _measured(metered, net_mj, idle_w)
    return _published(candidate)


def _measured(candidate: Candidate, net_mj: Figure, idle_w: Figure) -> Draw:
    row = candidate.row
    tier = str(row.get("power_tier"))
    frame_j = ranges.scaled(_not_below_0(net_mj), 1 / (_MJ_PER_J * capacity.batch(row)))
    idle_w = _as_sure_as(idle_w, candidate.figure("power_w"))
    if tier != PARTIAL:
        return Draw(tier, tier, idle_w=idle_w, frame_j=frame_j)
    # What the meter does not see is drawn, too: there is a least, and no most.
    unseen = Figure(0.0, 0.0, math.inf)
    words = f"{tier}, without {row.get('power_excludes')}: at least this"
    return Draw(tier, words, idle_w=ranges.plus(idle_w, unseen), frame_j=frame_j)


def _not_below_0(figure: Figure) -> Figure:
    """Noise may take an energy above idle below 0; no frame gives energy back."""
    ends = apart.ends(figure)
    value = max(0.0, figure.value)
    return Figure(value) if ends is None else Figure(value, max(0.0, ends[0]), max(0.0, ends[1]))


def _as_sure_as(idle_w: Figure, power_w: Figure | None) -> Figure:
    """Idle power has no interval of its own: it gets, in relation, that of power under load.

    Both are read by one meter in the same launches; what differs between those is mostly its scale.
    """
    ends = apart.ends(power_w) if power_w is not None else None
    if power_w is None or ends is None or not power_w.value > 0:
        return Figure(idle_w.value)
    low, high = (idle_w.value * end / power_w.value for end in ends)
    return Figure(idle_w.value, max(0.0, low), high)


def _published(candidate: Candidate) -> Draw:
    idle, load = (candidate.told.get(name) for name in ("idle_w", "load_w"))
    if idle is None or load is None:
        return Draw(None, "power was not measured, and none is published for the device")
    if candidate.row.get("accelerator") not in {"cpu", None}:
        return Draw(None, "power was not measured, and the published one is of its CPU alone")
    if not 0 <= idle.value <= load.value < math.inf:
        return Draw(None, "power was not measured, and the published ones contradict each other")
    # The upper end is the figure: who sizes a supply or a budget must reckon with it.
    sources = ", ".join(dict.fromkeys(one.source for one in (idle, load) if one.source))
    by_whom = f": {sources}" if sources else ""
    words = f"{ENVELOPE} {idle.value:g} to {load.value:g} W as published, no measurement{by_whom}"
    above = load.value - idle.value
    return Draw(
        ENVELOPE,
        words,
        idle_w=Figure(idle.value, exact=True),
        busy_w=ranges.between(0.0, above, above),
    )

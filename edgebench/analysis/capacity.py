"""How many frames a second one device keeps up for hours, and which measurement says so.

Each scenario answers a question of its own, and a candidate is sized by the one that it was
measured in:

- *for hours on end*: ``throughput_ips`` of single_stream or multi_stream, times the share of its
  first minute's speed that the same cell kept in `sustained`, where that was measured. Where not,
  it is told to be "not sustained": a passively cooled device slows down after minutes.
- *with every answer in time*: ``server_rate_hz``, the highest rate at which 99 % of the answers of
  queries at random kept the bound. Waiting is in it, so no utilisation comes on top of it.
- *when nobody waits*: ``throughput_ips`` of offline. A frame waits there until its batch is full,
  and another load makes another heat: it is never taken as sustained.
- *at this one rate*: paced. It kept the rate that it was offered where 99 % of the frames were
  answered in time; how much more it could do was not asked.

What else was measured of the same cell is told beside, and changes no figure: an answer in another
scenario is one to another question.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from edgebench.analysis import ranges
from edgebench.analysis.candidates import Candidate, Cells, Figure

_CELL = (
    *("device", "device_setup", "workload", "workload_version", "backend", "precision"),
    *("accelerator", "threads", "options", "tuning"),
)
"""Rows that agree in these are of the same cell, in whatever scenario."""
_LOAD = ("region", "batch", "streams", "engine")
"""Rows that agree in these, too, were worked as hard."""
_HELD_RATIO = 0.99
"""Share of the answers in time by which a rate is kept, as `server` has it."""
_RATE = re.compile(r"\brate_hz=(\d+(?:\.\d*)?(?:e[+-]?\d+)?)(?!\S)")
NOT_SUSTAINED = "not sustained: measured for seconds"

Evidence = Mapping[tuple[object, ...], Sequence[Cells]]
"""Rows by cell, see `evidence`."""


class Capacity(NamedTuple):
    """Frames a second of one device."""

    rate_hz: Figure | None
    """With its interval; None where nothing tells it."""
    basis: str
    """What it rests on; why there is none."""
    with_waiting: bool = False
    """Waiting is in it already: all of it may be used."""
    notes: tuple[str, ...] = ()

    @property
    def careful_hz(self) -> float:
        """The lower end of its interval, which is what may be relied upon; else the estimate."""
        if self.rate_hz is None:
            return 0.0
        return self.rate_hz.value if self.rate_hz.low is None else self.rate_hz.low


def evidence(rows: Iterable[Cells]) -> Evidence:
    """Rows of all scenarios by cell; what failed, is invalid or fell back is no evidence."""
    found: defaultdict[tuple[object, ...], list[Cells]] = defaultdict(list)
    for row in rows:
        if (
            row.get("status") == "ok"
            and row.get("validity") != "invalid"
            and not row.get("fallback")
        ):
            found[_cell(row)].append(row)
    return found


def same_cell(candidate: Candidate, known: Evidence, scenario: str) -> Candidate | None:
    """The same cell in another scenario, worked as hard; on the same units where those were.

    Args:
        candidate: Whose cell.
        known: Where to look.
        scenario: The other scenario.
    """
    row = candidate.row
    found = [
        other
        for other in known.get(_cell(row), ())
        if other.get("scenario") == scenario and all(row.get(k) == other.get(k) for k in _LOAD)
    ]
    units = {one.get("device_id") for one in candidate.rows}
    here = [other for other in found if other.get("device_id") in units] or found
    if not here:
        return None
    return Candidate(name=candidate.name, rows=tuple(here), told=candidate.told)


def of(candidate: Candidate, known: Evidence | None = None) -> Capacity:
    """What one device of a candidate keeps up, in frames a second.

    Args:
        candidate: Any scenario.
        known: Rows of all scenarios, `evidence`; its own only where not told.
    """
    scenario = str(candidate.row.get("scenario") or "single_stream")
    found = _BY_SCENARIO.get(scenario, _back_to_back)(candidate, known or {})
    rate_hz = found.rate_hz
    if rate_hz is not None and not (math.isfinite(rate_hz.value) and rate_hz.value > 0):
        found = Capacity(None, f"{rate_hz.value:g} frames/s is no rate")
    return found._replace(notes=(*found.notes, *_beside(candidate, known or {}, scenario)))


def _back_to_back(candidate: Candidate, known: Evidence) -> Capacity:
    rate_hz = candidate.figure("throughput_ips")
    if rate_hz is None:
        return Capacity(None, "throughput_ips was not measured")
    kept = same_cell(candidate, known, "sustained")
    share = kept.figure("burst_sustained_ratio") if kept is not None else None
    if kept is None or share is None:
        return Capacity(rate_hz, NOT_SUSTAINED)
    notes: tuple[str, ...] = ()
    if {r.get("device_id") for r in kept.rows}.isdisjoint(
        r.get("device_id") for r in candidate.rows
    ):
        notes = (f"sustained was measured on another unit: {kept.row.get('device_id')}",)
    return Capacity(_derated(rate_hz, share), _kept(share), notes=notes)


def _kept(share: Figure) -> str:
    once = "" if ranges.ends(share) else ", in one launch"
    return f"sustained: {min(1.0, share.value):.0%} of the first minute's speed is kept{once}"


def _derated(rate_hz: Figure, share: Figure) -> Figure:
    """A rate times the share of it that is kept, which is at most all of it.

    Both lower ends together are less likely than either: the interval is on the careful side. Of a
    share whose spread is not known (one launch) the rate's own spread is left, so that a device
    that slows down is never planned for with more than one of which that is not known.
    """
    known = ranges.ends(share) or (share.value, share.value)
    low, high = (min(1.0, end) for end in known)
    return Figure(
        rate_hz.value * min(1.0, share.value),
        None if rate_hz.low is None else rate_hz.low * low,
        None if rate_hz.high is None else rate_hz.high * high,
    )


def _sustained(candidate: Candidate, known: Evidence) -> Capacity:
    """The rate over all its minutes, scaled from their median to that of the last third."""
    del known
    rate_hz = candidate.figure("throughput_ips")
    whole, end = (candidate.figure(n) for n in ("latency_p50_ms", "sustained_p50_ms"))
    if rate_hz is None or whole is None or end is None or not end.value > 0:
        return Capacity(None, "sustained_p50_ms was not measured: it needs 3 whole minutes")
    share = Figure(whole.value / end.value)
    return Capacity(_derated(rate_hz, share), "sustained: the last third of its minutes")


def _server(candidate: Candidate, known: Evidence) -> Capacity:
    rate_hz = candidate.figure("server_rate_hz")
    asked = candidate.row.get("parameters")
    if rate_hz is None:
        return Capacity(None, f"server: no rate was confirmed to hold {asked}")
    frames = ranges.scaled(rate_hz, batch(candidate.row))
    words = f"server: 99 % of the answers within {asked}"
    kept = same_cell(candidate, known, "sustained")
    share = kept.figure("burst_sustained_ratio") if kept is not None else None
    if share is None:
        return Capacity(frames, f"{words}; {NOT_SUSTAINED}", with_waiting=True)
    return Capacity(_derated(frames, share), f"{words}; {_kept(share)}", with_waiting=True)


def _offline(candidate: Candidate, known: Evidence) -> Capacity:
    del known
    rate_hz = candidate.figure("throughput_ips")
    if rate_hz is None:
        return Capacity(None, "throughput_ips was not measured")
    batch, streams = (candidate.row.get(f"offline_{name}") for name in ("batch", "streams"))
    how = f" (batch {batch}, {streams} at once)" if batch is not None else ""
    return Capacity(
        rate_hz, f"offline{how}: a frame waits until its batch is full; {NOT_SUSTAINED}"
    )


def _paced(candidate: Candidate, known: Evidence) -> Capacity:
    del known
    offered = _RATE.search(str(candidate.row.get("parameters")))
    in_time = candidate.figure("in_time_ratio")
    if offered is None or in_time is None:
        return Capacity(None, "paced: nothing tells how many frames came, or were in time")
    rate_hz = float(offered[1])
    if in_time.value < _HELD_RATIO:
        words = f"paced: of {rate_hz:g} frames/s {in_time.value:.1%} were answered in time"
        return Capacity(None, f"{words}, it keeps no rate that is known")
    words = f"paced: it kept {rate_hz:g} frames/s, more was not asked of it"
    return Capacity(Figure(rate_hz), words, with_waiting=True)


_BY_SCENARIO: dict[str, Callable[[Candidate, Evidence], Capacity]] = {
    "sustained": _sustained,
    "server": _server,
    "offline": _offline,
    "paced": _paced,
}


def _beside(candidate: Candidate, known: Evidence, scenario: str) -> tuple[str, ...]:
    """What else was measured of the cell, a line each."""
    region = candidate.row.get("region")
    found: dict[str, None] = {}
    for row in known.get(_cell(candidate.row), ()):
        asked = row.get("parameters")
        other = (row.get("scenario"), row.get("region"))
        if row.get("scenario") == "server" and scenario != "server":
            found[_told(row, "server_rate_hz", f"server held {{}} queries/s ({asked})")] = None
        if row.get("scenario") == "offline" and scenario != "offline":
            found[_told(row, "throughput_ips", "offline did {} frames/s")] = None
        if row.get("scenario") == "paced" and scenario != "paced":
            found[_told(row, "in_time_ratio", f"paced ({asked}): a share of {{}} in time")] = None
        if other == (scenario, "e2e") and region == "invoke":
            found[_told(row, "throughput_ips", "from image file to answer: {} frames/s")] = None
    return tuple(words for words in found if words)


def _told(row: Cells, name: str, words: str) -> str:
    value = row.get(name)
    return words.format(f"{value:.4g}") if isinstance(value, (int, float)) else ""


def batch(row: Cells) -> int:
    """Samples in one call of the runtime."""
    told = row.get("batch")
    return told if isinstance(told, int) and told > 0 else 1


def _cell(row: Cells) -> tuple[object, ...]:
    return tuple(row.get(name) for name in _CELL)

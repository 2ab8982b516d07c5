"""Where figures of power come from: measured in unlike ways, they are never ranked together."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from edgebench.analysis.candidates import Candidate
from edgebench.analysis.figure import Cells, is_power, own_tier, text
from edgebench.errors import UsageError
from edgebench.metering import TIERS

_ROW_TIER = "power_tier"
_NAMED = 3
"""Devices of a tier that are named before they are only counted."""
_PARTIAL = "partial_measured"
_UNTOLD = "of a tier that nobody told"
"""Imported power may come without one."""


def of(candidate: Candidate, name: str) -> frozenset[str]:
    """Tiers that a candidate's figure is of; empty where it has none or is of no power."""
    return frozenset(tier for _, tier in _by_unit(candidate, name))


def _by_unit(candidate: Candidate, name: str) -> list[tuple[Cells, str]]:
    if name not in candidate.told and not is_power(name) and not own_tier(name):
        return []
    untold = _UNTOLD if is_power(name) else ""
    figures = zip(candidate.rows, candidate.by_unit(name), strict=False)
    found = [(row, figure.tier or untold) for row, (_, figure) in figures if figure is not None]
    return [(row, tier) for row, tier in found if tier]


def _seen(candidate: Candidate, name: str) -> frozenset[tuple[str, str]]:
    """Tiers, each with what of the device its meter leaves out: unlike parts are unlike powers."""
    found = _by_unit(candidate, name)
    return frozenset((tier, _without(row, tier)) for row, tier in found)


def _without(row: Cells, tier: str) -> str:
    return text(row, "power_excludes") if text(row, _ROW_TIER) == tier else ""


def check_allowed(tiers: Iterable[str]) -> None:
    """Refuse a tier that there is not.

    Raises:
        UsageError: It names those that are.
    """
    for tier in tiers:
        if tier not in TIERS:
            like = difflib.get_close_matches(tier, TIERS)
            known = f"did you mean {like[0]}?" if like else f"one of {', '.join(TIERS)}"
            raise UsageError(f"no tier of power is named {tier!r}", remedy=known)


def check(candidates: Sequence[Candidate], names: Iterable[str], allowed: Sequence[str]) -> None:
    """Refuse to rank figures of power that were come by in unlike ways.

    Args:
        candidates: Those that would rank together.
        names: Figures that a limit, the objective or a front is about.
        allowed: Tiers that the user lets in; with any named there is nothing to refuse, since
            `outside` then takes the others out.

    Raises:
        UsageError: It names the tiers, and what has them.
    """
    if allowed:
        return
    for name in names:
        having: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for candidate in candidates:
            for seen in _seen(candidate, name):
                having[seen].add(str(candidate.row.get("device")))
        if len(having) > 1:
            found = sorted(having, key=lambda seen: (_order(seen[0]), seen[1]))
            told = " and ".join(f"{_words(*seen)} ({_devices(having[seen])})" for seen in found)
            raise UsageError(
                f"{name} is {told}: they do not rank together",
                remedy=_remedy(list(dict.fromkeys(tier for tier, _ in found))),
            )


def _words(tier: str, without: str) -> str:
    return f"{tier} without {without}" if without else tier


def _remedy(found: Sequence[str]) -> str:
    known = [tier for tier in found if tier != _UNTOLD]
    if len(known) == 1:
        more = "" if known == found else ", or tell the other's: import --set power_tier=TIER"
        return f"--allow-tier {known[0]} ranks all that are {known[0]}{more}"
    mixed = f"--allow-tier {','.join(known)} mixes them"
    return f"--allow-tier {known[0]} takes that one, {mixed}"


def outside(candidate: Candidate, names: Iterable[str], allowed: Sequence[str]) -> str:
    """Why a candidate falls out where only some tiers count; empty where it does not.

    What is a tier by its name (an envelope, a proxy) is one on every candidate: it was asked for.
    """
    for name in names:
        others = of(candidate, name) - set(allowed)
        if allowed and others and not own_tier(name):
            only = " or ".join(allowed)
            return f"{name} is {' and '.join(sorted(others, key=_order))}: only {only} counts here"
    return ""


def note(candidate: Candidate, names: Iterable[str], allowed: Sequence[str]) -> str:
    """What to know of where a candidate's power comes from; or empty."""
    for name in names:
        tiers = sorted(of(candidate, name), key=_order)
        if own_tier(name):
            return f"{name} is no measurement of power: {own_tier(name)}" if tiers else ""
        parts = sorted({without for _, without in _seen(candidate, name) if without})
        if _PARTIAL in tiers:
            parts = parts or ["a part of the device"]
        whole = not parts and len(allowed) <= 1
        if tiers and not (whole and tiers[0].endswith("_measured")):
            without = f", without {' and without '.join(parts)}" if parts else ""
            more = ": the device takes more" if _PARTIAL in tiers else ""
            return f"{name} is {' and '.join(tiers)}{without}{more}"
    return ""


def _devices(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
    return f"{', '.join(ordered[:_NAMED])}{more}"


def _order(tier: str) -> tuple[int, str]:
    """Best first."""
    return (TIERS.index(tier) if tier in TIERS else len(TIERS), tier)

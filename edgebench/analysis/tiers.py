"""Where figures of power come from: measured in unlike ways, they are never ranked together."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Sequence

from edgebench.analysis.candidates import Candidate
from edgebench.analysis.figure import is_power, own_tier, text
from edgebench.errors import UsageError
from edgebench.metering import TIERS

_NAMED = 3
"""Devices of a tier that are named before they are only counted."""


def of(candidate: Candidate, name: str) -> frozenset[str]:
    """Tiers that a candidate's figure is of; empty where it has none or is of no power."""
    if name not in candidate.told and not is_power(name) and not own_tier(name):
        return frozenset()
    figures = (figure for _, figure in candidate.by_unit(name))
    return frozenset(figure.tier for figure in figures if figure is not None and figure.tier)


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
        having: defaultdict[str, set[str]] = defaultdict(set)
        for candidate in candidates:
            for tier in of(candidate, name):
                having[tier].add(str(candidate.row.get("device")))
        if len(having) > 1:
            found = sorted(having, key=_order)
            told = " and ".join(f"{tier} ({_devices(having[tier])})" for tier in found)
            raise UsageError(
                f"{name} is {told}: they do not rank together",
                remedy=f"--allow-tier {found[0]} takes that one, "
                f"--allow-tier {','.join(found)} mixes them",
            )


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
        if tiers and (len(allowed) > 1 or not tiers[0].endswith("_measured")):
            return f"{name} is {' and '.join(tiers)}"
        if tiers and (without := text(candidate.row, "power_excludes")):
            return f"{name} is {' and '.join(tiers)}, without {without}"
    return ""


def _devices(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
    return f"{', '.join(ordered[:_NAMED])}{more}"


def _order(tier: str) -> tuple[int, str]:
    """Best first."""
    return (TIERS.index(tier) if tier in TIERS else len(TIERS), tier)

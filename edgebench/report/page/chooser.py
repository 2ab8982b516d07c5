"""What the page's chooser goes by: candidates, and all that was decided of them before limits.

The page filters, compares with limits and ranks, as `edgebench.analysis.recommend` does; what needs
more than figures (what may be ranked at all, and why a figure is not there) is decided here and
told in words. ``tests/acceptance/chooser.py`` holds both against each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from edgebench.analysis import directions, missing, pairing, ranking, refusals, ties
from edgebench.analysis.candidates import Candidate
from edgebench.analysis.compare import METRICS
from edgebench.analysis.constraints import Constraint
from edgebench.analysis.figure import FACTS, PRICE, Figure, is_power, kind_of, own_tier, text
from edgebench.analysis.recommend import Objective, Standing
from edgebench.report import choice, choice_best, choosing
from edgebench.report.charts.base import plain
from edgebench.report.choosing import Asked
from edgebench.report.page.data import PageData
from edgebench.report.page.wording import TIERS, said
from edgebench.report.rows import Row
from edgebench.report.table import clean

CANDIDATES = "candidates"
"""The set of data: a record each."""
_LIMITS = (
    Constraint("latency_p99_ms", "max", math.nan),
    Constraint("throughput_ips", "min", math.nan),
    Constraint("power_w", "max", math.nan),
    Constraint("top1_loss_ratio", "max", math.nan),
    Constraint("price_usd", "max", math.nan),
    Constraint("rss_peak_mib", "max", math.nan),
)
_WHERE_MEASURED = Constraint("quality_loss_ratio", "max", math.nan)
_OBJECTIVES = (
    Objective("latency_p50_ms"),
    Objective("throughput_ips", more_is_better=True),
    Objective("energy_gross_mj"),
    Objective("energy_net_mj"),
    Objective(PRICE),
    Objective("rss_peak_mib"),
)


def chooser(rows: Sequence[Row], asked: Asked, data: PageData) -> dict[str, Any]:
    """What the form and its script need; candidates and their figures go to the page's data.

    Args:
        rows: The cells of the page, in order.
        asked: What the form starts with.
        data: Of the page.

    Raises:
        UsageError: As `edgebench.report.choosing.by_question`.
    """
    limits = _limits(rows, asked)
    objectives = tuple(dict.fromkeys((*_OBJECTIVES, asked.objective or _OBJECTIVES[0])))
    named = (*(one.name for one in limits), *(one.name for one in objectives))
    names = tuple(dict.fromkeys(named))
    questions, groups = choosing.by_question(rows, asked)
    places = {id(row): place for place, row in enumerate(rows)}
    records = [
        _record(one, clean(question), places, names, objectives)
        for question, group in zip(questions, groups, strict=True)
        for one in group
    ]
    data.add(CANDIDATES, records)
    told = {name for group in groups for one in group for name in one.told} | FACTS
    metas = {name: _meta(name, exact=name in told) for name in names}
    data.take([name for meta in metas.values() for name in meta["fields"]])
    data.take(["power_tier", "power_excludes"])
    data.tell(_facts(groups, places, names))
    offered = _tiers(rows, asked)
    return {
        "figures": metas,
        "limits": [_limit(one, asked.limits) for one in limits],
        "objectives": [_objective(one) for one in objectives],
        "questions": [clean(question) for question in questions],
        "tiers": offered,
        "meanings": {one: words for one, words in TIERS.items() if one in _parts(offered)},
        "quantiles": ties.quantile_coefficients(),
        "start": _start(asked, questions, groups),
    }


def is_stated(asked: Asked) -> bool:
    """Whether something was asked, beside of what."""
    return bool(asked.limits or asked.objective)


def _limits(rows: Sequence[Row], asked: Asked) -> tuple[Constraint, ...]:
    """What the form has a field for: the usual ones, and those that are stated."""
    usual = list(_LIMITS)
    if any(row.get(_WHERE_MEASURED.name) is not None for row in rows):
        usual.insert(4, _WHERE_MEASURED)
    found = {(one.name, one.sense): one for one in (*usual, *asked.limits)}
    return tuple(found.values())


def _limit(limit: Constraint, stated: Iterable[Constraint]) -> dict[str, Any]:
    start = next((one.bound for one in stated if one[:2] == limit[:2]), None)
    return {"name": limit.name, "sense": limit.sense, "start": start}


def _objective(objective: Objective) -> dict[str, Any]:
    name, more = objective
    told = {"key": _key(objective), "name": name, "more": more, "margin": ties.margin_ratio(name)}
    return {**told, "compared": name in METRICS}


def _key(objective: Objective) -> str:
    """Its name, and which way where that is not the usual one."""
    name, more = objective
    usual = bool(directions.more_is_better(name))
    return name if more is usual else f"{name}:{'max' if more else 'min'}"


def _start(
    asked: Asked, questions: Sequence[str], groups: Sequence[Sequence[Candidate]]
) -> dict[str, Any]:
    wanted = [
        clean(question)
        for question, group in zip(questions, groups, strict=True)
        if not asked.workloads or group[0].row.get("workload") in asked.workloads
    ]
    return {
        "by": _key(asked.objective or choosing.OBJECTIVE),
        "tier": ",".join(asked.allow_tiers),
        # Where nothing is asked the page says what is fastest of the valid ones; so does this.
        "valid": asked.require_valid or not is_stated(asked),
        "sure": asked.sure,
        "of": wanted if asked.workloads else [],
    }


def _tiers(rows: Sequence[Row], asked: Asked) -> list[str]:
    """What may be let in: each tier of power that there is, the best first, and what was asked."""
    seen = {str(row.get("power_tier")) for row in rows}
    found: list[str] = [tier for tier in TIERS if tier in seen]
    stated = ",".join(asked.allow_tiers)
    return found + ([stated] if stated and stated not in found else [])


def _parts(offered: Sequence[str]) -> set[str]:
    return {tier for one in offered for tier in one.split(",")}


def _meta(name: str, *, exact: bool) -> dict[str, Any]:
    """How a figure is called, where its parts are in a cell, and what its interval is made of."""
    noun, unit, scale = said(name)
    kind = kind_of(name)
    stem, _, last = name.rpartition("_")
    ends = [f"{stem}_{end}_{last}" for end in ("lo", "hi")]
    return {
        "noun": noun,
        "unit": unit,
        "scale": scale,
        "fields": [name, *ends, kind.observations],
        "exact": kind.exact or exact,
        "spread": kind.spread,
        "power": is_power(name),
        "tier": own_tier(name),
    }


def _record(
    candidate: Candidate,
    question: str,
    places: dict[int, int],
    names: Sequence[str],
    objectives: Sequence[Objective],
) -> dict[str, Any]:
    """What is told of a candidate; what does not apply is not there."""
    failed = any(text(row, "status") not in {"", "ok"} for row in candidate.rows)
    found: dict[str, Any] = {
        "name": clean(candidate.name),
        "question": question,
        "cells": [places[id(row)] for row in candidate.rows],
        "failed": True if failed else None,
        "second": plain(ranking.second(candidate)),
        "blind": choice_best.accuracy(candidate) or None,
    }
    for field, strict in (("unfit", False), ("unvalid", True)):
        if words := refusals.unfit(candidate, require_valid=strict):
            found[field] = clean("; ".join(words))
            found[f"{field} kind"] = clean(
                choice.kind(Standing(candidate=candidate, refusals=words))
            )
    if found.get("unvalid") == found.get("unfit"):
        found.pop("unvalid", None)
        found.pop("unvalid kind", None)
    if doubts := refusals.doubts(candidate):
        found["doubts"] = clean("; ".join(doubts))
    for name, _ in objectives:
        if load := pairing.obstacle_of(name, candidate.row, {}):
            other_load, _, other = load.partition(": compare ")
            able = other in {one for one, _ in objectives}
            instead = f": rank by {said(other)[0]}" if able else ""
            found[f"load {name}"] = f"{other_load}{instead}"
    for name in names:
        found |= _figure(candidate, name, failed=failed)
    return {key: value for key, value in found.items() if value is not None}


def _figure(candidate: Candidate, name: str, *, failed: bool) -> dict[str, Any]:
    """Why it is not there; or of several units the mean, which no cell tells."""
    lacking = [unit for unit, figure in candidate.by_unit(name) if figure is None]
    if lacking and failed:
        return {}
    if lacking:
        unit = lacking[0]
        row = candidate.rows[candidate.units.index(unit) if unit else 0]
        reason = "" if name == PRICE else missing.why(row, name)
        on = f" on {unit}" if unit and len(candidate.rows) > 1 else ""
        return {f"why {name}": clean(f"{on}{f' ({reason})' if reason else ''}") or None}
    figure = candidate.figure(name)
    if len(candidate.rows) == 1 or figure is None or name in candidate.told:
        return {}
    return {f"mean {name}": [plain(part) for part in figure[:4]]}


def _facts(
    groups: Sequence[Sequence[Candidate]], places: dict[int, int], names: Sequence[str]
) -> dict[int, dict[str, Any]]:
    """By cell what is published of its device."""

    def known(told: dict[str, Figure]) -> dict[str, Any]:
        return {name: plain(told[name].value) for name in names if name in told}

    return {
        places[id(row)]: known(dict(one.told))
        for group in groups
        for one in group
        for row in one.rows
    }

"""Why a cell is not simply to be trusted: each cause by itself, and cells that share a cause."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from edgebench.metering import TIERS
from edgebench.report.judged import verdict
from edgebench.report.rows import Row
from edgebench.report.table import clean


class Level(IntEnum):
    """What a doubt means for a reader."""

    WRONG = 0
    """There is no figure, or a wrong one."""
    CARE = 1
    """The figure is of something else than it seems to be, or nobody vouches for it."""
    KNOW = 2
    """The cell is good as far as it goes."""


class Kind(NamedTuple):
    """A sort of doubt, in the words that a group of cells gets, and in few of them."""

    level: Level
    words: str
    short: str
    told: tuple[str, ...] = ()
    """How the caveats begin that are of it, as regular expressions."""


KINDS: dict[str, Kind] = {
    "failed": Kind(Level.WRONG, "failed", "failed"),
    "skipped": Kind(Level.WRONG, "skipped", "skipped"),
    "outputs": Kind(
        Level.WRONG, "wrong answers, outputs do not match fp32", "wrong outputs", ("parity: ",)
    ),
    "supply": Kind(Level.WRONG, "a weak power supply", "supply", ("the power supply is too weak",)),
    "heat": Kind(
        Level.CARE,
        "slowed down while measured",
        "heat or clock",
        (
            "throttled: ",
            "its highest clock fell",
            r"ran at [\d.]+ MHz",
            r".* degC, slowed down from",
        ),
    ),
    "disturbed": Kind(
        Level.CARE,
        "disturbed while measured",
        "disturbed",
        (
            *("other processes used", "waited for a CPU", "lost its CPU", "something waited for"),
            *("held back by the cgroup", "the hypervisor gave", "swapping"),
            "the frequency governor changed",
        ),
    ),
    "accuracy": Kind(
        Level.CARE, "fast at the cost of accuracy", "accuracy lost", (r"(top-1|mAP50|mIoU) loses ",)
    ),
    "elsewhere": Kind(
        Level.CARE, "valid, and accuracy is lost elsewhere", "accuracy lost elsewhere"
    ),
    "fallback": Kind(Level.CARE, "ran otherwise than asked", "ran otherwise"),
    "imported": Kind(Level.CARE, "another tool measured it and nobody judged it", "imported"),
    "unjudged": Kind(Level.CARE, "not valid", "other reasons"),
    "launches": Kind(Level.KNOW, "how launches differ is not known", "one launch"),
    "incomplete": Kind(
        Level.KNOW, "fewer launches than planned", "incomplete", (r"\d+ of \d+ launches$",)
    ),
    "unsteady": Kind(
        Level.KNOW,
        "its median is known less well than wanted",
        "not converged",
        ("not converged", r"\d+ of \d+ launches did not converge"),
    ),
    "weights": Kind(Level.KNOW, "its speed counts, its accuracy means nothing", "random weights"),
    "power": Kind(Level.KNOW, "its power is not the whole device's", "part of the power"),
}
"""The gravest first."""
_OF_VERDICT = frozenset({"outputs", "supply", "heat", "disturbed"})
"""Only of a cell that is suspect or invalid for it."""
_WHOLE = TIERS[:2]
_TOLD, _SHORT_CHARACTERS = 3, 40
"""So many words of a group are all told, if they are so short; else one of them."""
_LONGEST_CHARACTERS = 160
_FIGURES = re.compile(r"\d[\d.,]*")
_HINT = re.compile(r" \([^()]*\)$")
"""What mends it, at the end of why a cell was skipped: another command for each of them."""
_FREE = frozenset({"failed", "skipped", "unjudged", "fallback"})
_OWN = ("workload", "precision", "device", "device_id", "format")
"""What free words may name of their cell: its like says the same of another one."""
_SHORTEST_OWN = 3
_CAUSES: dict[str, tuple[str, ...]] = {
    "others": ("other processes used",),
    "quota": ("held back by the cgroup",),
    "guests": ("the hypervisor gave",),
    "memory": ("something waited for memory", "swapping"),
    "governor": ("the frequency governor changed",),
    "throttled": ("throttled: ", "its highest clock fell"),
}
"""By how its caveat begins. Of a kind that has causes all else is only what they lead to (a CPU is
waited for, a clock is low): a cell that tells both is in the cause's group alone."""


class Doubt(NamedTuple):
    """One cause."""

    kind: str
    words: str
    """As it was told, in one line."""
    own: tuple[str, ...] = ()
    """What the words may name that is the cell's own."""

    @property
    def like(self) -> tuple[str, str]:
        """What cells of one group share: the cause; of free words all but figures and names."""
        if self.kind in _FREE:
            told = _HINT.sub("", self.words) if self.kind == "skipped" else self.words
            for name in sorted(self.own, key=len, reverse=True):
                told = re.sub(rf"\b{re.escape(name)}\b", "#", told)
            return self.kind, _FIGURES.sub("#", told)
        return self.kind, self.cause

    @property
    def cause(self) -> str:
        """Of those that a kind may have; empty where it has but one, or only what it led to."""
        begins = _CAUSES.items()
        return next((name for name, told in begins if self.words.startswith(told)), "")


def of(row: Row, elsewhere: str = "") -> list[Doubt]:
    """The causes of a row, the gravest first; empty for a cell that is simply good.

    Args:
        row: A cell.
        elsewhere: What its model lost where that is known (`edgebench.analysis.elsewhere`).
    """
    found = [*_found(row), *([Doubt("elsewhere", clean(elsewhere))] if elsewhere else [])]
    return sorted(dict.fromkeys(found), key=lambda doubt: list(KINDS).index(doubt.kind))


def _found(row: Row) -> Iterator[Doubt]:
    word = verdict(row)
    if row["status"] != "ok":
        kind = "skipped" if word == "skipped" else "failed"
        reason = clean(str(row.get("reason") or "no reason known"))
        words = reason if word in {"failed", "skipped"} else f"{word}: {reason}"
        yield Doubt(kind, words, _names(row))
        return
    if word == "imported":
        yield Doubt("imported", clean(str(row["imported_from"])))
    told = [part for part in clean(str(row.get("caveats") or "")).split("; ") if part]
    known = [Doubt(kind, part.removeprefix("parity: ")) for part in told if (kind := _kind(part))]
    doubted = word in {"suspect", "invalid"}
    kept = [one for one in known if doubted or one.kind not in _OF_VERDICT]
    yield from kept
    if doubted and not any(KINDS[one.kind].level < Level.KNOW for one in kept):
        yield Doubt("unjudged", "; ".join(told) or "no reason known", _names(row))
    yield from _of_columns(row)


def _names(row: Row) -> tuple[str, ...]:
    """What is the cell's own; what is shorter is a word like any other."""
    names = (clean(str(row.get(name) or "")) for name in _OWN)
    return tuple(name for name in names if len(name) >= _SHORTEST_OWN)


def _kind(caveat: str) -> str:
    matching = (name for name, kind in KINDS.items() if any(re.match(t, caveat) for t in kind.told))
    return next(matching, "")


def _of_columns(row: Row) -> Iterator[Doubt]:
    if row.get("fallback"):
        yield Doubt("fallback", clean(_ran(row)), _names(row))
    if row.get("launches") == 1 and not row.get("imported_from"):
        yield Doubt("launches", "one launch")
    if row.get("weights") == "random":
        yield Doubt("weights", "random weights")
    if row.get("power_w") is not None and (tier := row.get("power_tier")) not in _WHOLE:
        without = f" without {row['power_excludes']}" if row.get("power_excludes") else ""
        of_tier = tier or "of a tier that nobody told"
        yield Doubt("power", clean(f"power is {of_tier}{without}").replace(";", ","))


def _ran(row: Row) -> str:
    """What ran in place of what was asked: ``fp32 for int8``, ``on cpu for gpu``."""
    parts = str(row["fallback"]).split("+")
    asked, ran, share = (
        row.get(f"{k}") for k in ("precision", "effective_precision", "precision_ratio")
    )
    found = [f"{ran} for {asked}"] if "precision" in parts else []
    if "partial_precision" in parts and isinstance(share, float):
        found = [f"{asked} for {share:.0%} of the multiplications"]
    if "accelerator" in parts:
        on = row.get("effective_accelerator") or "another"
        found.append(f"on {on} for {row.get('accelerator')}")
    return f"ran {', '.join(found) or row['fallback']}"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Cells that have a doubt in common."""

    kind: Kind
    doubts: Sequence[Doubt]
    places: Sequence[int]
    """Of its cells among the rows, one a doubt."""


def grouped(doubts: Mapping[int, Sequence[Doubt]]) -> list[Group]:
    """Groups of cells, gravest level first, then the largest.

    Args:
        doubts: Of each row by its place.
    """
    alike: defaultdict[tuple[str, str], list[tuple[Doubt, int]]] = defaultdict(list)
    for place, mine in doubts.items():
        caused = {doubt.kind for doubt in mine if doubt.cause}
        seen: set[tuple[str, str]] = set()
        for doubt in mine:
            effect = doubt.kind in caused and not doubt.cause
            if not effect and doubt.like not in seen:  # a cell counts once
                alike[doubt.like].append((doubt, place))
                seen.add(doubt.like)
    groups = [
        Group(kind=KINDS[kind], doubts=[d for d, _ in pairs], places=[place for _, place in pairs])
        for (kind, _), pairs in alike.items()
    ]
    return sorted(groups, key=lambda group: (group.kind.level, -len(group.places)))


def commonest(doubts: Sequence[Doubt]) -> str:
    """What cells of a group tell: in the same words, in few of them, or such as most do."""
    counted = Counter(doubt.words for doubt in doubts).most_common()
    if len(counted) == 1:
        return f": {_short(counted[0][0])}"
    if len(counted) <= _TOLD and all(len(words) <= _SHORT_CHARACTERS for words, _ in counted):
        return ": " + ", ".join(f"{words} ({count})" for words, count in counted)
    return f", such as: {_short(counted[0][0])}"


def _short(words: str) -> str:
    cut = len(words) > _LONGEST_CHARACTERS
    return f"{words[:_LONGEST_CHARACTERS]} ..." if cut else words

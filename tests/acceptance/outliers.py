"""Why a cell lies off the line of latency against MACs: two profiles held against each other.

The distance between a cell and another one of its backend, which lies on the line, is split over
kinds of operators. What a kind should take is its MACs at the rate of all that multiplies there;
where it does not multiply, as much per MAC of the whole network. A kind is named where it takes (or
saves) much of the call; the cell is explained where the named ones account for most of the distance
and it would be no outlier without them. Kinds that multiply nothing and are too small to be named
are one cause together: a line drawn by MACs does not see them, however many they are. A cell is not
explained where it was no outlier when it was profiled or takes no more per MAC than the cell on the
line (then it is the line that does not fit), nor where all kinds differ alike: that only says once
more that it is slow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

from edgebench.analysis import work
from edgebench.analysis.operators import PRODUCT
from edgebench.protocols import WorkKind
from edgebench.report.table import number

LEAST_AGAIN = 1.5
"""Times off the line at which a profiled cell still shows what the run did."""
LEAST_ACCOUNTED_RATIO = 0.5
"""Of the distance from the line, by the kinds that are named."""
OUTSIDE = "what lies between operators"
LIGHT = "the other kinds that multiply nothing"
"""Together: each is too small to be named."""
MULTIPLY = frozenset({*get_args(WorkKind), PRODUCT})
MOST_CAUSES = 3
LEAST_RATIO = 0.1
"""Of a call (of the expected one, for what is saved): less is no cause."""
ALIKE_RATIO = 1.5
"""Kinds that are slower by factors no further apart than this are slower alike."""
OTHER_RATE_RATIO = 1.25
"""Rates closer than this are the same: then it is how much of a kind there is."""
MOST_OF_KIND = 0.5
"""Share of its kind's time from which a single operator is named."""
US_PER_MS = 1e3
GMACPS_PER_MMAC_A_US = 1e3


class Part(NamedTuple):
    """What a kind of operators takes of a call."""

    us: float
    mmac: float | None
    """None where it does not multiply."""

    @property
    def rate(self) -> float | None:
        """Billion multiply-accumulates a second."""
        if self.mmac is None or not self.us:
            return None
        return self.mmac / self.us * GMACPS_PER_MMAC_A_US


class Profile(NamedTuple):
    """A cell's call, split."""

    workload: str
    plain_us: float
    """A call that nobody looked into."""
    parts: dict[str, Part]
    costliest: dict[str, tuple[str, float]]
    """Of each kind the operator that takes most, and how much, in us."""
    network_mmac: float = 0.0
    """Of the workload's file: where operators cannot be told apart, it still holds for all."""

    @property
    def whole_us(self) -> float:
        """Of the parts: where looking adds to each operator, more than a call."""
        return sum(part.us for part in self.parts.values())

    @property
    def mmac(self) -> float:
        """Of the parts, which is the network."""
        return sum(part.mmac or 0.0 for part in self.parts.values()) or self.network_mmac

    @property
    def products_us(self) -> float:
        """Of what multiplies."""
        return sum(part.us for part in self.parts.values() if part.mmac is not None)


class Explanation(NamedTuple):
    """What was found; every cause one sentence."""

    explained: bool
    sentences: tuple[str, ...]


def profile_of(told: Mapping[str, Any], network_mmac: float = 0.0) -> Profile:
    """As ``edgebench profile --json`` prints it."""
    parts = {one["kind"]: Part(one["duration_us"], one["work_mmac"]) for one in told["kinds"]}
    operators_us = sum(part.us for part in parts.values())
    parts[OUTSIDE] = Part(max(0.0, told["plain_us"] - operators_us), None)
    costliest: dict[str, tuple[str, float]] = {}
    for one in told["operators"]:
        kind = one["work_kind"] or one["kind"]
        costliest.setdefault(kind, (one["operator"], one["duration_us"]))
    return Profile(told["case"]["workload"], told["plain_us"], parts, costliest, network_mmac)


def explain(ratio: float, ran_ms: float, mine: Profile, usual: Profile) -> Explanation:
    """Account for the distance of a cell from its line.

    Args:
        ratio: Its latency over the expected one, in the run.
        ran_ms: That latency.
        mine: Its profile.
        usual: Of a cell that lies on the line of the same backend and precision.
    """
    again = ratio * mine.plain_us / US_PER_MS / ran_ms
    sign = 1 if ratio > 1 else -1
    if again**sign < LEAST_AGAIN:
        told = f"{number(ran_ms)} ms in the run, {number(mine.plain_us / US_PER_MS)} ms profiled"
        return Explanation(False, (f"no outlier when it was profiled: {told}",))
    if not mine.mmac or not usual.mmac:
        return Explanation(False, ("nobody can tell which of its operators multiply",))
    mine, usual = _alike(mine, usual)
    expected_us = usual.whole_us / usual.mmac * mine.mmac
    beside = mine.whole_us / expected_us
    if beside**sign < LEAST_AGAIN:
        told = f"per MAC it takes {number(beside)} times what {usual.workload} takes"
        return Explanation(False, (f"{told}, which lies on the line",))
    should = {kind: part.us / usual.mmac * mine.mmac for kind, part in usual.parts.items()}
    kinds = list(dict.fromkeys([*mine.parts, *usual.parts]))
    took = {kind: mine.parts[kind].us if kind in mine.parts else 0.0 for kind in kinds}
    heavier = max(mine.whole_us, expected_us)
    off = {kind: sign * (us - _fair_us(kind, mine, usual)) for kind, us in took.items()}
    if (times := _uniform(took, should)) is not None:
        return Explanation(False, (f"all its operators are {_times(times)} alike",))
    named = sorted(kinds, key=lambda kind: -off[kind])[:MOST_CAUSES]
    named = [kind for kind in named if off[kind] >= LEAST_RATIO * heavier]
    light = [k for k in kinds if k not in named and _light(k, mine) and _light(k, usual)]
    together_us = sum(off[kind] for kind in light)
    if together_us < LEAST_RATIO * heavier:
        light, together_us = [], 0.0
    accounted_us = sum(off[kind] for kind in named) + together_us
    rest_us = max(1.0, mine.whole_us - sign * accounted_us)
    left = max(rest_us / expected_us, expected_us / rest_us)
    share = accounted_us / abs(mine.whole_us - expected_us)
    sentences = [_sentence(kind, mine, usual, sign) for kind in named]
    if light:
        sentences.append(_together(light, mine, usual))
    return Explanation(
        share >= LEAST_ACCOUNTED_RATIO and left <= work.FACTOR,
        tuple(sentences) or ("no kind stands out",),
    )


def _light(kind: str, one: Profile) -> bool:
    """Whether a kind multiplies nothing there, or is not there at all."""
    part = one.parts.get(kind)
    return part is None or (part.mmac is None and kind not in MULTIPLY)


def _together(kinds: Sequence[str], mine: Profile, usual: Profile) -> str:
    """Of kinds that each are too small to be named."""
    parts = {kind: mine.parts[kind].us for kind in kinds if kind in mine.parts}
    heaviest = sorted(parts, key=lambda kind: -parts[kind])
    more = f" and {len(heaviest) - MOST_CAUSES} more" if len(heaviest) > MOST_CAUSES else ""
    there_us = sum(usual.parts[kind].us for kind in kinds if kind in usual.parts)
    return (
        f"{LIGHT} ({', '.join(heaviest[:MOST_CAUSES])}{more}): take "
        f"{sum(parts.values()) / mine.whole_us:.0%} of the call "
        f"({there_us / usual.whole_us:.0%} in {usual.workload})"
    )


def _alike(mine: Profile, usual: Profile) -> tuple[Profile, Profile]:
    """Both with the same kinds: where one cannot tell its products apart, nor does the other."""
    if not (_known(mine) and _known(usual)):
        return _coarse(mine, ()), _coarse(usual, ())
    if PRODUCT in mine.parts or PRODUCT in usual.parts:
        return _coarse(mine), _coarse(usual)
    return mine, usual


def _known(one: Profile) -> bool:
    """Whether what each kind multiplies is known."""
    return all(part.mmac is not None for kind, part in one.parts.items() if kind in MULTIPLY)


def _coarse(one: Profile, apart: Sequence[str] = ("depthwise",)) -> Profile:
    """All that multiplies as one kind, but for those that are to stay apart.

    With none apart it multiplies what the network does.
    """
    parts: dict[str, Part] = {}
    costliest: dict[str, tuple[str, float]] = {}
    for kind, part in one.parts.items():
        keep = kind in apart or kind not in MULTIPLY
        name = kind if keep else PRODUCT
        before = parts.get(name, Part(0.0, None))
        mmac = part.mmac if before.mmac is None else before.mmac + (part.mmac or 0.0)
        parts[name] = Part(before.us + part.us, mmac)
        found = one.costliest.get(kind, ("", 0.0))
        costliest[name] = max(costliest.get(name, found), found, key=lambda of: of[1])
    if not apart and PRODUCT in parts:
        parts[PRODUCT] = Part(parts[PRODUCT].us, one.network_mmac or one.mmac)
    return one._replace(parts=parts, costliest=costliest)


def _uniform(took: Mapping[str, float], should: Mapping[str, float]) -> float | None:
    """How many times longer everything takes, where all that weighs anything does so alike."""
    heavy = [
        kind
        for kind, us in took.items()
        if max(us / sum(took.values()), should.get(kind, 0.0) / sum(should.values())) > LEAST_RATIO
    ]
    times = [took[kind] / should[kind] if should.get(kind) else float("inf") for kind in heavy]
    if not times or min(times) <= 0 or max(times) > ALIKE_RATIO * min(times):
        return None
    whole = sum(took[kind] for kind in heavy) / sum(should[kind] for kind in heavy)
    return whole if max(whole, 1 / whole) >= LEAST_AGAIN else None


def _fair_us(kind: str, mine: Profile, usual: Profile) -> float:
    """What a kind would take at the rate of all products there, or as much per MAC of the network.

    Over all kinds this adds up to what the other cell takes per MAC.
    """
    part = mine.parts.get(kind)
    if part is not None and part.mmac is not None:
        return part.mmac / usual.mmac * usual.products_us
    there = usual.parts.get(kind, Part(0.0, None))
    return there.us / usual.mmac * mine.mmac if there.mmac is None else 0.0


def _sentence(kind: str, mine: Profile, usual: Profile, sign: int) -> str:
    """What a kind of operators has to do with it."""
    part = mine.parts.get(kind, Part(0.0, None))
    there = usual.parts.get(kind, Part(0.0, None))
    share, share_there = part.us / mine.whole_us, there.us / usual.whole_us
    takes = f"{share:.0%} of the call ({share_there:.0%} in {usual.workload})"
    rate, rate_there = part.rate, there.rate
    if rate is None or part.mmac is None:
        return f"{kind}: takes {takes} and multiplies nothing"
    most = _most(kind, mine) if sign > 0 else ""
    whole = _rate(usual.mmac / usual.products_us * GMACPS_PER_MMAC_A_US)
    if rate_there is None or there.mmac is None:
        beside = f"{usual.workload} has none and multiplies at {whole} as a whole"
        return f"{kind}: {_rate(rate)}, {beside}, takes {takes}{most}"
    times = rate_there / rate
    if times**sign >= OTHER_RATE_RATIO:
        there_too = f"{_times(times)} per MAC than in {usual.workload} ({_rate(rate_there)})"
        return f"{kind}: {_rate(rate)}, {there_too}, takes {takes}{most}"
    of_macs = f"{part.mmac / mine.mmac:.0%} of its MACs ({there.mmac / usual.mmac:.0%} there)"
    rates = f"{_rate(rate)} ({_rate(rate_there)} there)"
    return f"{kind}: {rates}, {of_macs}, takes {takes}{most}"


def _most(kind: str, mine: Profile) -> str:
    """The one operator that takes most of its kind, if one does."""
    name, us = mine.costliest.get(kind, ("", 0.0))
    whole_us = mine.parts[kind].us
    if us < MOST_OF_KIND * whole_us:
        return ""
    return f", most of it `{name}` ({us / mine.whole_us:.0%})"


def _rate(rate: float) -> str:
    return f"{number(rate)} GMAC/s"


def _times(times: float) -> str:
    return f"{times:.1f} times slower" if times >= 1 else f"{1 / times:.1f} times faster"

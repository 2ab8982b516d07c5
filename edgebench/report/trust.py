"""How far the cells of a device are to be trusted; where it was held back throughout, by what."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from edgebench.report import doubts
from edgebench.report.doubts import Doubt, Level
from edgebench.report.judged import verdict
from edgebench.report.rows import Row
from edgebench.report.table import clean

Found = Mapping[int, Sequence[Doubt]]
"""The doubts of each row by its place."""
_JUDGED = ("suspect", "invalid")
_HELD = frozenset({"heat", "disturbed", "supply", "unjudged"})
"""What was wrong while it was measured: what a cell ran and answered has nothing to do with it."""


def by_device(rows: Sequence[Row]) -> dict[str, list[int]]:
    """Places of the rows of each kind of device, by its name."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        found[clean(str(row["device"]))].append(place)
    return dict(sorted(found.items()))


def of_devices(rows: Sequence[Row], found: Found) -> Iterator[tuple[str, str]]:
    """``("raspberry-pi-5", "7 of 9 cells valid and ran as asked; 1 suspect (1 heat), 1 failed")``.

    What is good here adds up to what the page's lead counts.
    """
    for device, places in by_device(rows).items():
        words = {place: verdict(rows[place]) for place in places}
        counted = Counter(words.values())
        fell = [place for place in places if rows[place].get("fallback")]
        doubly = sum(words[place] != "valid" for place in fell)
        good = counted.pop("valid", 0) - (len(fell) - doubly)
        held = held_back(rows, found, places)
        if held:
            counted.pop("suspect")
        told = []
        for word, count in counted.most_common():
            mine = [place for place in places if words[place] == word]
            told.append(f"{count} {word}{_causes(mine, found) if word in _JUDGED else ''}")
        already = f" ({doubly} of them counted already)" if doubly else ""
        told += [f"{len(fell)} ran otherwise than asked{already}"] if fell else []
        sound = held or _sound(good, places, found)
        yield device, "; ".join([sound, *([", ".join(told)] if told else [])])


def _sound(good: int, places: Sequence[int], found: Found) -> str:
    cells = "1 cell" if len(places) == 1 else f"{len(places)} cells"
    lost = sum(loses_elsewhere(found.get(place, ())) for place in places)
    elsewhere = f" ({lost} of them with accuracy lost elsewhere)" if lost else ""
    return f"{good or 'none'} of {cells} valid and ran as asked{elsewhere}"


def loses_elsewhere(mine: Sequence[Doubt]) -> bool:
    """Whether nothing worse is known of a cell than that its model loses accuracy elsewhere."""
    grave = {doubt.kind for doubt in mine if doubts.KINDS[doubt.kind].level < Level.KNOW}
    return grave == {"elsewhere"}


def held_back(rows: Sequence[Row], found: Found, places: Sequence[int]) -> str:
    """Of a device that was held back throughout: that all of its cells are suspect, and by what.

    ``all 62 of its cells that have figures are suspect: disturbed while measured in all of them,
    such as: held back by the cgroup's CPU quota for 148 ms``; empty where any cell is not, or is
    for what it answered alone.
    """
    timed = [place for place in places if rows[place]["status"] == "ok"]
    kinds = [{doubt.kind for doubt in found.get(place, ())} for place in timed]
    suspect = all(verdict(rows[place]) == "suspect" for place in timed)
    if not timed or not suspect or not all(some & _HELD for some in kinds):
        return ""
    some = "" if len(timed) == len(places) else " that have figures"
    which = f"all {len(timed)} of its cells{some} are" if len(timed) > 1 else "its only cell is"
    which = which if len(timed) > 1 or not some else "its only cell that has figures is"
    having = Counter(kind for some in kinds for kind in some & (_HELD | {"accuracy"}))
    told = [_held(kind, count, len(timed), found, timed) for kind, count in having.most_common()]
    return f"{which} suspect: {', '.join(told)}"


def _held(kind: str, count: int, of: int, found: Found, places: Sequence[int]) -> str:
    """A cause with how many have it; of what held it back, what most were told."""
    words = doubts.KINDS[kind].words
    cells = "" if count == of == 1 else f" in {'all of them' if count == of else count}"
    if kind == "accuracy":
        return f"{words}{cells}"
    groups = doubts.grouped({at: [d for d in found[at] if d.kind == kind] for at in places})
    return f"{words}{cells} ({doubts.commonest(groups[0].doubts).lstrip(',: ')})"


def _causes(places: Sequence[int], found: Found) -> str:
    """Of how many of these cells each cause is; what ran otherwise is told of all together."""
    having = Counter(
        kind for place in places for kind in {doubt.kind for doubt in found.get(place, ())}
    )
    grave = [
        (having[name], kind.short)
        for name, kind in doubts.KINDS.items()
        if having[name] and kind.level < Level.KNOW and name != "fallback"
    ]
    told = [f"{count} {short}" for count, short in sorted(grave, key=lambda one: -one[0])]
    return f" ({', '.join(told)})" if told else ""

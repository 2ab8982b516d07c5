"""How many times as fast: the same case on two devices, or in two precisions, with a verdict.

Speeds are ratios above 1 where the cell is the faster one, whatever its scenario is judged by: a
median latency, a throughput, the rate that a server bears.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from edgebench.analysis import elsewhere, pairing
from edgebench.analysis.compare import CANNOT_TELL, METRICS, SAME, Comparison, judged_together
from edgebench.analysis.figure import number
from edgebench.report import answers, comparison, losses
from edgebench.report.labels import labels
from edgebench.report.table import clean
from edgebench.store import merge

Cells = Mapping[str, Any]
FASTER, SLOWER = "faster", "slower"
MIRRORED = {FASTER: SLOWER, SLOWER: FASTER}
"""Verdicts as they are from the other side."""
REFERENCES = 8
"""Devices that others are held against at most: those with the most cells."""
_PAIRS = 10_000
"""At most, or nearly: the pairs of all devices grow with their square."""
RAN, INVALID, FAILED, SKIPPED = "ran otherwise", "invalid", "failed", "skipped"
OUTCOMES = (FASTER, SAME, CANNOT_TELL, SLOWER, RAN, INVALID, FAILED, "not comparable")
_SAME_CASE = ("workload", "backend", "precision")
_UNIT = ("device", "device_id", "device_setup")
_ENERGY = "energy_gross_mj"
SUSPECT = "faster, but suspect"
"""Why a precision is not worth it where that alone is against it."""
WANTED = ("int8", "int8_dynamic", "fp16", "bf16")
"""Precisions, in the order in which they are asked for."""


_Ends = tuple[float | None, float | None, float | None]


class Speed(NamedTuple):
    """A cell against another one."""

    cell: Cells
    other: Cells
    verdict: str
    """faster, slower, same, can't tell or not comparable."""
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    why: str = ""


def metric(row: Cells) -> str:
    """What the speed of a cell is judged by."""
    measure = answers.measure(row)
    return f"{measure.stem}_{measure.unit}"


def cases(rows: Sequence[Cells]) -> list[str]:
    """What each row ran, in words that are the same on every device.

    Args:
        rows: With ``question``, as `edgebench.report.charts.prepared` has it.
    """
    own = {"device", "device_id", "run_id", "case_id"}
    told = [{k: v for k, v in row.items() if k not in own} for row in rows]
    for row, one in zip(rows, told, strict=True):
        one |= {"parameters": pairing.asked(row) or None, "workload": row["question"]}
    named = zip(rows, labels(told), strict=True)
    return [clean(f"{row['question']} {name}") for row, name in named]


def devices(rows: Sequence[Cells]) -> dict[str, list[Cells]]:
    """The latest cells of each device by name, the most cells first; units have their own."""
    units: defaultdict[tuple[object, ...], list[Cells]] = defaultdict(list)
    for row in merge.latest(rows, each_setup=True):
        units[tuple(row.get(name) for name in _UNIT)].append(row)
    kinds = Counter(str(unit[0]) for unit in units)
    found = {}
    for unit, cells in sorted(units.items(), key=lambda one: (-len(one[1]), str(one[0]))):
        words = unit if kinds[str(unit[0])] > 1 else unit[:1]
        found[clean(" ".join(str(word) for word in words if word is not None))] = cells
    return found


def between(
    a: Sequence[Cells], b: Sequence[Cells], same: Sequence[str], names: tuple[str, str]
) -> list[Speed]:
    """The cells of B against their counterparts in A.

    Args:
        a: Of one unit (and precision), the reference.
        b: Of another one.
        same: Columns in which two cells must agree to be counterparts.
        names: What A and B are called in reasons.
    """
    pairs = [
        (ours, theirs)
        for ours, theirs in pairing.pair(a, b).pairs
        if all(ours.get(name) == theirs.get(name) for name in same)
    ]
    by_metric: defaultdict[str, list[tuple[Cells, Cells]]] = defaultdict(list)
    for ours, theirs in pairs:
        by_metric[metric(ours)].append((ours, theirs))
    found = []
    for name, some in by_metric.items():
        raw = [comparison.compared(ours, theirs, name) for ours, theirs in some]
        for (ours, theirs), (one, _) in zip(some, judged_together(raw, name), strict=True):
            found.append(_speed(theirs, ours, one, name)._replace(why=_brief(one.reason, names)))
    return found


def _speed(cell: Cells, other: Cells, one: Comparison, name: str) -> Speed:
    """Of a comparison, which is of a figure and not of a speed."""
    if one.ratio is None:
        return Speed(cell, other, one.verdict)
    judged = METRICS[name]
    if judged.more_is_better:
        words = {judged.less: SLOWER, judged.more: FASTER}
        ends: _Ends = (one.ratio, one.low, one.high)
    else:
        words = {judged.less: FASTER, judged.more: SLOWER}
        ends = (_over(one.ratio), _over(one.high), _over(one.low))
    return Speed(cell, other, words.get(one.verdict, one.verdict), *ends)


def _over(ratio: float | None) -> float | None:
    return None if ratio is None else 1 / ratio


def _brief(reason: str, names: tuple[str, str]) -> str:
    """Which of the two is at fault, without what is told of it elsewhere; true from both sides."""
    if reason.startswith("ran "):
        return ", ".join(f"{n} {ran}" for n, ran in zip(names, reason.split(" -> "), strict=False))
    words = reason.partition(":")[0]
    for side, name in zip(("A ", "B "), names, strict=True):
        if words.startswith(side):
            return f"{name} {words[2:]}"
    return words


def of_devices(rows: Sequence[Cells]) -> dict[tuple[str, str], list[Speed]]:
    """Each pair of devices once: by ``(reference, device)`` the cells of the device against it.

    The device with the most cells is the first reference; there are `REFERENCES` at most, fewer
    where there are thousands of cells. `mirrored` gives a pair's other side.
    """
    units = devices(rows)
    names = list(units)
    most = min(REFERENCES, max(1, _PAIRS // max(1, len(rows))))
    return {
        (name, other): between(units[name], units[other], _SAME_CASE, (name, other))
        for place, name in enumerate(names[:most])
        for other in names[place + 1 :]
    }


def references(found: Mapping[tuple[str, str], Sequence[Speed]]) -> list[str]:
    """Devices that all others are held against, of what `of_devices` found."""
    counts = Counter(name for pair in found for name in pair)
    return [name for name, count in counts.items() if count == len(counts) - 1][:REFERENCES]


def mirrored(one: Speed) -> Speed:
    """The same from the other side."""
    verdict = MIRRORED.get(one.verdict, one.verdict)
    ends = (_over(one.ratio), _over(one.high), _over(one.low))
    return Speed(one.other, one.cell, verdict, *ends, one.why)


class Gain(NamedTuple):
    """What another precision than fp32 gains a case, and what it costs."""

    speed: Speed
    outcome: str
    """One of `OUTCOMES`."""
    ran: str
    """What it ran in."""
    loss_ratio: float | None
    """Accuracy lost (top-1, mAP50 or mIoU), with its ends where they are known."""
    loss_low: float | None
    loss_high: float | None
    energy_ratio: float | None
    """Its whole energy of an inference over that of fp32."""
    worth: bool
    """Surely faster, valid, and within the accuracy that a cell may lose."""
    doubt: str
    """Why it is not worth it; empty where it is."""


def of_precisions(rows: Sequence[Cells]) -> list[Gain]:
    """Each cell in another precision against fp32 of the same backend on the same unit."""
    found = []
    lost = {id(row): words for row, words in zip(rows, elsewhere.told(rows), strict=True)}
    for cells in devices(rows).values():
        by_precision: defaultdict[str, list[Cells]] = defaultdict(list)
        for row in cells:
            if not _is(row, SKIPPED):
                by_precision[str(row.get("precision"))].append(row)
        plain = by_precision.pop("fp32", [])
        same = ("workload", "backend", "accelerator")
        for precision in sorted(by_precision, key=order):
            names = ("fp32", precision)
            speeds = between(plain, by_precision[precision], same, names)
            found += [_gain(one, lost[id(one.cell)]) for one in speeds]
    return found


class Alone(NamedTuple):
    """A cell in another precision than fp32 that nothing can be told of."""

    cell: Cells
    why: str


def without_fp32(rows: Sequence[Cells], gains: Sequence[Gain]) -> list[Alone]:
    """The cells that `of_precisions` leaves out: skipped, or without an fp32 of the same case.

    Args:
        rows: As `of_precisions`.
        gains: What that found.
    """
    told = {id(one.speed.cell) for one in gains}
    latest = [row for cells in devices(rows).values() for row in cells]
    skipped = {_case(row) for row in latest if _is(row, SKIPPED) and row["precision"] == "fp32"}
    return [
        Alone(row, _alone(row, skipped))
        for row in latest
        if row.get("precision") != "fp32" and id(row) not in told
    ]


def _is(row: Cells, status: str) -> bool:
    return bool(row.get("status") == status)


def _case(row: Cells) -> tuple[object, ...]:
    """What a cell and its fp32 share."""
    names = (*_UNIT, "question", "backend", "accelerator", "threads", "options")
    return tuple(row.get(name) for name in names)


def _alone(row: Cells, skipped: set[tuple[object, ...]]) -> str:
    if _is(row, SKIPPED):
        return SKIPPED
    return (
        "its fp32 was skipped" if _case(row) in skipped else "no fp32 of the same case was measured"
    )


def order(precision: str) -> tuple[int, str]:
    """int8 first: it is what is asked for."""
    return (WANTED.index(precision) if precision in WANTED else len(WANTED), precision)


def _gain(speed: Speed, lost: str) -> Gain:
    cell, fp32 = speed.cell, speed.other
    outcome = _outcome(speed)
    name = metric(cell)
    mine, theirs = number(cell, name), number(fp32, name)
    if speed.ratio is None and outcome in {RAN, INVALID} and mine and theirs:
        ratio = mine / theirs if METRICS[name].more_is_better else theirs / mine
        speed = speed._replace(ratio=ratio)
    stem = "top1" if number(cell, "top1_loss_ratio") is not None else "quality"
    ends = [number(cell, f"{stem}_loss_{end}ratio") for end in ("", "lo_", "hi_")]
    energy = comparison.compared(fp32, cell, _ENERGY).ratio
    ran = str(cell.get("effective_precision") or "")
    loss, low, high = ends
    doubt = _doubt(speed, outcome, loss, lost)
    return Gain(speed, outcome, ran, loss, low, high, energy, not doubt, doubt)


def _outcome(speed: Speed) -> str:
    cell = speed.cell
    if cell.get("status") not in {"ok", None}:
        return FAILED
    if cell.get("validity") == "invalid":
        return INVALID
    return RAN if cell.get("fallback") else speed.verdict


def _doubt(speed: Speed, outcome: str, loss: float | None, lost: str) -> str:
    cell = speed.cell
    if outcome == RAN:
        ran = str(cell.get("effective_precision"))
        asked = ran == cell.get("precision")
        return (
            f"ran on {cell.get('effective_accelerator')} instead" if asked else f"ran {ran} instead"
        )
    if outcome in {INVALID, FAILED}:
        return outcome
    if outcome != FASTER:
        words = {SLOWER: "slower than fp32", SAME: "as fast as fp32"}
        return words.get(outcome) or speed.why or outcome
    if loss is not None and loss > losses.MAX_LOSS_RATIO:
        return f"loses more than {losses.MOST}"
    if loss is None and lost:
        return f"loses more than {losses.MOST} elsewhere"
    return SUSPECT if cell.get("validity") == "suspect" else ""

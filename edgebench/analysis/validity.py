"""Whether a launch's figures may be trusted, from what was seen while it ran."""

from __future__ import annotations

import sys
from typing import Literal, NamedTuple

from edgebench.analysis import disturbances, slowdowns
from edgebench.records import Parity, ParityLimits, PlannedCase, Precision, Record, Task

Validity = Literal["valid", "suspect", "invalid"]


class Limit(NamedTuple):
    """What outputs of one task and precision must reach, and why no more is asked."""

    min_cosine: float
    min_top1_ratio: float | None
    """Of answers, of pixels, or of the elements of an output of integers; None where a task has
    none of these."""
    reason: str


LIMITS: dict[tuple[Task, Precision], Limit] = {
    ("classification", "fp32"): Limit(
        0.9999,
        0.98,
        "sums in another order, Winograd included: right ones stayed above 0.999999; a wrong "
        "importer (OpenCV 4's TFLite) came to 0.9998 and 0.93",
    ),
    ("classification", "fp16"): Limit(
        0.999, 0.98, "11 bits of significand: 0.999998 was seen, 0.9996 where bf16 ran instead"
    ),
    ("classification", "bf16"): Limit(
        0.99, 0.95, "8 bits of significand: 0.9998 and 0.98 of the answers were seen"
    ),
    ("classification", "int8"): Limit(
        0.90,
        0.85,
        "8 bits a value: 0.997 and 0.94 of the answers were seen, on inputs that lie between "
        "classes; top-1 over labelled images is judged by itself",
    ),
    ("classification", "int8_dynamic"): Limit(
        0.90, 0.85, "as int8: 0.998 and 0.98 of the answers were seen"
    ),
    ("detection", "fp32"): Limit(
        0.9999, None, "boxes and scores as they leave the network: 0.9999999 was seen"
    ),
    ("detection", "fp16"): Limit(
        0.999, None, "0.99998 was seen, and 0.9997 where bf16 ran instead: mAP moved by 0.2 points"
    ),
    ("detection", "bf16"): Limit(0.99, None, "0.9997 was seen"),
    ("detection", "int8"): Limit(
        0.90,
        None,
        "0.98 was seen, and 0.94 of one converter, whose mAP lost 1.0 points; mAP over labelled "
        "scenes is judged by itself",
    ),
    ("detection", "int8_dynamic"): Limit(0.90, None, "as int8: 0.993 was seen"),
    ("segmentation", "fp32"): Limit(0.9999, 0.98, "0.9999999 and every pixel were seen"),
    ("segmentation", "fp16"): Limit(
        0.999, 0.98, "0.999998 and 0.9999 of the pixels were seen, 0.9999 and 0.999 where bf16 ran"
    ),
    ("segmentation", "bf16"): Limit(
        0.99,
        0.95,
        "0.9999 and 0.999 of the pixels were seen; 0.9996 and 0.98 of a network so little trained "
        "that most pixels lay between classes",
    ),
    ("segmentation", "int8"): Limit(
        0.90,
        0.95,
        "0.996 and 0.996 of the pixels were seen; where nine of ten are background, few need be "
        "wrong to lose a class; mIoU over labelled scenes is judged by itself",
    ),
    ("segmentation", "int8_dynamic"): Limit(
        0.90, 0.95, "as int8: 0.998 and 0.996 of the pixels were seen"
    ),
    ("other", "fp32"): Limit(
        0.9999, 0.98, "as classification: nothing is known of the numbers but their direction"
    ),
    ("other", "fp16"): Limit(0.999, 0.98, "as classification"),
    ("other", "bf16"): Limit(0.99, 0.95, "as classification"),
    ("other", "int8"): Limit(0.90, 0.85, "as classification"),
    ("other", "int8_dynamic"): Limit(0.90, 0.85, "as classification"),
}
"""Figures seen are the worst of every right backend on the bundled workloads and on the detector
and the segmenter of digits (x86-64)."""
NO_GATE = "random weights: int8 parity is no gate"
"""Caveat: what 8 bits leave of weights that mean nothing says nothing about a runtime."""
_ANY = ParityLimits(min_cosine=-1.0, min_top1_ratio=0.0)
_AGREEMENT: dict[Task, str] = {
    "classification": "top-1 agreement",
    "detection": "top-1 agreement",
    "segmentation": "agreement of pixels",
    "other": "top-1 agreement",
}
_CLOCK_RATIO = 0.01


def parity_fault(
    parity: Parity | None,
    precision: Precision,
    task: Task = "classification",
    own: ParityLimits | None = None,
) -> str:
    """Why outputs do not match the reference, in one line; empty where they do.

    Args:
        parity: What was found; None where nothing was compared.
        precision: Asked for.
        task: With the precision it gives the limits.
        own: The workload's, each before the task's.
    """
    if parity is None:
        return ""
    if not parity.max_abs_error < sys.float_info.max:  # how passes.compare writes it down
        return "parity: outputs are NaN or infinite"
    least, own = LIMITS[task, precision], own or ParityLimits()
    # Of numbers that nobody told the meaning of, the largest one is no answer.
    agreement = None if task == "other" else least.min_top1_ratio
    for words, figure, stated, usual in (
        ("cosine", parity.cosine, own.min_cosine, least.min_cosine),
        (_AGREEMENT[task], parity.top1_ratio, own.min_top1_ratio, agreement),
        ("equal elements", parity.equal_ratio, own.min_top1_ratio, least.min_top1_ratio),
    ):
        limit = usual if stated is None else stated
        if figure is None or limit is None:  # there is no such output, or nothing to ask of it
            continue
        if not figure >= limit:  # a NaN is no pass
            whose = f"{precision} {task}" if stated is None else "this workload"
            return f"parity: {words} {figure:.5f} below {limit:g} ({whose})"
    return ""


def clock_caveat(clock_ns: int | None, median_ns: float) -> str:
    """A note where the clock's own cost is more than 1 % of what it measures."""
    if clock_ns and median_ns and clock_ns > _CLOCK_RATIO * median_ns:
        return f"reading the clock ({clock_ns} ns) is {clock_ns / median_ns:.1%} of the median"
    return ""


def verdict(launches: list[Record], planned: PlannedCase) -> tuple[Validity, list[str]]:
    """``(validity, reasons)`` of a planned case from its ok launches.

    Invalid, whatever the speed: outputs that do not match; and under-voltage from the first look
    to the last in half of the launches or more. Those are figures of a power supply: the device
    with a right one is another device, and no number of launches averages that away.

    Suspect: a launch that heat or the supply slowed down, be it one. Heat stays from launch to
    launch, so its neighbours were close to it, and tails are pooled. It is not invalid, since a
    hot device is what many will have; ``sustained`` asks for just that and is not suspected.

    Suspect, too: a disturbance in half of the launches or more, since fewer hardly move the median
    of medians. What could not be read counts neither way.
    """
    asked = planned.case.precision, planned.task, _gate(planned)
    faults = {fault for r in launches if (fault := parity_fault(r.parity, *asked))}
    if faults:
        return "invalid", sorted(faults)
    told = [NO_GATE] if _gate(planned) is _ANY and any(r.parity for r in launches) else []
    slow = [slowdowns.of(record) for record in launches]
    starved = [[s.words for s in one if s.cause == "supply" and s.throughout] for one in slow]
    if _in_half(starved):
        return "invalid", [*_reasons(starved), *told]
    hot = planned.case.scenario == "sustained"
    causes = {"supply"} if hot else {"supply", "heat"}
    held = [[s.words for s in one if s.cause in causes] for one in slow]
    unsure = [[s.words for s in one if s.cause == "unsure" and not hot] for one in slow]
    noisy = [[*disturbances.of(r), *words] for r, words in zip(launches, unsure, strict=True)]
    reasons = _reasons(held) if any(held) else []
    reasons += next(filter(None, noisy)) if _in_half(noisy) else []
    return ("suspect" if reasons else "valid"), [*reasons, *told]


def _in_half(found: list[list[str]]) -> bool:
    """Whether half of the launches or more have something."""
    having = sum(map(bool, found))
    return having > 0 and 2 * having >= len(found)


def _reasons(found: list[list[str]]) -> list[str]:
    """The words of the first launch that has any, and how many have."""
    having = [words for words in found if words]
    *most, last = having[0]
    return [*most, f"{last} ({len(having)} of {len(found)} launches)"]


def _gate(planned: PlannedCase) -> ParityLimits | None:
    """The workload's own limits; those that any finite outputs keep where nothing can be asked."""
    if planned.weights == "random" and planned.case.precision in {"int8", "int8_dynamic"}:
        return _ANY
    return planned.parity

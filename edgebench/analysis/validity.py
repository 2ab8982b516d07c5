"""Whether a launch's figures may be trusted, from what was seen while it ran."""

from __future__ import annotations

import sys
from typing import Literal, NamedTuple

from edgebench.records import Parity, ParityLimits, PlannedCase, Precision, Record, Task
from edgebench.units import NS_PER_S

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
    ("segmentation", "fp16"): Limit(0.999, 0.98, "0.99998 and 0.997 of the pixels were seen"),
    ("segmentation", "bf16"): Limit(0.99, 0.95, "0.9996 and 0.985 of the pixels were seen"),
    ("segmentation", "int8"): Limit(
        0.90,
        0.85,
        "0.976 and 0.87 of the pixels were seen, of a network so little trained that most pixels "
        "lay between classes; mIoU over labelled scenes is judged by itself",
    ),
    ("segmentation", "int8_dynamic"): Limit(
        0.90, 0.85, "as int8: 0.997 and 0.96 of the pixels were seen"
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
_RUN_DELAY_RATIO = 0.05
_SWITCHES_HZ = 100
"""Involuntary switches of the main thread; a scheduler shares a CPU 100 to 300 times a second."""
_SWITCHED_DELAY_RATIO = 0.01
"""Being switched away and back at once costs microseconds: it counts where it came to waiting."""
_OTHERS_RATIO = 0.10
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


def disturbances(record: Record) -> list[str]:
    """What spoiled a launch, a line each; empty for a quiet one.

    Nothing that could not be read counts as quiet or as noisy: it is passed over.
    """
    found: list[str] = []
    window_ns = record.window_ns
    if not window_ns:
        return found
    if record.run_delay_ns is not None and record.run_delay_ns > _RUN_DELAY_RATIO * window_ns:
        share = record.run_delay_ns / window_ns
        found.append(f"waited for a CPU {share:.0%} of the time")
    elif switched := _switched_hz(record):
        found.append(f"lost its CPU {switched:.0f} times a second")
    before, after = record.environment_before, record.environment_after
    if before is None or after is None:
        return found
    if before.throttled_ns is not None and after.throttled_ns is not None:
        held_ns = after.throttled_ns - before.throttled_ns
        if held_ns > 0:
            found.append(f"held back by the cgroup's CPU quota for {held_ns / 1e6:.0f} ms")
    if before.busy_all_ns is not None and after.busy_all_ns is not None:
        others_ns = after.busy_all_ns - before.busy_all_ns - (record.cpu_ns or 0)
        # /proc/stat counts in ticks of 10 ms: two of them may be rounding.
        if others_ns > max(_OTHERS_RATIO * window_ns, 30_000_000):
            found.append(f"other processes used {others_ns / window_ns:.0%} of a CPU")
    if (after.swap_used_byte or 0) > (before.swap_used_byte or 0):
        found.append("swapping")
    return found


def _switched_hz(record: Record) -> float:
    """How often others took the CPU away, where that is too often; else 0.

    Where the kernel does not tell how long it waited then, the number alone must do.
    """
    if record.involuntary_switches is None or not record.window_ns:
        return 0.0
    often_hz = record.involuntary_switches * NS_PER_S / record.window_ns
    delay_ns = record.run_delay_ns
    waited = delay_ns is None or delay_ns > _SWITCHED_DELAY_RATIO * record.window_ns
    return often_hz if often_hz > _SWITCHES_HZ and waited else 0.0


def clock_caveat(clock_ns: int | None, median_ns: float) -> str:
    """A note where the clock's own cost is more than 1 % of what it measures."""
    if clock_ns and median_ns and clock_ns > _CLOCK_RATIO * median_ns:
        return f"reading the clock ({clock_ns} ns) is {clock_ns / median_ns:.1%} of the median"
    return ""


def verdict(launches: list[Record], planned: PlannedCase) -> tuple[Validity, list[str]]:
    """``(validity, reasons)`` of a planned case from its ok launches.

    Outputs that do not match make a case invalid whatever its speed; a disturbance in half of the
    launches or more makes it suspect, since fewer hardly move the median of medians.
    """
    asked = planned.case.precision, planned.task, _gate(planned)
    faults = {fault for r in launches if (fault := parity_fault(r.parity, *asked))}
    if faults:
        return "invalid", sorted(faults)
    told = [NO_GATE] if _gate(planned) is _ANY and any(r.parity for r in launches) else []
    noisy = [reasons for record in launches if (reasons := disturbances(record))]
    if noisy and 2 * len(noisy) >= len(launches):
        return "suspect", [*noisy[0], *told]
    return "valid", told


def _gate(planned: PlannedCase) -> ParityLimits | None:
    """The workload's own limits; those that any finite outputs keep where nothing can be asked."""
    if planned.weights == "random" and planned.case.precision in {"int8", "int8_dynamic"}:
        return _ANY
    return planned.parity

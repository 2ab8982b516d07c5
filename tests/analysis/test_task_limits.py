"""What outputs of each task must keep, and what is asked of random weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edgebench.analysis import validity
from edgebench.records import Case, Parity, ParityLimits, PlannedCase, Record, Task


def parity(
    cosine: float = 1.0, top1_ratio: float | None = None, equal_ratio: float | None = None
) -> Parity:
    return Parity(
        samples=8,
        cosine=cosine,
        max_abs_error=0.1,
        top1_ratio=top1_ratio,
        equal_ratio=equal_ratio,
    )


@pytest.mark.parametrize(
    ("task", "found", "words"),
    [
        ("detection", parity(), ""),
        ("detection", parity(0.9), "cosine 0.90000 below"),
        # Of three outputs' numbers the largest is no answer.
        ("other", parity(top1_ratio=0.1), ""),
        ("other", parity(0.9), "cosine 0.90000 below"),
        # An index is right or wrong, whatever the task.
        ("other", parity(equal_ratio=0.5), "equal elements 0.50000 below"),
        ("segmentation", parity(top1_ratio=1.0), ""),
        ("segmentation", parity(top1_ratio=0.5), "agreement of pixels 0.50000 below"),
        ("classification", parity(top1_ratio=0.5), "top-1 agreement 0.50000 below"),
    ],
)
def test_a_task_is_held_to_what_its_outputs_hold(task: Task, found: Parity, words: str) -> None:
    told = validity.parity_fault(found, "fp32", task)
    assert (words in told) if words else told == ""
    if words:
        assert told.endswith(f"(fp32 {task})")


def test_a_workloads_own_limit_counts_for_any_task() -> None:
    own = ParityLimits(min_top1_ratio=0.9)
    told = validity.parity_fault(parity(top1_ratio=0.5), "fp32", "other", own)
    assert told == "parity: top-1 agreement 0.50000 below 0.9 (this workload)"


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", "int8", "int8_dynamic"])
def test_random_weights_are_held_to_every_precision_but_int8(
    case: Callable[..., Case], record: Callable[..., Record], precision: str
) -> None:
    one = case(precision=precision)
    planned = PlannedCase(
        case_id="1", case=one, task="segmentation", weights="random", parity=ParityLimits()
    )
    verdict, reasons = validity.verdict([record(one, parity=parity(0.1, 0.1))], planned)
    if precision.startswith("int8"):
        assert (verdict, reasons) == ("valid", ["random weights: int8 parity is no gate"])
    else:
        assert verdict == "invalid"
    trained = PlannedCase(case_id="1", case=one, task="segmentation")
    assert validity.verdict([record(one, parity=parity(0.1, 0.1))], trained)[0] == "invalid"


def test_nan_is_wrong_for_random_weights_too(
    case: Callable[..., Case], record: Callable[..., Record]
) -> None:
    one = case(precision="int8")
    planned = PlannedCase(case_id="1", case=one, weights="random")
    nan = Parity(samples=8, cosine=-1.0, max_abs_error=1.7976931348623157e308, top1_ratio=0.0)
    told = validity.verdict([record(one, parity=nan)], planned)
    assert told == ("invalid", ["parity: outputs are NaN or infinite"])

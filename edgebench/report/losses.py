"""Top-1 that a cell loses against fp32: which fp32, how much, and whether that is known."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from edgebench.analysis import mcnemar
from edgebench.records import Accuracy
from edgebench.report.figures import Row

MAX_LOSS_RATIO = 0.01
"""Top-1 that a cell may lose against fp32 before its speed no longer counts as valid."""
_SAME = (
    *("workload", "backend", "accelerator", "threads", "batch", "streams", "scenario"),
    *("region", "engine", "tuning", "parameters", "options"),
)

Judged = tuple[Row, Accuracy]
"""A row and the accuracy it was made of."""


def add(rows: Sequence[Row], accuracies: Sequence[Accuracy | None]) -> None:
    """Add a run's losses to its rows.

    Against fp32 of the same backend and everything else alike. A cell that has none (a runtime
    without fp32) is held against the run's first fp32 cell of its workload that keeps parity: fp32
    gives the same answers on each of these, and `top1_loss_against` says whose it was.

    Args:
        rows: Of one run, in the order of its plan.
        accuracies: Of each row; None where it was not measured.
    """
    judged: list[Judged] = [
        (row, accuracy) for row, accuracy in zip(rows, accuracies, strict=True) if accuracy
    ]
    alike: dict[Hashable, Judged] = {}
    first: dict[Hashable, Judged] = {}
    for row, accuracy in judged:
        if row["precision"] == "fp32":
            alike.setdefault((*(row[key] for key in _SAME), *_images(accuracy)), (row, accuracy))
            if row["validity"] != "invalid":  # else its own faults would be taken off
                first.setdefault((row["workload"], *_images(accuracy)), (row, accuracy))
    for row, accuracy in judged:
        images = _images(accuracy)
        reference = alike.get((*(row[key] for key in _SAME), *images))
        reference = reference or first.get((row["workload"], *images))
        if reference is not None:
            _add(row, accuracy, reference)


def _images(accuracy: Accuracy) -> tuple[int, str]:
    return accuracy.samples, accuracy.source


def _add(row: Row, accuracy: Accuracy, reference: Judged) -> None:
    theirs = reference[1]
    lost = (theirs.correct - accuracy.correct) / accuracy.samples
    row["top1_loss_ratio"] = lost
    row["top1_loss_against"] = reference[0]["backend"]
    if reference[0] is row:
        return
    found = mcnemar.discordant(theirs, accuracy)
    if found is not None:
        interval = mcnemar.loss(found)
        row |= {
            "top1_loss_lo_ratio": interval.low,
            "top1_loss_hi_ratio": interval.high,
            "top1_lost_samples": found.lost,
            "top1_won_samples": found.won,
            "top1_mcnemar_p": mcnemar.p_value(found),
        }
    if lost > MAX_LOSS_RATIO and row["validity"] == "valid":
        row["validity"] = "suspect"
        known = f" (McNemar's p {row['top1_mcnemar_p']:.2g})" if found else ""
        note = f"top-1 loses {100 * lost:.1f} points against fp32{known}"
        row["caveats"] = "; ".join(filter(None, [note, str(row["caveats"] or "")]))

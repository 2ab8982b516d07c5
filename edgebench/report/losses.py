"""Accuracy that a cell loses against fp32: which fp32, how much, and whether that is known."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

from edgebench.analysis import elsewhere, mcnemar
from edgebench.records import Accuracy, Quality
from edgebench.report.figures import WORDS, Row

MAX_LOSS_RATIO = elsewhere.MAX_LOSS_RATIO
MOST = f"{100 * MAX_LOSS_RATIO:g} point"
"""The same in words."""
_SAME = (
    *("workload", "backend", "accelerator", "threads", "batch", "streams", "scenario"),
    *("region", "engine", "tuning", "parameters", "options"),
)

Figure = TypeVar("Figure", bound="Accuracy | Quality")
Judged = tuple[Row, Figure]
"""A row and the figure it was made of."""


def add(rows: Sequence[Row], accuracies: Sequence[Accuracy | None]) -> None:
    """Add a run's losses of top-1 to its rows.

    Against fp32 of the same backend and everything else alike. A cell that has none (a runtime
    without fp32) is held against the run's first fp32 cell of its workload that keeps parity: fp32
    gives the same answers on each of these, and `top1_loss_against` says whose it was.

    Args:
        rows: Of one run, in the order of its plan.
        accuracies: Of each row; None where it was not measured.
    """
    for (row, accuracy), reference in _with_fp32(rows, accuracies):
        _add(row, accuracy, reference)


def add_quality(rows: Sequence[Row], qualities: Sequence[Quality | None]) -> None:
    """As `add`, of mean average precision or of mean intersection over union."""
    for (row, quality), (theirs, fp32) in _with_fp32(rows, qualities):
        lost = fp32.ratio - quality.ratio
        row |= {"quality_loss_ratio": lost, "quality_loss_against": theirs["backend"]}
        if theirs is not row:
            _judge(row, lost, WORDS[quality.metric])


def _with_fp32(
    rows: Sequence[Row], figures: Sequence[Figure | None]
) -> Iterator[tuple[Judged[Figure], Judged[Figure]]]:
    """Each row that has a figure, with the row of fp32 that it is held against."""
    judged: list[Judged[Figure]] = [
        (row, figure) for row, figure in zip(rows, figures, strict=True) if figure
    ]
    alike: dict[Hashable, Judged[Figure]] = {}
    first: dict[Hashable, Judged[Figure]] = {}
    for row, figure in judged:
        if row["precision"] == "fp32":
            alike.setdefault((*(row[key] for key in _SAME), *_images(figure)), (row, figure))
            if row["validity"] != "invalid":  # else its own faults would be taken off
                first.setdefault((row["workload"], *_images(figure)), (row, figure))
    for row, figure in judged:
        images = _images(figure)
        reference = alike.get((*(row[key] for key in _SAME), *images))
        reference = reference or first.get((row["workload"], *images))
        if reference is not None:
            yield (row, figure), reference


def _images(figure: Accuracy | Quality) -> tuple[int, str]:
    return figure.samples, figure.source


def _add(row: Row, accuracy: Accuracy, reference: Judged[Accuracy]) -> None:
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
    known = f" (McNemar's p {row['top1_mcnemar_p']:.2g})" if found else ""
    _judge(row, lost, "top-1", known)


def _judge(row: Row, lost: float, words: str, known: str = "") -> None:
    """Make a cell suspect that loses too much; of one that is already, tell that too."""
    if lost > MAX_LOSS_RATIO:
        row["validity"] = "suspect" if row["validity"] == "valid" else row["validity"]
        note = f"{words} loses {100 * lost:.1f} points against fp32{known}"
        row["caveats"] = "; ".join(filter(None, [note, str(row["caveats"] or "")]))

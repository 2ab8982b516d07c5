"""Accuracy that a cell was not held to itself, and that the same model lost where it was.

A run that measures int8 alone has no fp32 to lose against: its cells are valid by what was seen of
them, and fast at the cost of accuracy all the same where another run knows that of their model.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from edgebench.analysis.figure import Cells, number, text

MAX_LOSS_RATIO = 0.01
"""Top-1, mAP or mIoU that a cell may lose against fp32 before its speed counts as valid no more."""
_SAME = (
    *("device", "workload", "workload_version", "source_sha256", "model_sha256", "format"),
    *("backend", "precision", "effective_precision", "accelerator", "effective_accelerator"),
    "options",
)
"""What two cells share that give the same answers."""
_TOP1 = "top1_loss_ratio"
_LOSSES = (_TOP1, "quality_loss_ratio")
_QUALITIES = {"map50_ratio": "mAP50", "miou_ratio": "mIoU"}
_APART = {
    "scenario": "in ",
    "region": "in region ",
    "batch": "at batch ",
    "streams": "at streams ",
    "threads": "at threads ",
}
"""How it is told where the other cell was measured: by the first in which it is another."""


def told(rows: Sequence[Cells]) -> list[str]:
    """Of each row what its model lost elsewhere; empty where its own loss is known, or none is.

    Args:
        rows: Of any questions; those of one kind of device tell of each other.
    """
    most: dict[Hashable, Cells] = {}
    for row in rows:
        lost = _loss(row)
        if lost is None or lost <= MAX_LOSS_RATIO or text(row, "validity") == "invalid":
            continue
        known = most.get(_key(row))
        if known is None or lost > (_loss(known) or 0.0):
            most[_key(row)] = row
    return [_words(row, most.get(_key(row))) if _is_open(row) else "" for row in rows]


def _is_open(row: Cells) -> bool:
    """Whether a row has figures, and nobody knows what accuracy it lost."""
    return text(row, "status") in {"", "ok"} and _loss(row) is None


def _loss(row: Cells) -> float | None:
    return next((lost for name in _LOSSES if (lost := number(row, name)) is not None), None)


def _key(row: Cells) -> Hashable:
    return tuple(text(row, name) for name in _SAME)


def _words(row: Cells, other: Cells | None) -> str:
    if other is None:
        return ""
    qualities = (words for name, words in _QUALITIES.items() if number(other, name) is not None)
    noun = "top-1" if number(other, _TOP1) is not None else next(qualities, "accuracy")
    lost = f"{100 * (_loss(other) or 0.0):.1f} points"
    return f"{noun} was held against fp32 not here but {_where(row, other)}, and loses {lost} there"


def _where(row: Cells, other: Cells) -> str:
    for name, before in _APART.items():
        if (there := other.get(name)) != row.get(name):
            return f"{before}{there}"
    return "in another run"

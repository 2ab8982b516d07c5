"""``accuracy.txt`` of an MLPerf run: top-1 has columns, every other task's figure its own name.

Reference: ``tools/submission`` of ``mlcommons/inference`` (the checker's patterns), and the scripts
that write the file. MLPerf's mAP is over overlaps of 0.5 to 0.95: no ``map50_ratio``.
"""

from __future__ import annotations

import re

from edgebench.errors import UsageError
from edgebench.store.importers.figures import Cells
from edgebench.store.importers.opened import Opened

_TOP1 = re.compile(r"^accuracy=([\d.]{1,20})%, good=(\d{1,12}), total=(\d{1,12})\s*$")
_OTHERS = {
    "accuracy mAP (%)": re.compile(r"^mAP=([\d.]{1,20})%"),
    "accuracy F1 (%)": re.compile(
        r"^\{[\"']exact_match[\"']: *[\d.]+, *[\"']f1[\"']: *([\d.]{1,20})\}"
    ),
    "accuracy DICE mean": re.compile(r"^Accuracy: *mean *= *([\d.]{1,20})"),
    "accuracy WER complement (%)": re.compile(r"^Word Error Rate:.{1,60}, accuracy=([\d.]{1,20})%"),
    "accuracy AUC (%)": re.compile(r"^AUC=([\d.]{1,20})"),
}
_ROUNDED = 0.001
"""Of a percentage with three digits."""


def put(cells: Cells, opened: Opened, name: str, notes: list[str]) -> dict[str, float]:
    """The accuracy run's figure.

    Returns:
        What has no column, by a name of ours; empty where it has one, or none is known.

    Raises:
        UsageError: The figure contradicts itself.
    """
    lines = opened.text(name).split("\n")
    for number, line in enumerate(lines, 1):
        place = f"{name}: line {number}"
        if found := _TOP1.match(line):
            _put_top1(cells, found, place)
            return {}
        for figure, pattern in _OTHERS.items():
            if found := pattern.match(line):
                return {figure: _number(found[1], place)}
    notes.append(f"{name} tells no figure that is known: left out")
    return {}


def _put_top1(cells: Cells, found: re.Match[str], place: str) -> None:
    right, total = int(found[2]), int(found[3])
    if not 0 <= right <= total or total == 0:
        raise UsageError(f"{place}: {right} of {total} are right")
    if abs(100 * right / total - _number(found[1], place)) > _ROUNDED:
        raise UsageError(f"{place}: {found[1]} % is not {right} of {total}")
    cells.put("top1_ratio", right / total, place)
    cells.put("top1_samples", total, place)


def _number(digits: str, place: str) -> float:
    try:
        return float(digits)
    except ValueError:
        raise UsageError(f"{place}: {digits!r} is no number") from None

"""Accuracy that was held against fp32 in another run tells of cells that were not."""

from __future__ import annotations

import pytest
from deciding import row

from edgebench.analysis import candidates, elsewhere, refusals
from edgebench.analysis.figure import Cells
from edgebench.report.rows import Row

LOST = "top-1 was held against fp32 not here but in single_stream, and loses 1.2 points there"


def offline(**changes: str | float | None) -> Row:
    """A cell that ran alone: its top-1 is known, and no fp32 to hold it against."""
    return row(scenario="offline") | changes


def test_a_cell_without_a_loss_of_its_own_is_told_what_its_model_lost_elsewhere() -> None:
    assert elsewhere.told([offline(), row(top1_loss_ratio=0.012)]) == [LOST, ""]


@pytest.mark.parametrize(
    "changes",
    [
        {"top1_loss_ratio": 0.01},
        {"top1_loss_ratio": None},
        *({name: "another"} for name in ("backend", "precision", "device", "source_sha256")),
        {"effective_precision": "fp32"},
        {"validity": "invalid"},
    ],
    ids=str,
)
def test_another_cell_tells_nothing_of_it(changes: dict[str, str | float | None]) -> None:
    other = row(top1_loss_ratio=0.012) | changes
    assert elsewhere.told([offline(), other]) == ["", ""]


def test_what_failed_or_knows_its_own_loss_is_told_nothing() -> None:
    other = row(top1_loss_ratio=0.012)
    known: list[Cells] = [offline(status="failed"), offline(top1_loss_ratio=0.0), other]
    assert elsewhere.told(known) == ["", "", ""]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"region": "e2e"}, "in region e2e"),
        ({"batch": 4}, "at batch 4"),
        ({"run_id": "another"}, "in another run"),
    ],
)
def test_the_most_that_was_lost_is_told_and_where(
    changes: dict[str, str | float | None], where: str
) -> None:
    more = row(quality_loss_ratio=0.03, map50_ratio=0.7) | changes
    told, *_ = elsewhere.told([row(), row(top1_loss_ratio=0.02), more])
    assert told == f"mAP50 was held against fp32 not here but {where}, and loses 3.0 points there"


def test_a_choice_notes_it() -> None:
    rows = [offline(), row(top1_loss_ratio=0.012, validity="suspect")]
    named = {one.row["scenario"]: one for group in candidates.of_rows(rows) for one in group}
    assert refusals.notes(named["offline"], "latency_p50_ms") == [f"accuracy: {LOST}"]
    assert refusals.unfit(named["offline"], require_valid=True) == ()

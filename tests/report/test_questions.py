"""Charts show only what may be held against each other in one panel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import page
import pandas as pd
import pytest

import edgebench
from edgebench.records import Case, Manifest, PlannedCase, Record
from edgebench.report import charts
from edgebench.runner.journal import Journal

Make = Callable[..., Case]
Frames = Callable[..., pd.DataFrame]


@pytest.fixture
def frame_of(
    tmp_path: Path, record: Callable[..., Record], manifest: Callable[..., Manifest]
) -> Frames:
    """A run of such cases, three launches each, as a frame."""

    def make(*cases: Case) -> pd.DataFrame:
        plan = tuple(PlannedCase(case_id=one.case_id, case=one) for one in cases)
        journal = Journal.create(tmp_path, manifest(plan=plan))
        for one in cases:
            for launch in range(3):
                journal.append(record(one, launch=launch))
        return edgebench.load(tmp_path)

    return make


def test_cells_of_one_question_share_a_panel(case: Make, frame_of: Frames) -> None:
    cells = charts.prepared(
        frame_of(
            case(),
            case(precision="int8"),
            case(region="e2e"),
            case(engine="loadgen"),
            case(scenario="paced", parameters={"rate_hz": 30.0}),
        )
    )
    assert cells["question"].tolist() == [
        "mnist_cnn",
        "mnist_cnn",
        "mnist_cnn, region e2e",
        "mnist_cnn, engine loadgen",
        "mnist_cnn, scenario paced, rate_hz=30",
    ]


def test_latencies_of_loads_that_cells_chose_are_not_drawn(case: Make, frame_of: Frames) -> None:
    frame = frame_of(
        case(),
        case(scenario="offline", parameters={"max_batch": 8.0, "max_streams": 2.0}),
        case(scenario="server", parameters={"bound_ms": 100.0}),
        case(scenario="server", parameters={"bound_ms": 100.0, "rate_hz": 10.0}),
    )
    assert charts.prepared(frame)["comparable"].tolist() == [True, False, False, True]
    texts = page.drawn(charts.latency(frame))
    assert [text for text in texts if text.startswith("mnist_cnn")] == [
        "mnist_cnn",
        "mnist_cnn, scenario server, bound_ms=100 rate_hz=10",
    ]

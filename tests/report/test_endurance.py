"""A ranking that minutes on end turn around is told, and noise is not."""

from __future__ import annotations

import pytest

from edgebench.report import endurance, table
from edgebench.report.columns import COLUMNS
from edgebench.report.figures import Row


def row(backend: str, burst_ms: float | None, sustained_ms: float | None, **more: object) -> Row:
    """A cell of a sustained run."""
    made: dict[str, object] = dict.fromkeys(column.name for column in COLUMNS)
    made |= {"workload": "mnist_cnn", "workload_version": 1, "backend": backend}
    made |= {"precision": "fp32", "scenario": "sustained", "parameters": "minutes=10"}
    made |= {"status": "ok", "validity": "valid", "launches": 3}
    made |= {"batch": 1, "streams": 1, "region": "invoke", "engine": "edgebench"}
    made |= {"tuning": "native", "burst_p50_ms": burst_ms, "sustained_p50_ms": sustained_ms}
    return made | more  # type: ignore[return-value] # whatever a test wants


def lines(*rows: Row) -> list[str]:
    return endurance.overtaken(rows, lambda one: str(one["backend"]))


def test_who_was_first_and_who_is_first_at_the_end_are_named() -> None:
    (line,) = lines(row("a", 10.0, 20.0), row("b", 11.0, 15.0), row("c", 12.0, 14.0))
    assert "the ranking of minute 1 is not the ranking at the end" in line
    assert line.endswith("(minute 1: a 10 ms, c 12; the end: a 20 ms, c 14)")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (row("b", 11.0, 21.0), "the order stayed"),
        (row("b", 10.1, 15.0), "nobody was ahead in minute 1"),
        (row("b", 11.0, 19.8), "nobody is ahead at the end"),
        (row("b", 11.0, 15.0, validity="invalid"), "its outputs are wrong"),
        (row("b", 11.0, 15.0, status="failed"), "it failed"),
        (row("b", 11.0, 15.0, workload="other"), "another question"),
        (row("b", None, None), "not measured"),
    ],
)
def test_what_is_no_change_of_rank_is_not_told(other: Row, why: str) -> None:
    assert lines(row("a", 10.0, 20.0), other) == [], why


def test_the_table_tells_it_below() -> None:
    rows = [row("a", 10.0, 20.0), row("b", 11.0, 15.0)]
    assert any("the ranking of minute 1" in note for note in table.notes(rows))


def told(*rows: Row) -> list[str]:
    return endurance.kept(rows, lambda one: str(one["backend"]))


def ratio(backend: str, kept: float | None, **more: object) -> Row:
    """A cell that keeps this share of its first speed."""
    burst_ms, end_ms = (None, None) if kept is None else (10.0, 10.0 / kept)
    return row(backend, burst_ms, end_ms, burst_sustained_ratio=kept, **more)


def test_what_is_left_of_the_first_speed_is_told_with_its_interval_and_its_moment() -> None:
    between = {"burst_sustained_lo_ratio": 0.68, "burst_sustained_hi_ratio": 0.72}
    lines = told(ratio("a", 0.9), ratio("b", 0.7, sustained_throttle_s=70.0, **between))
    assert lines == [
        "b keeps 70.0 % (68.0 to 72.0) of its first minute's speed; slowed down from 70 s on",
        "a keeps 90.0 % of its first minute's speed",
    ]


def test_cells_that_keep_their_speed_share_a_line() -> None:
    assert told(ratio("a", 0.99)) == ["a keeps its first speed (within 2 %)"]
    assert told(ratio("a", 1.01), ratio("b", 1.0)) == [
        "2 cells keep their first speed (within 2 %)"
    ]


def test_beyond_eight_cells_the_rest_is_counted() -> None:
    lines = told(*(ratio(str(index), 0.5 + 0.01 * index) for index in range(11)))
    assert len(lines) == 9
    assert lines[-1] == "3 more keep 58.0 % of it or more"


@pytest.mark.parametrize(
    "other",
    [ratio("a", None), ratio("a", 0.5, validity="invalid"), ratio("a", 0.5, status="failed")],
)
def test_what_was_not_measured_or_is_wrong_keeps_nothing(other: Row) -> None:
    assert told(other) == []

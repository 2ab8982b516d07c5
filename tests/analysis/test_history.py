"""Histories: which runs belong together, what counts, and what is told at a change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edgebench.analysis import history
from edgebench.records import Case

Cells = dict[str, object]


def _row(day: int, value: float | None, **other: object) -> Cells:
    row: Cells = {
        "device": "raspberry-pi-5",
        "device_id": "pi-a",
        "preset": "standard",
        "workload": "mnist_cnn",
        "workload_version": 1,
        "backend": "litert",
        "backend_version": "1.0",
        "precision": "int8",
        "status": "ok",
        "validity": "valid",
        "launches": 6,
        "run_id": f"202601{day:02}T080000Z-000000",
        "latency_p50_ms": value,
    }
    if value is not None:
        row |= {"latency_p50_lo_ms": value * 0.99, "latency_p50_hi_ms": value * 1.01}
    return row | other


def _figures(levels: Sequence[float], spread: float = 0.005) -> list[float]:
    noise = np.random.default_rng(1).normal(0, spread, len(levels))
    return [float(level * np.exp(off)) for level, off in zip(levels, noise, strict=True)]


def _stepped(**after: object) -> list[Cells]:
    figures = _figures([10.0] * 8 + [11.0] * 6)
    return [_row(d, v, **(after if d > 8 else {})) for d, v in enumerate(figures, 1)]


def test_a_step_is_told_with_its_size_its_interval_and_its_word() -> None:
    (one,) = history.of_rows(_stepped(), "latency_p50_ms")
    (change,) = one.changes
    assert (change.before, change.after, change.verdict) == (7, 8, "slower")
    assert change.low < change.ratio < change.high
    assert change.ratio == pytest.approx(1.1, abs=0.01)
    assert change.p_value < 0.04
    assert change.changed == ()


@pytest.mark.parametrize(
    ("column", "before", "after"),
    [
        ("backend_version", "1.0", "1.1"),
        ("edgebench_version", None, "0.2.0"),
        ("model_sha256", None, "x"),
        ("workload_version", 1, 2),
        ("device_setup", None, "2 of 4 CPUs"),
        ("validity", "valid", "suspect"),
        ("fallback", None, "precision"),
        ("effective_precision", None, "fp32"),
    ],
)
def test_what_else_changed_is_told_with_it(column: str, before: object, after: object) -> None:
    (one,) = history.of_rows(_stepped(**{column: after}), "latency_p50_ms")
    words = "none" if before is None else before
    assert [change.changed for change in one.changes] == [(f"{column} {words} -> {after}",)]


def test_another_tier_of_power_is_told_where_power_is_looked_at() -> None:
    rows = _stepped(power_tier="board_measured")
    rows = [row | {"power_w": row["latency_p50_ms"]} for row in rows]
    (latency,) = history.of_rows(rows, "latency_p50_ms")
    assert [change.changed for change in latency.changes] == [()]
    (power,) = history.of_rows(rows, "power_w")
    told = [change.changed for change in power.changes]
    assert told == [("power_tier none -> board_measured",)]


def test_runs_are_in_the_order_they_were_measured_not_imported() -> None:
    rows = _stepped()
    for place, row in enumerate(rows):
        row["started_at_utc"] = f"2025-01-{place + 1:02}T08:00:00+00:00"
        row["run_id"] = f"20260101T08{99 - place}00Z-0"
    (one,) = history.of_rows(rows, "latency_p50_ms")
    assert [point.row for point in one.points] == rows
    assert [(change.before, change.after) for change in one.changes] == [(7, 8)]


def test_runs_come_in_any_order() -> None:
    rows = _stepped()
    assert history.of_rows(rows[::-1], "latency_p50_ms") == history.of_rows(rows, "latency_p50_ms")


def test_a_flat_history_has_no_change() -> None:
    rows = [_row(day, value) for day, value in enumerate(_figures([10.0] * 14), 1)]
    (one,) = history.of_rows(rows, "latency_p50_ms")
    assert (len(one.points), one.changes) == (14, ())


def test_a_sure_change_of_no_consequence_is_not_told() -> None:
    figures = _figures([10.0] * 8 + [10.05] * 8, spread=0.0001)
    rows = [_row(d, v, latency_p50_lo_ms=None) for d, v in enumerate(figures, 1)]
    (one,) = history.of_rows(rows, "latency_p50_ms")
    assert one.changes == ()


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"status": "failed", "reason": "no model"}, "failed: no model"),
        ({"validity": "invalid", "caveats": "parity"}, "invalid: parity"),
        ({"latency_p50_ms": None}, "not measured"),
        ({"latency_p50_ms": -1.0}, "-1 has no ratio to others"),
    ],
)
def test_a_run_that_does_not_count_stays_in_its_place(other: Cells, words: str) -> None:
    rows = _stepped()
    rows[8] |= other
    (one,) = history.of_rows(rows, "latency_p50_ms")
    assert (one.points[8].figure, one.points[8].absent) == (None, words)
    assert [(change.before, change.after) for change in one.changes] == [(7, 9)]


@pytest.mark.parametrize(
    "other", [{"device_id": "pi-b"}, {"preset": "quick"}, {"threads": 4}, {"options": "a=b"}]
)
def test_another_unit_preset_or_setting_is_another_history(other: Cells) -> None:
    rows = [_row(1, 10.0), _row(2, 10.0, **other)]
    assert [len(one.points) for one in history.of_rows(rows, "latency_p50_ms")] == [1, 1]


def test_a_new_file_of_the_model_is_the_same_history() -> None:
    rows = [_row(1, 10.0, source_sha256="a"), _row(2, 10.0, source_sha256="b")]
    assert [len(one.points) for one in history.of_rows(rows, "latency_p50_ms")] == [2]


def test_turns_of_ab_are_no_run_of_a_case() -> None:
    assert history.of_rows([_row(1, 10.0, preset="ab")], "latency_p50_ms") == []


def test_a_figure_that_nobody_compares_is_more_or_less() -> None:
    rows = [row | {"latency_min_ms": row["latency_p50_ms"]} for row in _stepped()]
    (one,) = history.of_rows(rows, "latency_min_ms")
    assert [change.verdict for change in one.changes] == ["more"]


def test_a_case_is_named_as_the_case_names_itself() -> None:
    case = Case(
        workload="w",
        workload_version=1,
        source_sha256="0",
        backend="b",
        format="onnx",
        precision="fp32",
        threads=4,
        batch=2,
        streams=3,
        scenario="server",
        parameters={"rate_hz": 5.0, "a": 1.5},
        region="e2e",
        engine="loadgen",
        tuning="equal",
        accelerator="npu",
        options={"y": "2", "x": "1"},
    )
    row: Cells = {name: getattr(case, name) for name in case.__struct_fields__}
    row |= {"parameters": "a=1.5 rate_hz=5", "options": "x=1 y=2"}
    assert history.labelled(row) == case.label

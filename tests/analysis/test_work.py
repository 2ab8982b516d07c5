"""Which cells their multiply-accumulates do not explain: robust, per backend, only of enough."""

from __future__ import annotations

import numpy as np
import pytest

from edgebench.analysis import work
from edgebench.analysis.work import Row

SIZES_MMAC = (1.0, 10.0, 12.0, 60.0, 300.0, 4000.0)


def cell(size_mmac: float, latency_ms: float, **changes: str | float | None) -> Row:
    """A cell of one network of so much work."""
    row: Row = {
        "workload": f"net{size_mmac:g}",
        "work_mmac": size_mmac,
        "latency_p50_ms": latency_ms,
        "backend": "a",
        "precision": "fp32",
        "batch": 1,
        "scenario": "single_stream",
        "region": "invoke",
        "status": "ok",
    }
    return row | changes


def line_of(speed_gmacps: float, **changes: str | float | None) -> list[Row]:
    """Cells of a backend that is equally fast at everything."""
    return [cell(size, size / speed_gmacps, **changes) for size in SIZES_MMAC]


def test_the_line_is_that_of_most_points_whatever_one_does() -> None:
    sizes = np.array(SIZES_MMAC)
    latency = 0.2 * sizes**0.8
    latency[3] *= 50
    line = work.fit(sizes, latency)
    assert line is not None
    assert line.slope == pytest.approx(0.8, rel=0.1)
    assert line.at(10.0) == pytest.approx(0.2 * 10.0**0.8, rel=0.2)


def test_points_of_the_same_work_have_no_line() -> None:
    assert work.fit(np.array([5.0, 5.0]), np.array([1.0, 2.0])) is None


@pytest.mark.parametrize(("factor", "odd"), [(3.1, True), (1 / 3.1, True), (1.8, False)])
def test_a_cell_is_an_outlier_beyond_the_factor_either_way(factor: float, odd: bool) -> None:
    rows = line_of(10.0)
    rows[3]["latency_p50_ms"] = 6.0 * factor
    first = work.standings(rows)[0]
    assert first.row is rows[3]
    assert first.ratio == pytest.approx(factor, rel=0.1)
    assert first.outlier is odd


def test_wrong_answers_are_judged_by_no_line_and_bend_none() -> None:
    rows = [row | {"validity": "valid"} for row in line_of(10.0)]
    rows[0] |= {"validity": "invalid", "latency_p50_ms": 1e3}
    found = work.standings(rows)
    assert [one.row for one in found if one.outlier] == []
    assert len(found) == len(rows) - 1
    assert work.groups(rows) == [rows]  # drawn they are, hollow
    rows[1]["validity"] = "invalid"
    assert work.standings(rows) == []


def test_each_backend_has_a_line_of_its_own() -> None:
    rows = [*line_of(1.0), *line_of(40.0, backend="b")]
    assert not any(one.outlier for one in work.standings(rows))


def test_fewer_workloads_than_a_line_takes_are_not_judged() -> None:
    rows = line_of(10.0)[: work.MIN_WORKLOADS - 1]
    rows[0]["latency_p50_ms"] = 1e3
    assert work.standings(rows) == []
    assert work.groups(rows) == [rows]
    assert work.groups(rows[: work.MIN_DRAWN - 1]) == []


def test_other_precisions_and_devices_are_other_pictures() -> None:
    rows = [*line_of(1.0), *line_of(1.0, precision="int8"), *line_of(1.0, device_id="x")]
    assert [len(group) for group in work.groups(rows)] == [len(SIZES_MMAC)] * 3


@pytest.mark.parametrize(
    "changes",
    [
        {"work_mmac": None},
        {"latency_p50_ms": None},
        {"scenario": "server"},
        {"region": "e2e"},
        {"status": "failed"},
    ],
)
def test_what_is_not_the_time_of_known_work_is_left_out(
    changes: dict[str, str | float | None],
) -> None:
    rows = [row | changes for row in line_of(1.0)]
    assert work.groups(rows) == []
    assert work.standings(rows) == []


def test_a_rate_counts_every_sample_of_a_call() -> None:
    row = cell(4000.0, 100.0, batch=2)
    assert work.call_mmac(row) == 8000.0
    assert work.rate_gmacps(row) == pytest.approx(80.0)
    assert work.mega(None) is None
    assert work.mega(4_089_000_000) == 4089.0

"""Which cell is called the fastest, of which question, and by what name."""

from __future__ import annotations

import pytest

from edgebench.analysis.compare import MARGIN_RATIO
from edgebench.report import answers, html, rows
from edgebench.report.labels import labels


def row(name: str, low: float | None, middle: float, high: float | None) -> rows.Row:
    """A valid cell."""
    return {
        "workload": "w",
        "backend": name,
        "precision": "fp32",
        "status": "ok",
        "validity": "valid",
        "batch": 1,
        "streams": 1,
        "scenario": "single_stream",
        "region": "invoke",
        "latency_p50_lo_ms": low,
        "latency_p50_ms": middle,
        "latency_p50_hi_ms": high,
    }


def test_fastest_is_claimed_only_where_intervals_part() -> None:
    a, b, c = row("a", 0.9, 1.0, 1.1), row("b", 1.05, 1.2, 1.3), row("c", 1.11, 1.4, 1.5)
    (found,) = answers.fastest([c, b, a])
    assert found.best is a
    assert found.rivals == (b,)
    (found,) = answers.fastest([c, a])
    assert found.best is a
    assert found.rivals == ()
    (found,) = answers.fastest([a, row("d", None, 9.0, None)])
    assert [rival["backend"] for rival in found.rivals] == ["d"]


def test_the_page_tells_how_cells_are_told_apart_and_not_by_intervals_that_overlap() -> None:
    launched: rows.Row = {"launches": 3}
    a, b = (row(*one) | launched for one in (("a", 0.9, 1.0, 1.11), ("b", 1.035, 1.15, 1.277)))
    (found,) = answers.fastest([a, b])
    assert found.rivals == ()  # though their intervals overlap
    near = (("a", 0.9999, 1.0, 1.0001), ("b", 1.0099, 1.01, 1.0101))
    (found,) = answers.fastest([row(*one) | launched for one in near])
    assert len(found.rivals) == 1  # though they do not
    words = " ".join(html.build((), ()).split())
    assert "intervals overlap are not told apart" not in words
    assert f"is not wholly within {100 * MARGIN_RATIO:g} % of it" in words


def test_cells_that_are_not_valid_are_not_ranked() -> None:
    slow = row("slow", 8.0, 9.0, 10.0)
    broken = row("fast", 0.1, 0.2, 0.3) | {"validity": "invalid"}
    failed = row("worse", 0.1, 0.2, 0.3) | {"status": "crashed"}
    (found,) = answers.fastest([broken, slow, failed])
    assert found.best is slow
    assert found.unranked == (broken, failed)
    (found,) = answers.fastest([broken])
    assert found.best is None


def test_other_batches_are_other_questions() -> None:
    found = answers.fastest([row("a", 1, 1.0, 1), row("a", 2, 2.0, 2) | {"batch": 8}])
    assert [answer.workload for answer in found] == ["w", "w, batch 8"]


@pytest.mark.parametrize(
    "other", [{"engine": "loadgen"}, {"tuning": "equal"}, {"parameters": "rate_hz=60"}]
)
def test_other_engines_tunings_and_rates_are_other_questions(other: rows.Row) -> None:
    usual: rows.Row = {"engine": "edgebench", "tuning": "native", "parameters": "rate_hz=30"}
    one, two = (row("a", 1, 1.0, 1) | usual, row("b", 2, 2.0, 2) | usual | other)
    assert len(answers.fastest([one, two])) == 2
    (found,) = answers.fastest([one, one])
    assert found.workload == "w, rate_hz=30"


@pytest.mark.parametrize(
    ("scenario", "stem", "unit"),
    [("offline", "throughput", "ips"), ("server", "server_rate", "hz")],
)
def test_what_each_cell_searched_for_is_what_it_is_ranked_by(
    scenario: str, stem: str, unit: str
) -> None:
    def of(name: str, latency: float, value: float) -> rows.Row:
        ends = {
            f"{stem}{part}_{unit}": value + d
            for part, d in (("_lo", -1.0), ("", 0.0), ("_hi", 1.0))
        }
        return row(name, latency, latency, latency) | {"scenario": scenario} | ends

    quick, strong, close = of("quick", 1.0, 50.0), of("strong", 9.0, 100.0), of("close", 9.0, 98.5)
    (found,) = answers.fastest([quick, strong, close])
    assert found.best is strong
    assert found.rivals == (close,)
    asked: rows.Row = {"scenario": "server", "parameters": "bound_ms=100 rate_hz=10"}
    (found,) = answers.fastest([quick | asked, strong | asked])
    assert found.best is not None
    assert found.best["backend"] == "quick"


def test_names_say_no_more_than_is_needed() -> None:
    one = {"workload": "w", "backend": "b", "precision": "fp32", "threads": 1, "device": "x"}
    assert labels([one, one | {"workload": "v", "threads": 2}]) == ["b/fp32", "b/fp32"]
    assert labels([one, one | {"threads": 2}]) == ["b/fp32/t1", "b/fp32/t2"]
    assert labels([one, one | {"device": "y"}]) == ["b/fp32/x", "b/fp32/y"]
    assert labels([one, one | {"device": "y", "threads": 2}]) == ["b/fp32/x", "b/fp32/y"]
    given = one | {"parameters": "rate_hz=30"}
    assert labels([one | {"parameters": None}, given]) == ["b/fp32", "b/fp32/rate_hz=30"]
    assert labels([]) == []


def test_names_do_not_say_what_stands_beside_them() -> None:
    one = {"workload": "w", "backend": "b", "precision": "fp32", "batch": 1, "threads": 1}
    cells = [one, one | {"batch": 2}, one | {"batch": 2, "threads": 4}]
    assert labels(cells) == ["b/fp32/t1/b1", "b/fp32/t1/b2", "b/fp32/t4/b2"]
    assert labels(cells, ["w", "w, batch 2", "w, batch 2"]) == ["b/fp32", "b/fp32/t1", "b/fp32/t4"]

"""What is ranked together on the page, and by which figure."""

from __future__ import annotations

import pytest

from edgebench.analysis.candidates import of_rows
from edgebench.analysis.recommend import Objective, recommend
from edgebench.report import answers
from edgebench.report.rows import Row


def row(name: str, low: float, middle: float, high: float) -> Row:
    return {
        "workload": "w",
        "backend": name,
        "status": "ok",
        "validity": "valid",
        "batch": 1,
        "streams": 1,
        "scenario": "single_stream",
        "region": "invoke",
        "engine": "edgebench",
        "latency_p50_lo_ms": low,
        "latency_p50_ms": middle,
        "latency_p50_hi_ms": high,
    }


@pytest.mark.parametrize(
    "other",
    [
        {"engine": "loadgen"},
        {"scenario": "paced", "parameters": "rate_hz=30"},
        {"scenario": "server", "parameters": "bound_ms=100 rate_hz=50"},
        {"region": "e2e", "image_sha256": "0"},
    ],
)
def test_what_was_asked_otherwise_is_another_question(other: Row) -> None:
    own = row("a", 1, 1.0, 1)
    found = answers.fastest([own, own | other])
    assert len(found) == 2
    assert found[0].workload == "w"
    assert found[1].workload != "w"


def test_an_offline_cell_of_a_board_with_more_cpus_is_ranked_too() -> None:
    small = row("a", 1, 1.0, 1) | {"scenario": "offline", "parameters": "max_streams=2"}
    (found,) = answers.fastest([small, small | {"parameters": "max_streams=8"}])
    assert found.workload == "w, scenario offline"


@pytest.mark.parametrize("parameters", ["rate_hz=10", "rate_hz=60"])
def test_two_rates_or_bounds_are_never_one_ranking(parameters: str) -> None:
    paced = row("a", 1, 1.0, 1) | {"scenario": "paced", "parameters": "rate_hz=30"}
    assert len(answers.fastest([paced, paced | {"parameters": parameters}])) == 2


@pytest.mark.parametrize(
    ("scenario", "stem", "unit"),
    [("offline", "throughput", "ips"), ("server", "server_rate", "hz")],
)
def test_where_the_most_is_looked_for_the_most_wins_not_the_lowest_latency(
    scenario: str, stem: str, unit: str
) -> None:
    def asked(name: str, latency_ms: float, most: float) -> Row:
        figures: Row = {f"{stem}_lo_{unit}": most - 1, f"{stem}_{unit}": most}
        figures[f"{stem}_hi_{unit}"] = most + 1
        return {**row(name, latency_ms, latency_ms, latency_ms), "scenario": scenario, **figures}

    slow, quick, near = asked("most", 9.0, 100.0), asked("quick", 1.0, 50.0), asked("c", 5.0, 98.5)
    (found,) = answers.fastest([quick, near, slow])
    assert found.best is slow
    assert [rival["backend"] for rival in found.rivals] == ["c"]


def test_the_page_ties_what_a_recommendation_ties() -> None:
    """Intervals that overlap a little are told apart by Welch's t, as everywhere else."""
    rows = [row("a", 0.98, 1.0, 1.02), row("b", 1.01, 1.035, 1.06), row("c", 0.99, 1.01, 1.03)]
    timed = [{**one, "launches": 6} for one in rows]
    (page,) = answers.fastest(timed)
    (candidates,) = of_rows([{**one, "device": "d", "device_id": "d"} for one in timed])
    first = recommend(candidates, (), Objective("latency_p50_ms")).ranked[0]
    assert [f"d {rival['backend']} None" for rival in page.rivals] == list(first.ties)


def test_what_ran_otherwise_than_asked_is_not_the_fastest() -> None:
    other: Row = {"precision": "fp16", "fallback": "precision"}
    (found,) = answers.fastest([row("a", 1, 1.0, 1) | other, row("b", 2, 2.0, 2)])
    assert found.best is not None
    assert found.best["backend"] == "b"
    assert [one["backend"] for one in found.unranked] == ["a"]


def test_a_server_of_another_engine_that_chose_its_rate_is_not_ranked_by_latency() -> None:
    loadgen: Row = {"scenario": "server", "engine": "loadgen", "parameters": "bound_ms=100"}
    (found,) = answers.fastest([row("a", 1, 1.0, 1) | loadgen])
    assert found.best is None
    assert not answers.by_latency(found.rows[0])

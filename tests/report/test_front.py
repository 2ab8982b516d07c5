"""A front on the terminal and as rows: what a reader and a program see of it."""

from __future__ import annotations

import io
import json
import math

from rich.console import Console

from edgebench.analysis import directions, pareto
from edgebench.analysis.candidates import Candidate, Figure
from edgebench.report import choice, csv_, front

OK: dict[str, object] = {
    "workload": "mnist_cnn",
    "status": "ok",
    "validity": "valid",
    "launches": 6,
}
WANTED = directions.objectives("latency_p50_ms,price_usd")


def candidate(name: str, p50_ms: float | None, usd: float | None = 80.0) -> Candidate:
    row = {**OK, "device": name, "latency_p50_ms": p50_ms}
    if p50_ms is not None:
        row |= {"latency_p50_lo_ms": p50_ms * 0.99, "latency_p50_hi_ms": p50_ms * 1.01}
    told = {} if usd is None else {"price_usd": Figure(usd, exact=True, source="a shop (2023)")}
    return Candidate(name=name, rows=(row,), told=told)


def drawn(found: pareto.Front, width: int = 80) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None, highlight=False)
    console.print(front.sentence(found))
    console.print(front.table(found))
    return stream.getvalue()


ALL = (
    *(candidate("dear", 5, 300), candidate("cheap", 20, 40), candidate("poor", 21, 400)),
    *(candidate("near", 20.1, 40), candidate("unpriced", 5, None)),
)
FRONT = pareto.front(ALL, WANTED)


def test_the_terminal_shows_the_members_with_their_figures() -> None:
    text = drawn(FRONT)
    assert "mnist_cnn: front of latency_p50_ms (less) and price_usd (less): 2 of 5" in text
    assert text.index("dear") < text.index("cheap")
    assert "5.000 ±1%" in text
    assert "300" in text
    assert "poor" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_member_that_noise_may_have_put_there_is_told_with_whom_it_is_close_to() -> None:
    """20.0 and 20.1 ms are not told apart, and 40 USD are less than 41; 5 ms are told apart."""
    some = (candidate("dear", 5, 300), candidate("twin", 20.0, 41), candidate("cheap", 20.1, 40))
    found = pareto.front(some, WANTED)
    assert [one.name for one in found.members] == ["dear", "twin", "cheap"]
    assert found.close == {"twin": "cheap"}
    assert front.lines(found) == ["on it, but not told apart from cheap as better: twin"]
    rows = {str(row["candidate"]): row["close_to"] for row in front.rows([found])}
    assert rows == {"dear": None, "twin": "cheap", "cheap": None}
    assert json.loads(json.dumps(front.to_json(found)))["close"] == {"twin": "cheap"}


def test_each_other_one_is_told_with_who_beats_it_and_how_surely() -> None:
    lines = "\n".join(front.lines(FRONT))
    assert "beaten by dear: poor" in lines
    assert "beaten by cheap as it seems, but not told apart from the front: near" in lines
    assert "left out, price_usd was not measured (tell it: --price DEVICE=USD): unpriced" in lines


def test_of_many_only_the_first_are_named_unless_all_are_asked_for() -> None:
    many = [candidate("best", 1), *(candidate(f"c{place:02}", 50 + place) for place in range(20))]
    found = pareto.front(many, WANTED)
    assert front.lines(found)[0].endswith("c04 and 15 more")
    assert front.lines(found, everything=True)[0].endswith("c19")


def test_rows_hold_everyone_with_figures_and_ends_and_the_reason() -> None:
    rows = {str(row["candidate"]): row for row in front.rows([FRONT])}
    assert {name: row["place"] for name, row in rows.items()} == {
        "dear": "member",
        "cheap": "member",
        "near": "dominated",
        "poor": "dominated",
        "unpriced": "left out",
    }
    assert rows["poor"]["beaten_by"] == "dear"
    assert (rows["poor"]["sure"], rows["near"]["sure"]) == (True, False)
    assert rows["dear"]["latency_p50_hi_ms"] == 5.05
    assert rows["unpriced"]["price_usd"] is None
    assert rows["unpriced"]["reasons"] == "price_usd was not measured (tell it: --price DEVICE=USD)"
    assert all(tuple(row) == front.columns([FRONT]) for row in rows.values())


def test_json_is_json() -> None:
    told = json.loads(json.dumps(front.to_json(FRONT), allow_nan=False))
    assert told["members"] == ["dear", "cheap"]
    assert told["objectives"][0] == {"name": "latency_p50_ms", "more_is_better": False}
    assert {one["candidate"]: one["sure"] for one in told["dominated"]} == {
        "near": False,
        "poor": True,
    }


def test_what_has_a_least_and_no_most_is_shown_so_and_is_no_number_in_json() -> None:
    figure = Figure(23.2, 23.2, math.inf)
    assert choice.short("cost_power_w", figure) == ">=23.20"
    assert front.cells("cost_power_w", figure)["cost_power_hi_w"] is None
    nothing = (None, Figure(math.nan))
    assert [choice.short("power_w", one) for one in nothing] == ["-", "-"]


def test_names_that_would_steer_a_terminal_or_a_spreadsheet_are_inert() -> None:
    hostile = "=cmd()\x1b[2J\n</script>"
    found = pareto.front([candidate(hostile, 5), candidate("b\x1b", 50)], WANTED)
    for text in (drawn(found), *front.lines(found)):
        assert "\x1b" not in text
    file = io.StringIO()
    csv_.write(front.rows([found]), file, front.columns([found]))
    assert "'=cmd()" in file.getvalue()

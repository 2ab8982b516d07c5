"""What a person reads of a recommendation: the answer first, ties, reasons, and no more."""

from __future__ import annotations

import re
from dataclasses import replace

import deciding
import pytest
from deciding import HOSTILE, decide, made, row
from rich.cells import cell_len

from edgebench.analysis import constraints
from edgebench.analysis.recommend import Objective
from edgebench.errors import UsageError
from edgebench.report import choice, choice_table, choosing


def words(text: str) -> str:
    """A wrapped text on one line."""
    return " ".join(text.split())


def test_the_first_sentence_says_what_to_take_how_sure_that_is_and_what_it_keeps() -> None:
    answer = decide([row("a", 10.0), row("b", 20.0)], latency_p99_ms=33, top1_ratio=0.9)
    assert choice.sentence(answer) == (
        "take a litert int8: latency_p50_ms 10.00 (95 %: 9.800 to 10.20), "
        "keeping latency_p99_ms 11.00 <= 33, top1_ratio 0.9800 >= 0.9"
    )
    first, second = choice_table.text(made([answer])).splitlines()[:2]
    assert first == "mnist_cnn"
    assert second.startswith("take a litert int8")


def test_a_tie_is_told_with_the_cheaper_one_by_name() -> None:
    asked = choosing.Asked(prices_usd={"a": 90.0, "b": 60.0})
    (answer,) = choosing.answers([row("a", 10.0), row("b", 10.05), row("c", 20.0)], asked)
    line, _ = choice.second_lines(answer)
    assert line.startswith("b litert int8 cannot be told apart from it by latency_p50_ms")
    assert "cheapest of them is b litert int8 (60 USD)" in line
    assert [choice.rank(one, answer) for one in answer.ranked] == ["1=", "1=", "2"]


def test_a_tie_for_want_of_an_interval_is_told_apart_from_one_that_was_found() -> None:
    lone = row("c", 90.0, latency_p50_lo_ms=None, latency_p50_hi_ms=None)
    answer = decide([row("a", 10.0), row("b", 10.05), lone])
    tied, unsure = choice.second_lines(answer)
    assert tied == "b litert int8 cannot be told apart from it by latency_p50_ms"
    assert unsure.startswith("c litert int8 has no interval over launches: nothing tells")
    first = decide([{**lone, "latency_p50_ms": 1.0}, row("a", 10.0)])
    assert choice.second_lines(first)[0].startswith("its latency_p50_ms has no interval")


def test_a_price_that_one_of_a_tie_lacks_makes_no_cheapest() -> None:
    asked = choosing.Asked(prices_usd={"b": 60.0})
    (answer,) = choosing.answers([row("a", 10.0), row("b", 10.05)], asked)
    assert "cheapest" not in choice.second_lines(answer)[0]


def test_where_nothing_keeps_every_limit_that_comes_first_and_then_the_nearest() -> None:
    answer = decide([row("a", 10.0), row("b", 5.0), row("c", 1.0, top1_ratio=None)], top1_ratio=1)
    assert choice.sentence(answer) == "nothing keeps every limit: none of 3 candidates does"
    answer = decide([row("a", 10.0), row("b", 5.0)], latency_p99_ms=5)
    (line,) = choice.second_lines(answer)
    assert line.startswith("nearest: b litert int8: latency_p99_ms 5.5 > 5 by 0.5")


def test_cells_that_all_failed_are_no_matter_of_limits() -> None:
    answer = decide([row(status="failed", reason="no kernel", latency_p50_ms=None)])
    assert choice.sentence(answer).startswith("nothing can be chosen")
    assert choice.second_lines(answer) == []
    assert "failed: no kernel" in words(choice_table.text(made([answer])))


def test_every_candidate_of_a_few_has_its_own_line_with_every_reason() -> None:
    rows = [row("a", 1.0), row("b", 40.0, top1_ratio=0.5), row("c", 50.0, top1_ratio=None)]
    lines = choice.rejected_lines(decide(rows, latency_p99_ms=33, top1_ratio=0.9))
    assert len(lines) == 2
    assert re.match(r"b litert int8: latency_p99_ms 44 > 33 .*; top1_ratio 0.5 < 0.9", lines[0])
    assert re.match(r"c litert int8: latency_p99_ms 55 > 33 .*; top1_ratio was not", lines[1])


def test_of_a_rack_the_best_and_the_nearest_are_shown_and_all_others_counted_once() -> None:
    answer = decide(deciding.rack(), latency_p99_ms=50, top1_ratio=0.9)
    assert len(answer.standings) == 640
    lines = choice_table.text(made([answer])).splitlines()
    assert len(lines) < 50
    assert max(map(len, lines)) <= 80
    (more,) = (line for line in lines if "more that rank" in line)
    assert int(re.findall(r"\d+", more)[0]) == len(answer.ranked) - choice.BEST
    told = choice.rejected_lines(answer)
    counted = sum(int(n) for line in told for n in re.findall(r"^(\d+) x", line))
    single = sum(not re.match(r"\d+ x", line) for line in told)
    assert counted + single == len(answer.rejected)


def test_all_shows_all() -> None:
    answer = decide(deciding.rack(), latency_p99_ms=50, top1_ratio=0.9)
    assert len(choice.rejected_lines(answer, everything=True)) == len(answer.rejected)
    text = words(choice_table.text(made([answer]), everything=True))
    assert all(one.candidate.name in text for one in answer.standings)
    assert "--all" not in text


@pytest.mark.parametrize("width", [80, 60])
def test_no_line_is_wider_than_the_terminal_and_no_figure_is_cut(width: int) -> None:
    rows = [row(f"board-with-a-long-name-{n}", 10.0 + n) for n in range(4)]
    rows += [row("x" * 200, 30.0), row("超長い名前" * 20, 31.0)]
    asked = choosing.Asked(
        limits=deciding.bounds({"latency_p99_ms": 33, "top1_ratio": 0.9, "threads": 4}),
        prices_usd={"board-with-a-long-name-1": 12345},
    )
    text = choice_table.text(choosing.decide(rows, asked), width=width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "12345" in text
    assert "14.30" in text


def test_the_text_is_text_in_a_notebook_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert choice_table.text(made([decide([row("a")])])).startswith("mnist_cnn\ntake a litert int8")


def test_hostile_names_are_inert_in_the_terminal() -> None:
    rows = [row(HOSTILE, 1.0), row("b", 2.0, status="failed", reason=HOSTILE, latency_p50_ms=None)]
    text = choice_table.text(made([decide(rows)]))
    assert all(c.isprintable() or c == "\n" for c in text)
    assert not any(line.startswith("=cmd") for line in text.splitlines())


def test_several_workloads_have_an_answer_each_and_one_device_that_serves_all() -> None:
    rows = [
        row("a", 10.0, workload="one"),
        row("a", 40.0, workload="two", backend="ncnn"),
        row("a", 80.0, workload="two"),
        row("b", 1.0, workload="one"),
        row("c", 20.0, workload="two"),
    ]
    answers = choosing.answers(rows, choosing.Asked())
    assert [answer.question for answer in answers] == ["one", "two"]
    device, cell = choice.serving_lines(answers)
    assert device.startswith("one device for all 2: a (one: a litert int8; two: a ncnn int8)")
    assert device.endswith("never above 10 x the best latency_p50_ms")
    assert cell == (
        "one device, runtime and setting for all 2: a litert int8, "
        "never above 10 x the best latency_p50_ms"
    )
    assert choice.serving_lines(answers[:1]) == []


def test_where_no_device_serves_all_that_is_said() -> None:
    rows = [row("a", workload="one"), row("b", workload="two")]
    answers = choosing.answers(rows, choosing.Asked())
    assert choice.serving_lines(answers)[0] == "no one device keeps the limits of all 2"


def test_equal_prices_are_told_as_equal_and_the_faster_one_is_taken() -> None:
    rows = [row("a", 20.0), row("a", 10.0, backend="ncnn"), row("a", 30.0, backend="mnn")]
    asked = choosing.Asked(objective=Objective("price_usd"), prices_usd={"a": 80.0})
    (answer,) = choosing.answers(rows, asked)
    assert choice.sentence(answer).startswith("take a ncnn int8")
    assert choice.second_lines(answer) == [
        "a litert int8 and a mnn int8 have the same price_usd; the faster ones stand first"
    ]


def test_where_one_question_has_no_answer_the_limits_are_not_blamed_for_it() -> None:
    rows = [row("a"), row("a", scenario="offline")]
    answers = choosing.answers(rows, choosing.Asked())
    assert choice.serving_lines(answers) == [
        "nothing serves all 2: of 1 of them nothing can be chosen"
    ]


def test_a_board_that_serves_all_is_set_up_alike_for_all() -> None:
    rows = [
        row("a", workload="one", device_setup="2 of 4 CPUs"),
        row("a", workload="two", device_setup="4 of 8 CPUs"),
    ]
    answers = choosing.answers(rows, choosing.Asked())
    assert choice.serving_lines(answers)[0] == "no one device keeps the limits of all 2"


def test_what_is_to_be_large_is_told_as_such() -> None:
    rows = [
        row(device, throughput_ips=ips, workload=workload)
        for device, ips, workload in (("a", 80.0, "one"), ("b", 100.0, "one"), ("a", 50.0, "two"))
    ]
    asked = choosing.Asked(objective=Objective("throughput_ips", more_is_better=True))
    line = choice.serving_lines(choosing.answers(rows, asked))[0]
    assert line.endswith("a litert int8, never below 0.8 x the best throughput_ips")


def test_notes_are_numbered_once_whatever_their_digits() -> None:
    answer = decide([row("a", 1.0), row("b", 2.0), row("c", 3.0)])
    told = (("suspect: load 3 %",), ("suspect: load 4 %", "imported"), ())
    shown = [replace(one, notes=n) for one, n in zip(answer.ranked, told, strict=True)]
    found = choice.notes(shown)
    assert found.marks == {"a litert int8": "1", "b litert int8": "1,2"}
    assert found.lines == [
        ("1", "suspect: load 3 % (the first, a litert int8)"),
        ("2", "imported"),
    ]


def test_what_units_failed_of_is_counted_by_what_failed_and_not_by_unit() -> None:
    answer = decide([row(f"u{n}", status="failed", reason=f"launch {n}") for n in range(20)])
    told = [
        replace(one, refusals=(f"{one.candidate.row['device_id']}: failed: no kernel",))
        for one in answer.rejected
    ]
    (group,) = choice.grouped(told)
    assert group.reason == "failed"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("latency_p9_ms", "did you mean latency_p"),
        ("backend", "backend is no number"),
        ("zzz", "no figure is named 'zzz'"),
    ],
)
def test_a_figure_that_nobody_could_have_is_a_mistake_and_no_reason(name: str, told: str) -> None:
    limit = constraints.parse(f"{name}=3", "max")
    with pytest.raises(UsageError, match=told):
        choosing.answers([row()], choosing.Asked(limits=(limit,)))


def test_a_price_that_nobody_knows_is_a_reason_that_says_how_to_state_it() -> None:
    answer = decide([row("a"), row("raspberry-pi-5")], price_usd=100)
    assert [one.candidate.name for one in answer.ranked] == ["raspberry-pi-5 litert int8"]
    (line,) = choice.rejected_lines(answer)
    assert line == "a litert int8: its price is not known (--price DEVICE=USD)"


def test_a_reason_that_is_one_of_the_objective_and_of_a_limit_is_told_once() -> None:
    asked = choosing.Asked(
        limits=deciding.bounds({"price_usd": 100}), objective=Objective("price_usd")
    )
    (answer,) = choosing.answers([row("a"), row("raspberry-pi-5")], asked)
    (line,) = choice.rejected_lines(answer)
    assert line.count("its price is not known") == 1


def test_a_large_bound_keeps_its_digits_in_the_answer() -> None:
    answer = decide([row()], latency_p99_ms=2_000_000)
    assert choice.sentence(answer).endswith("<= 2000000")


def test_a_workload_without_results_and_a_price_that_is_none_are_mistakes() -> None:
    with pytest.raises(UsageError, match="no results of workload 'x'"):
        choosing.answers([row()], choosing.Asked(workloads=("x",)))
    with pytest.raises(UsageError, match="no price of a"):
        choosing.answers([row()], choosing.Asked(prices_usd={"a": -1.0}))
    with pytest.raises(UsageError, match="minimise or maximise"):
        choosing.objective("latency_p50_ms", "throughput_ips")

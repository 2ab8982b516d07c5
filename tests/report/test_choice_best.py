"""What is told beside a choice: its lead, an accuracy nobody measured, ranks upside down."""

from __future__ import annotations

from typing import Any

import pytest
from deciding import decide, made, row

from edgebench.analysis import leads
from edgebench.analysis.recommend import Answer, Objective
from edgebench.report import (
    choice,
    choice_best,
    choice_data,
    choice_html,
    choice_markdown,
    choice_table,
    choosing,
    comparison,
)
from edgebench.report.rows import Row

WIDE: dict[str, str | float] = {"latency_p50_lo_ms": 9.0, "latency_p50_hi_ms": 13.5}
UPSIDE_DOWN = [row("a", 10.0), row("c", 10.6), row("b", 11.0, **WIDE)]
ORDER = (
    "b litert int8 stands above c litert int8, whose latency_p50_ms is better: b litert int8 "
    "cannot be told apart from a litert int8, the first of its rank, and c litert int8 can"
)


def by(rows: list[Row], name: str, *, more: bool = False, **asked: dict[str, float]) -> Answer:
    """The answer where this ranks."""
    (found,) = choosing.answers(rows, choosing.Asked(objective=Objective(name, more), **asked))  # type: ignore[arg-type]
    return found


def test_the_lead_is_told_as_a_ratio_with_the_interval_of_compare() -> None:
    best, other = row("a", 10.0), row("b", 12.0)
    (line,) = choice.second_lines(decide([best, other]))
    known = comparison.compared(best, other, "latency_p50_ms")
    assert line == (
        f"it is 1.20 x as fast (95 %: {known.low:.2f} to {known.high:.2f}) "
        "as the next in rank, b litert int8"
    )


def test_the_next_is_the_best_that_is_told_apart() -> None:
    tied, lead = choice.second_lines(decide([row("a", 10.0), row("b", 10.05), row("c", 250.0)]))
    assert tied.startswith("b litert int8 cannot be told apart")
    assert lead.startswith("it is 25.0 x as fast (95 %: ")
    assert lead.endswith("as the next in rank, c litert int8")


def test_other_figures_are_so_many_times_the_next_ones() -> None:
    powered = {"energy_gross_mj": 3.0, "energy_gross_lo_mj": 2.9, "energy_gross_hi_mj": 3.1}
    more = {name: 2 * value for name, value in powered.items()}
    common: dict[str, str | float] = {"power_tier": "wall_measured", "power_launches": 6}
    rows = [row("a", 10.0, **powered, **common), row("b", 9.0, **more, **common)]
    (line,) = choice.second_lines(by(rows, "energy_gross_mj"))
    assert line.startswith("its energy_gross_mj is 0.500 x (95 %: 0.4")
    assert line.endswith(" that of the next in rank, b litert int8")
    rate = [row(name, throughput_ips=value) for name, value in (("a", 5.0), ("b", 4.0))]
    answer = by(rate, "throughput_ips", more=True)
    assert choice.second_lines(answer)[-1].startswith("its throughput_ips has no interval")


def test_what_compare_has_no_interval_for_has_none_in_its_lead() -> None:
    prices = {"a": 1000.0, "b": 1.0}
    (line,) = choice.second_lines(by([row("a"), row("b")], "price_usd", prices_usd=prices))
    assert line == "its price_usd is 0.00100 x that of the next in rank, a litert int8"
    (line,) = choice.second_lines(
        by([row("a"), row("b")], "price_usd", more=True, prices_usd=prices)
    )
    assert line == "its price_usd is 1000 x that of the next in rank, b litert int8"


def test_there_is_no_lead_over_nothing_and_none_of_what_is_0() -> None:
    assert choice.second_lines(decide([row("a", 10.0)])) == []
    prices = {"a": 10.0, "b": 0.0}
    assert choice.second_lines(by([row("a"), row("b")], "price_usd", prices_usd=prices)) == []
    assert leads.of(decide([row("a", 40.0)], latency_p99_ms=1)) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"top1_ratio": None, "miou_ratio": 0.9}, ""),
        ({"top1_ratio": None}, "its accuracy was not measured here"),
        ({"weights": "random"}, "its weights are random, so its accuracy means nothing"),
        (
            {"top1_ratio": None, "imported_from": "csv: line 2", "validity": None},
            "its accuracy is not told where it was imported from",
        ),
    ],
)
def test_a_choice_whose_accuracy_nobody_knows_says_so(
    changes: dict[str, str | float | None], words: str
) -> None:
    answer = decide([row("a", 10.0, **changes)])
    assert choice.second_lines(answer) == ([words] if words else [])


def test_one_unit_that_was_judged_tells_the_accuracy_of_its_kind() -> None:
    rows = [row("a", device_id="a-1", top1_ratio=None), row("a", device_id="a-2")]
    assert choice.second_lines(decide(rows)) == []


def test_a_slower_one_that_stands_above_a_faster_one_is_explained_in_every_form() -> None:
    answer = decide(UPSIDE_DOWN)
    assert [one.candidate.name[0] for one in answer.ranked] == ["a", "b", "c"]
    assert choice_best.order(answer, answer.ranked) == [ORDER]
    text = " ".join(choice_table.text(made([answer])).split())
    for form in (text, choice_markdown.text(made([answer])), choice_html.text(made([answer]))):
        assert form.count(ORDER) == 1


def test_an_order_that_does_not_surprise_is_not_explained() -> None:
    answer = decide([row("a", 10.0), row("b", 10.05), row("c", 20.0)])
    assert choice_best.order(answer, answer.ranked) == []
    turned = decide(UPSIDE_DOWN)
    assert choice_best.order(turned, turned.ranked[:2]) == []  # the faster one is not shown


def test_the_lead_and_what_stands_beside_it_are_in_the_json() -> None:
    answers: Any = choice_data.to_json(made([decide([row("a", 10.0), row("b", 20.0)])]))["answers"]
    (told,) = answers
    lead = told["lead"]
    assert (lead["candidate"], lead["ratio"]) == ("b litert int8", 0.5)
    assert lead["low"] < 0.5 < lead["high"]
    assert told["beside"][0].startswith("it is 2.00 x as fast")

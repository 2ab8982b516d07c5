"""What the page's chooser is given: candidates, and what was decided of them before any limit.

Whether its script then decides as `edgebench recommend` is acceptance/chooser.py's.
"""

from __future__ import annotations

import math
from typing import Any

import page
import pytest
from deciding import row

from edgebench import metering
from edgebench.analysis import ties
from edgebench.analysis.constraints import Constraint
from edgebench.analysis.recommend import Objective
from edgebench.cli import asking, recommend_, report_
from edgebench.report.choosing import Asked
from edgebench.report.page import wording
from edgebench.report.page.chooser import chooser
from edgebench.report.rows import Row
from edgebench.report.sections.base import Material
from edgebench.report.sections.power import power
from edgebench.stats import student_t_quantile


def made(rows: list[Row], **asked: Any) -> tuple[dict[str, Any], Material]:  # noqa: ANN401
    """What the form is given, and the page's data."""
    material = Material((), rows, (), Asked(**asked))
    return chooser(rows, material.asked, material.data), material


def candidates(material: Material) -> dict[str, dict[str, Any]]:
    """The records, by name."""
    return {one["name"]: one for one in page.decode(material.data.told()["candidates"])}


def test_what_may_not_rank_is_told_in_the_words_of_recommend() -> None:
    rows = [
        row("a", 10.0),
        row("b", status="failed", reason="no kernel", latency_p50_ms=None),
        row("c", 9.0, validity="suspect", caveats="other processes used 50% of a CPU"),
        row("d", 8.0, fallback="precision", effective_precision="fp32"),
    ]
    found = candidates(made(rows)[1])
    assert "unfit" not in found["a litert int8"]
    assert found["b litert int8"]["unfit"] == "failed: no kernel"
    assert found["b litert int8"]["unfit kind"] == "failed"
    assert "why power_w" not in found["b litert int8"]  # told once, as its refusal
    suspect = found["c litert int8"]
    assert "unfit" not in suspect
    assert suspect["unvalid"].startswith("suspect: other processes")
    assert suspect["doubts"].startswith("suspect: other processes")
    assert found["d litert int8"]["unfit"] == "fallback: int8 was asked and fp32 ran"


def test_a_missing_figure_comes_with_its_reason() -> None:
    found = candidates(made([row("a", 10.0, power_reason="not measured: no sensor")])[1])
    [one] = found.values()
    assert one["why power_w"] == " (no sensor)"
    assert one["why top1_loss_ratio"].startswith(" (no fp32")


def test_latencies_of_loads_that_were_found_do_not_rank() -> None:
    offline = row("a", 10.0, scenario="offline", throughput_ips=100.0)
    [one] = candidates(made([offline])[1]).values()
    assert one["load latency_p50_ms"] == "offline: calls of another size: rank by throughput"
    assert "load throughput_ips" not in one


def test_units_of_a_kind_are_one_candidate_with_their_mean() -> None:
    rows = [row("a", 10.0, device_id="a-1"), row("a", 40.0, device_id="a-2")]
    [one] = candidates(made(rows)[1]).values()
    assert one["cells"] == [0, 1]
    value, low, high, launches = one["mean latency_p50_ms"]
    assert value == pytest.approx(20.0)
    assert low < value < high
    assert launches > 6


def test_cells_have_the_price_that_is_stated_or_published() -> None:
    rows = [row("raspberry-pi-5", 10.0), row("mine", 9.0), row("other", 9.0)]
    _, material = made(rows, prices_usd={"mine": 25.0})
    prices = material.data.told()["cells"]["columns"]["price_usd"]
    assert prices[1:] == [25.0, None]
    assert prices[0] > 25.0


def test_the_form_starts_with_the_question_and_has_a_field_for_each_limit() -> None:
    limits = (Constraint("latency_p90_ms", "max", 9.0), Constraint("power_w", "max", 5.0))
    told, _ = made([row("a", 10.0)], limits=limits, objective=Objective("price_usd"), sure=True)
    fields = {(one["name"], one["sense"]): one["start"] for one in told["limits"]}
    assert fields["latency_p90_ms", "max"] == 9.0
    assert fields["power_w", "max"] == 5.0
    assert fields["latency_p99_ms", "max"] is None
    assert told["start"] == {"by": "price_usd", "tier": "", "valid": False, "sure": True, "of": []}


def test_without_a_question_it_starts_with_what_is_valid_as_the_answer_does() -> None:
    told, _ = made([row("a", 10.0), row("a", 10.0, workload="other")], workloads=("other",))
    assert told["start"]["valid"]
    assert told["start"]["of"] == ["other"]
    assert told["questions"] == ["mnist_cnn", "other"]


def test_an_objective_the_other_way_round_is_one_of_its_own() -> None:
    told, _ = made([row("a", 10.0)], objective=Objective("latency_p50_ms", more_is_better=True))
    assert told["start"]["by"] == "latency_p50_ms:max"
    assert [one["more"] for one in told["objectives"] if one["key"] == "latency_p50_ms:max"] == [
        True
    ]


def test_every_tier_that_the_form_offers_is_told_in_the_words_of_the_power_section() -> None:
    rows = [row("a", 10.0, power_tier="board_measured", energy_gross_mj=3.0), row("b", 9.0)]
    told, material = made(rows, allow_tiers=("proxy", "wall_measured"))
    assert told["tiers"] == ["board_measured", "proxy,wall_measured"]
    assert list(told["meanings"]) == ["wall_measured", "board_measured", "proxy"]
    section = power(material)
    assert section is not None
    assert dict(section.context["tiers"]).items() <= told["meanings"].items()
    assert set(wording.TIERS) == set(metering.TIERS)


@pytest.mark.parametrize("df", [1, 2, 5, 19.5, 1000, math.inf])
def test_the_polynomial_of_the_page_is_students_quantile(df: float) -> None:
    at, one, two = 2 / df - 1, 0.0, 0.0
    first, *others = ties.quantile_coefficients()
    for coefficient in reversed(others):
        one, two = 2 * at * one - two + coefficient, one
    expected = 1.959963984540054 if math.isinf(df) else student_t_quantile(0.975, df)
    assert math.exp(at * one - two + first) == pytest.approx(expected, rel=1e-9)


def test_report_takes_every_option_of_recommend_that_states_a_question() -> None:
    ours, theirs = (
        {param.name: param for param in command.params}
        for command in (report_.command, recommend_.command)
    )
    for name in asking.NAMES:
        assert ours[name].opts == theirs[name].opts

"""The page's answer: the sentence first, figures with what is left of each limit, then why."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

import pytest
from deciding import HOSTILE, row
from page import decode

from edgebench.analysis.constraints import Constraint
from edgebench.analysis.recommend import Objective
from edgebench.errors import UsageError
from edgebench.report import answers, html
from edgebench.report.choosing import Asked
from edgebench.report.page import bundle
from edgebench.report.page.wording import sentence
from edgebench.report.rows import Row
from edgebench.report.sections.answer import answer
from edgebench.report.sections.base import Material

P99 = Constraint("latency_p99_ms", "max", 33.0)
POWER: dict[str, str | float] = {
    "power_w": 3.0,
    "power_lo_w": 2.9,
    "power_hi_w": 3.1,
    "power_tier": "wall_measured",
}


def decision(rows: list[Row], **asked: Any) -> dict[str, Any]:  # noqa: ANN401
    """What the template of a stated question is given."""
    section = answer(Material((), rows, (), Asked(**asked)))
    told: dict[str, Any] = section.context["decision"]
    return told


def page(rows: list[Row], asked: Asked, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page, with little of a bundle."""
    monkeypatch.setattr(bundle, "javascript", lambda _: "window.vegaEmbed = 0;")
    return html.build((), rows, (), asked)


def test_the_answer_names_the_choice_its_figure_and_what_is_left_of_each_limit() -> None:
    told = decision([row("a", 10.0), row("b", 20.0), row("c", 40.0)], limits=(P99,))
    assert told["asked"] == "the lowest median latency with p99 latency at most 33 ms"
    [one] = told["answers"]
    best = one["best"]
    assert (best["name"], best["figure"]) == ("a litert int8", "10.00 ms")
    assert best["interval"] == "95 % interval 9.800 to 10.20"
    [kept] = best["limits"]
    assert kept["figure"] == "11.00 ms"
    assert kept["spare"] == "22.00 ms to spare (67%)"
    assert one["next"].startswith("b litert int8 would tie with a litert int8 if its median")
    assert (one["ranked"], one["rejected"]) == (2, 1)
    assert one["groups"] == ["c litert int8: p99 latency 44 ms > 33 by 11 (33%)"]


def test_the_lead_over_the_next_is_told_as_a_ratio_and_an_order_that_surprises_explained() -> None:
    wide: dict[str, str | float] = {"latency_p50_lo_ms": 9.0, "latency_p50_hi_ms": 13.5}
    rows = [row("a", 10.0), row("c", 10.6), row("b", 11.0, **wide)]
    [one] = decision(rows, limits=(P99,))["answers"]
    assert one["seconds"][1].startswith("It is 1.06 x as fast (95 %: 1.0")
    assert one["seconds"][1].endswith(") as the next in rank, c litert int8")
    assert one["order"][0].startswith("b litert int8 stands above c litert int8, whose median")
    [one] = decision(rows[:2], limits=(P99,))["answers"]
    assert one["order"] == []


def test_the_fastest_cell_is_so_many_times_as_fast_as_the_next_valid_one() -> None:
    rows = [row("a", 10.0), row("b", 20.0), row("c", 15.0, validity="suspect")]
    [claim] = answer(Material((), rows)).context["claims"]
    assert claim["lead"].startswith("It is 2.00 x as fast (95 %: 1.9")
    assert claim["lead"].endswith(") as the next in rank, litert/int8/b")
    assert claim["folded"] == "lead over the next"  # on a phone
    for some in (rows[:1], [*rows, row("d", 10.05)]):
        [other] = answer(Material((), some)).context["claims"]
        assert (other["lead"], other["folded"]) == ("", "")  # alone, or not told apart


def test_of_offline_cells_the_lead_is_of_throughput() -> None:
    ends: dict[str, Any] = {
        "scenario": "offline",
        "throughput_lo_ips": 4.9,
        "throughput_hi_ips": 5.1,
    }
    more: dict[str, Any] = {
        "scenario": "offline",
        "throughput_lo_ips": 9.9,
        "throughput_hi_ips": 10.1,
    }
    rows = [row("a", throughput_ips=5.0, **ends), row("b", throughput_ips=10.0, **more)]
    [claim] = answer(Material((), rows)).context["claims"]
    assert claim["lead"].startswith("Its throughput is 2.00 x (95 %: 1.9")


def test_a_card_says_that_accuracy_was_not_measured_here() -> None:
    [claim] = answer(Material((), [row("a", top1_ratio=None)])).context["claims"]
    assert claim["best"]["accuracy"] == "top-1 not measured here"
    told = row("a", top1_ratio=None, imported_from="csv: line 2", validity=None)
    [claim] = answer(Material((), [told])).context["claims"]
    assert claim["lowest"]["accuracy"] == "top-1 not told"


def test_a_loss_is_told_in_points() -> None:
    rows = [row("a", 10.0, top1_loss_ratio=0.004), row("b", 5.0, top1_loss_ratio=0.02)]
    [one] = decision(rows, limits=(Constraint("top1_loss_ratio", "max", 0.01),))["answers"]
    [kept] = one["best"]["limits"]
    assert kept["limit"] == "top-1 loss at most 1 points"
    assert (kept["figure"], kept["spare"]) == ("0.4000 points", "0.6000 points to spare (60%)")


def test_where_nothing_keeps_the_limits_the_nearest_follows() -> None:
    told = decision([row("a", 100.0), row("b", 40.0)], limits=(P99,))
    assert told["answers"] == []
    [one] = told["without"]
    assert one["nothing"] == "nothing keeps every limit: none of 2 candidates does"
    assert one["seconds"] == ["nearest: b litert int8: p99 latency 44 ms > 33 by 11 (33%)"]


def test_ties_are_told_and_several_workloads_say_what_serves_them_all() -> None:
    rows = [row("a", 10.0), row("b", 10.05), row("a", 5.0, workload="other")]
    told = decision(rows, objective=Objective("latency_p50_ms"))
    [tied, _] = told["answers"]
    assert tied["seconds"] == ["b litert int8 cannot be told apart from it by median latency"]
    assert any(line.startswith("one device for all 2: a") for line in told["serving"])


def test_every_candidate_that_fell_out_is_in_a_table_with_all_its_reasons() -> None:
    rows = [row("a", 10.0), row("far", 90.0), row("near", 31.0)]
    rows.append(row("broken", status="failed", reason="no kernel", latency_p50_ms=None))
    material = Material((), rows, (), Asked(limits=(P99,)))
    answer(material)
    columns = material.data.told()["fallen"]["columns"]
    assert [name.split()[0] for name in columns["candidate"]] == ["near", "far", "broken"]
    assert columns["place"] == [1, 2, 3]
    assert columns["reasons"][2] == "failed: no kernel"


def test_without_a_question_the_frugal_and_the_small_stand_beside_the_fastest() -> None:
    energies = {"a": 9.0, "b": 3.0, "c": 2.0, "d": 5.0}
    rows = [
        row(
            name, 10.0, energy_gross_mj=energy, rss_peak_mib=10 * energy, power_tier="wall_measured"
        )
        for name, energy in energies.items()
    ]
    rows[2]["validity"] = "suspect"
    rows[3]["power_tier"] = "board_measured"
    found = {one.words: one.best["device"] for one in answers.least(rows)}
    assert found == {"most frugal (wall_measured)": "b", "smallest in memory": "b"}
    [claim] = answer(Material((), rows)).context["claims"]
    assert [one["figure"] for one in claim["least"]] == ["3.000 mJ gross", "30.00 MiB"]


def test_a_link_leads_to_as_many_cells_as_it_says() -> None:
    bad: list[Row] = [
        row("b", validity="suspect"),
        row("c", fallback="precision"),
        row("d", status="timeout", validity=None, latency_p50_ms=None),
        row("e", status="skipped", validity=None, latency_p50_ms=None),
        row("f", 9.0, scenario="sustained", validity="invalid"),
    ]
    material = Material((), [row("a"), *bad, row("a", 1.0, scenario="sustained")])
    context = answer(material).context
    links = {one["unranked_shows"]: one["unranked"] for one in context["claims"]}
    links |= {context["shows"][name]: context["counts"][name] for name in ("failed", "skipped")}
    cells = decode(material.data.told()["cells"])

    def left(shows: str) -> int:
        chosen = parse_qs(shows)
        return sum(all(one.get(n) in some for n, some in chosen.items()) for one in cells)

    assert {shows: left(shows) for shows in links} == links
    assert list(links.values()) == [2, 1, 1, 1]


def test_the_fastest_cell_is_noted_where_its_model_loses_accuracy_elsewhere() -> None:
    rows = [row(scenario="offline", throughput_ips=9.0), row(top1_loss_ratio=0.012)]
    rows[1]["validity"] = "suspect"
    claims = answer(Material((), rows)).context["claims"]
    notes = {claim["workload"]: claim["notes"] for claim in claims}
    [note] = notes["mnist_cnn, scenario offline"]
    assert note.endswith("in single_stream, and loses 1.2 points there")
    assert notes["mnist_cnn"] == []


def test_tiers_of_power_are_refused_in_one_line_until_one_is_let_in() -> None:
    rows = [row("a", 10.0, **POWER), row("b", 9.0, **{**POWER, "power_tier": "board_measured"})]
    limits = (Constraint("power_w", "max", 5.0),)
    with pytest.raises(UsageError, match="do not rank together"):
        decision(rows, limits=limits)
    told = decision(rows, limits=limits, allow_tiers=("wall_measured",))
    assert told["asked"].endswith("power counts if wall_measured")
    assert [one["best"]["name"] for one in told["answers"]] == ["a litert int8"]


def test_hostile_names_are_inert_in_the_answer_and_the_chooser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [row(HOSTILE, 10.0, workload=HOSTILE, backend=HOSTILE), row("b", 90.0, workload=HOSTILE)]
    text = page(rows, Asked(limits=(P99,)), monkeypatch)
    assert "\x1b" not in text
    assert "</script><b>" not in text
    assert not re.search(r"<b[ >]", text)
    assert 'class="take"' in text


def test_a_page_of_nothing_has_no_question_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    text = page([], Asked(limits=(P99,)), monkeypatch)
    assert "There are no results yet" in text
    assert 'id="chooser"' not in text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("power_w 7.458 > 5 by 2.458 (49%)", "power 7.458 W > 5 by 2.458 (49%)"),
        ("power_w <= 5 gave way to <= 7.03", "power at most 5 W gave way to <= 7.03"),
        ("top1_loss_ratio <= 0.01", "top-1 loss at most 1 points"),
        ("top1_loss_ratio 0.012 > 0.01 by 0.002", "top-1 loss 0.012 > 0.01 by 0.002"),
        ("if its latency_p50_ms fell by 0.2", "if its median latency (ms) fell by 0.2"),
        ("power_w was not measured", "power was not measured"),
        ("offline: --maximise throughput_ips ranks these", "offline: rank by the most throughput"),
        ("my-power_w-board ncnn", "my-power_w-board ncnn"),
    ],
)
def test_lines_name_figures_as_people_do(line: str, said: str) -> None:
    assert sentence(line).startswith(said)

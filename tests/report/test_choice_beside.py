"""What stands beside an answer: the front of what ranks, and what so many cameras cost."""

from __future__ import annotations

import json
import re

import pytest
from deciding import HOSTILE, bounds, row

from edgebench.analysis.cost import Need
from edgebench.analysis.recommend import Objective
from edgebench.errors import UsageError
from edgebench.report import (
    choice,
    choice_data,
    choice_html,
    choice_markdown,
    choice_more,
    choice_table,
    choosing,
)
from edgebench.report.choosing import Asked
from edgebench.report.rows import Row

FRONT = (Objective("latency_p50_ms"), Objective("top1_ratio", more_is_better=True))
BOUGHT = Objective("cost_purchase_usd")
NEED = Need(cameras=40, rate_hz=10.0, kwh_usd=0.3)


def watts(device: str, power_w: float, tier: str = "board_measured") -> Row:
    """A cell whose power was measured: 100 frames a second, 1 W at rest."""
    found: Row = {"power_tier": tier, "power_idle_w": 1.0, "power_launches": 6}
    means = {"throughput_ips": 100.0, "power_w": power_w, "energy_net_mj": 10 * (power_w - 1)}
    for name, mean in means.items():
        stem, _, unit = name.rpartition("_")
        found |= {name: mean, f"{stem}_lo_{unit}": 0.99 * mean, f"{stem}_hi_{unit}": 1.01 * mean}
    return row(device) | found


def test_the_front_is_of_what_keeps_the_limits_and_its_first_figure_ranks() -> None:
    rows = [row("a", 10.0, top1_ratio=0.9), row("b", 20.0), row("c", 30.0), row("d", 1.0)]
    rows[3]["top1_ratio"] = 0.1
    asked = Asked(limits=bounds({"top1_ratio": 0.5}), front=FRONT)
    (one,) = choosing.decide(rows, asked)
    assert one.front is not None
    assert [member.name for member in one.front.members] == ["a litert int8", "b litert int8"]
    assert choosing.objective(None, None, FRONT) == FRONT[0]
    text = choice_table.text([one])
    assert "on the front" in text
    assert "beaten by b litert int8 as it seems" in text


def test_where_nothing_ranks_there_is_no_front() -> None:
    (one,) = choosing.decide([row()], Asked(limits=bounds({"latency_p99_ms": 1}), front=FRONT))
    assert one.front is None
    assert json.loads(json.dumps(choice_data.to_json([one])))["answers"][0]["front"] is None


def test_a_front_never_mixes_tiers_of_power() -> None:
    rows = [watts("a", 5.0), watts("b", 6.0, "wall_measured")]
    front = (Objective("latency_p50_ms"), Objective("power_w"))
    with pytest.raises(UsageError, match=r"wall_measured \(b\) and board_measured \(a\)"):
        choosing.decide(rows, Asked(front=front))
    (one,) = choosing.decide(rows, Asked(front=front, allow_tiers=("wall_measured",)))
    assert one.front is not None
    assert [member.name for member in one.front.members] == ["b litert int8"]
    assert [out.candidate.name for out in one.front.left_out] == ["a litert int8"]


def test_a_front_of_a_figure_that_nobody_has_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="no figure is named 'latncy'"):
        choosing.decide([row()], Asked(front=(FRONT[0], Objective("latncy"))))


def test_costs_can_be_limited_and_ranked_by_and_are_told_in_every_form() -> None:
    rows = [watts("raspberry-pi-5", 5.0), watts("orange-pi-5", 50.0), watts("nobody-knows", 5.0)]
    asked = Asked(
        limits=bounds({"cost_power_w": 30}), objective=Objective("cost_total_usd"), need=NEED
    )
    (one,) = choosing.decide(rows, asked)
    assert [s.candidate.name for s in one.answer.ranked] == ["raspberry-pi-5 litert int8"]
    for form in (choice_table.text, choice_markdown.text, choice_html.text):
        assert "40 cameras at 10 frames/s for 3 years" in " ".join(form([one]).split())
    text = " ".join(choice_table.text([one]).split())
    assert "nobody-knows litert int8: cost_total_usd is not known: no price of the device" in text
    (answer,) = json.loads(json.dumps(choice_data.to_json([one])))["answers"]
    assert answer["cost"]["need"]["cameras"] == 40
    found, columns = choice_data.csv_rows([one])
    assert {"cost_total_usd", "cost_devices"} <= {*columns}
    assert (
        found[0]["cost_total_usd"] == answer["candidates"][0]["figures"]["cost_total_usd"]["value"]
    )


def test_notes_on_costs_name_rows_that_every_form_numbers() -> None:
    decided = choosing.decide([row("a"), row("b", 20.0)], Asked(need=NEED))
    shown = choice_markdown.text(decided), choice_html.text(decided)
    for one, told in zip(shown, ("| `b: b litert int8`", ">b: b litert int8<"), strict=True):
        assert told in one


def test_what_only_lacks_a_tariff_says_how_to_state_it() -> None:
    need = Need(cameras=1, rate_hz=1)
    asked = Asked(objective=Objective("cost_total_usd"), need=need)
    (decided,) = choosing.decide([watts("raspberry-pi-5", 5.0)], asked)
    assert "(--kwh-usd)" in choice.rejected_lines(decided.answer)[0]


def test_costs_that_power_is_in_never_mix_its_tiers() -> None:
    rows = [watts("raspberry-pi-5", 5.0), watts("orange-pi-5", 6.0, "wall_measured")]
    asked = Asked(objective=Objective("cost_total_usd"), need=NEED)
    with pytest.raises(UsageError, match="wall_measured"):
        choosing.decide(rows, asked)


def ranks(rows: list[Row], **asked: object) -> tuple[str, list[str], str]:
    """The objective, who ranks in order, and the first line below the costs."""
    (one,) = choosing.decide(rows, Asked(**{"need": NEED, **asked}))  # type: ignore[arg-type]
    names = [str(each.candidate.row["device"]) for each in one.answer.ranked]
    return one.answer.objective.name, names, choice_more.cost_lines(one)[0]


def test_who_buys_and_names_no_figure_is_told_what_costs_the_least_in_all() -> None:
    """40 cameras of 10/s: 99/s of the cheaper board hold 7, so 6 boards; 200/s hold 16, so 3."""
    fast = watts("raspberry-pi-5", 5.0) | {f"throughput{end}_ips": 200.0 for end in ("", "_lo")}
    rows = [watts("raspberry-pi-4", 5.0), {**fast, "throughput_hi_ips": 200.0}]
    prices = {"raspberry-pi-4": 75.0, "raspberry-pi-5": 80.0}
    objective, names, line = ranks(rows, prices_usd=prices)
    assert (objective, names) == ("cost_total_usd", ["raspberry-pi-5", "raspberry-pi-4"])
    assert line == "ranked by cost_total_usd, as no figure was named"
    objective, names, line = ranks(rows, prices_usd=prices, objective=Objective("price_usd"))
    assert (objective, names) == ("price_usd", ["raspberry-pi-4", "raspberry-pi-5"])
    assert line.startswith("the least cost_total_usd of those that rank: raspberry-pi-5 litert")


def test_costs_that_cannot_be_held_against_each_other_rank_by_the_purchase() -> None:
    rows = [watts("raspberry-pi-5", 5.0), watts("raspberry-pi-4", 6.0, "wall_measured")]
    objective, names, line = ranks(rows)
    assert (objective, len(names)) == ("cost_purchase_usd", 2)
    assert "several tiers of power" in line
    assert ranks(rows, allow_tiers=("wall_measured",))[:2] == ("cost_total_usd", ["raspberry-pi-4"])
    *_, line = ranks(rows, need=Need(cameras=40, rate_hz=10.0))
    assert line.endswith("the price of a kWh was not stated (--kwh-usd)")


def test_without_any_price_latency_ranks_and_a_failed_one_decides_nothing() -> None:
    objective, _, line = ranks([watts("nobody-knows", 5.0)])
    assert (objective, "--price" in line) == ("latency_p50_ms", True)
    failed = {**watts("raspberry-pi-4", 5.0, "wall_measured"), "validity": "invalid"}
    assert ranks([watts("raspberry-pi-5", 5.0), failed])[0] == "cost_total_usd"


def test_marks_below_the_costs_are_those_of_the_rows_in_every_form() -> None:
    rows = [watts("raspberry-pi-5", 5.0), watts("raspberry-pi-4", 6.0)]
    decided = choosing.decide(rows, Asked(need=NEED))
    for form in (choice_markdown.text, choice_html.text):
        assert "a: raspberry-pi-" in form(decided)
        assert "(a) price: " in form(decided)
    assert "\na   raspberry-pi-" in choice_table.text(decided)


def test_a_meter_that_does_not_see_all_is_told_so_in_every_form() -> None:
    """101/s * 80 % hold 8 cameras: 5 boards of 0.99 W and 400/s of 0.0396 J: 20.79 W, no most."""
    partial = watts("raspberry-pi-5", 5.0, "partial_measured") | {"power_excludes": "memory"}
    decided = choosing.decide([partial], Asked(objective=Objective("cost_power_w"), need=NEED))
    assert ": cost_power_w at least 20.79\n" in choice_table.text(decided)
    for form in (choice_table.text, choice_markdown.text, choice_html.text):
        text = form(decided).replace("&gt;", ">")
        assert text.count(">=20.79") == 2


def test_a_cost_that_stands_at_an_end_of_its_range_is_told_as_the_range() -> None:
    """80 % of 99/s hold 7 cameras: 6 boards, 480 USD; at best 101/s hold 8: 5 boards, 400 USD."""
    asked = Asked(objective=BOUGHT, need=NEED, front=(FRONT[0], BOUGHT))
    text = choice_table.text(choosing.decide([watts("raspberry-pi-5", 5.0)], asked))
    assert text.count("400.0-480.0") == 2
    assert "480.0 ±" not in text


def test_who_holds_no_camera_has_no_place_on_a_front_and_is_told_why() -> None:
    rows = [watts("raspberry-pi-5", 5.0), watts("raspberry-pi-4", 6.0)]
    need = Need(cameras=2, rate_hz=90.0)
    asked = Asked(front=(FRONT[0], Objective("cost_devices")), need=need, objective=FRONT[0])
    (one,) = choosing.decide(rows, asked)
    assert one.front is not None
    words = "cost_devices is not known: one camera needs 90/s, it does 99/s, of which 80% is "
    assert all(out.reasons[0].startswith(words) for out in one.front.left_out)
    assert len(one.front.left_out) == 2


def test_a_batch_tells_that_frames_wait_for_it_and_no_price_is_without_end() -> None:
    decided = choosing.decide([watts("raspberry-pi-5", 5.0) | {"batch": 8}], Asked(need=NEED))
    assert "a frame waits until its batch of 8 is full" in choice_more.cost_lines(decided[0])
    with pytest.raises(UsageError, match=r"no price of raspberry-pi-5 \(from 0 to 1,000,000,000"):
        choosing.decide([row("raspberry-pi-5")], Asked(prices_usd={"raspberry-pi-5": 1e308}))


def test_cells_of_one_board_cost_the_same_and_the_fastest_stands_first() -> None:
    slow, fast = row("raspberry-pi-5", 20.0), row("raspberry-pi-5", 9.0, backend="onnxruntime")
    for rows in ([slow, fast], [fast, slow]):
        (one,) = choosing.decide(rows, Asked(objective=Objective("price_usd")))
        assert one.answer.ranked[0].candidate.row["backend"] == "onnxruntime"
        assert {each.rank for each in one.answer.ranked} == {1}


def test_a_front_of_what_nobody_measured_leaves_everyone_out() -> None:
    asked = Asked(front=(FRONT[0], Objective("energy_net_mj")), objective=FRONT[0])
    decided = choosing.decide([row("a"), row("b")], asked)
    text = " ".join(choice_table.text(decided).split())
    assert "on the front" not in text
    assert "0 of 2 candidates" in text
    assert "energy_net_mj was not measured" in text


def test_a_cost_without_a_need_is_a_mistake() -> None:
    with pytest.raises(UsageError, match="cost_total_usd is of a need"):
        choosing.decide([row()], Asked(objective=Objective("cost_total_usd")))


def test_hostile_names_are_inert_beside_an_answer_too() -> None:
    asked = Asked(front=FRONT, need=NEED)
    decided = choosing.decide([watts(HOSTILE, 5.0), watts("b", 5.0)], asked)
    assert all(c.isprintable() or c == "\n" for c in choice_table.text(decided))
    assert "</script>" not in choice_html.text(decided)
    outside = re.sub(r"`[^`\n]*`", "", choice_markdown.text(decided))
    assert not {"<", "@"} & {*outside}

"""Which candidate is taken: refusals, tiers, ranks, ties, and what would change the answer."""

from __future__ import annotations

import pytest
from choosing import Row, row, spread

from edgebench.analysis.candidates import Candidate, Figure, of_rows
from edgebench.analysis.constraints import Constraint
from edgebench.analysis.recommend import Answer, Objective, recommend
from edgebench.errors import UsageError

P50 = Objective("latency_p50_ms")
ENERGY = Objective("energy_net_mj")


def cell(device: str, /, *p50_ms: float, **changes: object) -> Row:
    timed = spread("latency_p50_ms", p50_ms[0], 0.01) if p50_ms else {}
    return row(device=device, device_id=device, **{**timed, **changes})


def joules(value: float, tier: str = "board_measured", half_ratio: float = 0.01) -> Row:
    figures = spread("energy_net_mj", value, half_ratio)
    return {**figures, "power_tier": tier, "power_launches": 6}


def chosen(rows: list[Row], *limits: Constraint, by: Objective = P50, **more: object) -> Answer:
    (group,) = of_rows(rows)
    return recommend(group, limits, by, **more)  # type: ignore[arg-type] # options as they come


def ranks(answer: Answer) -> dict[str, int]:
    return {str(one.candidate.row["device"]): one.rank for one in answer.ranked if one.rank}


def refusals(answer: Answer) -> dict[str, str]:
    return {str(one.candidate.row["device"]): "; ".join(one.refusals) for one in answer.rejected}


def test_the_best_leads_and_what_ties_with_it_shares_its_rank() -> None:
    rows = [cell("c", 12.0), cell("a", 10.0), cell("b", 10.1), cell("d", 12.05), cell("e", 30.0)]
    answer = chosen(rows)
    assert ranks(answer) == {"a": 1, "b": 1, "c": 2, "d": 2, "e": 3}
    assert [one.candidate.row["device"] for one in answer.standings] == ["a", "b", "c", "d", "e"]
    assert answer.standings[0].ties == ("b litert fp32",)


def test_a_tie_is_not_handed_on() -> None:
    answer = chosen([cell("a", 10.0), cell("b", 10.1), cell("c", 10.2)])
    assert ranks(answer) == {"a": 1, "b": 1, "c": 2}
    assert answer.ranked[1].ties == ("a litert fp32", "c litert fp32")


def test_the_most_leads_where_more_is_better() -> None:
    rows = [cell(name, **spread("throughput_ips", value, 0.01)) for name, value in _RATES]
    answer = chosen(rows, by=Objective("throughput_ips", more_is_better=True))
    assert ranks(answer) == {"fast": 1, "slow": 2}
    assert "rose by" in answer.changes[0]
    assert ", and win above 1" in answer.changes[0]


_RATES = (("slow", 50.0), ("fast", 100.0))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "crashed", "reason": "SIGSEGV"}, "crashed: SIGSEGV"),
        (
            {"validity": "invalid", "caveats": "p99 needs n >= 368; parity: cosine 0.5 below 0.9"},
            "invalid: parity: cosine 0.5 below 0.9",
        ),
        (
            {"fallback": "precision", "precision": "int8"},
            "fallback: int8 was asked and fp32 ran",
        ),
        (
            {"fallback": "accelerator", "accelerator": "npu"},
            "fallback: npu was asked and did not run it",
        ),
        (
            {"fallback": "partial_precision", "precision_ratio": 0.62},
            "fallback: only 62% of the multiplications ran in fp32",
        ),
        ({"latency_p50_ms": None}, "latency_p50_ms was not measured"),
        ({"latency_p50_ms": float("nan")}, "latency_p50_ms was not measured"),
    ],
)
def test_what_does_not_rank_says_why(changes: Row, why: str) -> None:
    answer = chosen([cell("bad", 1.0, **changes), cell("good", 9.0)])
    assert ranks(answer) == {"good": 1}
    assert refusals(answer) == {"bad": why}


def test_suspect_and_imported_rank_marked_unless_all_must_be_valid() -> None:
    rows = [
        cell("a", 1.0, validity="suspect", caveats="throttled: soft limit (2 of 3 launches)"),
        cell("b", 2.0, validity=None, imported_from="pyperf: bench.json"),
        cell("c", 3.0),
    ]
    answer = chosen(rows)
    assert ranks(answer) == {"a": 1, "b": 2, "c": 3}
    assert answer.ranked[0].notes == ("suspect: throttled: soft limit (2 of 3 launches)",)
    assert answer.ranked[1].notes == ("imported: pyperf: bench.json",)
    strict = chosen(rows, require_valid=True)
    assert ranks(strict) == {"c": 1}
    assert refusals(strict)["a"].startswith("suspect: throttled")
    assert refusals(strict)["b"] == "not valid: nothing judged it"


def test_random_weights_keep_no_accuracy_limit() -> None:
    top1 = Constraint("top1_ratio", "min", 0.7)
    answer = chosen([cell("a", 1.0, weights="random")], top1)
    assert "random weights: an accuracy limit cannot be kept" in answer.rejected[0].breaks[0].words


def test_one_unit_that_does_not_rank_takes_its_kind_along() -> None:
    rows = [row(device_id="a", latency_p50_ms=1.0), row(device_id="b", status="oom", reason="9 GB")]
    assert refusals(chosen(rows)) == {"pi5": "b: oom: 9 GB"}


def test_units_are_told_beside_their_mean() -> None:
    rows = [row(device_id=name, **spread("latency_p50_ms", ms, 0.01)) for name, ms in _UNITS]
    (one,) = chosen(rows).ranked
    assert one.figure is not None
    assert one.figure.value == pytest.approx(6.0)
    assert one.notes == ("2 units: latency_p50_ms 4 .. 9 (2.25 times)",)


_UNITS = (("a", 4.0), ("b", 9.0))


def test_tiers_of_power_are_not_ranked_together() -> None:
    rows = [cell("a", **joules(1.0)), cell("b", **joules(2.0, "wall_measured"))]
    said = r"wall_measured \(b\) and board_measured \(a\).*--allow-tier wall_measured takes"
    with pytest.raises(UsageError, match=said):
        chosen(rows, by=ENERGY)
    with pytest.raises(UsageError, match=said):
        chosen([{**one, "latency_p50_ms": 1.0} for one in rows], Constraint(ENERGY.name, "max", 9))


def test_one_tier_that_is_let_in_takes_the_others_out() -> None:
    rows = [cell("a", **joules(1.0)), cell("b", **joules(2.0, "wall_measured"))]
    answer = chosen(rows, by=ENERGY, allow_tiers=("wall_measured",))
    assert ranks(answer) == {"b": 1}
    assert refusals(answer)["a"].endswith("is board_measured: only wall_measured counts here")


def test_several_tiers_that_are_let_in_rank_together_and_are_labelled() -> None:
    rows = [cell("a", **joules(1.0)), cell("b", **joules(2.0, "wall_measured"))]
    answer = chosen(rows, by=ENERGY, allow_tiers=("wall_measured", "board_measured"))
    assert ranks(answer) == {"a": 1, "b": 2}
    assert [one.notes for one in answer.ranked] == [
        ("energy_net_mj is board_measured",),
        ("energy_net_mj is wall_measured",),
    ]


def test_a_tier_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean wall_measured"):
        chosen([cell("a", 1.0)], allow_tiers=("wall_mesured",))


def test_what_does_not_rank_anyway_has_no_tier_to_mix() -> None:
    rows = [
        cell("a", **joules(1.0)),
        cell("b", **joules(2.0, "wall_measured"), validity="invalid", caveats="parity: 0"),
    ]
    assert ranks(chosen(rows, by=ENERGY)) == {"a": 1}


def test_a_proxy_is_labelled_and_is_a_tier_of_its_own() -> None:
    proxy = {"cpu_per_inference_ms": 3.0}
    rows = [cell("a", **joules(1.0), **proxy), cell("b", **joules(2.0), **proxy)]
    limit = Constraint("cpu_per_inference_ms", "max", 5.0)
    answer = chosen(rows, limit, by=ENERGY, allow_tiers=("board_measured",))
    assert ranks(answer) == {"a": 1, "b": 2}
    alone = chosen(rows, by=Objective("cpu_per_inference_ms"))
    assert alone.ranked[0].notes[-1] == "cpu_per_inference_ms is no measurement of power: proxy"


def test_costs_bring_the_tier_of_the_power_that_they_are_made_of() -> None:
    made = [
        Candidate(name=name, rows=(cell(name),), told={"cost_usd": Figure(1.0, tier=tier)})
        for name, tier in (("a", "wall_measured"), ("b", "envelope"))
    ]
    with pytest.raises(UsageError, match=r"cost_usd is wall_measured .* and envelope"):
        recommend(made, (), Objective("cost_usd"))


def test_a_latency_where_each_bears_another_rate_does_not_rank() -> None:
    answer = chosen([cell("a", 5.0, scenario="server", parameters="bound_ms=10")])
    assert refusals(answer)["a"] == (
        "server: each was measured at the rate that it bears: --maximise server_rate_hz ranks these"
    )


def test_an_unknown_objective_and_an_empty_choice_are_refused() -> None:
    with pytest.raises(UsageError, match="did you mean latency_p50_ms"):
        chosen([cell("a", 1.0)], by=Objective("latency_p50"))
    with pytest.raises(UsageError, match="nothing to choose from"):
        recommend([], (), P50)
    named = chosen([cell("a", 1.0)], Constraint("cost_usd", "max", 3.0), known=("cost_usd",))
    assert "cost_usd was not measured" in named.rejected[0].breaks[0].words


def test_the_runner_up_is_told_what_it_takes_to_tie_and_to_win() -> None:
    rows = [cell("a", 10.0), cell("b", 20.0), cell("c", 30.0)]
    (change,) = chosen(rows).alternatives
    assert (change.candidate, change.kind) == ("b litert fp32", "objective")
    assert change.to_tie is not None
    assert change.to_win is not None
    for edge, outside, inside in (
        (change.to_tie, {"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 1, "c": 2}),
        (change.to_win, {"a": 1, "b": 1, "c": 2}, {"b": 1, "a": 2, "c": 3}),
    ):
        assert ranks(chosen([rows[0], cell("b", edge * 1.0001), rows[2]])) == outside
        assert ranks(chosen([rows[0], cell("b", edge * 0.9999), rows[2]])) == inside


def test_energies_move_in_their_unit_to_tie_and_to_win() -> None:
    rows = [cell("a", **joules(1.0, half_ratio=0.5)), cell("b", **joules(9.0, half_ratio=0.5))]
    (change,) = chosen(rows, by=ENERGY).alternatives
    assert change.to_tie is not None
    assert change.to_win is not None
    assert change.to_win < 0 < change.to_tie  # its interval is 9 wide, wherever it lies


def test_prices_win_below_and_tie_at() -> None:
    prices = {
        "a": {"price_usd": Figure(40.0, exact=True)},
        "b": {"price_usd": Figure(50, exact=True)},
    }
    (group,) = of_rows([cell("a"), cell("b")], prices)
    (change,) = recommend(group, (), Objective("price_usd")).alternatives
    assert (change.to_tie, change.to_win) == (40.0, 40.0)
    assert change.words.endswith("fell by 10 (20%) to 40, and win below 40")


def test_what_a_limit_keeps_out_is_told_by_the_least_change() -> None:
    rows = [
        cell("winner", 10.0, rss_peak_mib=50.0),
        cell("near", 5.0, rss_peak_mib=110.0),
        cell("far", 2.0, rss_peak_mib=300.0),
        cell("slow", 20.0, rss_peak_mib=900.0),
        cell("broken", 1.0, validity="invalid", caveats="parity: cosine 0"),
        cell("unknown", 3.0),
    ]
    found = chosen(rows, Constraint("rss_peak_mib", "max", 100.0)).alternatives
    assert [(one.candidate.split()[0], one.kind) for one in found] == [
        ("near", "limits"),
        ("far", "limits"),
        ("unknown", "limits"),
        ("broken", "mend"),
    ]
    assert found[0].words == (
        "near litert fp32 would rank before winner litert fp32 if rss_peak_mib <= 100 gave way "
        "to <= 110"
    )
    assert "its rss_peak_mib were known and kept rss_peak_mib <= 100" in found[2].words
    assert "it were mended (invalid: parity: cosine 0)" in found[3].words
    assert "rss_peak_mib were known" in found[3].words


def test_a_bound_that_would_do_is_rounded_to_what_keeps_it() -> None:
    rows = [cell("a", 5.0, rss_peak_mib=123.4561), cell("b", 9.0, rss_peak_mib=1.0)]
    answer = chosen(rows, Constraint("rss_peak_mib", "max", 100.0))
    assert answer.changes[0].endswith("gave way to <= 123.5")
    least = chosen(rows, Constraint("rss_peak_mib", "min", 200.0))
    assert least.changes[0].endswith("gave way to >= 123.4")


def test_where_nothing_ranks_the_nearest_come_first() -> None:
    rows = [cell("a", 50.0), cell("b", 40.0)]
    answer = chosen(rows, Constraint("latency_p50_ms", "max", 10.0))
    assert answer.ranked == ()
    assert answer.changes[0] == "b litert fp32 would rank if latency_p50_ms <= 10 gave way to <= 40"


def test_what_has_no_interval_ties_and_says_so() -> None:
    rows = [cell("a", load_ms=1.0), cell("b", load_ms=50.0)]
    answer = chosen(rows, by=Objective("load_ms"))
    assert ranks(answer) == {"a": 1, "b": 1}
    assert answer.ranked[0].notes == (
        "load_ms has no interval over launches: nothing tells it apart",
    )

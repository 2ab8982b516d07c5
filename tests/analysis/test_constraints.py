"""Limits: which are none, who breaks them and by how much, what is not measured or not sure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from choosing import Row, row, spread

from edgebench.analysis import constraints, naming
from edgebench.analysis.candidates import Candidate, Figure
from edgebench.analysis.constraints import Constraint, judge, note, parse, together
from edgebench.errors import UsageError


def candidate(*rows: Row, told: dict[str, Figure] | None = None) -> Candidate:
    return Candidate(name="one", rows=rows or (row(),), told=told or {})


P50 = Constraint("latency_p50_ms", "max", 10.0)


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("latency_p99_ms", "is no limit (write it like --max latency_p99_ms=33)"),
        ("=3", "is no limit"),
        ("latency_p99_ms=nan", "is no limit"),
        ("latency_p99_ms=inf", "is no limit"),
        ("latency_p99_ms=33ms", "is no limit"),
        ("top1_ratio=70", "did you mean 0.7?"),
        ("top1_loss_ratio=1", "did you mean 0.01?"),
        ("burst_sustained_ratio=90", "did you mean 0.9?"),
    ],
)
def test_what_is_no_limit_is_told_in_one_line(words: str, part: str) -> None:
    with pytest.raises(UsageError, match=r".") as raised:
        parse(words, "max")
    assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_limit_is_read_with_its_sign_and_fractions() -> None:
    assert parse(" energy_net_mj = -1e-3 ", "min") == Constraint("energy_net_mj", "min", -0.001)
    assert parse("top1_ratio=1", "min").words == "top1_ratio >= 1"
    assert parse("drift_ratio=1.05", "max").bound == 1.05
    assert Constraint("model_parameters_count", "max", 12345678.0).words.endswith("<= 12345678")


def test_the_same_limit_twice_is_one_and_two_of_a_figure_are_refused() -> None:
    assert together([P50, P50]) == (P50,)
    with pytest.raises(UsageError, match=r"two limits of one figure: .* <= 10 and .* <= 20"):
        together([P50, P50._replace(bound=20.0)])
    with pytest.raises(UsageError, match=r"nothing can keep latency_p50_ms <= 10 and .* >= 11"):
        together([P50, Constraint("latency_p50_ms", "min", 11.0)])
    both = [P50, Constraint("latency_p50_ms", "min", 10.0)]
    assert together(both) == tuple(both)


@pytest.mark.parametrize("sense", ["max", "min"])
def test_equality_keeps_a_limit(sense: constraints.Sense) -> None:
    kept = Constraint("latency_p50_ms", sense, 10.0)
    assert judge(candidate(row(latency_p50_ms=10.0)), kept) is None
    assert (
        judge(candidate(row(latency_p50_ms=10.0, threads=4)), Constraint("threads", sense, 4))
        is None
    )


def test_a_break_says_by_how_much_and_whether_that_is_sure() -> None:
    surely = judge(candidate(row(**spread("latency_p50_ms", 12.5, 0.01))), P50)
    assert surely is not None
    assert surely.words == "latency_p50_ms 12.5 > 10 by 2.5 (25%)"
    assert (surely.sure, surely.excess, surely.excess_ratio) == (True, 2.5, 0.25)
    perhaps = judge(candidate(row(**spread("latency_p50_ms", 10.1, 0.05))), P50)
    assert perhaps is not None
    assert not perhaps.sure
    assert perhaps.words.endswith("(1%), within its interval")
    little = judge(candidate(row(latency_p50_ms=10.00001)), P50)
    assert little is not None
    assert little.words.startswith("latency_p50_ms 10.00001 > 10 by 0.00001")
    least = judge(candidate(row(top1_ratio=0.6)), Constraint("top1_ratio", "min", 0.7))
    assert least is not None
    assert least.words.startswith("top1_ratio 0.6 < 0.7 by 0.1 (14%)")


def test_a_limit_of_nothing_has_no_percentage() -> None:
    broken = judge(candidate(row(energy_net_mj=0.5)), Constraint("energy_net_mj", "max", 0.0))
    assert broken is not None
    assert broken.words == "energy_net_mj 0.5 > 0 by 0.5"
    assert broken.excess_ratio is None


def test_what_keeps_a_limit_within_its_interval_is_noted_and_refused_where_it_must_be_sure() -> (
    None
):
    near = candidate(row(**spread("latency_p50_ms", 9.9, 0.05)))
    assert judge(near, P50) is None
    assert note(near, P50).endswith("is not sure: its interval reaches 10.39")
    broken = judge(near, P50, sure=True)
    assert broken is not None
    assert not broken.sure
    assert broken.needed == pytest.approx(9.9 * 1.05)
    assert judge(candidate(row(**spread("latency_p50_ms", 9.0, 0.05))), P50, sure=True) is None


def test_what_has_no_interval_is_not_sure_but_a_price_is() -> None:
    broken = judge(candidate(row(latency_p50_ms=5.0)), P50, sure=True)
    assert broken is not None
    assert broken.words.endswith("has no interval")
    told = {"price_usd": Figure(80.0, exact=True)}
    assert judge(candidate(told=told), Constraint("price_usd", "max", 80.0), sure=True) is None


@pytest.mark.parametrize(
    ("changes", "name", "why"),
    [
        ({"power_reason": "not measured: no power sensor here"}, "power_w", "no power sensor here"),
        ({}, "energy_net_mj", "no meter was read"),
        ({"caveats": "one; p99 needs n >= 368"}, "latency_p99_ms", "needs n >= 368"),
        ({"weights": "random"}, "top1_ratio", "random weights: an accuracy limit cannot be kept"),
        ({}, "top1_ratio", "no labelled samples were judged"),
        ({"accuracy": "mAP50 0.7"}, "top1_ratio", "judged by another figure, mAP50 0.7"),
        ({}, "server_rate_hz", "measured in the scenario server only"),
        ({}, "in_time_ratio", "measured in the scenario paced only"),
        ({}, "stage_decode_ms", "measured in the region e2e only"),
        ({}, "steady_after_iterations", "the launches were not judged for it"),
        ({}, "price_usd", "tell it: --price DEVICE=USD"),
        ({}, "npu_tops", "no descriptor tells it"),
        ({"imported_from": "mlperf: x"}, "rss_peak_mib", "what was imported does not tell it"),
        ({"status": "oom", "reason": "killed"}, "load_ms", "oom: killed"),
        ({"accelerator": "npu"}, "cpu_per_inference_ms", "an accelerator ran"),
    ],
)
def test_what_is_not_measured_is_no_pass_and_says_why(changes: Row, name: str, why: str) -> None:
    broken = judge(candidate(row(**changes)), Constraint(name, "max", 1e9))
    assert broken is not None
    assert broken.figure is None
    assert f"{name} was not measured" in broken.words
    assert why in broken.words


@pytest.mark.parametrize("value", [math.nan, None, "fast", True])
def test_what_is_no_number_never_passes(value: object) -> None:
    for sense in ("max", "min"):
        limit = Constraint("latency_p50_ms", sense, 0.0)
        assert judge(candidate(row(latency_p50_ms=value)), limit) is not None
        told = {"cost_usd": Figure(math.nan)}
        assert judge(candidate(told=told), Constraint("cost_usd", sense, 0.0)) is not None


def test_one_unit_that_breaks_a_limit_breaks_it_for_its_kind() -> None:
    units = [row(device_id=unit, latency_p50_ms=ms) for unit, ms in (("a", 5.0), ("b", 12.0))]
    broken = judge(candidate(*units), P50)
    assert broken is not None
    assert (broken.unit, broken.words) == ("b", "latency_p50_ms 12 > 10 by 2 (20%) on b")
    worse = judge(candidate(*units, row(device_id="c", latency_p50_ms=20.0)), P50)
    assert worse is not None
    assert worse.unit == "c"
    assert worse.words.endswith("on c; 2 of 3 units")
    lacking = judge(candidate(units[0], row(device_id="c")), P50)
    assert lacking is not None
    assert "was not measured on c" in lacking.words


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("latency_p99", "did you mean latency_p99_ms"),
        ("price", "did you mean price_usd"),
        ("latncy_p50_ms", "did you mean latency_p50_ms"),
        ("backend", "no figure is named 'backend'"),
        ("\x1b[31mred", "no figure is named '\\x1b[31mred'"),
        ("zzz", "such as latency_p99_ms"),
    ],
)
def test_a_name_that_is_no_figure_is_refused_with_what_is_like_it(name: str, like: str) -> None:
    with pytest.raises(UsageError) as raised:
        naming.check([name], naming.figures([candidate()]))
    assert like in str(raised.value)


def test_counts_and_published_facts_may_be_limits() -> None:
    told: Sequence[str] = ("threads", "batch", "price_usd", "npu_tops", "latency_p50_ms")
    naming.check(told, naming.figures([candidate()]))

"""Which cells are held against each other, which must not be, and what is named as changed."""

from __future__ import annotations

import pytest

from edgebench.analysis import limits, pairing
from edgebench.analysis.compare import common_factor, paired
from edgebench.errors import UsageError

CELL: dict[str, object] = {
    "device": "pi5",
    "device_id": "one",
    "case_id": "c1",
    "workload": "mnist_cnn",
    "workload_version": 1,
    "source_sha256": "0" * 64,
    "preset": "quick",
    "backend": "litert",
    "backend_version": "1.0",
    "precision": "fp32",
    "accelerator": "cpu",
    "threads": 1,
    "batch": 1,
    "streams": 1,
    "scenario": "single_stream",
    "region": "invoke",
    "options": None,
    "status": "ok",
    "validity": "valid",
    "launches": 3,
}


def cell(**changes: object) -> dict[str, object]:
    return {**CELL, **changes}


def test_the_same_case_on_the_same_unit_is_a_pair_whatever_the_order() -> None:
    a = [cell(), cell(case_id="c2", precision="int8")]
    b = [cell(case_id="c2", precision="int8", run_id="later"), cell(run_id="later")]
    found = pairing.pair(a, b)
    assert [(x["case_id"], y["case_id"]) for x, y in found.pairs] == [("c1", "c1"), ("c2", "c2")]
    assert (found.only_a, found.only_b) == ([], [])


def test_each_unit_goes_with_itself_before_another_of_its_kind() -> None:
    a = [cell(device_id="one"), cell(device_id="two")]
    b = [cell(device_id="two"), cell(device_id="three")]
    found = pairing.pair(a, b)
    assert [(x["device_id"], y["device_id"]) for x, y in found.pairs] == [
        ("one", "three"),
        ("two", "two"),
    ]


@pytest.mark.parametrize(
    ("axis", "other"), [("device", "pi4"), ("backend", "onnxruntime"), ("precision", "int8")]
)
def test_what_sets_the_two_sides_apart_as_a_whole_is_what_is_compared(
    axis: str, other: str
) -> None:
    a = [cell(case_id="1"), cell(case_id="2", workload="cifar10_cnn")]
    b = [
        cell(case_id="3", device_id="x", **{axis: other}),
        cell(case_id="4", device_id="x", workload="cifar10_cnn", **{axis: other}),
    ]
    found = pairing.pair(a, b)
    assert [x["workload"] == y["workload"] for x, y in found.pairs] == [True, True]
    assert all(pairing.obstacle(x, y) == "" for x, y in found.pairs)
    assert f"{axis} {CELL[axis]} -> {other}" in pairing.changes(*found.pairs[0])


def test_a_cell_gone_is_not_held_against_another_backends_new_one() -> None:
    a = [cell(case_id="1"), cell(case_id="2", precision="int8")]
    b = [cell(case_id="1"), cell(case_id="3", precision="int8", backend="onnxruntime")]
    found = pairing.pair(a, b)
    assert len(found.pairs) == 1
    assert [row["case_id"] for row in found.only_a + found.only_b] == ["2", "3"]


def test_twins_are_told_apart_by_their_case_or_left_alone() -> None:
    a = [cell(case_id="1"), cell(case_id="2")]
    assert len(pairing.pair(a, list(reversed(a))).pairs) == 2
    assert pairing.pair(a, [cell(case_id="3")]).pairs == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source_sha256": "f" * 64}, "other model: 00000000 -> ffffffff"),
        ({"workload_version": 2}, "other version of the workload: 1 -> 2"),
        ({"preset": "standard"}, "other preset: quick -> standard"),
        ({"threads": 2}, "other number of threads: 1 -> 2"),
        ({"batch": 8}, "other batch"),
        ({"streams": 8}, "other number of streams"),
        ({"scenario": "server"}, "other scenario"),
        ({"region": "e2e"}, "other region"),
        ({"status": "crashed", "reason": "killed by SIGSEGV"}, "B crashed: killed by SIGSEGV"),
        ({"validity": "invalid", "caveats": "parity: cosine 0.5"}, "B invalid: parity: cosine"),
        (
            {"fallback": "precision", "effective_precision": "fp32"},
            "ran None -> ran fp32 (fell back: precision)",
        ),
    ],
)
def test_what_a_comparison_cannot_see_through_is_named(
    changes: dict[str, object], words: str
) -> None:
    other = cell(case_id="other", **changes)
    ((a, b),) = pairing.pair([cell()], [other]).pairs
    assert pairing.obstacle(a, b).startswith(words)


def test_versions_are_what_one_compares_for_and_doubts_are_told() -> None:
    new = cell(backend_version="1.1", edgebench_version="2", validity="suspect")
    assert pairing.obstacle(cell(), new) == ""
    assert pairing.changes(cell(), new) == [
        "backend_version 1.0 -> 1.1",
        "edgebench_version none -> 2",
    ]
    assert pairing.doubts(cell(), new) == "suspect in B"
    assert pairing.doubts(cell(), cell()) == ""


def test_a_value_that_one_side_does_not_know_is_no_obstacle() -> None:
    assert pairing.obstacle(cell(source_sha256=None), cell()) == ""


@pytest.mark.parametrize(
    ("words", "metric", "ratio"),
    [
        ("latency_p50_ms:+5%", "latency_p50_ms", 1.05),
        ("throughput_ips:-2.5%", "throughput_ips", 0.975),
        ("rss_peak_mib:+0%", "rss_peak_mib", 1.0),
    ],
)
def test_a_limit_is_read(words: str, metric: str, ratio: float) -> None:
    limit = limits.parse(words)
    assert limit.metric == metric
    assert limit.ratio == pytest.approx(ratio)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("latency_p50_ms", "no limit"),
        ("latency_p50_ms:5%", "no limit"),
        ("latency_p50_ms:+5", "no limit"),
        ("latency_p50_ms:+nan%", "no limit"),
        ("latency_p50_ms:-5%", "write 'latency_p50_ms:\\+5%'"),
        ("throughput_ips:+5%", "write 'throughput_ips:-5%'"),
        ("throughput_ips:-100%", "never be broken"),
        ("latency_p5_ms:+5%", "one of latency_p50_ms"),
        ("model_size_mib:+5%", "cannot be compared"),
    ],
)
def test_a_limit_that_protects_nothing_is_refused(words: str, remedy: str) -> None:
    with pytest.raises(UsageError, match=remedy):
        limits.parse(words)


def test_a_limit_breaks_only_where_the_interval_clears_it_and_stands_among_all() -> None:
    limit = limits.parse("latency_p50_ms:+5%")
    far, near, vague = (
        paired([c - s, c, c + s]) for c, s in ((0.2, 0.002), (0.07, 0.006), (0.2, 0.3))
    )
    alone = [limits.is_broken(limits.broken([(limit, one)])[0]) for one in (far, near, vague)]
    assert alone == [True, True, False]
    among = limits.broken([(limit, one) for one in (far, near, vague, *[vague] * 9)])
    assert [limits.is_broken(p) for p in among[:3]] == [True, False, False]
    more = limits.parse("throughput_ips:-5%")
    slower, faster = (paired([c - 0.002, c, c + 0.002], "throughput_ips") for c in (-0.2, 0.2))
    assert limits.is_broken(more.p_value(slower))
    assert not limits.is_broken(more.p_value(faster))
    assert not limits.is_broken(limit.p_value(paired([0.5])))


@pytest.mark.parametrize(
    ("ratios", "factor"),
    [
        ([1.08, 1.09, 1.07, 1.10, 1.08], 1.08),
        ([0.9, 0.91, 0.89, None, 0.9], 0.9),
        ([1.08, 1.0, 1.0, 1.0, 1.0], None),
        ([1.08, 1.02, 1.2, 0.97, 1.08], None),
        ([1.01, 1.01, 1.01, 1.01], None),
        ([1.3, 1.3, 1.3], None),
        ([], None),
    ],
)
def test_a_factor_that_all_cells_share_is_noticed(
    ratios: list[float | None], factor: float | None
) -> None:
    found = common_factor(ratios)
    assert found == (factor if factor is None else pytest.approx(factor, abs=0.006))


SERVER = {"scenario": "server", "parameters": "bound_ms=100"}
ASKED = {"scenario": "server", "parameters": "bound_ms=100 rate_hz=10"}


def test_other_parameters_of_a_scenario_are_another_question() -> None:
    faster = cell(case_id="c2", **ASKED | {"parameters": "bound_ms=100 rate_hz=20"})
    (pair,) = pairing.pair([cell(**ASKED)], [faster]).pairs
    assert pairing.obstacle(*pair).startswith("other parameters: bound_ms=100 rate_hz=10 -> ")
    assert pairing.obstacle(cell(**SERVER), cell(**ASKED)).startswith("other parameters")
    assert pairing.obstacle(cell(image_sha256="a" * 64), cell(image_sha256="b" * 64)) == (
        "other image: aaaaaaaa -> bbbbbbbb"
    )


def test_rates_find_their_own_on_another_device() -> None:
    a = [cell(**ASKED), cell(case_id="c2", **SERVER)]
    b = [row | {"device": "pi4", "device_id": "two"} for row in a[::-1]]
    found = pairing.pair(a, b).pairs
    assert len(found) == 2
    assert all(x["parameters"] == y["parameters"] for x, y in found)


def test_how_many_streams_a_machine_may_try_is_no_other_question() -> None:
    a, b = (
        cell(scenario="offline", parameters=f"max_batch=32 max_streams={most}") for most in (2, 8)
    )
    assert pairing.obstacle(a, b) == ""
    assert pairing.obstacle(a, cell(scenario="offline", parameters=None)) != ""


def test_latency_is_not_compared_between_loads_that_a_search_chose() -> None:
    a, b = cell(**SERVER), cell(**SERVER)
    for metric in ("latency_p50_ms", "latency_p99_ms", "throughput_ips"):
        assert "compare server_rate_hz" in pairing.obstacle_of(metric, a, b)
        assert pairing.obstacle_of(metric, cell(**ASKED), cell(**ASKED)) == ""
    assert pairing.obstacle_of("server_rate_hz", a, b) == ""
    small, large = (
        cell(scenario="offline", offline_batch=batch, offline_streams=1) for batch in (8, 16)
    )
    assert "compare throughput_ips" in pairing.obstacle_of("latency_p50_ms", small, large)
    assert pairing.obstacle_of("latency_p50_ms", small, small) == ""
    assert pairing.obstacle_of("throughput_ips", small, large) == ""

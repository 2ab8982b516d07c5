"""Operators added up: what is disturbed does not count, shares add up, 80 columns hold."""

from __future__ import annotations

import csv
import io

import pytest
from rich.console import Console

from edgebench.protocols import OpTime, OpTimes, OpWork
from edgebench.records import Effective
from edgebench.report import profile
from edgebench.report.profile import Summary, summarise
from edgebench.samples import Samples
from edgebench.wire import Profiled


def told(*times: OpTime, calls: tuple[int, ...] = (100_000,), resolution_ns: int = 1) -> Profiled:
    return Profiled(
        op_times=OpTimes(source="a planted profiler", times=times, resolution_ns=resolution_ns),
        profiled_ns=Samples(calls),
        plain_ns=Samples([50_000]),
        same_outputs=True,
        effective=Effective(),
    )


def one(name: str, duration_ns: int, call: int | None = 0, kind: str = "Conv") -> OpTime:
    return OpTime(name=name, kind=kind, duration_ns=duration_ns, call=call)


def drawn(summary: Summary, top: int = 15) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=80).print(profile.table(summary, top))
    return file.getvalue().splitlines()


def test_a_call_that_the_system_interrupted_does_not_blame_its_operator() -> None:
    calls = [100_000 + call for call in range(8)]
    times = [one(name, 40_000, call) for call in range(8) for name in ("a", "b")]
    for disturbed in (1, 3, 6):
        calls[disturbed] += 4_000_000
        times[2 * disturbed + 1] = one("b", 4_040_000, disturbed)
    summary = summarise(told(*times, calls=tuple(calls)))
    assert [operator.duration_us for operator in summary.operators] == [40.0, 40.0]
    assert summary.operators_us == 80.0


def test_shares_add_up_and_the_costliest_stands_first() -> None:
    summary = summarise(told(one("a", 10_000), one("b", 60_000), one("c", 10_000)))
    assert [operator.operator for operator in summary.operators] == ["b", "a", "c"]
    assert summary.operators[0].share_ratio == 0.75
    assert summary.operators[-1].cumulative_ratio == pytest.approx(1.0)
    assert summary.profiled_us == 100.0
    assert summary.overhead_ratio == 1.0


def test_means_and_operators_that_run_twice_are_of_one_call() -> None:
    means = summarise(told(one("a", 7_000, None), calls=(100_000,) * 8))
    assert means.operators[0].duration_us == 7.0
    twice = [one("loop", 5_000, call) for call in range(4) for _ in range(2)]
    summary = summarise(told(*twice, calls=(100_000,) * 4))
    assert (summary.operators[0].executions, summary.operators[0].duration_us) == (2.0, 10.0)
    assert "Conv x2" in drawn(summary)[2]


def test_the_table_keeps_80_columns_and_long_names_apart() -> None:
    names = [f"sequential_1/block_{n}/BiasAdd/WithoutBiases/Fused" for n in range(30)]
    times = [
        OpTime(
            name=name,
            kind="FullyConnectedQuantizedLegacy",
            duration_ns=1_234_567_890 - n * 1000,
            call=0,
            precision="fp32>int8_dynamic",
        )
        for n, name in enumerate(names)
    ]
    lines = drawn(summarise(told(*times)))
    assert max(map(len, lines)) <= 80
    assert len({line.split()[0] for line in lines[2:17]}) == 15
    assert lines[-1].startswith("15 others")
    assert "…" not in "".join(lines)


def test_a_time_below_the_resolution_is_not_shown_as_nothing() -> None:
    summary = summarise(told(one("a", 5_000), one("b", 0), resolution_ns=1000))
    assert [line.split()[2] for line in drawn(summary)[2:]] == ["5.000", "<1"]


def test_csv_holds_every_operator_and_no_formula() -> None:
    summary = summarise(told(one("=cmd()", 5_000), one("b,c", 1_000)))
    rows = list(csv.DictReader(io.StringIO(profile.to_csv(summary, "mnist/x/fp32"))))
    assert [row["operator"] for row in rows] == ["'=cmd()", "b,c"]
    assert tuple(rows[0]) == profile.COLUMNS
    assert float(rows[0]["duration_us"]) == 5.0
    assert {row["case"] for row in rows} == {"mnist/x/fp32"}


def test_a_name_cannot_command_the_terminal() -> None:
    lines = drawn(summarise(told(one("\x1b[2Jwiped", 5_000, kind="[red]Conv"))))
    assert "?[2Jwiped" in lines[2]
    assert "[red]Conv" in lines[2]


def test_calls_that_grow_shorter_by_looking_are_disturbed() -> None:
    assert not profile.disturbed(summarise(told(one("a", 1), calls=(49_000,))))
    assert profile.disturbed(summarise(told(one("a", 1), calls=(40_000,))))


def test_what_looking_cost_is_one_line() -> None:
    summary = summarise(told(one("a", 60_000)))
    assert profile.cost(summary) == (
        "us a call: profiled 100.0, its operators 60.00, unprofiled 50.00; overhead 100%"
    )


WORKS = (
    OpWork(names=("a",), kind="convolution", macs=30_000_000),
    OpWork(names=("b",), kind="depthwise", macs=1_000_000),
    OpWork(names=("c",), kind="depthwise", macs=500),
)


def test_operators_and_kinds_have_rates_where_the_file_tells_their_work() -> None:
    times = (one("a", 1_000_000), one("b", 500_000), one("c", 500_000), one("d", 0, kind="Relu"))
    summary = summarise(told(*times), WORKS, batch=2)
    rates = {operator.operator: operator.rate_gmacps for operator in summary.operators}
    assert rates == {"a": 60.0, "b": 4.0, "c": pytest.approx(0.002), "d": None}
    assert [(kind.kind, kind.work_mmac, kind.rate_gmacps) for kind in summary.kinds] == [
        ("convolution", 60.0, 60.0),
        ("depthwise", 2.001, pytest.approx(2.001)),
        ("Relu", None, None),
    ]
    assert profile.kinds(summary) == (
        "convolution 50% (60 GMAC/s), depthwise 50% (2 GMAC/s), Relu <0.1%"
    )
    assert drawn(summary)[0].split()[-3:] == ["MMAC", "GMAC/s", "precision"]
    assert drawn(summary)[2].split() == ["a", "Conv", "1000", "50%", "60", "60", "-"]


def test_work_that_is_known_together_only_is_a_rate_of_its_kind() -> None:
    times = (one("conv 1", 500_000), one("conv 2", 500_000), *(one(f"conv {n}", 250) for n in "34"))
    summary = summarise(told(*times), WORKS)
    assert {operator.rate_gmacps for operator in summary.operators} == {None}
    (kind,) = summary.kinds
    assert (kind.kind, kind.work_mmac) == ("product", 31.0005)
    assert kind.rate_gmacps == pytest.approx(31.0005 / 1.0005)
    assert drawn(summary)[0].split()[-1] == "precision"
    assert "MMAC" not in drawn(summary)[0]


def test_the_table_keeps_80_columns_with_work_too() -> None:
    names = [f"sequential_1/block_{n}/BiasAdd/WithoutBiases/Fused" for n in range(30)]
    works = [
        OpWork(names=(name,), kind="dense", macs=987 * 10**n) for n, name in enumerate(names[:9])
    ]
    times = [
        OpTime(
            name=name,
            kind="FullyConnectedQuantizedLegacy",
            duration_ns=1_234_567_890 - n * 1000,
            call=0,
            precision="fp32>int8_dynamic",
        )
        for n, name in enumerate(names[:9])
    ]
    lines = drawn(summarise(told(*times), works[:9]))
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert "<0.001" in lines[2]

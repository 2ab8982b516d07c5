"""What is never held against each other: powers of unlike parts, loads that each cell chose."""

from __future__ import annotations

from dataclasses import replace

import pytest
from choosing import Row, row, spread

from edgebench.analysis.candidates import of_rows
from edgebench.analysis.constraints import Constraint
from edgebench.analysis.figure import Figure
from edgebench.analysis.recommend import Answer, Objective, recommend
from edgebench.errors import UsageError

ENERGY = Objective("energy_net_mj")
P50 = Objective("latency_p50_ms")
PRICE = Objective("price_usd")


def cell(device: str, p50_ms: float, **changes: object) -> Row:
    timed = spread("latency_p50_ms", p50_ms, 0.01)
    return row(**{"device": device, "device_id": device, **timed, **changes})


def joules(value: float, tier: str | None = "board_measured") -> Row:
    return {**spread("energy_net_mj", value, 0.01), "power_tier": tier, "power_launches": 6}


def chosen(
    rows: list[Row], *limits: Constraint, by: Objective = P50, allow_tiers: tuple[str, ...] = ()
) -> Answer:
    (group,) = of_rows(rows)
    return recommend(group, limits, by, allow_tiers=allow_tiers)


def ranks(answer: Answer) -> dict[str, int]:
    return {str(one.candidate.row["device"]): one.rank for one in answer.ranked if one.rank}


def partly(device: str, value: float, without: str | None) -> Row:
    return cell(device, 1.0, **joules(value, "partial_measured"), power_excludes=without)


def test_meters_that_leave_out_other_parts_do_not_rank_together() -> None:
    rows = [partly("a", 1.0, "the GPU"), partly("b", 2.0, "the CPU, RAM")]
    with pytest.raises(UsageError) as refused:
        chosen(rows, by=ENERGY)
    assert str(refused.value).startswith(
        "energy_net_mj is partial_measured without the CPU, RAM (b) and partial_measured without "
        "the GPU (a): they do not rank together"
    )
    assert refused.value.remedy == (
        "--allow-tier partial_measured ranks all that are partial_measured"
    )
    mixed = chosen(rows, by=ENERGY, allow_tiers=("partial_measured",))
    assert ranks(mixed) == {"a": 1, "b": 2}
    assert "energy_net_mj is partial_measured, without the GPU: the device takes more" in (
        mixed.ranked[0].notes
    )


@pytest.mark.parametrize("without", [None, "the NVMe drive"])
def test_a_maximum_kept_by_a_part_of_the_device_is_labelled(without: str | None) -> None:
    rows = [partly("a", 1.0, without)]
    (found,) = chosen(rows, Constraint("energy_net_mj", "max", 5.0)).ranked
    part = without or "a part of the device"
    assert found.notes == (
        f"energy_net_mj is partial_measured, without {part}: the device takes more",
    )


def test_power_of_a_tier_that_nobody_told_is_one_of_its_own() -> None:
    untold = cell("b", 1.0, **joules(2.0, None))
    measured = cell("a", 1.0, **joules(3.0))
    with pytest.raises(UsageError, match="of a tier that nobody told") as refused:
        chosen([measured, untold], by=ENERGY)
    assert "import --set power_tier=TIER" in str(refused.value.remedy)
    only = chosen([measured, untold], by=ENERGY, allow_tiers=("board_measured",))
    assert ranks(only) == {"a": 1}
    assert "of a tier that nobody told" in only.rejected[0].refusals[0]
    assert chosen([untold], by=ENERGY).ranked[0].notes == (
        "energy_net_mj is of a tier that nobody told",
    )


def test_a_figure_of_a_tier_that_does_not_count_is_told_as_no_better_one() -> None:
    rows = [cell("a", 1.0, **joules(3.0)), cell("b", 1.0, **joules(1.0, "model_calibrated"))]
    assert chosen(rows, by=ENERGY, allow_tiers=("board_measured",)).changes == ()
    both = ("board_measured", "model_calibrated")
    bound = Constraint("price_usd", "max", 2.0)
    mixed = chosen(rows, bound, by=ENERGY, allow_tiers=both)
    assert [one.split()[0] for one in mixed.changes] == ["a", "b"]


def test_where_each_chose_its_load_no_mending_helps() -> None:
    rows = [cell(name, ms, scenario="server") for name, ms in (("a", 1.0), ("b", 2.0))]
    assert chosen(rows).changes == ()


def test_what_is_refused_would_have_to_keep_its_figure_when_it_is_mended() -> None:
    rows = [cell("a", 1.0, validity="invalid", caveats="parity: 0.2"), cell("b", 2.0)]
    (words,) = chosen(rows).changes
    assert words.endswith("if it were mended (invalid: parity: 0.2) and kept its figure")


@pytest.mark.parametrize(
    ("scenario", "second"),
    [
        ("single_stream", {"a": {"latency_p50_ms": 2.0}, "b": {"latency_p50_ms": 1.0}}),
        ("offline", {"a": {"throughput_ips": 1.0}, "b": {"throughput_ips": 2.0}}),
        ("server", {"a": {"server_rate_hz": 1.0}, "b": {"server_rate_hz": 2.0}}),
    ],
)
def test_equal_prices_stand_in_the_order_of_what_the_scenario_is_about(
    scenario: str, second: dict[str, dict[str, float]]
) -> None:
    rows = [
        cell("kind", 5.0, **{"backend": name, "scenario": scenario, **second[name]})
        for name in ("a", "b")
    ]
    (group,) = of_rows(rows)
    priced = [replace(one, told={"price_usd": Figure(80.0, exact=True)}) for one in group]
    found = recommend(priced, (), PRICE).ranked
    assert [(one.candidate.row["backend"], one.rank) for one in found] == [("b", 1), ("a", 1)]

"""Energy in rows, the CSV and the terminal: a figure with its tier, or a reason, never a 0."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest

from edgebench.metering import Channel, Power, Series, Tier
from edgebench.records import Case, Manifest, Record
from edgebench.report import csv_, rows, table
from edgebench.report.columns import COLUMNS
from edgebench.report.rows import Row
from edgebench.samples import Samples
from edgebench.units import NS_PER_S

ENERGIES = tuple(column.name for column in COLUMNS if column.name.startswith(("energy_", "power_")))


def power(
    watts: float,
    *,
    tier: Tier = "partial_measured",
    readings: int = 320,
    idle_readings: int = 105,
) -> Power:
    """A pass of 30 s at so many W after an idle baseline at 2 W, 1000 inferences."""
    every_ns = 31 * NS_PER_S // readings
    t_ns = [60 * NS_PER_S + i * every_ns for i in range(readings)]
    idle_ns = [10 * NS_PER_S + i * NS_PER_S // 10 for i in range(idle_readings)]
    channel = Channel(
        name="package-0", tier=tier, quantity="power_uw", covers=("cpu",), excludes=("fan", "disk")
    )
    series = Series(
        meter="rapl",
        channel=channel,
        t_ns=Samples([*idle_ns, *t_ns]),
        value=Samples([2_000_000] * len(idle_ns) + [int(watts * 1e6)] * len(t_ns)),
    )
    return Power(
        idle_start_ns=10 * NS_PER_S,
        idle_end_ns=20 * NS_PER_S,
        start_ns=60 * NS_PER_S,
        end_ns=90 * NS_PER_S,
        inferences=1000,
        series=(series,),
    )


@pytest.fixture
def row_of(
    case: Callable[..., Case], record: Callable[..., Record], manifest: Callable[..., Manifest]
) -> Callable[..., Row]:
    """The row of a case whose launches had these power passes."""

    def make(*powers: Power | None, asked: bool = True, **of: object) -> Row:
        one = case(**of)
        records = [record(one, launch=i, power=each) for i, each in enumerate(powers)]
        method = {"power_s": 30.0, "power_launches": 3} if asked else {}
        (found,) = rows.of_records(manifest(one, method=method), records)
        return found

    return make


def test_a_row_holds_gross_and_net_with_intervals_tier_source_and_what_is_not_seen(
    row_of: Callable[..., Row],
) -> None:
    row = row_of(power(4.9), power(5.0), power(5.1), None, None, None)
    assert row["power_tier"] == "partial_measured"
    assert row["power_source"] == "rapl: package-0"
    assert row["power_excludes"] == "fan; disk"
    assert row["power_w"] == pytest.approx(5.0)
    assert row["power_idle_w"] == pytest.approx(2.0)
    assert row["energy_gross_mj"] == pytest.approx(150.0)
    assert row["energy_net_mj"] == pytest.approx(90.0)
    half = 4.30265 * 3 / 3**0.5
    assert row["energy_gross_lo_mj"] == pytest.approx(150 - half, rel=1e-5)
    assert row["energy_net_hi_mj"] == pytest.approx(90 + half, rel=1e-5)
    assert row["power_samples"] == 310
    assert row["power_coverage_ratio"] == 1.0
    assert row["power_reason"] is None


def test_one_launch_has_no_interval(row_of: Callable[..., Row]) -> None:
    row = row_of(power(5.0))
    assert row["energy_gross_mj"] == pytest.approx(150.0)
    assert row["energy_gross_lo_mj"] is None


@pytest.mark.parametrize(
    ("powers", "of", "reason"),
    [
        ((power(5.0, readings=7),), {}, "not measured: 7 readings in 30 s, 10 needed"),
        ((None,), {}, "not measured: no power sensor here"),
        ((None,), {"region": "e2e"}, "not measured: only of single_stream, region invoke"),
        ((power(5.0),), {"accelerator": "npu"}, "not measured: rapl sees cpu, this ran on npu"),
    ],
)
def test_what_was_not_measured_has_its_reason_and_no_figure(
    row_of: Callable[..., Row], powers: tuple[Power], of: dict[str, object], reason: str
) -> None:
    row = row_of(*powers, **of)
    assert str(row["power_reason"]).startswith(reason)
    assert [name for name in ENERGIES if row[name] is not None] == ["power_reason"]
    out = io.StringIO()
    csv_.write([row], out)
    (read,) = csv.DictReader(io.StringIO(out.getvalue()))
    assert {read[name] for name in ENERGIES} == {"", read["power_reason"]}


def test_a_run_without_a_power_pass_needs_no_reason(row_of: Callable[..., Row]) -> None:
    row = row_of(None, asked=False)
    assert [name for name in ENERGIES if row[name] is not None] == []


def test_a_launch_that_is_left_out_is_told(row_of: Callable[..., Row]) -> None:
    row = row_of(power(5.0), power(5.0, readings=7), power(5.0, tier="board_measured"))
    assert row["power_tier"] == "board_measured"
    caveats = str(row["caveats"])
    assert "power: 7 readings in 30 s, 10 needed" in caveats
    assert "power: rapl: package-0 says 150 mJ gross (partial_measured), not mixed in" in caveats


@pytest.mark.parametrize(
    ("powers", "net_mj", "words"),
    [
        ((power(5.0, idle_readings=0),), None, "no net energy, too few readings of the idle"),
        ((power(5.0), power(5.0, idle_readings=0)), 90.0, "net energy of 1 of 2 launches"),
        ((power(1.5), power(1.5)), -15.0, "net energy below 0: the device drew more while"),
    ],
)
def test_a_baseline_that_is_missing_or_cannot_be_one_is_told(
    row_of: Callable[..., Row], powers: tuple[Power, ...], net_mj: float | None, words: str
) -> None:
    row = row_of(*powers)
    assert row["energy_net_mj"] == (net_mj if net_mj is None else pytest.approx(net_mj))
    assert f"power: {words}" in str(row["caveats"])


def test_the_terminal_shows_energy_and_whence_only_where_it_was_measured(
    row_of: Callable[..., Row],
) -> None:
    measured, not_asked = row_of(power(5.0), power(5.0)), row_of(None, asked=False)
    assert "energy_gross_mj" not in table.default_columns([not_asked])
    names = table.default_columns([measured])
    assert names[-2:] == ["energy_gross_mj", "top1_ratio"]
    line = "energy is partial_measured, by rapl: package-0, without fan; disk"
    assert line in table.whence([measured])
    few = row_of(power(5.0, readings=7))
    told = table.whence([measured, few])
    assert f"{line} (1 of 2 cells)" in told
    reason = "not measured: 7 readings in 30 s, 10 needed"
    assert f"energy {reason} (1 of 2 cells)" in told


def test_work_that_draws_nothing_more_than_idling_is_no_fault(row_of: Callable[..., Row]) -> None:
    assert "below 0" not in str(row_of(power(1.999), power(2.0))["caveats"])


def test_figures_of_unlike_tiers_never_stand_in_one_column_without_them(
    row_of: Callable[..., Row],
) -> None:
    unlike = [row_of(power(5.0)), row_of(power(5.0, tier="wall_measured")), row_of(None)]
    assert "power_tier" in table.default_columns(unlike)
    assert "power_tier" not in table.default_columns([unlike[0], unlike[0], unlike[2]])


def test_the_page_has_the_tier_beside_figures_of_energy_where_there_are_any(
    row_of: Callable[..., Row],
) -> None:
    from edgebench.report.sections.base import Material
    from edgebench.report.sections.cells import cells

    def heads(row: Row) -> list[str]:
        (listing,) = cells(Material(runs=(), rows=[row])).context["tables"]
        return [one.head.text for one in listing.fields]

    told = {"power tier", "gross mJ", "net mJ"}
    assert told <= set(heads(row_of(power(5.0))))
    assert not told & set(heads(row_of(None)))

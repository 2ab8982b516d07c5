"""Power and heat on the page: every joule with its tier, every exclusion told, throttling found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import drawn
import pytest

from edgebench.machine import DeviceFacts, Look, Stage
from edgebench.metering import Channel, Power, Series, Tier
from edgebench.records import Case, Manifest, Record
from edgebench.report import charts, rows
from edgebench.report.sections.base import Figure, Material
from edgebench.report.sections.heat import heat
from edgebench.report.sections.power import power
from edgebench.runner.journal import Journal
from edgebench.samples import Samples
from edgebench.store.read import read_all

S = 1_000_000_000
Make = Callable[..., Material]


def power_pass(
    watts: float, idle_w: float, tier: Tier, *, excludes: tuple[str, ...] = (), hz: int = 10
) -> Power:
    """30 s of idling and 30 s of 1,000 inferences, by one steady channel."""
    t_ns = range(0, 61 * S, S // hz)
    value = [int(1e6 * (idle_w if t < 30 * S else watts)) for t in t_ns]
    channel = Channel(
        name="rail", tier=tier, quantity="power_uw", covers=("soc",), excludes=excludes
    )
    series = Series(meter="planted", channel=channel, t_ns=Samples(t_ns), value=Samples(value))
    return Power(
        idle_start_ns=0,
        idle_end_ns=29 * S,
        start_ns=30 * S,
        end_ns=60 * S,
        inferences=1000,
        series=(series,),
    )


def looks(
    *, degc: float | None = 50.0, mhz: float | None = 2400.0, held_from_s: int = 99
) -> tuple[Look, ...]:
    """A look a second for ten seconds, eight of them measuring."""

    def look(second: int) -> Look:
        stage: Stage = "measure" if second >= 2 else "warmup"
        held = second >= held_from_s
        return Look(
            t_ns=second * S,
            stage=stage,
            hottest_degc=None if degc is None else degc + second,
            cpu_mhz=() if mhz is None else (1000.0, mhz - 900.0 * held),
            slowed_by=("the firmware throttles the CPU",) if held else (),
        )

    return tuple(map(look, range(10)))


@pytest.fixture
def make(tmp_path: Path, record: Callable[..., Record], manifest: Callable[..., Manifest]) -> Make:
    """A run of three launches of each case, with changes by case and launch."""

    def material(
        cases: list[Case], changes: Callable[[int, int], dict[str, object]], **about: object
    ) -> Material:
        journal = Journal.create(tmp_path, manifest(*cases, **about))
        for launch in range(3):
            for index, one in enumerate(cases):
                at = f"2026-01-01T00:0{launch}:{10 * index:02}Z"
                made = {"launch": launch, "started_at_utc": at, **changes(index, launch)}
                journal.append(record(one, **made))
        runs, _ = read_all([tmp_path])
        return Material(runs, rows.of_runs(runs))

    return material


def two_meters(index: int, launch: int) -> dict[str, object]:
    """The first case by a partial meter, the second at the wall."""
    more = 0.01 * launch
    if index == 0:
        found = power_pass(5.0 + more, 2.0, "partial_measured", excludes=("RAM", "USB"))
    else:
        found = power_pass(9.0 + more, 4.0, "wall_measured")
    return {"power": found}


def test_each_energy_is_shown_with_its_tier_and_in_a_panel_of_it(
    make: Make, case: Callable[..., Case]
) -> None:
    made = make([case(), case(precision="int8")], two_meters)
    section = power(made)
    assert section is not None
    (figure,) = section.context["figures"]
    partial, wall = drawn.listed(made, figure.data)
    assert (partial["cell"], partial["power_tier"]) == ("onnxruntime/fp32", "partial_measured")
    assert (partial["power_w"], partial["power_idle_w"]) == (pytest.approx(5.01), 2.0)
    assert partial["energy_gross_mj"] == pytest.approx(150.3)
    assert partial["energy_gross_lo_mj"] < 150.3 < partial["energy_gross_hi_mj"]
    assert wall["power_tier"] == "wall_measured"
    assert wall["energy_net_mj"] == pytest.approx(150.3)  # net of 4 W of idling
    titles = drawn.titles(drawn.figure(made, figure))
    assert titles[:2] == [
        "wall_measured mnist_cnn",
        "partial_measured without RAM; USB mnist_cnn",
    ]


def test_a_net_energy_that_is_lost_in_the_noise_is_explained(
    make: Make, case: Callable[..., Case]
) -> None:
    made = make([case()], two_meters)
    for net_mj, told in ((5.0, False), (0.0, True), (-0.5, True)):
        rows = [{**row, "energy_net_mj": net_mj} for row in made.rows]
        section = power(Material(made.runs, rows))
        assert section is not None
        assert ("0 or less" in section.context["figures"][0].reading) == told


def test_energies_are_drawn_from_0_and_the_legend_is_true_to_the_marks(
    make: Make, case: Callable[..., Case]
) -> None:
    made = make([case()], two_meters)
    section = power(made)
    assert section is not None
    labels = drawn.labels(drawn.figure(made, section.context["figures"][0]))
    (axis,) = [one for one in labels if one.startswith("X-axis")]
    assert "linear scale with values from 0 to" in axis
    kinds = [one.partition("; energy: ")[2].partition(";")[0] for one in labels]
    assert [kind for kind in kinds if kind] == ["gross", "net"]
    points = figure_layers(section.context["figures"][0])
    assert [layer["mark"]["filled"] for layer in points] == [True]  # one mark, so one legend
    gross, net = points[0]["encoding"]["shape"]["scale"]["range"]
    assert gross == "circle"
    assert net.count("M") == 2  # its outline, and the hole in it


def figure_layers(figure: Figure) -> list[dict[str, Any]]:
    """The layers of points."""
    layers: list[dict[str, Any]] = figure.spec["spec"]["layer"]
    return [one for one in layers if one["mark"]["type"] == "point"]


def test_a_filter_leaves_no_panel_of_a_tier_that_it_hides(
    make: Make, case: Callable[..., Case]
) -> None:
    made = make([case(), case(precision="int8")], two_meters)
    section = power(made)
    assert section is not None
    picture = drawn.figure(made, section.context["figures"][0], rows=[1])
    assert drawn.titles(picture)[:1] == ["wall_measured mnist_cnn"]
    assert not any("fp32" in label for label in drawn.labels(picture))


def test_what_a_meter_does_not_see_is_told_beside_it(make: Make, case: Callable[..., Case]) -> None:
    section = power(make([case(), case(precision="int8")], two_meters))
    assert section is not None
    (words,) = section.context["excludes"]
    assert words == "fake-board, planted: rail (partial_measured): not in it: RAM; USB"
    assert [tier for tier, _ in section.context["tiers"]] == ["wall_measured", "partial_measured"]


def test_a_device_without_a_sensor_says_so_and_shows_no_joule(
    make: Make, case: Callable[..., Case]
) -> None:
    section = power(make([case()], lambda *_: {}, method={"power_s": 30.0}))
    assert section is not None
    assert section.context["figures"] == []
    assert section.context["missing"] == ["not measured: no power sensor here: fake-board (1)"]


def test_a_reason_is_told_once_for_all_devices(
    tmp_path: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    for device, cases in (("one", [case()]), ("two", [case(), case(precision="int8")])):
        facts = DeviceFacts(device=device, device_id=device)
        journal = Journal.create(
            tmp_path, manifest(*cases, run_id=device, facts=facts, method={"power_s": 30.0})
        )
        for one in cases:
            journal.append(record(one, run_id=device))
    runs, _ = read_all([tmp_path])
    section = power(Material(runs, rows.of_runs(runs)))
    assert section is not None
    assert section.context["missing"] == [
        "not measured: no power sensor here: one (1), two (2)",
    ]


def test_too_few_readings_are_no_figure_but_a_reason(make: Make, case: Callable[..., Case]) -> None:
    scarce = power_pass(5.0, 2.0, "board_measured")
    few = scarce.series[0]
    thin = Series(
        meter="planted",
        channel=few.channel,
        t_ns=Samples([31 * S, 45 * S, 59 * S]),
        value=Samples([5_000_000] * 3),
    )
    sparse = Power(start_ns=30 * S, end_ns=60 * S, inferences=1000, series=(thin,))
    section = power(make([case()], lambda *_: {"power": sparse}))
    assert section is not None
    assert "3 readings in 30 s, 10 needed" in section.context["missing"][0]
    assert section.context["figures"] == []


def test_nobody_asked_for_power_and_nothing_is_shown(make: Make, case: Callable[..., Case]) -> None:
    assert power(make([case()], lambda *_: {})) is None


def test_a_throttled_launch_is_found_with_its_moment_and_cause(
    make: Make, case: Callable[..., Case]
) -> None:
    def changes(index: int, launch: int) -> dict[str, object]:
        hot = index == 1 and launch == 2
        return {"looks": looks(held_from_s=6 if hot else 99)}

    made = make([case(), case(precision="int8")], changes)
    section = heat(made)
    assert section is not None
    (table,) = section.context["tables"]
    (line,) = drawn.listed(made, table)
    # Launches, slowed, first after 4 s of measuring, 4 of 24 looks, 59 degC.
    assert line["cell"] == "mnist_cnn/onnxruntime/int8"
    assert (line["launches"], line["slowed"], line["first_s"]) == (3, 1, 4.0)
    assert line["time_ratio"] == pytest.approx(4 / 24)
    assert (line["hottest_degc"], line["by"]) == (59.0, "the firmware throttles the CPU")
    (figure,) = section.context["figures"]
    moments = drawn.listed(made, figure.data)
    assert {one["held"] for one in moments} == {None, "the firmware throttles the CPU"}
    assert max(one["minute"] for one in moments) == pytest.approx(2 + 19 / 60, abs=1e-3)
    picture = drawn.figure(made, figure)
    degrees, clock = drawn.titles(picture)[:2]  # temperature, clock
    assert degrees.startswith("hottest sensor (degC) fake-board, run ")
    assert clock.startswith("fastest clock (MHz) fake-board, run ")
    held = [one for one in drawn.labels(picture) if "the device is: slowed down" in one]
    assert len(held) == 2 * 4


def test_heat_follows_the_filters(make: Make, case: Callable[..., Case]) -> None:
    made = make([case(), case(precision="int8")], lambda *_: {"looks": looks()})
    section = heat(made)
    assert section is not None
    (figure,) = section.context["figures"]
    shown = [one for one in drawn.labels(drawn.figure(made, figure, rows=[0])) if "cell: " in one]
    assert len(shown) == 2 * 30
    assert not any("int8" in one for one in shown)


def test_a_long_run_is_thinned_and_keeps_the_moment_it_was_slowed_down(
    make: Make, case: Callable[..., Case]
) -> None:
    long = tuple(
        Look(t_ns=s * S, stage="measure", hottest_degc=50.0, slowed_by=("heat",) * (s >= 1234))
        for s in range(2000)
    )
    made = make([case()], lambda *_: {"looks": long})
    found = charts.heat(made.looks, made.cells).datasets[charts.MOMENTS]
    assert len(found) <= 601
    assert min(one["minute"] for one in found if "held" in one) == pytest.approx(
        1234 / 60, abs=0.01
    )


def test_a_run_that_stayed_cool_has_no_finding(make: Make, case: Callable[..., Case]) -> None:
    section = heat(make([case()], lambda *_: {"looks": looks()}))
    assert section is not None
    assert section.context["tables"] == []
    assert "At no look" in section.context["lead"]


def test_a_machine_that_shows_nothing_is_told_rather_than_drawn(
    make: Make, case: Callable[..., Case]
) -> None:
    blind = {"looks": looks(degc=None, mhz=None)}
    section = heat(make([case()], lambda *_: blind))
    assert section is not None
    assert section.context["figures"] == []
    assert "nothing can be said about throttling" in section.context["lead"]


def test_what_is_not_read_is_not_drawn_as_0(make: Make, case: Callable[..., Case]) -> None:
    made = make([case()], lambda *_: {"looks": looks(mhz=None)})
    section = heat(made)
    assert section is not None
    (figure,) = section.context["figures"]
    (title,) = drawn.titles(drawn.figure(made, figure))[:-1]
    assert title.startswith("hottest sensor")
    assert not any("mhz" in one for one in drawn.sets(made)["moments"])


def test_a_run_nobody_looked_at_has_no_section(make: Make, case: Callable[..., Case]) -> None:
    assert heat(make([case()], lambda *_: {})) is None


def test_hostile_words_of_sensors_and_meters_stay_text(
    make: Make, case: Callable[..., Case]
) -> None:
    bad = "</script>\x1b[31m"
    facts = DeviceFacts(device=bad, device_id="x")
    found = power_pass(5.0, 2.0, "partial_measured", excludes=(bad,))
    look = Look(t_ns=1, stage="measure", hottest_degc=50.0, slowed_by=(bad,))
    changes = {"power": found, "looks": (look, look)}
    made = make([case()], lambda *_: changes, facts=facts)
    for section in (power(made), heat(made)):
        assert section is not None
        specs = [figure.spec for figure in section.context["figures"]]
        assert specs
        assert "\\u001b" not in json.dumps([specs, made.data.told()])

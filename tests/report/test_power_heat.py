"""Power and heat on the page: every joule with its tier, every exclusion told, throttling found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebench.machine import DeviceFacts, Look, Stage
from edgebench.metering import Channel, Power, Series, Tier
from edgebench.records import Case, Manifest, Record
from edgebench.report import rows
from edgebench.report.sections.base import Material
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
            slowed_by=("the firmware throttles for heat",) if held else (),
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
    section = power(make([case(), case(precision="int8")], two_meters))
    assert section is not None
    (figure,) = section.context["figures"]
    shown = {line[1].text: [cell.text for cell in line] for line in figure.data.rows}
    assert shown["onnxruntime/fp32"][2:6] == ["partial_measured", "5.010", "2.000", "150.3"]
    assert shown["onnxruntime/int8"][2] == "wall_measured"
    assert shown["onnxruntime/int8"][7] == "150.3"  # net of 4 W of idling
    assert "to" in shown["onnxruntime/fp32"][6]
    assert len(figure.spec["vconcat"]) == 2
    titles = {panel["title"] for panel in figure.spec["vconcat"]}
    assert {title.rpartition(": ")[2] for title in titles} == {"partial_measured", "wall_measured"}


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
    assert section.context["missing"] == [
        "fake-board: not measured: no power sensor here (cells: 1)"
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

    section = heat(make([case(), case(precision="int8")], changes))
    assert section is not None
    (table,) = section.context["tables"]
    (line,) = table.rows
    told = [cell.text for cell in line]
    # Launches, slowed, first after 4 s of measuring, 4 of 24 looks, 59 degC.
    assert told[1:7] == ["mnist_cnn/onnxruntime/int8", "3", "1", "4.0", "17", "59.0"]
    assert told[7] == "the firmware throttles for heat"
    (figure,) = section.context["figures"]
    assert len(figure.spec["vconcat"]) == 2  # temperature, clock
    moments = [one for values in figure.spec["datasets"].values() for one in values]
    assert {one["state"] for one in moments} == {"free", "slowed down"}
    assert max(one["minute"] for one in moments) == pytest.approx(2 + 19 / 60, abs=1e-3)


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
    section = heat(make([case()], lambda *_: {"looks": looks(mhz=None)}))
    assert section is not None
    (figure,) = section.context["figures"]
    assert len(figure.spec["vconcat"]) == 1
    assert '"mhz"' not in json.dumps(figure.spec["datasets"])


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
        assert "\\u001b" not in json.dumps(specs)

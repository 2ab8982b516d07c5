"""What a reader takes from the charts of figures, by marks and axes, is what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from page import cells
from plotted import Panel, panels

import edgebench
from edgebench.analysis import work as analysis
from edgebench.codec import decode_line, encode_line
from edgebench.records import Record
from edgebench.report import charts
from edgebench.report.columns import STAGES
from edgebench.report.rows import Row
from edgebench.samples import Samples
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device
from edgebench.units import NS_PER_S

approx = pytest.approx
PX = 2e-3
"""Of a place read off an axis, whose labels are rounded."""
STEP_MINUTE, STEP, SLOW_MHZ = 4, 1.5, 1600.0
STAGES_MS = {"decode": 2.0, "resize": 1.0, "invoke": 3.0, "copy_out": 0.1}
HOT = Cell(scenario="sustained", workload="resnet8", slowed_after_s=200.0, rss_mib=35.0)
CELLS = (
    *(Cell(latency_ms=ms, threads=n, power_w=4.0 + n) for n, ms in ((1, 10.0), (2, 6.0), (4, 4.0))),
    Cell(backend="litert", latency_ms=15.0, power_w=3.0, rss_mib=90.0),
    Cell(backend="ncnn", latency_ms=8.0, cosine=0.5, rss_mib=40.0),
    Cell(workload="resnet8", stages_ms=STAGES_MS),
    Cell(workload="resnet8", stages_ms={"decode": 4.0, "invoke": 1.0}, backend="litert"),
    HOT,
)


@dataclass(frozen=True)
class Planted:
    """What was measured, as a user loads it."""

    frame: pd.DataFrame
    samples: pd.DataFrame
    looks: pd.DataFrame

    def rows(self, **same: object) -> dict[str, Any]:
        """Cells with these values by the name that charts give them."""
        found = charts.prepared(self.frame)
        for name, value in same.items():
            found = found[found[name] == value]
        return {row["cell"]: row for row in found.to_dict("records")}


def stepped(record: Record) -> Record:
    """A sustained launch that is slower from one minute on, at once, as its clock is."""
    minutes = [
        msgspec.structs.replace(one, p50_ns=int(one.p50_ns * STEP)) if at >= STEP_MINUTE else one
        for at, one in enumerate(record.minutes)
    ]
    kept = np.array(record.latency_ns, dtype=np.float64)
    kept[round(len(kept) * STEP_MINUTE / len(minutes)) :] *= STEP
    looks = tuple(
        msgspec.structs.replace(one, cpu_mhz=(SLOW_MHZ,))
        if one.t_ns >= 60 * STEP_MINUTE * NS_PER_S
        else one
        for one in record.looks
    )
    latency_ns = Samples(kept.astype(int).tolist())
    return msgspec.structs.replace(
        record, minutes=tuple(minutes), latency_ns=latency_ns, looks=looks
    )


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    """A board of which each meter sees the whole, and one whose meter is at the wall."""
    folder = tmp_path_factory.mktemp("planted")
    board = Device(name="board", cells=CELLS)
    run = fleet.write(folder, board, launches=3, samples=1200)
    wall = Device(name="other", cells=CELLS[:1], tier="wall_measured", latency_factor=2.0)
    fleet.write(folder, wall, launches=3, samples=1200, seed=2)
    journal = run / "results.jsonl"
    lines = [decode_line(line) for line in journal.read_bytes().splitlines(keepends=True)]
    told = [encode_line(stepped(one) if one.minutes else one) for one in lines]
    journal.write_bytes(b"".join(told))
    return Planted(
        edgebench.load(folder), edgebench.load_samples(folder), edgebench.load_looks(folder)
    )


def seen(panel: Panel, item: dict[str, Any], *, log: bool = True) -> tuple[str, float]:
    """The row of a mark, and its figure."""
    x, y = (item[at] + item.get(size, 0) / 2 for at, size in (("x", "width"), ("y", "height")))
    return panel.y.name(y), panel.x.value(x, log=log)


def bars(panel: Panel, *, log: bool = True) -> set[tuple[str, float, float]]:
    """Rules as row, from, to."""
    return {
        (
            panel.y.name(one["y"]),
            panel.x.value(one["x"], log=log),
            panel.x.value(one["x2"], log=log),
        )
        for one in panel.marks("rule")
        if "x2" in one
    }


def test_latencies_stand_where_the_samples_have_them(planted: Planted) -> None:
    panel = next(one for one in panels(charts.latency(planted.frame)) if one.title == "mnist_cnn")
    rows = planted.rows(workload="mnist_cnn")
    drawn = {seen(panel, one) for one in panel.symbols()}
    assert {name for name, _ in drawn} == set(rows)
    for name, ms in drawn:
        samples = planted.samples[
            (planted.samples["case_id"] == rows[name]["case_id"])
            & (planted.samples["run_id"] == rows[name]["run_id"])
        ]
        medians = samples.groupby("launch")["latency_ns"].median() / 1e6
        assert ms == approx(np.exp(np.log(medians).mean()), rel=PX)
    fastest_first = [name for _, name in sorted(panel.y.labels)]
    assert fastest_first == sorted(rows, key=lambda name: rows[name]["latency_p50_ms"])
    filled = {one["told"]["cell"] for one in panel.symbols() if one["fill"] != "transparent"}
    assert filled == {name for name, row in rows.items() if row["validity"] == "valid"}


def test_intervals_of_medians_and_tails_end_where_the_frame_says(planted: Planted) -> None:
    panel = next(one for one in panels(charts.latency(planted.frame)) if one.title == "mnist_cnn")
    rows = planted.rows(workload="mnist_cnn")
    expected = sorted(
        (name, row[f"latency_{level}_lo_ms"], row[f"latency_{level}_hi_ms"])
        for name, row in rows.items()
        for level in ("p50", "p99")
    )
    drawn = sorted(bars(panel))
    assert [one[0] for one in drawn] == [one[0] for one in expected]
    assert [one[1:] for one in drawn] == [approx(one[1:], rel=PX) for one in expected]
    across = dict(seen(panel, one) for one in panel.marks("rect") if one["height"] == 14)
    assert across == {name: approx(row["latency_p99_ms"], rel=PX) for name, row in rows.items()}


def test_ticks_of_a_distribution_stand_at_its_quantiles(planted: Planted) -> None:
    panel = panels(charts.distributions(planted.samples, planted.frame))[0]
    for name, row in planted.rows(workload="mnist_cnn").items():
        mine = planted.samples[
            (planted.samples["case_id"] == row["case_id"])
            & (planted.samples["run_id"] == row["run_id"])
        ]["latency_ns"].sort_values(ignore_index=True)
        ranks = [int(np.ceil(percent / 100 * len(mine))) - 1 for percent in charts.PERCENTS]
        ticks = sorted(ms for at, ms in (seen(panel, t) for t in panel.marks("rect")) if at == name)
        assert ticks == approx((mine[ranks] / 1e6).tolist(), rel=PX)


def test_throughput_is_a_line_where_only_the_threads_differ(planted: Planted) -> None:
    (panel,) = panels(charts.throughput(planted.frame))
    assert panel.title == "mnist_cnn on board"
    rows = planted.rows(backend="onnxruntime", workload="mnist_cnn", device="board").values()
    expected = {(row["threads"], row["throughput_ips"]) for row in rows}
    assert len(expected) == 3
    drawn = {
        (round(panel.x.value(one["x"], log=True)), panel.y.value(one["y"], log=True))
        for one in panel.symbols()
    }
    assert sorted(drawn) == [approx(one, rel=PX) for one in sorted(expected)]
    ends = sorted(
        tuple(sorted(panel.y.value(one[end], log=True) for end in ("y", "y2")))
        for one in panel.marks("rule")
    )
    told = sorted((row["throughput_lo_ips"], row["throughput_hi_ips"]) for row in rows)
    assert ends == [approx(one, rel=PX) for one in told]
    for over in ("batch", "streams"):
        assert not [
            one for p in panels(charts.throughput(planted.frame, over=over)) for one in p.symbols()
        ]


def test_memory_is_the_sum_of_its_parts(planted: Planted) -> None:
    panel = panels(charts.memory(planted.frame))[0]
    for name, row in planted.rows(workload="mnist_cnn").items():
        parts = {}
        for one in panel.marks("rect"):
            if "part" in one["told"] and panel.y.name(one["y"] + one["height"] / 2) == name:
                begin, end = (panel.x.value(one["x"] + at) for at in (0, one["width"]))
                parts[one["told"]["part"]] = (begin, end)
        ends = [0.0, row["rss_baseline_mib"], row["rss_load_mib"], row["rss_peak_mib"]]
        names = ("runtime", "model loaded", "at its peak")
        pairs = dict(zip(names, pairwise(ends), strict=True))
        expected = {part: one for part, one in pairs.items() if one[0] < one[1]}
        assert parts == {part: approx(one, abs=0.05) for part, one in expected.items()}
        (peak,) = {
            ms for at, ms in (seen(panel, s, log=False) for s in panel.symbols()) if at == name
        }
        assert peak == approx(row["rss_peak_mib"], rel=PX)
        spans = [one[1:] for one in bars(panel, log=False) if one[0] == name]
        assert spans == [approx((row["rss_peak_lo_mib"], row["rss_peak_hi_mib"]), rel=PX)]


def test_stages_are_their_medians_end_to_end_and_their_shares(planted: Planted) -> None:
    medians, shares = panels(charts.stages(planted.frame))
    assert "median of each stage (ms)" in medians.title
    assert "share of all stages (%)" in shares.title
    for name, row in planted.rows(region="e2e").items():
        told = [row[f"stage_{stage}_ms"] for stage in STAGES]
        known = np.array([ms for ms in told if not pd.isna(ms)])
        for panel, whole in ((medians, known), (shares, 100 * known / known.sum())):
            ends = sorted(
                (panel.x.value(one["x"]), panel.x.value(one["x"] + one["width"]))
                for one in panel.marks("rect")
                if panel.y.name(one["y"] + one["height"] / 2) == name
            )
            assert [end for _, end in ends] == approx(np.cumsum(whole).tolist(), rel=PX)
            assert [end - start for start, end in ends] == approx(whole.tolist(), rel=PX, abs=0.01)


def test_energies_are_gross_and_net_and_tiers_have_panels(planted: Planted) -> None:
    drawn = {one.title: one for one in panels(charts.energy(planted.frame))}
    assert set(drawn) == {"board_measured mnist_cnn", "wall_measured mnist_cnn"}
    for title, panel in drawn.items():
        rows = planted.rows(power_tier=title.split()[0])
        assert rows
        assert {name for _, name in panel.y.labels} == set(rows)
        for kind in ("gross", "net"):
            mine = [one for one in panel.symbols() if one["told"]["energy"] == kind]
            found = dict(seen(panel, one, log=False) for one in mine)
            column = f"energy_{kind}_mj"
            assert found == {name: approx(row[column], rel=PX) for name, row in rows.items()}
        ends = [
            (name, row[f"energy_{kind}_lo_mj"], row[f"energy_{kind}_hi_mj"])
            for name, row in rows.items()
            for kind in ("gross", "net")
        ]
        spans = sorted(bars(panel, log=False))
        assert [one[1:] for one in spans] == [
            approx(one[1:], rel=PX, abs=0.02) for one in sorted(ends)
        ]


def metered(name: str, mj: float, without: str | None) -> Row:
    """A cell with energy of a meter that does not see all."""
    ends = {f"energy_{kind}{end}_mj": mj for kind in ("gross", "net") for end in ("", "_lo", "_hi")}
    told: Row = {"backend": name, "power_tier": "partial_measured", "power_excludes": without}
    return told | ends | {"latency_p50_ms": 1.0}


def test_meters_that_leave_out_other_parts_are_not_held_against_each_other() -> None:
    frame = cells(
        metered("a", 1.0, "memory: all"),
        metered("b", 10.0, "the CPU"),
        metered("c", 20.0, "the CPU"),
    )
    drawn = {one.title: [name for _, name in one.y.labels] for one in panels(charts.energy(frame))}
    assert drawn == {
        "partial_measured without memory all w": ["a/fp32"],
        "partial_measured without the CPU w": ["b/fp32", "c/fp32"],
    }
    (panel,) = panels(charts.heat_map(frame, "energy_net_mj"))
    times = {one["told"]["backend"]: one["told"]["times"] for one in panel.marks("rect")}
    assert times == {"a": "1", "b": "1", "c": "2"}


def test_a_step_is_seen_at_its_minute(planted: Planted) -> None:
    drawn = panels(charts.sustained(planted.samples, planted.frame, planted.looks))
    speed, latency, degc, mhz = drawn
    for panel, before, after in ((speed, 100.0, 100 / STEP), (latency, 10.0, 10 * STEP)):
        (line,) = lines(panel)
        assert all(y == approx(before, rel=0.05) for x, y in line if x < STEP_MINUTE - 0.2)
        assert all(y == approx(after, rel=0.05) for x, y in line if x > STEP_MINUTE + 0.2)
    (row,) = planted.rows(scenario="sustained").values()
    marks = [one for one in latency.marks("rule") if "x2" in one]
    levels = sorted((latency.x.value(m["x"]), latency.y.value(m["y"])) for m in marks)
    expected = [(0.0, row["burst_p50_ms"]), (20 / 3, row["sustained_p50_ms"])]
    assert levels == [approx(one, rel=5e-3, abs=1e-6) for one in expected]
    (arrow,) = [one for one in latency.marks("text") if one.get("text")]
    assert latency.x.value(arrow["x"]) == approx(200 / 60, rel=PX)
    looks = planted.looks
    assert max(y for _, y in lines(degc)[0]) == approx(looks["hottest_degc"].max(), abs=0.1)
    for x, y in lines(mhz)[0]:
        assert y == approx(2400.0 if x < STEP_MINUTE else SLOW_MHZ, rel=PX)


def lines(panel: Panel) -> list[list[tuple[float, float]]]:
    """Lines as points in the figures of the axes."""
    return [[(panel.x.value(x), panel.y.value(y)) for x, y in line] for line in panel.lines()]


def test_moments_of_a_run_stand_at_their_minutes(planted: Planted) -> None:
    drawn = panels(charts.heat(planted.looks, planted.frame))
    for panel, column in zip(drawn, ("hottest_degc", "fastest_mhz"), strict=True):
        found = sorted(
            (panel.x.value(one["x"]), panel.y.value(one["y"]), one["told"]["the device is"])
            for one in panel.symbols()
        )
        looks = planted.looks
        states = np.where(looks["slowed_by"].notna(), "slowed down", "free")
        expected = sorted(zip(looks["minute"], looks[column], states, strict=True))
        assert [one[2] for one in found] == [one[2] for one in expected]
        assert [one[0] for one in found] == approx([one[0] for one in expected], abs=2e-3)
        values = (sorted(one[1] for one in some) for some in (found, expected))
        assert next(values) == approx(next(values), rel=PX)


def test_work_and_equal_speed_share_their_axes() -> None:
    sizes: dict[str, float] = {"tiny": 2.0, "small": 12.0, "middle": 60.0, "large": 300.0}
    made = []
    for name, mmac in sizes.items():
        row: Row = {"workload": name, "work_mmac": mmac, "batch": 2, "region": "invoke"}
        row |= {"latency_p50_ms": mmac / 7, "latency_p50_lo_ms": mmac / 8}
        row |= {"latency_p50_hi_ms": mmac / 6}
        made.append(row | {"work_rate_gmacps": analysis.rate_gmacps(row)})
    (panel,) = panels(charts.work(cells(*made)))

    def place(one: dict[str, Any], x: str, y: str) -> tuple[float, float]:
        return panel.x.value(one[x], log=True), panel.y.value(one[y], log=True)

    found = {place(one, "x", "y") for one in panel.symbols()}
    assert sorted(found) == [approx((2 * mmac, mmac / 7), rel=PX) for mmac in sizes.values()]
    spans = [one for one in panel.marks("rule") if "x2" not in one]
    ends = sorted(panel.y.value(one[end], log=True) for one in spans for end in ("y", "y2"))
    assert ends == approx(sorted(m / n for m in sizes.values() for n in (6, 8)), rel=PX)
    rules = [one for one in panel.marks("rule") if "x2" in one]
    for one, words in zip(rules, panel.marks("text"), strict=False):
        for at in (("x", "y"), ("x2", "y2")):
            mmac, ms = place(one, *at)
            assert mmac / ms == approx(float(words["text"].removesuffix(" GMAC/s")), rel=0.01)

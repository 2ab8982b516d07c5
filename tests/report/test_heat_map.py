"""The heat map, as it is drawn: what a tile shows of its cells, and what it is held against."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import vl_convert

import edgebench
from edgebench.errors import UsageError
from edgebench.report import charts
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

LABELS = re.compile(
    r'<path aria-label="([^"]*)"[^>]* d="M([\d.]+),([\d.]+)h[^"]*"(?: fill="([^"]+)")?'
)
TEXTS = re.compile(r'translate\(([\d.]+),([\d.]+)\)"[^>]* fill="([^"]+)"[^>]*>([^<]+)<')
WIDE_PX, HIGH_PX = 60, 42
Load = Callable[..., pd.DataFrame]


@dataclass
class Tile:
    """A tile of a panel: what its tooltip tells, what is written in it, and its colours."""

    told: dict[str, str]
    fill: str
    """Empty: none."""
    lines: list[str]
    inks: set[str]
    hatched: bool


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Plants devices by name and loads them."""

    def plant(**devices: tuple[Cell, ...]) -> pd.DataFrame:
        for seed, (name, cells) in enumerate(devices.items(), 1):
            fleet.write(tmp_path, Device(name=name, cells=cells), samples=50, seed=seed)
        return edgebench.load(tmp_path)

    return plant


def drawn(chart: Any) -> dict[tuple[str, str, str], Tile]:  # noqa: ANN401 - of Altair
    """Tiles by device, backend and precision, as they are drawn."""
    svg = vl_convert.vegalite_to_svg(json.dumps(chart.to_dict()))
    rects, bare, hatches, *texts = (
        re.findall(rf'role-mark tile{part}_marks"[^>]*?(?:/>|>(.*?)</g>)', svg, re.DOTALL)
        for part in ("", "_bare", "_hatch", "_figure", "_word", "_ran")
    )
    found = {}
    for panel, rect in enumerate(rects):
        written = [one for text in texts for one in TEXTS.findall(text[panel])]
        hatched = re.findall(r"translate\(([\d.]+),([\d.]+)\)", hatches[panel])
        for label, x, y, fill in LABELS.findall(rect + bare[panel]):
            told = dict(part.split(": ", 1) for part in label.split("; "))
            mine = [one for one in written if inside(one, x, y)]
            found[told["device"], told["backend"], told["precision"]] = Tile(
                told=told,
                fill=fill,
                lines=[line for _, _, _, line in mine],
                inks={ink for _, _, ink, _ in mine},
                hatched=any(inside(one, x, y) for one in hatched),
            )
    return found


def inside(one: tuple[str, ...], x: str, y: str) -> bool:
    """Whether a mark lies on the tile whose corner is at x and y."""
    right, down = float(one[0]) - float(x), float(one[1]) - float(y)
    return 0 < right < WIDE_PX and 0 < down < HIGH_PX


def test_a_tile_shows_the_fastest_valid_of_its_cells_and_how_many_there_are(load: Load) -> None:
    slow, fast = Cell(latency_ms=10.0), Cell(threads=4, latency_ms=4.0)
    wrong = Cell(threads=2, latency_ms=1.0, cosine=0.5)
    found = drawn(charts.heat_map(load(board=(slow, fast, wrong, Cell(precision="int8")))))
    tile = found["board", "onnxruntime", "fp32"]
    (written,) = tile.lines
    assert re.fullmatch(r"\d\.\d\d", written)
    assert float(written) == pytest.approx(4.0, rel=0.1)
    assert tile.told["best cell"].endswith("t4")
    assert tile.told["cells of this tile"] == "3"
    assert tile.told["times the fastest"] == "1"
    assert not tile.hatched


def test_what_is_not_valid_says_so_and_is_no_yardstick(load: Load) -> None:
    cells = (
        Cell(latency_ms=10.0),
        Cell(precision="int8", latency_ms=1.0, cosine=0.5),
        Cell(precision="fp16", reason="no such kernel"),
        Cell(backend="ncnn", latency_ms=5.0, intruders_ratio={"apt": 0.5}),
    )
    found = drawn(charts.heat_map(load(board=cells)))
    assert {key[1:]: (tile.lines[-1], tile.hatched) for key, tile in found.items()} == {
        ("onnxruntime", "fp32"): (found["board", "onnxruntime", "fp32"].lines[0], False),
        ("onnxruntime", "int8"): ("invalid", True),
        ("onnxruntime", "fp16"): ("failed", True),
        ("ncnn", "fp32"): ("suspect ?", False),
    }  # and no tile for ncnn in int8 and fp16, which nobody measured
    assert found["board", "onnxruntime", "fp32"].told["times the fastest"] == "1"
    assert found["board", "onnxruntime", "int8"].fill == ""
    assert float(found["board", "ncnn", "fp32"].told["times the fastest"]) < 1


def test_a_tile_says_what_ran_where_that_is_not_what_was_asked(load: Load) -> None:
    cells = (
        Cell(),
        Cell(precision="int8", effective_precision="fp32"),
        Cell(backend="ncnn", accelerator="gpu", effective_accelerator="cpu"),
        Cell(
            backend="ncnn",
            precision="int8",
            effective_precision="fp32",
            accelerator="gpu",
            effective_accelerator="cpu",
        ),
    )
    found = drawn(charts.heat_map(load(board=cells)))
    below = {key[1:]: tile.lines[1:] for key, tile in found.items()}
    assert below == {
        ("onnxruntime", "fp32"): [],
        ("onnxruntime", "int8"): ["ran fp32"],
        ("ncnn", "fp32"): ["on cpu"],
        ("ncnn", "int8"): ["fp32 on cpu"],
    }


def test_what_ran_otherwise_has_no_colour_and_is_no_yardstick(load: Load) -> None:
    cells = (
        Cell(latency_ms=10.0),
        Cell(precision="int8", latency_ms=1.0, effective_precision="fp32"),
        Cell(backend="ncnn", latency_ms=2.0, accelerator="gpu", effective_accelerator="cpu"),
    )
    found = drawn(charts.heat_map(load(board=cells)))
    asked = found["board", "onnxruntime", "fp32"]
    assert asked.told["times the fastest"] == "1"
    fallen = [found["board", "onnxruntime", "int8"], found["board", "ncnn", "fp32"]]
    assert asked.fill
    assert [(one.fill, one.hatched) for one in fallen] == [("", False)] * 2
    assert not {one.told["times the fastest"] for one in fallen} & {"1", asked.told["best cell"]}


def test_a_figure_of_0_or_less_says_that_it_has_no_ratio(load: Load) -> None:
    frame = load(board=(Cell(power_w=9.0), Cell(precision="int8", power_w=9.0)))
    frame["energy_net_mj"] = [2.0, -0.5]
    found = drawn(charts.heat_map(frame, "energy_net_mj"))
    lost = found["board", "onnxruntime", "int8"]
    assert lost.lines[1:] == ["no ratio"]
    assert lost.fill == ""
    assert found["board", "onnxruntime", "fp32"].told["times the least energy"] == "1"


def test_a_panel_has_only_the_backends_and_precisions_of_its_question(load: Load) -> None:
    cells = (Cell(), Cell(backend="ncnn", precision="int8"), Cell(batch=4))
    svg = vl_convert.vegalite_to_svg(json.dumps(charts.heat_map(load(board=cells)).to_dict()))
    assert svg.count(">ncnn</text>") == 1
    assert svg.count(">int8</text>") == 1
    assert svg.count(">onnxruntime</text>") == 2


def test_a_long_question_is_told_in_lines(load: Load) -> None:
    long = Cell(scenario="sustained", batch=8, workload="mobilenet_v2")
    svg = vl_convert.vegalite_to_svg(json.dumps(charts.heat_map(load(board=(long,))).to_dict()))
    assert ">batch 8,</tspan>" in svg
    assert "…" not in svg


def test_the_yardstick_is_the_fastest_that_the_filters_show(load: Load) -> None:
    chart = charts.heat_map(load(quick=(Cell(latency_ms=1.0),), slow=(Cell(latency_ms=10.0),)))
    far = drawn(chart)["slow", "onnxruntime", "fp32"].told["times the fastest"]
    assert float(far) == pytest.approx(10.0, rel=0.1)
    chart.datasets["cells"] = [one for one in chart.datasets["cells"] if one["device"] == "slow"]
    alone = drawn(chart)
    assert alone.keys() == {("slow", "onnxruntime", "fp32")}
    assert alone["slow", "onnxruntime", "fp32"].told["times the fastest"] == "1"


def test_each_figure_is_better_its_own_way(load: Load) -> None:
    right, wrong = Cell(top1_ratio=0.8), Cell(precision="int8", top1_ratio=0.4, latency_ms=1.0)
    found = drawn(charts.heat_map(load(board=(right, wrong)), "top1_ratio"))
    assert found["board", "onnxruntime", "fp32"].told["times worse than the best top-1"] == "1"
    assert found["board", "onnxruntime", "int8"].told["times worse than the best top-1"] == "2"


def test_powers_of_two_tiers_are_not_held_against_each_other(load: Load) -> None:
    cells = (Cell(power_w=9.0, latency_ms=9.0), Cell(precision="int8", power_w=9.0))
    frame = load(board=cells).assign(power_tier=["wall_measured", "board_measured"])
    found = drawn(charts.heat_map(frame, "energy_net_mj"))
    assert len(found) == 2
    assert {tile.told["times the least energy"] for tile in found.values()} == {"1"}


def test_cells_that_chose_their_load_and_those_without_the_figure_have_no_tile(load: Load) -> None:
    frame = load(board=(Cell(power_w=3.0), Cell(backend="ncnn"), Cell(scenario="offline")))
    assert drawn(charts.heat_map(frame, "energy_net_mj")).keys() == {
        ("board", "onnxruntime", "fp32")
    }
    assert len(drawn(charts.heat_map(frame))) == 2


def test_text_is_read_on_every_colour(load: Load) -> None:
    cells = [Cell(backend=f"b{n}", threads=n, latency_ms=1.25**n) for n in range(1, 25)]
    shaded = drawn(charts.heat_map(load(board=tuple(cells)))).values()
    assert len(shaded) == 24
    assert {ink for tile in shaded for ink in tile.inks} == {"black", "white"}
    assert min(contrast(tile.fill, *tile.inks) for tile in shaded) >= 4.5


def contrast(fill: str, ink: str) -> float:
    """As WCAG 2.2 defines it, of black or white on a colour."""
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (int(part) / 255 for part in re.findall(r"\d+", fill))
    ]
    bright = sum(
        part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True)
    )
    return 1.05 / (bright + 0.05) if ink == "white" else (bright + 0.05) / 0.05


def test_a_figure_that_is_none_is_refused(load: Load) -> None:
    frame = load(board=(Cell(),))
    with pytest.raises(UsageError, match="no figure 'latency'"):
        charts.heat_map(frame, "latency")
    with pytest.raises(UsageError, match="whether more or less"):
        charts.heat_map(frame, "samples")


def test_panels_of_few_tiles_are_as_wide_as_the_page_counts_them(tmp_path: Path) -> None:
    cells = (Cell(),)
    names = ("a-name-that-is-longer-than-a-tile", "b-name-that-is-longer-than-a-tile")
    fleet.write_all(tmp_path, [Device(name=name, cells=cells) for name in names])
    spec = charts.heat_map(edgebench.load(tmp_path)).to_dict()
    pitch = spec["usermeta"]["panel_px"]
    wide = [
        float(re.search(r'width="([\d.]+)"', vl_convert.vegalite_to_svg(spec | {"columns": n}))[1])  # type: ignore[index]
        for n in (1, 2)
    ]
    assert wide[1] - wide[0] <= pitch

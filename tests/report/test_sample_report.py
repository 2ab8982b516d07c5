"""The sample report is one that today's code could have made, and tells nobody's names."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from page import decode

from edgebench.report import gather
from edgebench.report.charts.base import CELLS, IDENTITY
from edgebench.report.html import build
from edgebench.report.sections.drawings import DRAWINGS
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLE = ROOT / "reports/sample"
LARGEST_BYTE = {"report.html": 1_500_000, "latency.png": 150_000}
AGAIN = "python tests/acceptance/sample_report.py makes it again"


@pytest.fixture(scope="module")
def page() -> str:
    """The sample."""
    return (SAMPLE / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What today's code makes of something planted."""
    folder = tmp_path_factory.mktemp("planted")
    cells = (Cell(latency_ms=1.0, top1_ratio=0.9), Cell(precision="int8", latency_ms=0.5))
    fleet.write(folder, Device(name="rock-5b", cells=cells), launches=3, samples=60)
    found = gather.gather([folder], keep_runs=True)
    return build(found.runs, found.rows)


def sections(page: str) -> list[str]:
    """Their anchors, from top to bottom."""
    return re.findall(r'<section id="([^"]+)"', page)


def data(page: str) -> dict[str, Any]:
    """The sets of data that the page embeds."""
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert match
    told: dict[str, Any] = json.loads(match[1])
    return told


def listings(page: str) -> list[dict[str, Any]]:
    """What the page's script fills tables by."""
    return [json.loads(html.unescape(t)) for t in re.findall(r'data-listing="([^"]*)"', page)]


def named(part: object) -> set[str]:
    """Every set of data that a chart names."""
    if isinstance(part, list):
        return set().union(*map(named, part))
    if not isinstance(part, dict):
        return set()
    mine = {part["data"]["name"]} if "name" in (part.get("data") or {}) else set()
    return mine.union(*map(named, part.values()))


def test_it_has_every_section_that_any_report_has_now(page: str, fresh: str) -> None:
    told = sections(page)
    assert [one for one in told if one in sections(fresh)] == sections(fresh), AGAIN


def test_its_data_is_told_as_today(page: str, fresh: str) -> None:
    told, now = data(page), data(fresh)
    assert told.keys() >= now.keys(), AGAIN
    assert set(IDENTITY) <= told[CELLS]["columns"].keys(), AGAIN
    assert told[CELLS].keys() == now[CELLS].keys(), AGAIN
    for listing in listings(page):
        assert listing["source"] in told
    assert {tuple(sorted(one)) for one in listings(fresh)} <= {
        tuple(sorted(one)) for one in listings(page)
    }, AGAIN


def test_its_charts_are_those_of_today(page: str) -> None:
    found = re.findall(r'<div class="chart" id="chart-([^"]+)"', page)
    assert {"latency", "stages"} <= set(found) <= set(DRAWINGS), AGAIN
    pattern = r'<script type="application/json" id="chart-[^"]+">(.*?)</script>'
    specs = [json.loads(one) for one in re.findall(pattern, page, re.DOTALL)]
    assert len(specs) == len(found)
    assert set().union(*map(named, specs)) <= data(page).keys(), AGAIN


def test_it_is_small_and_of_named_limits_of_one_machine(page: str) -> None:
    for name, limit in LARGEST_BYTE.items():
        assert (SAMPLE / name).stat().st_size <= limit
    words = [cell["device"] for cell in decode(data(page)[CELLS])]
    assert {"x86-one-core", "x86-all-cores"} <= set(words)
    assert len(set(words)) == 3
    shown = re.sub("<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(?<![\w.])/(work|root|home|tmp)/\w", shown)

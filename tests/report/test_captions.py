"""Words below charts: a sentence or two in sight, the rest folded away on phones only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from page import Page

from edgebench.report import html
from edgebench.report.rows import of_runs
from edgebench.report.sections import SECTIONS
from edgebench.report.sections.base import Figure, Material
from edgebench.report.sections.drawings import figures
from edgebench.store.read import read_all
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

LONGEST = 170
"""Letters of a caption: four lines of a phone."""


def planted(folder: Path) -> Material:
    """Two devices with something for most charts."""
    cells = [Cell(precision=one, power_w=4.0) for one in ("fp32", "int8")]
    cells += [Cell(threads=2), Cell(batch=2), Cell(scenario="sustained")]
    cells.append(Cell(stages_ms={"decode": 2.0, "invoke": 3.0}))
    board = Device(name="raspberry-pi-5", cells=tuple(cells))
    faster = replace(board, name="rock-5b", latency_factor=0.7)
    for seed, device in enumerate((board, faster)):
        fleet.write(folder / device.name, device, seed=seed, launches=2, samples=40)
    runs, problems = read_all([folder])
    assert not problems
    return Material(runs, of_runs(runs))


def all_of(material: Material) -> list[Figure]:
    """Every figure of the page."""
    made = [section(material) for section in SECTIONS]
    return [one for section in made if section for one in figures(section.context)]


def test_a_caption_is_a_sentence_or_two_and_its_reading_goes_on_from_there(tmp_path: Path) -> None:
    found = all_of(planted(tmp_path))
    assert len(found) > len(("devices", "latency", "memory", "stages", "power"))
    for one in found:
        assert 0 < len(one.caption) <= LONGEST, one.caption
        assert one.caption.endswith("."), one.caption
        assert one.reading.endswith("."), one.reading


def test_without_its_script_the_page_shows_readings_and_each_once(tmp_path: Path) -> None:
    material = planted(tmp_path)
    page = Page(html.build(material.runs, material.rows))
    folds = [told for name, told in page.elements if told.get("class") == "reading"]
    figures_ = all_of(material)
    assert len(folds) == len(figures_)
    assert all("open" in told for told in folds)
    for one in figures_:
        assert page.words.count(one.reading) >= 1
        assert page.words.count(one.caption) >= 1

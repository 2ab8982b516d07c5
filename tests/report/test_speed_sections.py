"""Sections on speed and memory: shown where there is something to show, and told apart by name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from page import decode

from edgebench.report import rows
from edgebench.report.columns import BY_NAME
from edgebench.report.sections.base import Material
from edgebench.report.sections.cells import cells
from edgebench.report.sections.latency import latency
from edgebench.report.sections.memory import memory
from edgebench.report.sections.throughput import throughput
from edgebench.store.read import read_all
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device


def material(folder: Path, *planted: Cell) -> Material:
    """What is told of these cells on two devices."""
    for name in ("one", "other"):
        fleet.write(folder, Device(name=name, cells=planted), samples=40, seed=len(name))
    runs, problems = read_all([folder])
    return Material(runs, rows.of_runs(runs), problems)


def headings(found: object) -> list[str]:
    """The headings of a listing."""
    return [field.head.text for field in found.fields]  # type: ignore[attr-defined]


def test_throughput_has_a_figure_for_what_was_tried_and_no_other(tmp_path: Path) -> None:
    tried = [Cell(threads=count, latency_ms=8.0 / count) for count in (1, 2, 4)]
    section = throughput(material(tmp_path / "some", *tried))
    assert section is not None
    (figure,) = section.context["figures"]
    assert figure.id == "chart-throughput-threads"
    assert throughput(material(tmp_path / "none", Cell(), Cell(precision="int8"))) is None


def test_cells_that_failed_have_neither_latency_nor_memory(tmp_path: Path) -> None:
    failed = material(tmp_path, Cell(reason="no such library"))
    assert latency(failed) is None
    assert memory(failed) is None


def test_a_name_and_what_stands_beside_it_are_one_cell(tmp_path: Path) -> None:
    planted = [Cell(batch=batch, threads=count) for batch in (1, 2) for count in (1, 4)]
    found = material(tmp_path, *planted, Cell(scenario="sustained"))
    beside = Counter(zip(found.questions, found.names, strict=True))
    assert set(beside.values()) == {1}
    assert "onnxruntime/fp32/one/t4" in found.names
    (table,) = cells(found).context["tables"]
    assert table.fields[0].names == ("question",)
    assert headings(table)[:3] == ["workload", "cell", "verdict"]


def test_a_workload_that_was_asked_one_thing_is_named_alone(tmp_path: Path) -> None:
    found = material(tmp_path, Cell(), Cell(workload="resnet50"))
    (table,) = cells(found).context["tables"]
    assert table.fields[0].names == ("workload",)
    assert "ran as" not in headings(table)


def test_every_column_of_a_table_has_its_data(tmp_path: Path) -> None:
    planted = [Cell(threads=count, power_w=3.0) for count in (1, 2)]
    found = material(tmp_path, *planted, Cell(scenario="offline", found_batch=2))
    tables = list(cells(found).context["tables"])
    for section in (latency, throughput, memory):
        made = section(found)
        assert made is not None
        tables += [figure.data for figure in made.context["figures"]]
    known = {name for one in decode(found.data.told()["cells"]) for name in one}
    assert {"latency_max_ms", "threads_at", "quantile_ms"} <= known
    assert {name for table in tables for name in table.names} <= known | set(BY_NAME)

"""Which system, benchmark and precision a run of an MLPerf tree is: its path and two JSON files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from edgebench.errors import plain
from edgebench.store.importers.figures import Cells, has
from edgebench.store.importers.opened import Node, Opened

_PRECISIONS = ("fp32", "fp16", "bf16", "int8")
_RESULTS, _PERFORMANCE = "results", "performance"


class Cell(NamedTuple):
    """Where a run stands in ``results/SYSTEM/BENCHMARK/SCENARIO/performance/run_1``."""

    root: str = ""
    """Of the submitter: what lies above ``results``."""
    system: str = ""
    benchmark: str = ""
    scenario: str = ""
    run: str = ""
    """The scenario's folder: what lies above ``performance``; also without a tree around it."""


def cell_of(opened: Opened, name: str) -> Cell:
    """The cell of a summary.

    Args:
        opened: The folder that the user named: a path may begin in the middle of the tree.
        name: Of the summary, below it.
    """
    inner = PurePosixPath(name).parts
    if _PERFORMANCE not in inner:
        return Cell()
    depth = len(inner) - 1 - inner[::-1].index(_PERFORMANCE)
    run = "/".join(inner[:depth]) or "."
    outer = opened.path.resolve().parts
    folders = (*outer, *inner[:depth])
    if len(folders) < 4 or folders[-4] != _RESULTS:  # noqa: PLR2004 - results and three below
        return Cell(run=run)
    system, benchmark, scenario = folders[-3:]
    root = "/".join(inner[: depth - 4]) if depth >= 4 else ""  # noqa: PLR2004 - as above
    return Cell(root or ("." if depth >= 4 else ""), system, benchmark, scenario, run)  # noqa: PLR2004


def put(
    cells: Cells, opened: Opened, cell: Cell, stated: Mapping[str, str], notes: list[str]
) -> None:
    """What the tree tells of a run's system, in its own words unless the user stated others.

    Raises:
        UsageError: A file that tells of it is damaged.
    """
    if not cell.system:
        return
    place = f"results/{cell.system}/{cell.benchmark}"
    if "workload" not in stated:
        cells.put("workload", plain(cell.benchmark), place)
    if "device_id" not in stated:
        cells.put("device_id", plain(cell.system), place)
    if not cell.root:
        return
    told = f"{cell.root}/systems/{cell.system}.json"
    if has(opened, told):
        _put_system(cells, opened.json(told), stated, notes)
    for name in _measurements(opened, cell):
        weights = opened.json(name).find("weight_data_types")
        if weights is None or "precision" in stated:
            continue
        if weights.text().lower() in _PRECISIONS:
            cells.put("precision", weights.text().lower(), weights.place)
        else:
            notes.append(f"{weights.place}: {plain(weights.text()[:40])!r} is no one precision")


def _measurements(opened: Opened, cell: Cell) -> list[str]:
    """The file that tells the type of the weights, in whichever place the round had it."""
    folder = f"{cell.root}/measurements/{cell.system}/{cell.benchmark}/{cell.scenario}"
    names = (
        *(f"{folder}/{cell.system}_{cell.scenario}.json", f"{folder}/{cell.system}.json"),
        *(f"{folder}/measurements.json", f"{cell.run}/measurements.json"),
    )
    return [name for name in names if has(opened, name)][:1]


def _put_system(cells: Cells, system: Node, stated: Mapping[str, str], notes: list[str]) -> None:
    name = system.get("system_name")
    if "device" not in stated:
        cells.put("device", plain(name.text()), name.place)
    framework = system.find("framework")
    if framework is not None and framework.text() and "backend" not in stated:
        cells.put("backend", plain(framework.text()), framework.place)
    accelerator = system.find("accelerator_model_name")
    known = plain(accelerator.text()) if accelerator is not None else ""
    if accelerator is not None and known not in {"", "N/A"} and "accelerator" not in stated:
        cells.put("accelerator", known, accelerator.place)
    parts = (
        *("accelerators_per_node", "accelerator_model_name", "host_processors_per_node"),
        *("host_processor_model_name", "host_memory_capacity", "number_of_nodes"),
    )
    found = [f"{key} {plain(str(node.value)[:80])}" for key in parts if (node := system.find(key))]
    note = f"{system.place}: {', '.join(found)}"
    if note not in notes:
        notes.append(note)

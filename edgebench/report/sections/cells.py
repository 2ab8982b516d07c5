"""Every cell in one table."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.report import grid
from edgebench.report.columns import BY_NAME
from edgebench.report.grid import Cell, Grid, Head
from edgebench.report.rows import Row
from edgebench.report.sections.base import Material, Section, mark, verdict
from edgebench.report.table import cell

_IF_THEY_DIFFER = ("device", "device_id", "run_id", "accelerator", "threads", "batch", "format")


def cells(material: Material) -> Section:
    """Every cell in one table."""
    differing = [
        name for name in _IF_THEY_DIFFER if len({row.get(name) for row in material.rows}) > 1
    ]
    heads = [_head(name) for name in ("workload", "backend", "precision", *differing)]
    heads += [
        Head("p50 ms", numeric=True, meaning=BY_NAME["latency_p50_ms"].meaning),
        Head("95 % interval ms", numeric=True, meaning=BY_NAME["latency_p50_lo_ms"].meaning),
        *(_head(name) for name in ("latency_p99_ms", "throughput_ips")),
        Head("peak MiB", numeric=True, meaning=BY_NAME["rss_peak_mib"].meaning),
        Head("mJ net", numeric=True, meaning=BY_NAME["energy_net_mj"].meaning),
        Head("top-1 %", numeric=True, meaning=BY_NAME["top1_ratio"].meaning),
        Head("loss %", numeric=True, meaning=BY_NAME["top1_loss_ratio"].meaning),
        Head("verdict", meaning="the status, or the validity of a cell that is ok"),
    ]
    table = Grid(
        caption="All cells. The buttons in the headings sort.",
        heads=heads,
        rows=[_cell_row(row, differing, index) for index, row in enumerate(material.rows)],
    )
    return Section(
        id="cells", title="All cells", template="tables.html.j2", context={"tables": [table]}
    )


def _head(name: str) -> Head:
    column = BY_NAME[name]
    heading = column.heading or name.replace("_", " ")
    return Head(heading, numeric=column.kind != "str", meaning=column.meaning)


def _cell_row(row: Row, differing: Sequence[str], index: int) -> list[Cell]:
    return [
        grid.text(row["workload"]),
        grid.text(row["backend"]),
        grid.text(cell("precision", row)),
        *(grid.figure(row.get(name)) for name in differing),
        grid.figure(row.get("latency_p50_ms")),
        grid.interval(row, "latency_p50", "ms"),
        grid.figure(row.get("latency_p99_ms")),
        grid.figure(row.get("throughput_ips")),
        grid.figure(row.get("rss_peak_mib")),
        grid.figure(row.get("energy_net_mj")),
        grid.figure(row.get("top1_ratio"), 100, 1),
        grid.figure(row.get("top1_loss_ratio"), 100, 1),
        Cell(verdict(row), href=f"why-{index}" if mark(row) else "", mark=mark(row)),
    ]

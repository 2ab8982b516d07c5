"""Every cell in one table."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.report import grid
from edgebench.report.columns import BY_NAME
from edgebench.report.grid import Cell, Grid, Head
from edgebench.report.labels import telling
from edgebench.report.rows import Row
from edgebench.report.sections.base import Material, Section, mark, verdict
from edgebench.report.table import cell

_ALWAYS = ("workload", "backend", "precision")
_IF_THEY_DIFFER = ("device", "accelerator", "threads", "batch")
_FIGURES: tuple[tuple[str, str, float, int | None], ...] = (
    ("latency_p99_ms", "p99 ms", 1, None),
    ("throughput_ips", "inf/s", 1, None),
    ("rss_peak_mib", "peak MiB", 1, None),
    ("power_tier", "power tier", 1, None),
    ("energy_gross_mj", "gross mJ", 1, None),
    ("energy_net_mj", "net mJ", 1, None),
    ("top1_ratio", "top-1 %", 100, 1),
    ("top1_loss_ratio", "loss %", 100, 1),
    ("top1_mcnemar_p", "loss p", 1, None),
    ("map50_ratio", "mAP50 %", 100, 1),
    ("miou_ratio", "mIoU %", 100, 1),
    ("quality_loss_ratio", "mAP, mIoU loss %", 100, 1),
)
"""Column, heading, factor and decimals; shown where any cell has the figure."""


def cells(material: Material) -> Section:
    """All cells, with the figures that were measured at all."""
    rows = material.rows
    further = [name for name in _IF_THEY_DIFFER if len({row.get(name) for row in rows}) > 1]
    further += telling(rows, (*_ALWAYS, *further))
    figures = [f for f in _FIGURES if any(row.get(f[0]) is not None for row in rows)]
    told = any(row.get("scenario") not in {None, "single_stream"} for row in rows)
    heads = [_head(name) for name in (*_ALWAYS, *further)]
    heads += [Head("outcome", meaning=BY_NAME["outcome"].meaning)] if told else []
    heads += [
        Head("verdict", meaning="the status, or the validity of a cell that is ok"),
        Head("p50 ms", numeric=True, meaning=BY_NAME["latency_p50_ms"].meaning),
        Head("95 % interval ms", numeric=True, meaning=BY_NAME["latency_p50_lo_ms"].meaning),
        *(Head(text, numeric=True, meaning=BY_NAME[name].meaning) for name, text, _, _ in figures),
    ]
    table = Grid(
        caption="All cells. The buttons in the headings sort; every column is in the CSV.",
        heads=heads,
        rows=[
            [
                *_identity(row, further),
                *([grid.text(row.get("outcome"))] if told else []),
                Cell(verdict(row), href=f"why-{index}" if mark(row) else "", mark=mark(row)),
                grid.figure(row.get("latency_p50_ms")),
                grid.interval(row, "latency_p50", "ms"),
                *(grid.figure(row.get(name), scale, places) for name, _, scale, places in figures),
            ]
            for index, row in enumerate(rows)
        ],
    )
    return Section(
        id="cells", title="All cells", template="tables.html.j2", context={"tables": [table]}
    )


def _head(name: str) -> Head:
    column = BY_NAME[name]
    return Head(name.replace("_", " "), numeric=column.kind != "str", meaning=column.meaning)


def _identity(row: Row, further: Sequence[str]) -> list[Cell]:
    fixed = [grid.text(row[name]) for name in ("workload", "backend")]
    return [
        *fixed,
        grid.text(cell("precision", row)),
        *(grid.figure(row.get(name)) for name in further),
    ]

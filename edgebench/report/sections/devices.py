"""Device against device: the same cases on both, with a verdict each."""

from __future__ import annotations

from edgebench.analysis.compare import MARGIN_RATIO
from edgebench.report import speeds
from edgebench.report.charts import base, devices_chart
from edgebench.report.charts.base import CELLS
from edgebench.report.charts.devices_chart import AGAINST, PAIRS, ROWS
from edgebench.report.frame import plain_rows
from edgebench.report.page import listing
from edgebench.report.page.listing import Listing
from edgebench.report.sections.base import Material, Section
from edgebench.report.speeds import REFERENCES


def devices(material: Material) -> Section | None:
    """A matrix of all devices, and all against one that the reader picks; None for a single one."""
    rows = plain_rows(material.cells)
    found = speeds.of_devices(rows)
    if not any(found.values()):
        return None
    units = {row["row"]: name for name, some in speeds.devices(rows).items() for row in some}
    named = [
        {"row": row["row"], "case": case, "unit": units.get(row["row"])}
        for row, case in zip(rows, speeds.cases(rows), strict=True)
    ]
    pairs = [devices_chart.record(one) for some in found.values() for one in some]
    matrix = base.holding(devices_chart.summary(), **{PAIRS: pairs, CELLS: named})
    known = {one["outcome"] for one in pairs} | {speeds.FASTER, speeds.SLOWER}
    forest = base.holding(devices_chart.forest(known), **{AGAINST: []})
    of_all, of_one = _listing(PAIRS), _listing(AGAINST)
    context = {
        "references": speeds.references(found),
        "matrix": material.figure(
            "devices-matrix", matrix, _MATRIX, of_all, reading=_MATRIX_READING
        ),
        "figures": [material.figure("devices", forest, _FOREST, of_one, reading=_FOREST_READING)],
    }
    return Section(
        id="devices", title="Device against device", template="devices.html.j2", context=context
    )


_MATRIX = (
    "A row is so many times as fast as a column; below it, in how many cases it is surely faster."
)
_MATRIX_READING = (
    "It is the geometric mean over the cases that both ran alike (same workload, runtime, "
    "precision, threads, batch ...). What is invalid or failed on either, or did not run alike on "
    f"both, is left out. Columns are at most {REFERENCES} devices, those with the most cells."
)
_FOREST = "Right of the dashed line is faster than the reference."
_FOREST_READING = (
    "Bars are 95 % intervals, and hollow marks are the same within "
    f"{100 * MARGIN_RATIO:g} % or cannot be told apart. The two ran at "
    "different times and places, so what sets the units apart beside their kind is in the ratio "
    f"and not in its interval. Of more than {ROWS} cases of a device every n-th is drawn, from the "
    "fastest to the slowest; all are in the table."
)


def _listing(source: str) -> Listing:
    fields = (
        *(listing.text("of", "device"), listing.text("reference"), listing.text("case")),
        listing.number("speed_ratio", "times as fast"),
        listing.interval("speed", "ratio", "95 % interval"),
        listing.text("outcome", "verdict", "Holm's over the cells of both devices"),
        listing.text("why", "because"),
    )
    words = "each other" if source == PAIRS else "the reference"
    return Listing(caption=f"Cells against {words}", fields=fields, source=source)

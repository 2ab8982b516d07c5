"""Where the time of an image goes, from its file to the answer: region e2e only."""

from __future__ import annotations

from edgebench.report import charts
from edgebench.report.charts.base import ROWS
from edgebench.report.columns import STAGES
from edgebench.report.page import listing
from edgebench.report.page.listing import Field, Listing
from edgebench.report.rows import shares
from edgebench.report.sections.base import Material, Section
from edgebench.report.table import clean


def stages(material: Material) -> Section | None:
    """The stages of each cell of region e2e, as stacked bars; None where there is none."""
    timed = [(row, found) for row in material.rows if (found := shares(row))]
    if not timed:
        return None
    shown = [stage for stage in STAGES if any(stage in found for _, found in timed)]
    fields = [listing.text("workload"), listing.text("cell"), listing.text("pipeline", "images by")]
    fields += [listing.number("latency_p50_ms", "p50 ms"), listing.verdict()]
    fields += [field for stage in shown for field in _of_stage(stage)]
    by = ", ".join(dict.fromkeys(clean(str(row["pipeline"])) for row, _ in timed))
    caption = "Each bar is an image's way from the bytes of its file to the answer."
    reading = (
        "Its parts are the medians of the stages, in the order they run, so a bar is not quite "
        "the median of the whole; below, each as a share of all. Images were decoded and resized "
        f"by {by}. Intervals are in the table. The fastest {ROWS} of a question are drawn."
    )
    table = Listing(
        caption="Medians of the stages with their 95 % intervals, and their shares",
        fields=fields,
        needs=[f"stage_{stage}_ms" for stage in shown],
    )
    chart = charts.stages(material.cells)
    figure = material.figure("stages", chart, caption, table, reading=reading)
    title, template = "From image to answer", "figures.html.j2"
    return Section(id="stages", title=title, template=template, context={"figures": [figure]})


def _of_stage(stage: str) -> list[Field]:
    """Its median, the interval of that, and its part of all stages."""
    name = stage.replace("_", " ")
    return [
        listing.number(f"stage_{stage}_ms", f"{name} ms", meaning=STAGES[stage]),
        listing.interval(f"stage_{stage}", "ms", "95 % interval ms"),
        listing.number(
            f"share_{stage}_ratio",
            "%",
            scale=100,
            digits=1,
            meaning=f"share of {name} in all stages",
        ),
    ]

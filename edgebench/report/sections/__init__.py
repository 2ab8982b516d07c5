"""The sections of the HTML report: each a small function from the results to what is shown.

To add one, write a function ``(Material) -> Section | None`` in a module here and name it in
`SECTIONS`; its template lies in ``reports/templates`` and is given the section as ``section``.
"""

from __future__ import annotations

from collections.abc import Callable

from edgebench.report.sections.answer import answer, choose
from edgebench.report.sections.base import Material, Section
from edgebench.report.sections.basis import glossary, method
from edgebench.report.sections.cells import cells
from edgebench.report.sections.devices import devices
from edgebench.report.sections.environment import environment
from edgebench.report.sections.exceptions import exceptions
from edgebench.report.sections.fronts import fronts
from edgebench.report.sections.heat import heat
from edgebench.report.sections.heat_map import heat_map
from edgebench.report.sections.latency import latency
from edgebench.report.sections.memory import memory
from edgebench.report.sections.power import power
from edgebench.report.sections.precisions import precisions
from edgebench.report.sections.stages import stages
from edgebench.report.sections.sustained import sustained
from edgebench.report.sections.throughput import throughput
from edgebench.report.sections.work import work

SECTIONS: tuple[Callable[[Material], Section | None], ...] = (
    answer,
    choose,
    fronts,
    heat_map,
    precisions,
    devices,
    cells,
    latency,
    throughput,
    memory,
    power,
    stages,
    sustained,
    heat,
    work,
    exceptions,
    environment,
    method,
    glossary,
)
"""The page, from top to bottom; a function that returns None has nothing to show."""

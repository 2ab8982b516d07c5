"""The HTML report: one file that opens offline, asks the network for nothing and runs no data.

Text is escaped by the templates, charts travel as JSON that cannot end its script element, and a
content security policy allows the two scripts of the page by their hash and no request at all:
a hostile name would have to get past both.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence

from edgebench import __version__
from edgebench.errors import UsageError
from edgebench.report import choice, choice_best, grid, speeds, table
from edgebench.report.choosing import Asked
from edgebench.report.rows import Row
from edgebench.resources import template_folder
from edgebench.store.read import StoredRun

try:
    import altair as alt
    import jinja2
    from markupsafe import Markup

    from edgebench.report.page import bundle
    from edgebench.report.page.theme import LOOK
    from edgebench.report.sections import SECTIONS
    from edgebench.report.sections.base import Material
except ImportError as error:
    raise UsageError(
        f"the HTML report needs {error.name}", remedy="pip install 'edgebench[report]'"
    ) from None

_SCRIPTS = (
    *("data", "address", "devices", "phone", "tables", "charts", "doubted", "filters", "reference"),
    *("ties", "chooser", "changes", "limits", "chosen", "printing", "start"),
)
_SHARED = {
    "LOOK": LOOK,
    "MISSING": grid.MISSING,
    "SIGNIFICANT": table.SIGNIFICANT,
    "BEST": choice.BEST,
    "SPEED": choice_best.SPEED.name,
    "MIRRORED": speeds.MIRRORED,
}
"""Constants that the script has in common with Python, by their names there."""
_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "img-src data:; style-src 'unsafe-inline'; script-src {hashes}"
)


def build(
    runs: Sequence[StoredRun],
    rows: Sequence[Row],
    problems: Sequence[str] = (),
    asked: Asked | None = None,
) -> str:
    """The report as one HTML page.

    Args:
        runs: Every run read: their manifests describe machines and method, their records hold
            the samples.
        rows: The cells to show, of those runs.
        problems: What could not be read, a line each.
        asked: The question that the page answers first; None: what is fastest.

    Raises:
        UsageError: A package of the extra ``report`` is missing, or the templates are; or nothing
            can answer what is asked (`edgebench.report.choosing.decide`).
    """
    templates = _templates()
    material = Material(runs, rows, problems, asked or Asked())
    sections = [made for section in SECTIONS if (made := section(material)) is not None]
    scripts = [_inert(_own(templates))]
    if any(section.context.get("figures") for section in sections):
        scripts.insert(0, _inert(_vega(templates)))
    return templates.get_template("report.html.j2").render(
        sections=sections,
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - ours, and made inert above
        data=material.data.told(),
        policy=_POLICY.format(hashes=" ".join(map(_hash, scripts))),
        version=__version__,
    )


def _own(templates: jinja2.Environment) -> str:
    """The page's own script, of its parts in this order."""
    shared = (f"const {name} = {json.dumps(value)};" for name, value in _SHARED.items())
    parts = (templates.get_template(f"page/{name}.js").render() for name in _SCRIPTS)
    body = "\n".join((*shared, *parts))
    return f'(() => {{\n"use strict";\n{body}}})();'


def _vega(templates: jinja2.Environment) -> str:
    """What draws the charts, with the notices that it must be handed on with."""
    notices = templates.get_template("page/licences.txt").render()
    return f"/*\n{notices}\n*/\n{bundle.javascript(alt.SCHEMA_VERSION)}"


def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder()),
        autoescape=jinja2.select_autoescape(("html.j2",), default_for_string=True),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return made


def _inert(script: str) -> str:
    """A script that cannot end its own element, in the form in which browsers hash it."""
    script = script.replace("\r\n", "\n").replace("\r", "\n")
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"

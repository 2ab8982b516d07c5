"""The HTML report: one file that opens offline, asks the network for nothing and runs no data.

Text is escaped by the templates, charts travel as JSON that cannot end its script element, and a
content security policy allows the two scripts of the page by their hash and no request at all:
a hostile name would have to get past both.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

from edgebench import __version__
from edgebench.errors import UsageError
from edgebench.report import bundle
from edgebench.report.rows import Row
from edgebench.resources import template_folder
from edgebench.store.read import StoredRun

try:
    import altair as alt
    import jinja2
    from markupsafe import Markup

    from edgebench.report.sections import SECTIONS
    from edgebench.report.sections.base import Material
except ImportError as error:
    raise UsageError(
        f"the HTML report needs {error.name}", remedy="pip install 'edgebench[report]'"
    ) from None

_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; "
    "img-src data:; style-src 'unsafe-inline'; script-src {hashes}"
)


def build(runs: Sequence[StoredRun], rows: Sequence[Row], problems: Sequence[str] = ()) -> str:
    """The report as one HTML page.

    Args:
        runs: Every run read: their manifests describe machines and method, their records hold
            the samples.
        rows: The cells to show, of those runs.
        problems: What could not be read, a line each.

    Raises:
        UsageError: A package of the extra ``report`` is missing, or the templates are.
    """
    templates = _templates()
    material = Material(runs, rows, problems)
    sections = [made for section in SECTIONS if (made := section(material)) is not None]
    scripts = [_inert(templates.get_template("page.js").render())]
    if any("figures" in section.context for section in sections):
        scripts.insert(0, _inert(bundle.javascript(alt.SCHEMA_VERSION)))
    return templates.get_template("report.html.j2").render(
        sections=sections,
        scripts=[Markup(script) for script in scripts],  # noqa: S704 - ours, and made inert above
        policy=_POLICY.format(hashes=" ".join(map(_hash, scripts))),
        version=__version__,
    )


def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_folder()),
        autoescape=jinja2.select_autoescape(("html.j2",), default_for_string=True),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _inert(script: str) -> str:
    """A script that cannot end its own element, in the form in which browsers hash it."""
    script = script.replace("\r\n", "\n").replace("\r", "\n")
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"

"""The page's style and script hold together with the templates and with Python."""

from __future__ import annotations

import re
from pathlib import Path

from page import cells

from edgebench.report import charts
from edgebench.report.page import theme

ROOT = Path(__file__).resolve().parent.parent.parent
TEMPLATES = ROOT / "reports/templates"
SECTIONS = ROOT / "edgebench/report/sections"
MOST_LINES = 400
MOST_OF_A_FUNCTION = 50
OF_VEGA = {"custom-theme", "mark-group", "role-legend-symbol", "role-mark", "vg-tooltip-element"}
BEGINS = re.compile(r"^( *)(?!class |if |for |while |switch )\S.*(?:=> [({]|\) \{)$")


def parts(*suffixes: str) -> dict[str, str]:
    """The files below the templates that end so, by their names."""
    found = [path for path in TEMPLATES.rglob("*") if path.suffix in suffixes]
    return {path.name: path.read_text(encoding="utf-8") for path in found}


def functions(script: str) -> list[tuple[str, int]]:
    """Where each function begins, and its lines; of the house's own indentation."""
    lines, found = script.splitlines(), []
    for first, line in enumerate(lines):
        if begins := BEGINS.match(line):
            ends = re.compile(rf"{begins[1]}[)}}]")
            last = next(at for at in range(first + 1, len(lines)) if ends.match(lines[at]))
            found.append((line.strip(), last - first + 1))
    return found


def test_a_dark_page_and_a_dark_picture_have_the_same_colours() -> None:
    css = parts(".css")["page.css"]
    told = re.findall(r"--back: (#\w+); --fore: (#\w+);", css)
    assert told == [theme.PAPER, theme.SCREEN]
    assert re.findall(r"filter: brightness\(([\d.]+)\)", css) == [str(theme._BRIGHTER)]


def test_the_script_finds_the_filter_of_panels_that_python_writes() -> None:
    ((written,),) = [re.findall(r"FIRST_PANELS = /(.+)/;", parts(".js")["charts.js"])]
    found = cells({"latency_p50_ms": 1.0, "energy_gross_mj": 1.0, "power_tier": "wall_measured"})
    for chart in (charts.latency, charts.memory, charts.energy):
        spec = chart(found).to_dict()
        filters = [str(one.get("filter", "")) for one in spec["transform"]]
        assert len([one for one in filters if re.search(written, one)]) == 1
        assert {"rows", "panels", "by"} <= set(spec["usermeta"])


def test_every_rule_has_something_that_it_is_for() -> None:
    css = re.sub(r"/\*.*?\*/|\{[^{}]*\}", "", parts(".css")["page.css"], flags=re.DOTALL)
    named = set(re.findall(r"[.#]([a-zA-Z][\w-]*)", css)) - OF_VEGA
    assert len(named) > 30
    users = "".join(parts(".j2", ".js").values())
    for section in SECTIONS.glob("*.py"):
        users += " ".join(re.findall(r'\bid="[\w-]+"', section.read_text(encoding="utf-8")))
    idle = [one for one in named if not re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", users)]
    assert idle == []


def test_scripts_and_styles_are_as_short_as_the_code() -> None:
    for name, text in parts(".css", ".js", ".j2").items():
        assert len(text.splitlines()) <= MOST_LINES, name
    known = [one for text in parts(".js").values() for one in functions(text)]
    assert len(known) > 60
    assert [one for one in known if one[1] > MOST_OF_A_FUNCTION] == []

"""What a browser would make of a page, and what Vega would draw of a chart."""

from __future__ import annotations

import itertools
import json
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pandas as pd
import vl_convert

from edgebench.report import frame
from edgebench.report.charts.base import Chart, prepared
from edgebench.report.columns import COLUMNS
from edgebench.report.rows import Row

VOID = {"meta", "link", "img", "br", "hr", "input"}
_ROLE = "aria-roledescription"


class Page(HTMLParser):
    """Its elements, scripts, words and data; strict about nesting."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            attributes, known = self.scripts[-1]
            self.scripts[-1] = (attributes, known + data)
        else:
            self.words += data

    @property
    def specs(self) -> list[dict[str, Any]]:
        """The charts, which hold no data."""
        return [json.loads(s) for a, s in self.scripts if (a.get("id") or "").endswith("-spec")]

    @property
    def charts(self) -> list[str]:
        """Their names."""
        ids = (attributes.get("id") or "" for attributes, _ in self.scripts)
        return [name.removesuffix("-spec") for name in ids if name.endswith("-spec")]

    @property
    def data(self) -> dict[str, list[dict[str, Any]]]:
        """The sets of data."""
        (text,) = (s for a, s in self.scripts if a.get("id") == "data")
        return {name: decode(one) for name, one in json.loads(text).items()}

    @property
    def listings(self) -> list[dict[str, Any]]:
        """What the tables that a script fills are told."""
        found = (attributes.get("data-listing") for _, attributes in self.elements)
        return [json.loads(told) for told in found if told]

    @property
    def told(self) -> str:
        """Its words, and those that the script puts into its tables and charts."""
        values = (v for one in self.data.values() for r in one for v in r.values())
        return "\n".join([self.words, *(v for v in values if isinstance(v, str))])


def decode(told: dict[str, Any]) -> list[dict[str, Any]]:
    """A set of data by columns as records, as ``page/data.js`` reads it."""
    records: list[dict[str, Any]] = [{} for _ in range(told["count"])]
    for name, column in told["columns"].items():
        values = column if isinstance(column, list) else _unpacked(column, len(records))
        for record, value in zip(records, values, strict=True):
            if value is not None:
                record[name] = value
    return records


def _unpacked(column: dict[str, list[Any]], count: int) -> list[Any]:
    if "words" in column:
        return [None if place < 0 else column["words"][place] for place in column["at"]]
    if "each" in column:
        pairs = zip(column["each"], column["times"], strict=True)
        return [value for value, times in pairs for _ in range(times)]
    if "steps" in column:
        sums = [one and list(itertools.accumulate(one[1:])) for one in column["steps"]]
        return [
            one and [unit / 10 ** one[0] for unit in units]
            for one, units in zip(column["steps"], sums, strict=True)
        ]
    held = dict(zip(column["places"], column["held"], strict=True))
    return [held.get(place) for place in range(count)]


def cells(*changes: Row) -> pd.DataFrame:
    """A prepared frame with a valid cell of each of these changes, measured in no way."""
    made = []
    for place, change in enumerate(changes):
        row: Row = dict.fromkeys(column.name for column in COLUMNS)
        row |= {"workload": "w", "device": "board", "backend": "b", "precision": "fp32"}
        row |= {"threads": 1, "batch": 1, "streams": 1, "scenario": "single_stream"}
        made.append(row | {"case_id": str(place), "status": "ok", "validity": "valid"} | change)
    return prepared(frame.frame(made))


def drawn(chart: Chart) -> list[str]:
    """Every line of text of the picture that Vega draws of a chart: titles, names, labels."""
    lines = ("}text", "}tspan")
    return [text for one in _svg(chart) if one.tag.endswith(lines) and (text := one.text)]


def marks(chart: Chart, role: str) -> list[dict[str, str]]:
    """What each mark of a role (``point``, ``tick``, ``rule mark``) says of itself, and more."""
    found = [one for one in _svg(chart) if one.get(_ROLE) == role]
    return [
        dict(part.split(": ", 1) for part in one.get("aria-label", "").split("; "))
        | {"opacity": one.get("opacity", "1"), "filled": str(one.get("fill") is not None)}
        for one in found
    ]


def _svg(chart: Chart) -> list[ET.Element]:
    svg = vl_convert.vegalite_to_svg(json.dumps(chart.to_dict()))
    return list(ET.fromstring(svg).iter())  # noqa: S314 - our own picture

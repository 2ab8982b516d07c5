"""What a reader takes from a drawn chart: marks by their place on the axes, not by their data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import vl_convert

from edgebench.report.charts.base import Chart

Node: TypeAlias = "dict[str, Any]"


@dataclass(frozen=True)
class Axis:
    """Labels of an axis and where they stand."""

    title: str
    labels: tuple[tuple[float, str], ...]

    def value(self, px: float, *, log: bool = False) -> float:
        """What a reader would say of a place, by the labels nearest to the ends."""
        numbers = [(at, _number(text)) for at, text in self.labels if text]
        (first, low), (last, high) = min(numbers), max(numbers)
        ends = np.log([low, high]) if log else [low, high]
        found = ends[0] + (px - first) / (last - first) * (ends[1] - ends[0])
        return float(np.exp(found) if log else found)

    def name(self, px: float) -> str:
        """The label nearest to a place."""
        return min(self.labels, key=lambda one: abs(one[0] - px))[1]


@dataclass(frozen=True)
class Panel:
    """A panel with axes of its own."""

    node: Node
    whole: Node

    @cached_property
    def title(self) -> str:
        """Its lines joined by blanks."""
        found = [_words(one) for one in _under(self.node, "title-text")]
        return " ".join(found)

    @cached_property
    def x(self) -> Axis:
        """Its own, or that of all panels."""
        return _axis(self.node, "bottom") or _axis(self.whole, "bottom") or Axis("", ())

    @cached_property
    def y(self) -> Axis:
        """As `x`, upwards."""
        return _axis(self.node, "left") or _axis(self.whole, "left") or Axis("", ())

    def marks(self, kind: str) -> list[Node]:
        """Marks of a kind (symbol, rule, rect, text) that are seen; ``told`` is what each tells."""
        found = []
        for one in self.node["items"]:
            if one.get("role") == "mark" and one["marktype"] == kind:
                found += [item | {"told": _told(item)} for item in one["items"]]
        return [item for item in found if item.get("opacity", 1) > 0]

    def symbols(self) -> list[Node]:
        """Symbols, each with both places: Vega leaves out a 0."""
        return [{"x": 0, "y": 0} | one for one in self.marks("symbol")]

    def lines(self) -> list[list[tuple[float, float]]]:
        """Lines as points in pixels, those that are one of several too."""
        found = [one for one in _every(self.node) if one.get("marktype") == "line"]
        return [[(one["x"], one["y"]) for one in line["items"]] for line in found]


def panels(chart: Chart) -> list[Panel]:
    """The panels of a chart, from top to bottom and from left to right."""
    told = json.dumps(chart.to_dict(validate=False))
    whole: Node = vl_convert.vegalite_to_scenegraph(told)["scenegraph"]
    cells = [item for one in _named(whole, "cell") for item in one["items"]]
    cells = cells or [{"items": whole["items"][0]["items"]}]
    return [Panel(cell, whole) for cell in cells]


def _every(node: Node) -> Iterator[Node]:
    yield node
    for one in node.get("items", ()):
        yield from _every(one)


def _named(node: Node, name: str) -> list[Node]:
    return [one for one in _every(node) if one.get("name") == name]


def _under(node: Node, role: str) -> list[Node]:
    found = [one for one in _every(node) if one.get("role") == role]
    return [item for one in found for item in one["items"]]


def _axis(node: Node, orient: str) -> Axis | None:
    groups = [one for one in _every(node) if one.get("orient") == orient]
    for group in groups:
        labels = _under(group, "axis-label")
        if labels:
            along = "y" if orient == "left" else "x"
            at = tuple((one[along], _words(one)) for one in labels if one.get("opacity", 1) > 0)
            return Axis(" ".join(map(_words, _under(group, "axis-title"))), at)
    return None


def _words(item: Node) -> str:
    text = item.get("text", "")
    return " ".join(text) if isinstance(text, list) else str(text)


def _number(text: str) -> float:
    plain = text.replace("\N{MINUS SIGN}", "-").replace(",", "")
    return float(plain[:-1]) / 100 if plain.endswith("%") else float(plain)


def _told(item: Node) -> dict[str, str]:
    parts = (part.split(": ", 1) for part in item.get("description", "").split("; "))
    return {one[0]: one[1] for one in parts if len(one) > 1}

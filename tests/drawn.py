"""What a page's charts and tables show: its data as the browser has it, its charts as drawn."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import unescape
from typing import Any

import vl_convert

from edgebench.report.page.listing import Listing
from edgebench.report.sections.base import Figure, Material

Sets = dict[str, list[dict[str, Any]]]


def sets(material: Material) -> Sets:
    """The page's data by set, each record with what it has."""
    return {name: [dict(one) for one in found] for name, found in material.data.sets().items()}


def listed(material: Material, listing: Listing) -> list[dict[str, Any]]:
    """The records that a table of the page shows, with the fields of its columns."""
    found = []
    for one in sets(material).get(listing.source, []):
        needed = not listing.needs or any(name in one for name in listing.needs)
        if needed and all(one.get(name) in words for name, words in listing.where.items()):
            names = [name for field in listing.fields for name in field.names]
            found.append({name: one.get(name) for name in names})
    return found


def figure(material: Material, made: Figure, rows: Sequence[int] | None = None) -> str:
    """A figure of the page as SVG, with the cells in these places only."""
    found = sets(material)
    if rows is not None:
        found = {
            name: [one for one in records if "row" not in one or one["row"] in rows]
            for name, records in found.items()
        }
    return svg({**made.spec, "datasets": found})


def svg(spec: dict[str, Any]) -> str:
    """A chart as SVG."""
    text = json.dumps(spec, allow_nan=False)
    return str(vl_convert.vegalite_to_svg(text))


def labels(picture: str) -> list[str]:
    """What each mark, axis and title of a picture says of itself."""
    return [unescape(found) for found in re.findall(r'aria-label="([^"]*)"', picture)]


def titles(picture: str) -> list[str]:
    """The titles of the panels from top to bottom (lines joined by blanks), then of the whole."""
    told = (re.fullmatch(r"Title text '(.*)'", label) for label in labels(picture))
    return [found[1] for found in told if found]

"""What an OpenVINO graph says of itself, its XML read tag by tag.

In linear time whatever the file holds: it is a stranger's, and this process is not one that may
hang for it. No entity is looked up and nothing is fetched.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from edgebench.backends.model_files import Declared
from edgebench.records import Precision

_TAG = re.compile(r"<(/?\w+)\b([^<>]*)>")
_ATTRIBUTE = re.compile(r'\b(\w+)="([^"]*)"')
_NUMBER = re.compile(r"\d{1,9}")
_SIZE = re.compile(r"\d{1,15}")
_TYPES: dict[str, Precision] = {"f32": "fp32", "f16": "fp16", "bf16": "bf16"}


class Tag(NamedTuple):
    """``<name attribute="value">``; the name of an end begins with a slash."""

    name: str
    attributes: dict[str, str]


def tags(text: str) -> Iterator[Tag]:
    """Every tag of a file, in order."""
    for found in _TAG.finditer(text):
        name, rest = found.groups()
        pairs = _ATTRIBUTE.findall(rest)
        yield Tag(name, {key: html.unescape(value) for key, value in pairs})
        if rest.endswith("/"):
            yield Tag(f"/{name}", {})


def inputs(text: str) -> Iterator[Declared]:
    """The layers of type Parameter that are no part of another layer; with their batch."""
    depth, name, shape, wanted = 0, "", "", False
    for tag in tags(text):
        if tag.name == "layer":
            depth += 1
            if depth == 1:
                wanted = tag.attributes.get("type") == "Parameter"
                name, shape = tag.attributes.get("name", ""), ""
        elif tag.name == "/layer":
            depth -= 1
            if wanted and depth == 0:
                sizes = [size.strip() for size in shape.split(",") if size.strip()]
                yield Declared(name, tuple(int(n) if _NUMBER.fullmatch(n) else None for n in sizes))
        elif tag.name == "data" and depth == 1:
            shape = tag.attributes.get("shape", "")
        elif tag.name == "port" and depth == 1:
            name = tag.attributes.get("names", "").partition(",")[0] or name


def precision(text: str) -> Precision:
    """The type of most weights; int8 where values are quantised in between."""
    sizes: Counter[Precision] = Counter({"fp32": 0})
    for tag in tags(text):
        if tag.name == "layer" and tag.attributes.get("type") == "FakeQuantize":
            return "int8"
        kind = _TYPES.get(tag.attributes.get("element_type", ""))
        size = tag.attributes.get("size", "")
        if tag.name == "data" and kind is not None and _SIZE.fullmatch(size):
            sizes[kind] += int(size)
    return sizes.most_common(1)[0][0]

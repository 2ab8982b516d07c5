"""Charts as pictures for slides and READMEs: what the page draws, on white paper or a dark screen.

Drawn without a browser, and without a network: the data goes along, and no address is allowed.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgebench.errors import UsageError

try:
    import altair as alt
    import vl_convert

    from edgebench.report.charts.base import fewer
    from edgebench.report.page.theme import PAPER, SCREEN, brighter, inked, look
    from edgebench.report.sections import drawings
    from edgebench.report.sections.base import Material
    from edgebench.report.sections.drawings import DRAWINGS
except ImportError as error:
    raise UsageError(
        f"pictures need {error.name}", remedy="pip install 'edgebench[report]'"
    ) from None

_WHOLE_PX = 2_000
"""Of a name: on a picture nobody can hover over what was cut off."""
_MARK = re.compile(r'class="mark-(?:symbol|rule|rect|line|arc|area)\b[^"]*\brole-mark\b[^>]*>\s*<')
_LABEL = re.compile(r'(?<=aria-label=")[^"]*')
_UNKNOWN = re.compile(r"(?:^|; )[^;]*: (?:NaN|undefined|null)(?=;|$)")
"""What was not measured, in the words that a mark says of itself: Vega names it."""
_SIZE = re.compile(r'(<svg\b[^>]*?) width="([\d.]+)" height="([\d.]+)"')

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a picture is to look."""

    dark: bool = False
    width_px: int | None = None
    """Of the whole picture, which is scaled to it; None: as large as the chart comes out."""
    scale: float = 2.0
    """Of a PNG, in pixels of the file by pixel of the chart: slides are looked at closely."""
    rows: int | None = None
    """Of a panel at most, the first of its order; None: as many as the page draws."""


def meanings() -> dict[str, str]:
    """Every chart with what it shows."""
    return {name: drawing.meaning for name, drawing in DRAWINGS.items()}


def svg(material: Material, name: str, style: Style) -> str:
    """A chart as SVG.

    Args:
        material: The results.
        name: One of `meanings`.
        style: How it is to look.

    Raises:
        UsageError: The results have nothing that this chart shows, or it has no rows to limit.
    """
    whole = drawings.spec(material, name)
    if whole is None:
        raise _nothing(name)
    left_out = {"config", "$schema", "datasets"}
    spec = {key: value for key, value in whole.items() if key not in left_out}
    if style.rows is not None:
        spec = _fewer(spec, style.rows, name)
    if note := spec.get("usermeta", {}).get("note"):
        spec["title"] = {"text": spec["title"], "subtitle": note}
    _, ink = SCREEN if style.dark else PAPER
    # Names in the data are no colours, whatever they are.
    spec = inked(brighter(spec) if style.dark else spec, ink) | {"datasets": whole["datasets"]}
    drawn = vl_convert.vegalite_to_svg(
        spec, vl_version=_version(), config=_whole(look(dark=style.dark)), allowed_base_urls=[]
    )
    if not _MARK.search(drawn):
        raise _nothing(name)
    told = _LABEL.sub(lambda match: _UNKNOWN.sub("", match[0]), drawn)
    return _resized(told, style.width_px)


def png(drawn: str, style: Style) -> bytes:
    """An SVG of `svg` as PNG."""
    return _packed(vl_convert.svg_to_png(drawn, scale=style.scale))


def _nothing(name: str) -> UsageError:
    return UsageError(
        f"the chart {name} has nothing to draw of these results",
        remedy=f"it takes {DRAWINGS[name].takes}",
    )


def _version() -> str | None:
    """The Vega-Lite that charts are written in; None, the newest that is here, where it is not."""
    minor = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
    return minor if minor in vl_convert.get_vegalite_versions() else None


def _whole(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration with no name cut off."""
    cut = {
        part: {**config[part], "labelLimit": _WHOLE_PX} for part in ("axisY", "header", "legend")
    }
    return config | cut


def _fewer(spec: Mapping[str, Any], rows: int, name: str) -> dict[str, Any]:
    """The chart with so many rows in a panel at most.

    Raises:
        UsageError: It is none with a row a cell.
    """
    made = fewer(spec, rows)
    if made is None:
        raise UsageError(f"the chart {name} has no row a cell", remedy="leave --rows out")
    return made


def _resized(drawn: str, width_px: int | None) -> str:
    """The picture in this width; its height goes along, and the text with it.

    Both are whole pixels: a fraction of one would be a line of another colour along the edge.
    """

    def sized(match: re.Match[str]) -> str:
        width, height = float(match[2]), float(match[3])
        new = width_px or math.ceil(width)
        size = f'width="{new}" height="{math.ceil(height * new / width)}"'
        return f'{match[1]} {size} preserveAspectRatio="none"'

    return _SIZE.sub(sized, drawn, count=1)


def _packed(picture: bytes) -> bytes:
    """A PNG in a third or less of its bytes: the renderer is quick rather than thorough."""
    chunks, body, place = [], b"", len(_PNG)
    while place < len(picture):
        (length,) = struct.unpack_from(">I", picture, place)
        kind, data = picture[place + 4 : place + 8], picture[place + 8 : place + 8 + length]
        if kind == b"IDAT":
            body += data
        else:
            chunks.append((kind, data))
        place += length + 12
    chunks.insert(-1, (b"IDAT", zlib.compress(zlib.decompress(body), 9)))  # before IEND
    return _PNG + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

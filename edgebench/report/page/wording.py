"""Figures as a person says them: ``median latency`` in ``ms`` for ``latency_p50_ms``."""

from __future__ import annotations

import re
from typing import NamedTuple

from edgebench.analysis.figure import Figure, stated
from edgebench.metering import Tier
from edgebench.report import choice


class Said(NamedTuple):
    """A figure in words."""

    noun: str
    unit: str
    scale: float = 1.0
    """Times the figure, to be in that unit."""


_SAID = {
    "latency_p50_ms": Said("median latency", "ms"),
    "latency_p99_ms": Said("p99 latency", "ms"),
    "throughput_ips": Said("throughput", "inf/s"),
    "power_w": Said("power", "W"),
    "energy_gross_mj": Said("energy an inference", "mJ"),
    "energy_net_mj": Said("energy above idle an inference", "mJ"),
    "top1_ratio": Said("top-1", "%", 100),
    "top1_loss_ratio": Said("top-1 loss", "points", 100),
    "quality_loss_ratio": Said("mAP or mIoU loss", "points", 100),
    "price_usd": Said("price", "USD"),
    "rss_peak_mib": Said("peak memory", "MiB"),
}
TIERS: dict[Tier, str] = {
    "wall_measured": "an external meter, at the device's supply",
    "board_measured": "a sensor at the input of the board or module",
    "partial_measured": "sensors of some parts; what they do not see is listed",
    "model_calibrated": "a model fitted to a meter on this very board; its error is stated",
    "envelope": "no measurement: published idle and load power times the time",
    "proxy": "no measurement: what goes with power, such as CPU time, in its place",
}
"""Where power comes from, best first, in words."""
_NUMBER = r"-?\d[\d.]*"
_NAMED = re.compile(
    rf"(?<![\w-])(?P<name>{'|'.join(_SAID)})(?![\w-])"
    rf"(?: (?P<than><=|>=) (?P<bound>{_NUMBER})| (?P<value>{_NUMBER})(?![\w.])"
    rf"| (?P<moves>fell|rose))?"
)
_RANKS = re.compile(r"--maximise (.+?) ranks these")


def said(name: str) -> Said:
    """How a figure is called; of a rare one its own name, whose last word is the unit."""
    stem, _, unit = name.rpartition("_")
    return _SAID.get(name) or Said(stem.replace("_", " ") or name, unit if stem else "")


def limit(name: str, sense: str, bound: float) -> str:
    """``power at most 5 W``."""
    noun, unit, scale = said(name)
    most = "most" if sense == "max" else "least"
    return f"{noun} at {most} {stated(float(f'{bound * scale:.12g}'))} {unit}".strip()


def sentence(line: str) -> str:
    """A line of `edgebench.report.choice` with the names of figures in words."""
    return _RANKS.sub(r"rank by the most \1 for these", _NAMED.sub(_in_words, line))


def _in_words(found: re.Match[str]) -> str:
    noun, unit, scale = _SAID[found["name"]]
    if found["than"]:
        sense = "max" if found["than"] == "<=" else "min"
        return limit(found["name"], sense, float(found["bound"].rstrip(".")))
    if found["value"]:  # a share stays one: what follows in the line is of it, too
        return f"{noun} {found['value']}{f' {unit}' if scale == 1 else ''}"
    return f"{noun} ({unit}) {found['moves']}" if found["moves"] else noun


def figure(name: str, value: float, *, exact: bool = False) -> str:
    """``0.1526 ms``, with all digits of what is exact."""
    _, unit, scale = said(name)
    return f"{number(value * scale, exact=exact)} {unit}".strip()


def number(value: float, *, exact: bool = False) -> str:
    """Four significant digits, or all of what is exact."""
    return choice.value(Figure(value, exact=exact))

"""A figure of a candidate: its value, how sure that is, and who says so."""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Mapping
from typing import Literal, NamedTuple

Cells = Mapping[str, object]
"""A row of `edgebench.report.rows`, or one of a frame."""
Spread = Literal["log", "linear", "pooled", "images"]
"""What an interval was made of. log: Student's t over the logarithms of launches; linear: over
launches as they are (energies, which may be 0 or less); pooled: of all samples together (p99's
bootstrap); images: of labelled samples (Wilson, Tango), which are the same on every unit."""

_ROW_TIER = "power_tier"
_MEASURED = ("power_", "energy_")
_OWN_TIERS = {"envelope_energy_": "envelope", "cpu_per_inference_": "proxy"}
"""Columns that stand in a meter's place; they are a tier of their own, by name."""
_NO_POWER = frozenset({"power_launches", "power_samples", "power_coverage_ratio"})
_SPREADS: tuple[tuple[str, Spread], ...] = (
    *((stem, "linear") for stem in _MEASURED),
    *((stem, "pooled") for stem in ("latency_p9", "service_", "in_time_")),
    *((stem, "images") for stem in ("top1_", "map50_", "miou_", "quality_")),
)
_OBSERVATIONS: dict[Spread, str] = {"linear": "power_launches", "images": "top1_samples"}
_EXACT = frozenset(
    {"threads", "batch", "streams", "launches", "samples", "workload_version", "model_size_mib"}
) | {"work_mmac", "model_parameters_count", "top1_samples", "quality_samples", "power_launches"}
"""Columns that are counts or sizes: nothing about them is unsure."""
PRICE = "price_usd"
FACTS = frozenset(
    {PRICE, "idle_w", "load_w", "peak_w", "chip_w", "max_w", "tdp_w", "typical_w", "tpu_max_w"}
) | {"npu_tops", "gpu_tops", "tpu_tops", "dpu_tops", "cpu_mhz", "mem_mib", "mem_max_mib"}
FACTS |= {"mem_min_mib", "limit_degc"}
"""Keys of devices' published facts that are figures; a descriptor of one's own may have more."""
_DIGITS = 4
_WHOLE = 10**_DIGITS


class Figure(NamedTuple):
    """A figure of a candidate, in the unit that is the last word of its name."""

    value: float
    low: float | None = None
    """Lower end of its 95 % interval; None where nothing tells how sure it is."""
    high: float | None = None
    launches: int = 0
    """Independent observations behind it: launches, or labelled samples."""
    exact: bool = False
    """A price or a count: it has no spread."""
    source: str = ""
    """Who says so, where it was not measured in this run."""
    spread: Spread = "log"
    tier: str = ""
    """Tier of the power that it is made of; empty where it is of none."""

    @property
    def is_unsure(self) -> bool:
        """Whether nothing tells how sure it is: no interval, or that of a single launch."""
        return not self.exact and (self.low is None or self.launches == 1)


class Kind(NamedTuple):
    """What a column's figures are, whatever the row."""

    spread: Spread
    observations: str
    """The column that counts what is behind them."""
    exact: bool


@functools.cache
def kind_of(name: str) -> Kind:
    """What figures of a column are."""
    usual: Spread = "log"
    spread = next((spread for stem, spread in _SPREADS if name.startswith(stem)), usual)
    return Kind(spread, _OBSERVATIONS.get(spread, "launches"), name in _EXACT)


def figure_of(row: Cells, name: str) -> Figure | None:
    """A column of a row with its interval, if it is a number and was measured."""
    value = number(row, name)
    if value is None:
        return None
    spread, observations, _ = kind_of(name)
    stem, _, unit = name.rpartition("_")
    low, high = (number(row, f"{stem}_{end}_{unit}") for end in ("lo", "hi"))
    known = low is not None and high is not None
    return Figure(
        value,
        low if known else None,
        high if known else None,
        int(number(row, observations) or 0),
        exact=name in _EXACT,
        spread=spread,
        tier=text(row, _ROW_TIER) if is_power(name) else own_tier(name),
    )


def number(row: Cells, name: str) -> float | None:
    """A cell that is a number and finite; NaN is how a frame says "not measured"."""
    value = row.get(name)
    if type(value) is float:  # most are: asking what a number is takes ten times as long
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    return float(value) if math.isfinite(value) else None


def text(row: Cells, name: str) -> str:
    """A cell that is text; empty where there is none."""
    value = row.get(name)
    return value if isinstance(value, str) else ""


def is_power(name: str) -> bool:
    """Whether a column is what a meter measured: power or energy."""
    return name.startswith(_MEASURED) and name not in _NO_POWER


def own_tier(name: str) -> str:
    """The tier that a column is of by its name, ``envelope`` or ``proxy``; empty: of none."""
    return next((tier for stem, tier in _OWN_TIERS.items() if name.startswith(stem)), "")


def told(value: float) -> str:
    """A figure in words: four significant digits, never in exponent form."""
    if abs(value) >= _WHOLE:
        return f"{value:.0f}"
    words = f"{value:.{_DIGITS}g}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if "e" in words else words


def told_beyond(value: float, *, more: bool) -> str:
    """As `told`, rounded up (or down), so that a bound of so much is kept by the value."""
    if not value:
        return told(value)
    last = 10.0 ** (math.floor(math.log10(abs(value))) - _DIGITS + 1)
    last = min(last, 1.0)
    return stated((math.ceil if more else math.floor)(value / last) * last)


def stated(value: float) -> str:
    """A bound as it was written: all its digits, never in exponent form."""
    words = f"{value:.12g}"
    return f"{value:.12f}".rstrip("0").rstrip(".") if "e" in words else words

"""Where the time of a call goes: executions of operators added up, as a table and as CSV."""

from __future__ import annotations

import io
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from edgebench.protocols import OpTime
from edgebench.report import csv_
from edgebench.report.table import clean, number, percent
from edgebench.units import NS_PER_US
from edgebench.wire import Profiled

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = (
    *("case", "operator", "kind", "precision", "kernel", "accelerator", "executions"),
    *("duration_us", "resolution_us", "share_ratio", "cumulative_ratio"),
)
_NAME_WIDTH, _KIND_WIDTH, _PRECISION_WIDTH = 26, 17, 12
_KEPT = (0, 8, 16, 24)
"""Characters that a long name keeps at its front."""
_DISTURBED_RATIO = -0.05
"""Looking does not make calls shorter: an overhead below is other work on the device."""


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """What one operator of a model takes."""

    operator: str
    kind: str
    precision: str
    kernel: str
    accelerator: str
    executions: float
    """In one call."""
    duration_us: float
    """All of these together, mean over typical calls."""
    share_ratio: float
    """Of all operators."""
    cumulative_ratio: float
    """Share of this one and all costlier ones."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A profile in figures."""

    calls: int
    profiled_us: float
    """A profiled call by edgebench's clock: median."""
    operators_us: float
    """Its operators by the runtime."""
    plain_us: float
    """A call without a profiler: median."""
    resolution_us: float
    """What takes less may be told as 0."""
    overhead_ratio: float
    """What looking added to a call: ``profiled / plain - 1``."""
    operators: tuple[Operator, ...]
    """The costliest first."""


def summarise(told: Profiled) -> Summary:
    """Operators added up over typical calls: the half of them whose times lie closest together.

    A call in which the system took the CPU away lasts a hundred times as long, and all of that
    falls on whichever operator it struck: a mean over all calls would blame that one, and medians
    of single operators would not add up to a call.
    """
    typical = _typical(list(told.profiled_ns))
    means = told.op_times.times and all(one.call is None for one in told.op_times.times)
    calls = 1 if means else len(typical)
    found: dict[tuple[str, ...], list[int]] = {}
    for one in told.op_times.times:
        if one.call is None or one.call in typical:
            found.setdefault(_key(one), []).append(one.duration_ns)
    total_ns = sum(map(sum, found.values())) / calls
    operators = []
    cumulated_ns = 0.0
    for key, durations in sorted(found.items(), key=lambda item: -sum(item[1])):
        duration_ns = sum(durations) / calls
        cumulated_ns += duration_ns
        name, kind, precision, kernel, accelerator = key
        operators.append(
            Operator(
                operator=name,
                kind=kind,
                precision=precision,
                kernel=kernel,
                accelerator=accelerator,
                executions=len(durations) / calls,
                duration_us=duration_ns / NS_PER_US,
                share_ratio=duration_ns / total_ns if total_ns else 0.0,
                cumulative_ratio=cumulated_ns / total_ns if total_ns else 0.0,
            )
        )
    profiled_ns, plain_ns = median(told.profiled_ns), median(told.plain_ns)
    return Summary(
        calls=len(told.profiled_ns),
        profiled_us=profiled_ns / NS_PER_US,
        operators_us=total_ns / NS_PER_US,
        plain_us=plain_ns / NS_PER_US,
        resolution_us=told.op_times.resolution_ns / NS_PER_US,
        overhead_ratio=profiled_ns / max(1, plain_ns) - 1,
        operators=tuple(operators),
    )


def _key(one: OpTime) -> tuple[str, ...]:
    return (one.name, one.kind, one.precision, one.kernel, one.accelerator)


def _typical(profiled_ns: Sequence[int]) -> set[int]:
    """Calls of the narrowest half ("shorth"): half of all may be disturbed without moving it."""
    order = sorted(range(len(profiled_ns)), key=lambda call: profiled_ns[call])
    half = (len(order) + 1) // 2
    widths = [
        profiled_ns[order[first + half - 1]] - profiled_ns[order[first]]
        for first in range(len(order) - half + 1)
    ]
    first = widths.index(min(widths))
    return set(order[first : first + half])


def to_csv(summary: Summary, label: str) -> str:
    """Every operator as a row of CSV."""
    every = {"case": label, "resolution_us": summary.resolution_us}
    rows = [{**every, **msgspec.structs.asdict(operator)} for operator in summary.operators]
    file = io.StringIO()
    csv_.write(rows, file, COLUMNS)
    return file.getvalue()


def table(summary: Summary, top: int) -> Table:
    """The costliest operators, 80 columns wide, and the others as one row."""
    from rich import box  # noqa: PLC0415 - rich only where it draws
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 0))
    for head in ("operator", "kind", "us a call", "share", "sum", "precision"):
        numeric = head in {"us a call", "share", "sum"}
        made.add_column(head, justify="right" if numeric else "left", no_wrap=True)
    shown, others = summary.operators[:top], summary.operators[top:]
    for one, name in zip(shown, _short([one.operator for one in shown]), strict=True):
        times = f" x{one.executions:g}" if one.executions != 1 else ""
        row = (
            name,
            _head(one.kind, _KIND_WIDTH - len(times)) + times,
            _us(one.duration_us, summary),
            percent(one.share_ratio),
            percent(one.cumulative_ratio),
            _head(one.precision, _PRECISION_WIDTH) or "-",
        )
        made.add_row(*(Text(cell) for cell in row))
    if others:
        duration_us = sum(one.duration_us for one in others)
        share = percent(sum(one.share_ratio for one in others))
        told = (f"{len(others)} others", "", _us(duration_us, summary), share, "100%", "")
        made.add_row(*(Text(cell) for cell in told), style="dim")
    return made


def _us(duration_us: float, summary: Summary) -> str:
    """A time; what lies below the resolution is not 0."""
    if duration_us < summary.resolution_us:
        return f"<{summary.resolution_us:g}"
    return number(duration_us)


def _short(names: Sequence[str]) -> list[str]:
    """Names cut where that tells most of them apart: at the front, or further to the middle."""
    best: list[str] = []
    for kept in _KEPT:
        cut = [_cut(clean(name), kept) for name in names]
        if len(set(cut)) > len(set(best)):
            best = cut
    return best


def _cut(name: str, kept: int) -> str:
    if len(name) <= _NAME_WIDTH:
        return name
    return f"{name[:kept]}..{name[len(name) - (_NAME_WIDTH - kept - 2) :]}"


def _head(text: str, width: int) -> str:
    text = clean(text)
    return text if len(text) <= width else f"{text[: width - 2]}.."


def disturbed(summary: Summary) -> bool:
    """Whether calls with a profiler were clearly shorter than those without."""
    return summary.overhead_ratio < _DISTURBED_RATIO


def cost(summary: Summary) -> str:
    """What a reader must know before believing a time: what looking cost."""
    return (
        f"us a call: profiled {number(summary.profiled_us)}, its operators "
        f"{number(summary.operators_us)}, unprofiled {number(summary.plain_us)}; "
        f"overhead {summary.overhead_ratio:.0%}"
    )

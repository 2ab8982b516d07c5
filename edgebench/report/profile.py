"""Where the time of a call goes: executions of operators added up, as a table and as CSV."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from edgebench.analysis import operators as by_file
from edgebench.analysis.operators import Told
from edgebench.analysis.work import MACS_PER_MMAC
from edgebench.protocols import OpTime, OpWork
from edgebench.report import csv_
from edgebench.report.table import clean, number, percent
from edgebench.units import NS_PER_US
from edgebench.wire import Profiled

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = (
    *("case", "operator", "kind", "precision", "kernel", "accelerator", "executions"),
    *("duration_us", "resolution_us", "share_ratio", "cumulative_ratio"),
    *("work_kind", "work_mmac", "rate_gmacps"),
)
_WIDTHS = (26, 17, 12)
_WIDTHS_BESIDE_WORK = (24, 15, 9)
"""Of an operator's name, kind and precision; beside work there is no room for the sum."""
_LEAST, _WHOLE = 0.001, 100
"""Of a figure of three digits: what is not shown as such, and from where it has no fraction."""
_KEPT = (0, 8, 16, 20, 24)
"""Characters that a long name keeps at its front."""
_KINDS = 5
"""Kinds of operators that are worth a word."""
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
    work_kind: str
    """How it multiplies: a `protocols.WorkKind`, or ``product`` where that cannot be told."""
    work_mmac: float | None
    """Million multiply-accumulates in one call, by the model file."""
    rate_gmacps: float | None


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What all operators of a kind take."""

    kind: str
    """How they multiply; of those that do not, what the runtime calls them."""
    duration_us: float
    share_ratio: float
    """Of all operators."""
    work_mmac: float | None
    rate_gmacps: float | None


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
    kinds: tuple[Kind, ...]
    """Likewise."""


def summarise(told: Profiled, works: Sequence[OpWork] = (), batch: int = 1) -> Summary:
    """Operators added up over typical calls: the half of them whose times lie closest together.

    A call in which the system took the CPU away lasts a hundred times as long, and all of that
    falls on whichever operator it struck: a mean over all calls would blame that one, and medians
    of single operators would not add up to a call.

    Args:
        told: By the worker.
        works: What the operators of the model file multiply, where that is known.
        batch: Samples in a call.
    """
    typical = _typical(list(told.profiled_ns))
    means = told.op_times.times and all(one.call is None for one in told.op_times.times)
    calls = 1 if means else len(typical)
    found: dict[tuple[str, ...], list[int]] = {}
    for one in told.op_times.times:
        if one.call is None or one.call in typical:
            found.setdefault(_key(one), []).append(one.duration_ns)
    total_ns = sum(map(sum, found.values())) / calls
    operators, together = _operators(found, calls, works, batch)
    profiled_ns, plain_ns = median(told.profiled_ns), median(told.plain_ns)
    return Summary(
        calls=len(told.profiled_ns),
        profiled_us=profiled_ns / NS_PER_US,
        operators_us=total_ns / NS_PER_US,
        plain_us=plain_ns / NS_PER_US,
        resolution_us=told.op_times.resolution_ns / NS_PER_US,
        overhead_ratio=profiled_ns / max(1, plain_ns) - 1,
        operators=tuple(operators),
        kinds=_kinds(operators, together),
    )


def _operators(
    found: Mapping[tuple[str, ...], Sequence[int]],
    calls: int,
    works: Sequence[OpWork],
    batch: int,
) -> tuple[list[Operator], dict[str, float | None]]:
    """Operators, the costliest first, and MMACs that those of a kind have together only."""
    assigned = by_file.assign([Told(key[0], key[1], key[3]) for key in found], works)
    work = dict(zip(found, zip(assigned.kinds, assigned.macs, strict=True), strict=True))
    total_ns = sum(map(sum, found.values())) / calls
    operators = []
    cumulated_ns = 0.0
    for key, durations in sorted(found.items(), key=lambda item: -sum(item[1])):
        duration_ns = sum(durations) / calls
        cumulated_ns += duration_ns
        name, kind, precision, kernel, accelerator = key
        work_kind, macs = work[key]
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
                work_kind=work_kind if works else "",
                work_mmac=_mega(macs, batch),
                rate_gmacps=_rate(_mega(macs, batch), duration_ns / NS_PER_US),
            )
        )
    return operators, {kind: _mega(macs, batch) for kind, macs in assigned.together.items()}


def _kinds(operators: Sequence[Operator], together: Mapping[str, float | None]) -> tuple[Kind, ...]:
    """Operators of one kind added up, with the work that those without one of their own share."""
    found: dict[str, list[Operator]] = {}
    for one in operators:
        found.setdefault(one.work_kind or one.kind, []).append(one)
    kinds = []
    for kind, mine in found.items():
        works = [one.work_mmac for one in mine if one.work_mmac is not None or kind not in together]
        works += [together[kind]] if kind in together else []
        known = [mmac for mmac in works if mmac is not None]
        mmac = sum(known) if len(known) == len(works) else None
        duration_us = sum(one.duration_us for one in mine)
        kinds.append(
            Kind(
                kind=kind,
                duration_us=duration_us,
                share_ratio=sum(one.share_ratio for one in mine),
                work_mmac=mmac,
                rate_gmacps=_rate(mmac, duration_us),
            )
        )
    return tuple(sorted(kinds, key=lambda one: -one.duration_us))


def _mega(macs: int | None, batch: int) -> float | None:
    return None if macs is None else macs * batch / MACS_PER_MMAC


def _rate(mmac: float | None, duration_us: float) -> float | None:
    """Billions per second."""
    if mmac is None or not duration_us:
        return None
    return mmac * MACS_PER_MMAC / (duration_us * NS_PER_US)


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

    worked = any(one.work_mmac is not None for one in summary.operators)
    widths = _WIDTHS_BESIDE_WORK if worked else _WIDTHS
    heads = ("us a call", "share", *(("MMAC", "GMAC/s") if worked else ("sum",)))
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 0))
    for head in ("operator", "kind", *heads, "precision"):
        made.add_column(head, justify="right" if head in heads else "left", no_wrap=True)
    shown, others = summary.operators[:top], summary.operators[top:]
    names = _short([one.operator for one in shown], widths[0])
    for one, name in zip(shown, names, strict=True):
        times = f" x{one.executions:g}" if one.executions != 1 else ""
        work = (_three(one.work_mmac), _three(one.rate_gmacps))
        row = (
            name,
            _head(one.kind, widths[1] - len(times)) + times,
            _us(one.duration_us, summary),
            percent(one.share_ratio),
            *(work if worked else (percent(one.cumulative_ratio),)),
            _head(one.precision, widths[2]) or "-",
        )
        made.add_row(*(Text(cell) for cell in row))
    if others:
        duration_us = sum(one.duration_us for one in others)
        share = percent(sum(one.share_ratio for one in others))
        end = ("", "") if worked else ("100%",)
        told = (f"{len(others)} others", "", _us(duration_us, summary), share, *end, "")
        made.add_row(*(Text(cell) for cell in told), style="dim")
    return made


def kinds(summary: Summary) -> str:
    """``pointwise 61% (21.3 GMAC/s), depthwise 20% (3.1 GMAC/s), Transpose 9.0%``."""
    told = []
    for one in summary.kinds[:_KINDS]:
        rate = "" if one.rate_gmacps is None else f" ({_three(one.rate_gmacps)} GMAC/s)"
        told.append(f"{clean(one.kind)} {percent(one.share_ratio)}{rate}")
    return ", ".join(told)


def _three(value: float | None) -> str:
    """Three digits: a count of the file has no error, and a rate no more to say."""
    if value is None:
        return "-"
    if 0 < value < _LEAST:
        return f"<{_LEAST:g}"
    if value >= _WHOLE:
        return f"{value:,.0f}"
    return f"{value:.3f}" if value < 1 else f"{value:.3g}"


def _us(duration_us: float, summary: Summary) -> str:
    """A time; what lies below the resolution is not 0."""
    if duration_us < summary.resolution_us:
        return f"<{summary.resolution_us:g}"
    return number(duration_us)


def _short(names: Sequence[str], width: int) -> list[str]:
    """Names cut where that tells most of them apart: at the front, or further to the middle."""
    best: list[str] = []
    for kept in (one for one in _KEPT if one < width - 1):
        cut = [_cut(clean(by_file.bare(name)), kept, width) for name in names]
        if len(set(cut)) > len(set(best)):
            best = cut
    return best


def _cut(name: str, kept: int, width: int) -> str:
    if len(name) <= width:
        return name
    return f"{name[:kept]}..{name[len(name) - (width - kept - 2) :]}"


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

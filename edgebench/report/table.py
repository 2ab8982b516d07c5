"""The terminal table: 80 columns unless more were asked for; plain text when not on a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgebench.analysis.definitions import DEFINITIONS
from edgebench.report import endurance
from edgebench.report.columns import BY_NAME, DEFAULT, STAGES
from edgebench.report.energy_rows import NO_SENSOR
from edgebench.report.figures import WORDS, plus_minus
from edgebench.report.labels import telling
from edgebench.report.rows import Row, Value, shares
from edgebench.stats import Interval

if TYPE_CHECKING:
    from rich.table import Table

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_DIGITS = re.compile(r"[\d.]+")
SIGNIFICANT = 4
_NAME = ("workload", "backend", "precision")
_AXES = (
    *("device", "device_id", "threads", "batch", "accelerator", "workload_version", "streams"),
    *("scenario", "parameters", "region", "engine", "tuning", "options"),
)
_SHORT = {"normalise": "norm", "copy_in": "in", "copy_out": "out", "postprocess": "post"}
_LEAST_SHARE = 0.0005
_SMALL_SHARE = 0.095
_ENGINE = re.compile(r"VALID|Early stopping|th percentile latency|per second|QPS w/ ")
"""Figures of another engine that are told in the terminal; the CSV has all."""
_TOP1 = "top-1"
_ENERGY = "energy_gross_mj"
TASK = {
    "classification": _TOP1,
    "detection": WORDS["map50"],
    "segmentation": WORDS["miou"],
    "other": "",
}
"""What answers of a task are judged by; empty: by nothing."""
_WHOLE = ("workload", "backend", "power_tier")
"""Columns that are not broken, as no figure is: `int8 (ran fp32)` takes a second line instead."""
_WIDTH = 80
"""Columns that a table should fit in; a terminal may have more."""
_WHOLE_CHARACTERS = 20
_NAMED = 2
"""Cells named one by one before they are only counted."""


def build(rows: Sequence[Row], columns: Sequence[str] = ()) -> Table:
    """A rich table of rows.

    Args:
        rows: In the order shown.
        columns: Names; where empty the six defaults, and each device has a heading of its own, as
            has each run where runs have a cell in common.
    """
    from rich import box  # noqa: PLC0415 - rich only where it draws
    from rich.text import Text  # noqa: PLC0415 - as above

    from edgebench.report.headed import Headed  # noqa: PLC0415 - as above

    names = list(columns) or default_columns(rows)
    groups = [("", list(rows))]
    if not columns and "device" in names:  # a column of names would leave figures no room
        names.remove("device")
        groups = _grouped(rows, "device")
    if not columns and _of_several_runs(rows):
        groups = [one for group in groups for one in _by_run(*group)]
    # Two columns more, or words in the place of a figure, still fit into 80.
    gap = 0 if len(names) > len(DEFAULT) or {"outcome", "accuracy"} & {*names} else 1
    whose = str(rows[0].get("definition") or "") if rows else ""
    table = Headed(
        title=Text(whose) if whose else None,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        padding=(0, gap),
    )
    widths = {name: _widest(name, rows) for name in names}
    # A title is no wider than its table, and must stay on its line.
    headings = _headings(names, {} if whose else widths)
    for name in names:
        column, longest = BY_NAME[name], widths[name]
        table.add_column(
            headings[name],
            justify="left" if column.kind == "str" else "right",
            overflow="fold",
            no_wrap=column.kind != "str" or (name in _WHOLE and longest <= _WHOLE_CHARACTERS),
        )
    # Text, not str: a name with [brackets] is no markup, one with escapes no command.
    for device, mine in groups:
        if device:
            table.add_heading(device)
        for row in mine:
            table.add_row(*(Text(cell(name, row)) for name in names), style=_style(row))
        table.add_section()
    return table


def _widest(name: str, rows: Sequence[Row]) -> int:
    return max((len(line) for row in rows for line in cell(name, row).splitlines()), default=0)


def _headings(names: Sequence[str], widths: Mapping[str, int]) -> dict[str, str]:
    """On two lines where all would not fit: ``gross mJ`` rather than ``precisio``."""
    found = {name: BY_NAME[name].heading or name for name in names}
    if sum(max(widths.get(name, 0), len(words)) + 2 for name, words in found.items()) <= _WIDTH:
        return found
    return {
        name: words.replace(" ", "\n") if len(words) > widths.get(name, len(words)) else words
        for name, words in found.items()
    }


def _grouped(rows: Sequence[Row], name: str) -> list[tuple[str, list[Row]]]:
    """Rows of each value of a column, in the order they came."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(clean(str(row.get(name))), []).append(row)
    return list(found.items())


def _by_run(device: str, rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """A device's rows, run by run; without its name where there is but one."""
    before = f"{device}, " if device else ""
    return [(f"{before}run {run_id}", mine) for run_id, mine in _grouped(rows, "run_id")]


def _of_several_runs(rows: Sequence[Row]) -> bool:
    """Whether only the run tells some rows apart, as with ``--all-runs``."""
    runs: dict[tuple[Value, Value], Value] = {}
    return any(
        runs.setdefault((row.get("device_id"), row.get("case_id")), row.get("run_id"))
        != row.get("run_id")
        for row in rows
    )


def stages(rows: Sequence[Row]) -> Table | None:
    """Where the time of an image goes: each stage's share, a line a cell of region e2e."""
    from rich import box  # noqa: PLC0415 - rich only where it draws
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    timed = [(row, found) for row in rows if (found := shares(row))]
    if not timed:
        return None
    shown = [stage for stage in STAGES if any(stage in found for _, found in timed)]
    made_by = ", ".join(dict.fromkeys(clean(str(row.get("pipeline"))) for row, _ in timed))
    title = Text(f"Share of the end-to-end time ({made_by})", style="")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 0), title=title)
    table.title_justify = "left"
    table.add_column("cell", overflow="fold")
    for stage in shown:
        table.add_column(_SHORT.get(stage, stage), justify="right", overflow="fold")
    varying = [name for name in _varying(rows) if name not in {"region", "scenario", "parameters"}]
    for row, found in timed:
        label = clean(_label(row, varying))
        table.add_row(Text(label), *(Text(percent(found.get(stage))) for stage in shown))
    return table


def percent(share: float | None) -> str:
    """A share (0..1) as a person reads it: ``38 %``, ``0.4 %``, ``<0.1 %``."""
    if share is None:
        return "-"
    if share < _LEAST_SHARE:
        return "<0.1%"
    return f"{share:.1%}" if share < _SMALL_SHARE else f"{share:.0%}"


def default_columns(rows: Sequence[Row]) -> list[str]:
    """The six defaults, and whatever else tells the rows apart, before the figures.

    Where scenarios were measured, what each is about stands in place of p50 and top-1; where not
    all cells have a top-1, each one's own figure in words stands in its place.
    """
    named = [name for name in DEFAULT if BY_NAME[name].kind == "str"]
    if {row.get("scenario") for row in rows} - {None, "single_stream"}:
        varying = _varying(rows)
        tail = [] if "scenario" in varying else ["latency_p99_ms"]
        return [*named, *varying, *tail, *_energy(rows), "outcome"]
    figures = [name for name in DEFAULT if name not in named]
    if any(row.get("weights") == "random" or TASK[_task(row)] != _TOP1 for row in rows):
        figures[figures.index("top1_ratio")] = "accuracy"
    return [*named, *_varying(rows), *figures[:-1], *_energy(rows), figures[-1]]


def _energy(rows: Sequence[Row]) -> list[str]:
    """The column of energy, where any cell has one; with its tier, where those are unlike."""
    tiers = {row.get("power_tier") for row in rows if row.get(_ENERGY) is not None}
    return [*(["power_tier"] if len(tiers) > 1 else []), *([_ENERGY] if tiers else [])]


def _task(row: Row) -> str:
    return str(row.get("task") or "classification")


def defined_columns(rows: Sequence[Row], definition: str) -> list[str]:
    """As `default_columns`, with another tool's figures in the place of our own."""
    named = [name for name in DEFAULT if BY_NAME[name].kind == "str"]
    figures = [f"{definition}_{figure}" for figure in DEFINITIONS[definition].shown]
    return [*named, *_varying(rows), *figures]


def engine_figures(rows: Sequence[Row]) -> list[str]:
    """What another engine reports of its cells, a line each, under its own names."""
    lines = []
    varying = _varying(rows)
    for row in rows:
        if text := row.get("engine_figures"):
            label = _label(row, varying)
            figures = json.loads(str(text)).items()
            told = [f"{name}: {value:.10g}" for name, value in figures if _ENGINE.search(name)]
            lines.append(clean(f"{label} ({row['engine']}): {'; '.join(told)}"))
    return lines


def _label(row: Row, varying: Sequence[str]) -> str:
    """A cell in a note; what it does not have says nothing."""
    named = [row.get(name) for name in (*_NAME, *varying)]
    return "/".join(str(value) for value in named if value is not None)


def _varying(rows: Sequence[Row]) -> list[str]:
    """Axes on which the rows differ; the format only where nothing else tells two rows apart."""
    varying = [name for name in _AXES if len(_known(rows, name)) > 1]
    units = {(row.get("device"), row.get("device_id")) for row in rows}
    if {"device", "device_id"} <= {*varying} and len(units) == len({d for d, _ in units}):
        varying.remove("device_id")  # one unit of each kind: its id tells nothing new
    if "parameters" in varying:  # each scenario has others: that alone tells nothing new
        pairs = {(row.get("scenario"), row.get("parameters")) for row in rows}
        if len(pairs) == len({scenario for scenario, _ in pairs}):
            varying.remove("parameters")
    more = telling(rows, (*_NAME, *varying))
    return [*varying, *(name for name in more if name == "format")]


def _known(rows: Sequence[Row], name: str) -> set[Value]:
    """What rows have on an axis; what another tool did not tell is no difference."""
    return {row.get(name) for row in rows if not row.get("imported_from") or row.get(name)}


def cell(name: str, row: Row) -> str:
    """One value as text: figures with their interval, what went wrong instead of a blank."""
    if name == "backend" and row.get("imported_from"):
        return clean(str(row[name])) + "\n(imported)"  # on a line of its own: 80 columns are few
    if name == "precision" and row.get("fallback") and "precision" in str(row["fallback"]):
        share = row.get("precision_ratio")
        if isinstance(share, float) and "partial" in str(row["fallback"]):
            return f"{row['precision']} (only {share:.0%})"  # the right one, as far as it went
        return clean(f"{row['precision']} (ran {row.get('effective_precision')})")
    told = name in {"latency_p50_ms", "outcome"}  # one of them is in every default table
    if told and row.get("status") != "ok" and row.get(name) is None:
        return str(row.get("status"))
    text = number(row.get(name))
    if name == "power_tier":
        text = text.removesuffix("_measured")  # `wall` and `board`: two tiers beside each other
    if name == "accuracy":
        text = text.removesuffix(" weights")  # those of `random weights`, which then fits
    if name == "latency_p50_ms" and row.get("launches") != 1:
        text += f" {_plus_minus(row)}"  # one launch knows nothing of the spread between launches
    return clean(text)


def _plus_minus(row: Row) -> str:
    low, high, middle = (row[f"latency_p50{part}_ms"] for part in ("_lo", "_hi", ""))
    if isinstance(low, float) and isinstance(high, float) and isinstance(middle, float) and middle:
        return plus_minus(Interval(middle, low, high), tenths=True).rjust(5)
    return ""


def clean(text: str) -> str:
    """The text with control characters (of terminals, and of the direction) visible and inert."""
    return _CONTROL.sub("?", text)


def number(value: Value) -> str:
    """Four significant digits with their zeros, never in exponent form; ``-`` if not measured."""
    if not isinstance(value, float):
        return "-" if value is None else str(value)
    if abs(value) >= 10**SIGNIFICANT:
        return f"{value:,.0f}"
    text = f"{value:#.{SIGNIFICANT}g}".rstrip(".")
    return f"{round(value, 6) + 0.0:.6f}" if "e" in text else text  # + 0.0: no "-0.000000"


def _style(row: Row) -> str:
    if row.get("status") != "ok":
        return "red"
    return "yellow" if row.get("validity") != "valid" else ""


def notes(rows: Sequence[Row]) -> list[str]:
    """What six columns cannot say: a line for each cell that is not as asked.

    Cells that share a verdict and its cause share a line: on a busy machine every cell has one.
    """
    varying = _varying(rows)
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in rows:
        good = row.get("status") == "ok"
        verdict = str(row.get("validity") if good else row.get("status"))
        if verdict == "valid":
            continue
        cause = str(row.get("caveats") if good else row.get("reason"))
        if good and row.get("imported_from"):  # nobody judged it
            verdict, cause = (
                "imported",
                f"{row['imported_from']}; {cause.removeprefix('imported: ')}",
            )
        label = _label(row, varying)
        kind = _DIGITS.sub("#", cause) if good else f"{label}{cause}"
        groups.setdefault((verdict, kind), []).append((label, cause))
    lines = [_note(verdict, cells) for (verdict, _), cells in groups.items()]
    turned = endurance.overtaken(rows, lambda row: _label(row, varying))
    return [clean(line) for line in (*lines, *turned, *_unjudged(rows))]


def _unjudged(rows: Sequence[Row]) -> list[str]:
    """Workloads whose accuracy nobody measured, and how to."""
    measured = [row for row in rows if row.get("status") == "ok" and not row.get("imported_from")]
    known = ("top1_ratio", "accuracy")
    judged = {
        row["workload"] for row in measured if any(row.get(name) is not None for name in known)
    }
    tasks = {row["workload"]: _task(row) for row in measured if row["workload"] not in judged}
    how = {_TOP1: "no labelled images (--accuracy full; of a model of yours --images)"}
    return [
        f"{name}: {words} not measured, {how.get(words, 'no labelled samples')}"
        for name, task in tasks.items()
        if (words := TASK[task])
    ]


def _note(verdict: str, cells: Sequence[tuple[str, str]]) -> str:
    label, cause = cells[0]
    if len(cells) > _NAMED:
        return f"{len(cells)} cells {verdict}: {cause} (the first, {label})"
    return f"{', '.join(label for label, _ in cells)}: {verdict}: {cause}"


def whence(rows: Sequence[Row]) -> list[str]:
    """Where figures of energy come from, and why cells beside them have none."""
    told: dict[str, int] = {}
    for row in rows:
        if row.get(_ENERGY) is not None:
            without = f", without {row['power_excludes']}" if row.get("power_excludes") else ""
            line = f"energy is {row['power_tier']}, by {row['power_source']}{without}"
        elif row.get("power_reason"):
            line = f"energy {row['power_reason']}"
        else:
            continue
        told[line] = told.get(line, 0) + 1
    return [
        clean(line if number == len(rows) else f"{line} ({number} of {len(rows)} cells)")
        for line, number in told.items()
        if NO_SENSOR not in line  # that was said of the whole run, when it began
    ]

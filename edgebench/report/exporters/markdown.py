"""A compact Markdown table for a pull request: figures, intervals, verdicts, caveats folded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgebench.protocols import Exported, Stored
from edgebench.report.columns import BY_NAME
from edgebench.report.labels import labels
from edgebench.report.markdown import code, folded, grid, join
from edgebench.report.table import number

Cells = Mapping[str, object]
_FIGURES = ("latency_p50_ms", "latency_p99_ms", "rss_peak_mib", "energy_gross_mj", "top1_ratio")
_HEADINGS = {"rss_peak_mib": "peak MiB"}
_ALWAYS = ("latency_p50_ms",)
_SOURCE = ("device", "device_id", "device_setup", "preset", "edgebench_version", "started_at_utc")


class Markdown:
    """A compact table for a pull request.

    Figures with intervals, the verdict in words, and caveats behind a fold.
    """

    name = "markdown"
    suffix = ".md"

    def write(
        self, rows: Sequence[Mapping[str, object]], columns: Sequence[str], stored: Stored
    ) -> Exported:
        """Figures with four significant digits and their 95 % interval, where they have one.

        Args:
            rows: In the order wanted.
            columns: In the place of the usual figures.
            stored: Not asked.
        """
        del stored
        shown = list(columns) or [
            name
            for name in _FIGURES
            if name in _ALWAYS or any(row.get(name) is not None for row in rows)
        ]
        tiers = {row.get("power_tier") for row in rows if row.get("power_tier")}
        if "energy_gross_mj" in shown and not columns and len(tiers) > 1:
            shown.insert(shown.index("energy_gross_mj"), "power_tier")
        named = [
            f"{row.get('workload')}/{name}" for row, name in zip(rows, labels(rows), strict=True)
        ]
        headings = ["cell", *(_heading(name, tiers) for name in shown), "verdict"]
        right = [i for i, name in enumerate(shown, 1) if BY_NAME[name].kind != "str"]
        lines = [
            [code(name), *(_cell(row, column) for column in shown), _verdict(row)]
            for row, name in zip(rows, named, strict=True)
        ]
        text = join(
            "\n".join(f"- {line}" for line in _sources(rows)),
            grid(headings, lines, right),
            folded("What a reader should know", _caveats(rows, named)),
        )
        return Exported(data=text.encode())


def _heading(name: str, tiers: set[object]) -> str:
    heading = _HEADINGS.get(name) or BY_NAME[name].heading or name
    (tier,) = tiers if name == "energy_gross_mj" and len(tiers) == 1 else ("",)
    return f"{heading} ({tier})".replace("_", " ") if tier else heading.replace("_", "\\_")


def _sources(rows: Sequence[Cells]) -> list[str]:
    """Where and when, a line a run."""
    found: dict[str, None] = {}
    for row in rows:
        device, unit, setup, preset, version, when = (row.get(name) for name in _SOURCE)
        told = f"{code(device)}, unit {code(unit)}" + (f" ({code(setup)})" if setup else "")
        if row.get("imported_from"):  # its tool alone: every cell stands elsewhere in the files
            told += f": {code(when)}" if when else ""
            told += f", imported: {code(str(row['imported_from']).partition(': ')[0])}"
        else:
            told += f": {code(when)}, preset {code(preset)}, edgebench {code(version)}"
        found[told] = None
    return list(found)


def _cell(row: Cells, name: str) -> str:
    value = row.get(name)
    if value is None:
        return "-"
    if not isinstance(value, (int, float)):
        return code(value)
    stem, _, unit = name.rpartition("_")
    low, high = (row.get(f"{stem}_{end}_{unit}") for end in ("lo", "hi"))
    text = number(value)
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        text += f" ({number(low)} to {number(high)})"
    return text


def _verdict(row: Cells) -> str:
    if row.get("status") != "ok":
        return f"**{row.get('status')}**"
    words = [] if row.get("validity") in {"valid", None} else [f"**{row['validity']}**"]
    if row.get("fallback"):
        words.append(f"ran {code(row.get('effective_precision') or row['fallback'])}")
    judged = "valid" if row.get("validity") else "not judged"
    return ", ".join(words) or ("imported" if row.get("imported_from") else judged)


def _caveats(rows: Sequence[Cells], named: Sequence[str]) -> list[str]:
    """A line a cell, its reason or its caveats; cells that share them share the line."""
    groups: dict[str, list[str]] = {}
    for row, name in zip(rows, named, strict=True):
        told = row.get("caveats") if row.get("status") == "ok" else row.get("reason")
        if told:
            groups.setdefault(str(told), []).append(name)
    return [f"{', '.join(map(code, cells))}: {code(told)}" for told, cells in groups.items()]

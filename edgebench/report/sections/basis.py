"""What a figure rests on: the machines, the method, and the meaning of every column."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.analysis.validity import LIMITS
from edgebench.codec import to_builtins
from edgebench.machine import CpuCluster, DeviceFacts
from edgebench.records import Manifest
from edgebench.report import grid, machine_words
from edgebench.report.columns import COLUMNS
from edgebench.report.grid import Grid, Head
from edgebench.report.rows import Row
from edgebench.report.sections.base import Material, Section
from edgebench.report.table import clean
from edgebench.units import mib_from_byte


def environment(material: Material) -> Section:
    """The machines, as each run's manifest describes them, and the runs."""
    shown = {row["run_id"] for row in material.rows}
    manifests = [run.manifest for run in material.runs if run.manifest.run_id in shown]
    manifests = manifests or [run.manifest for run in material.runs]
    machines: dict[str, tuple[DeviceFacts, dict[str, str]]] = {}
    for manifest in manifests:
        machines.setdefault(
            f"{manifest.facts!r}{manifest.backend_versions!r}",
            (manifest.facts, manifest.backend_versions),
        )
    tables = [_runs_table(manifests)] if manifests else []
    if foreign := [row for row in material.rows if row.get("imported_from")]:
        tables.append(_imports_table(foreign))
    tables += [_machine(facts, versions) for facts, versions in machines.values()]
    return Section(
        id="environment", title="Environment", template="tables.html.j2", context={"tables": tables}
    )


def _runs_table(manifests: Sequence[Manifest]) -> Grid:
    heads = [Head(name) for name in ("run", "started (UTC)", "device", "device id", "preset")]
    heads += [Head("launches", numeric=True), Head("seed", numeric=True), Head("edgebench")]
    rows = [
        [
            grid.text(manifest.run_id),
            grid.text(manifest.started_at_utc),
            grid.text(manifest.facts.device),
            grid.text(manifest.facts.device_id),
            grid.text(manifest.preset),
            grid.figure(manifest.launches),
            grid.figure(manifest.seed),
            grid.text(manifest.edgebench_version),
        ]
        for manifest in manifests
    ]
    return Grid(caption="Runs", heads=heads, rows=rows)


def _imports_table(rows: Sequence[Row]) -> Grid:
    """What another tool measured: no manifest describes those machines."""
    heads = [Head(name) for name in ("import", "device", "device id", "cell", "imported from")]
    names = ("run_id", "device", "device_id")
    cells = [
        [
            *(grid.text(row[name]) for name in names),
            grid.text("/".join(str(row[name]) for name in ("workload", "backend", "precision"))),
            grid.text(row["imported_from"]),
        ]
        for row in rows
    ]
    return Grid(caption="Imported: another tool measured", heads=heads, rows=cells)


def _machine(facts: DeviceFacts, versions: dict[str, str]) -> Grid:
    pairs: list[tuple[str, object]] = []
    told = {
        "cpu_clusters": "; ".join(map(_cluster, facts.cpu_clusters)),
        "accelerators": "; ".join(map(machine_words.accelerator, facts.accelerators)),
        "envelope": machine_words.envelope(facts.envelope),
        "caches_byte": machine_words.caches(facts.caches_byte),
    }
    for name, value in to_builtins(facts).items():
        words, plain = name.replace("_", " "), value
        if name in told:
            words, plain = words.removesuffix(" byte"), told[name]
        elif name.endswith("_byte"):
            words = words.removesuffix(" byte") + " (MiB)"
            plain = None if value is None else f"{mib_from_byte(value):,.0f}"
        pairs.append((words, _plain(plain)))
    pairs += [(f"{name} version", version) for name, version in sorted(versions.items())]
    return grid.facts(f"{clean(facts.device)} ({clean(facts.device_id)})", pairs)


def _plain(value: object) -> object:
    """A value without Python's brackets: lists by blanks, what has names by commas."""
    if isinstance(value, (list, tuple)):
        return " ".join(str(_plain(one)) for one in value)
    if isinstance(value, dict):
        return ", ".join(f"{key.replace('_', ' ')} {_plain(one)}" for key, one in value.items())
    return value


def _cluster(part: CpuCluster) -> str:
    features = f" ({' '.join(part.features)})" if part.features else ""
    return f"{machine_words.cluster(part)}{features}"


def method(material: Material) -> Section:
    """How the figures came about, in words and in the run's own settings."""
    presets: dict[str, Grid] = {}
    for run in material.runs:
        settings = run.manifest.method
        pairs = [(name.replace("_", " "), value) for name, value in settings.items()]
        preset = clean(run.manifest.preset)
        presets.setdefault(f"{preset}{settings!r}", grid.facts(f"Preset {preset}", pairs))
    limits = Grid(
        caption="Limits below which outputs are called invalid",
        heads=(
            Head("task"),
            Head("precision"),
            Head("smallest cosine similarity", numeric=True),
            Head("smallest agreement of answers, pixels or integers", numeric=True),
            Head("why"),
        ),
        rows=[
            (
                *map(grid.text, asked),
                grid.figure(limit.min_cosine),
                grid.figure(limit.min_top1_ratio),
                grid.text(limit.reason),
            )
            for asked, limit in LIMITS.items()
        ],
        sortable=False,
    )
    context = {"tables": [*presets.values(), limits]}
    return Section(id="method", title="Method", template="method.html.j2", context=context)


def glossary(material: Material) -> Section:
    """Every column of the CSV and the frame."""
    del material
    rows = [(grid.text(column.name), grid.text(column.meaning)) for column in COLUMNS]
    table = Grid(
        caption="Columns of the CSV and of the frame; the unit is the last word of a name",
        heads=(Head("column"), Head("meaning")),
        rows=rows,
        sortable=False,
    )
    return Section(
        id="glossary", title="Glossary", template="tables.html.j2", context={"tables": [table]}
    )

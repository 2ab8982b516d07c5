"""The machines: what is published of each device, and by whom, beside what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edgebench import descriptors, resources
from edgebench.codec import to_builtins
from edgebench.descriptors import Held
from edgebench.errors import UsageError
from edgebench.machine import CpuCluster, DeviceFacts
from edgebench.records import Manifest
from edgebench.report import grid, machine_words
from edgebench.report.grid import Cell, Grid, Head
from edgebench.report.rows import Row
from edgebench.report.sections.base import Material, Section
from edgebench.report.table import clean
from edgebench.specs import DeviceSpec
from edgebench.units import mib_from_byte

_SUMMED = ("soc", "cpu", "price_usd")
"""What tells a board in a line."""
_MEMORY = ("mem_min_mib", "mem_max_mib")
_HEADS = (
    *(Head("fact"), Head("value"), Head("year", numeric=True), Head("source")),
    Head("on the machine", meaning="what the machine says of itself"),
    Head("note"),
)


@dataclass(frozen=True, kw_only=True)
class Described:
    """A device of the report."""

    name: str
    words: str
    facts: Grid | None
    """None where no descriptor tells any."""
    sources: Sequence[tuple[str, str]]
    """Anchors and addresses, by number."""
    machines: Sequence[Grid]


def environment(material: Material) -> Section:
    """The runs, and each device: its published facts with their sources, and its machines."""
    shown = {row["run_id"] for row in material.rows}
    manifests = [run.manifest for run in material.runs if run.manifest.run_id in shown]
    manifests = manifests or [run.manifest for run in material.runs]
    tables = [_runs_table(manifests)] if manifests else []
    if foreign := [row for row in material.rows if row.get("imported_from")]:
        tables.append(_imports_table(foreign))
    names = [manifest.facts.device for manifest in manifests]
    names += [str(row["device"]) for row in material.rows if row.get("device")]
    devices = [
        _described(name, place, [one for one in manifests if one.facts.device == name])
        for place, name in enumerate(sorted(set(names)))
    ]
    return Section(
        id="environment",
        title="Environment",
        template="environment.html.j2",
        context={"tables": tables, "devices": devices},
    )


def _described(name: str, place: int, manifests: Sequence[Manifest]) -> Described:
    spec, fault = _descriptor(name)
    alike: dict[str, list[Manifest]] = {}
    for one in manifests:
        alike.setdefault(repr(one.facts), []).append(one)
    known = spec.facts if spec else ()
    sources = list(dict.fromkeys(fact.source for fact in known))
    return Described(
        name=clean(name),
        words=fault or _summary(spec),
        facts=_facts(spec, place, sources, manifests) if spec and known else None,
        sources=[(_anchor(place, number), clean(one)) for number, one in enumerate(sources, 1)],
        machines=[machine(same[0].facts, _versions(same)) for same in alike.values()],
    )


def _versions(manifests: Sequence[Manifest]) -> dict[str, str]:
    """Of each runtime, over all runs of a machine."""
    found: dict[str, dict[str, None]] = {}
    for one in manifests:
        for name, version in one.backend_versions.items():
            found.setdefault(name, {})[version] = None
    return {name: ", ".join(versions) for name, versions in found.items()}


def _descriptor(name: str) -> tuple[DeviceSpec | None, str]:
    """What is known of a device, or what is wrong with the file that would tell it."""
    if name not in resources.device_files():
        return None, ""
    try:
        return resources.open_device(name), ""
    except UsageError as error:
        return None, clean(str(error))


def _summary(spec: DeviceSpec | None) -> str:
    if spec is None:
        return "no descriptor tells what is published of it"
    facts = [fact for key in _SUMMED if (fact := spec.fact(key))]
    words = [spec.summary, *(machine_words.figure(fact.key, fact.value) for fact in facts)]
    return clean(", ".join(word for word in words if word))


def _anchor(place: int, number: int) -> str:
    return f"source-{place}-{number}"


def _facts(
    spec: DeviceSpec, place: int, sources: Sequence[str], manifests: Sequence[Manifest]
) -> Grid:
    """The facts of a descriptor, each beside what the machines of its kind say."""
    held = [_held(spec, one) for one in manifests]
    rows = []
    for fact in spec.facts:
        number = sources.index(fact.source) + 1
        here, differs = _here(fact.key, held)
        rows.append(
            [
                grid.text(machine_words.words(fact.key)),
                grid.text(machine_words.figure(fact.key, fact.value)),
                grid.text(fact.year),
                Cell(f"[{number}]", href=_anchor(place, number)),
                Cell(here, mark="warn") if differs else grid.text(here),
                grid.text(fact.note),
            ]
        )
    return Grid(
        caption=f"{clean(spec.name)}: what its descriptor tells",
        heads=_HEADS,
        rows=rows,
        sortable=False,
    )


def _held(spec: DeviceSpec, manifest: Manifest) -> dict[str, Held]:
    here = descriptors.detected(
        manifest.facts, version=manifest.edgebench_version, date=manifest.started_at_utc[:10]
    )
    return {one.key: one for one in descriptors.hold(spec, here)}


def _here(key: str, held: Iterable[dict[str, Held]]) -> tuple[str, bool]:
    """What machines say of a fact, and whether any says something else than what is published."""
    name = "mem_mib" if key in _MEMORY else key
    found = [one[name] for one in held if name in one]
    differs = any(one.same is False for one in found)
    told = list(dict.fromkeys(machine_words.figure(name, one.here) for one in found))
    return clean(f"{'; '.join(told)}{': another' if differs else ''}"), differs


def _runs_table(manifests: Sequence[Manifest]) -> Grid:
    heads = [Head(name) for name in ("run", "started (UTC)", "device", "device id")]
    heads += [Head("preset", meaning="its settings are below Method")]
    heads += [Head("launches", numeric=True), Head("seed", numeric=True), Head("edgebench")]
    rows = [
        [
            grid.text(manifest.run_id),
            grid.text(manifest.started_at_utc),
            grid.text(manifest.facts.device),
            grid.text(manifest.facts.device_id),
            Cell(clean(manifest.preset), href="method"),
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


def machine(facts: DeviceFacts, versions: dict[str, str]) -> Grid:
    """What a machine says of itself, and the versions of its runtimes; no row of what it lacks."""
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
        pairs += [(words, _plain(plain))] if plain not in (None, "", [], {}) else []
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

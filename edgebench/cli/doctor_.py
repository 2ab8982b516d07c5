"""`edgebench doctor`: what this machine is, what can run on it, what would spoil a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from edgebench import plugins, resources
from edgebench.cli import interpreters, meters_
from edgebench.cli.meters_ import Look
from edgebench.cli.text import fill
from edgebench.datasets import folder
from edgebench.errors import UsageError
from edgebench.host import conditions, identify, spoilers
from edgebench.host.conditions import Conditions
from edgebench.host.cpu import ROOT
from edgebench.host.spoilers import Spoiler
from edgebench.machine import DeviceFacts
from edgebench.protocols import Probe
from edgebench.report import machine_words
from edgebench.specs import DeviceSpec
from edgebench.units import mib_from_byte

_LABEL = 14
_UNTOLD = "not readable"


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@meters_.root_option
@interpreters.option
def command(*, as_json: bool, root: Path, config_file: Path | None) -> None:
    """Say what this device is, what can run on it, and what would spoil a run.

    It looks and changes nothing. With --root it tells what a folder of another machine's files
    says, and nothing of what is installed here.
    """
    config = interpreters.read(config_file)
    devices, problems = _devices()
    here = root == ROOT
    facts = identify.identify(devices=devices, root=root)
    seen = conditions.gather(root, conditions.busy_processes() if here else ())
    meters = [meters_.look(name, root) for name in plugins.names(plugins.METERS)]
    probes = interpreters.probe(config, interpreters.known(config)) if here else ()
    workloads = [_workload(name) for name in resources.workload_folders()] if here else []
    sets = [_dataset(name) for name in folder.names()] if here else []
    found = spoilers.find(seen)
    untold = (*spoilers.unmeasured(seen), *_no_meter(meters))
    everything = {
        "device": facts,
        "match": identify.match_keys(root),
        "conditions": seen,
        "meters": meters,
        "backends": probes,
        "workloads": workloads,
        "datasets": sets,
        "problems": problems,
        "spoilers": found,
        "unmeasured": untold,
    }
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(everything), indent=1))
        return
    known = any(device.name == facts.device for device in devices)
    _section("Device", _device_lines(facts, known=known, here=here))
    _section("Conditions", _condition_lines(facts, seen))
    _section("Power meters", [(one.name, meters_.line(one)) for one in meters])
    if here:
        _section("Backends", [_backend_line(probe) for probe in probes])
        _section("Workloads", [(one["name"], _workload_words(one)) for one in workloads])
        home = f"in {folder.home()} -> edgebench data add NAME PATH"
        _section("Data sets", sets or [("none", home)])
    for problem in problems:
        _line("broken", problem)
    if untold:
        click.echo("What cannot be measured")
        print_spoilers(untold)
        click.echo()
    click.echo("What would spoil a run")
    print_spoilers(found)


def _no_meter(meters: Sequence[Look]) -> Iterator[Spoiler]:
    if not any(one.available for one in meters):
        asked = ", ".join(one.name for one in meters) or "no meter is installed"
        yield Spoiler(
            what=f"no power meter can be read (looked for: {asked})",
            why="energy is not measured; proxies are, and they are no joules",
            remedy="a meter of your own: edgebench run --power-csv FILE",
        )


def print_spoilers(found: Sequence[Spoiler]) -> None:
    """Each spoiler, why it matters, and on a line of its own what mends it."""
    for spoiler in found:
        click.echo(fill(f"{spoiler.what}: {spoiler.why}", "  - ", "    "))
        click.echo(f"    -> {spoiler.remedy}")
    if not found:
        click.echo("  nothing found that would spoil a run")


def _devices() -> tuple[list[DeviceSpec], list[str]]:
    """Device descriptors, and what is wrong with those that cannot be read."""
    read = [_device(name) for name in resources.device_files()]
    good = [device for device in read if isinstance(device, DeviceSpec)]
    return good, [problem for problem in read if isinstance(problem, str)]


def _device(name: str) -> DeviceSpec | str:
    try:
        return resources.open_device(name)
    except UsageError as error:
        return str(error)


def _workload(name: str) -> dict[str, Any]:
    try:
        workload = resources.open_workload(name)
        problems = workload.problems()
    except UsageError as error:
        unknown = dict.fromkeys(("version", "models", "built"))
        return {"name": name, **unknown, "problems": [error.message]}
    spec = workload.spec
    return {
        "name": name,
        "version": spec.version,
        "models": len(spec.models),
        "built": workload.is_built,
        "problems": problems,
    }


def _dataset(name: str) -> tuple[str, str]:
    """A data set and how many images it has; `edgebench data verify` reads the whole file."""
    try:
        spec = folder.open_dataset(name).spec
    except UsageError as error:
        return name, f"damaged: {error}"
    return name, f"{spec.count:,} images, {spec.split} of {spec.source}"


def _workload_words(one: dict[str, Any]) -> str:
    if one["problems"]:
        return f"damaged: {'; '.join(one['problems'])} -> reinstall or rebuild it"
    if not one["built"]:
        return f"version {one['version']}, not built -> edgebench workloads show {one['name']}"
    return f"version {one['version']}, {one['models']} models, files whole"


def _device_lines(facts: DeviceFacts, *, known: bool, here: bool) -> Iterator[tuple[str, str]]:
    yield "device", facts.device + ("" if known else " (no descriptor in devices/)")
    yield "device_id", facts.device_id
    yield "board", facts.board or _UNTOLD
    if facts.soc:
        yield "chip", facts.soc
    for cluster in facts.cpu_clusters:
        yield "CPU", machine_words.cluster(cluster, facts.architecture)
    yield "ISA", f"{facts.architecture}: {' '.join(facts.isa_features) or _UNTOLD}"
    yield "caches", machine_words.caches(facts.caches_byte) or _UNTOLD
    yield (
        "memory",
        _mib(facts.mem_total_byte)
        + (f", limited to {_mib(facts.mem_limit_byte)}" if facts.mem_limit_byte else ""),
    )
    for accelerator in facts.accelerators:
        yield "accelerator", machine_words.accelerator(accelerator)
    if facts.power_mode:
        yield "power mode", facts.power_mode
    python = f", Python {facts.python}" if here else ""  # of another root none is running
    yield "system", f"{facts.os}, Linux {facts.kernel}{python}"
    yield "inside", facts.virtualisation or "bare metal, as far as one can see"


def _condition_lines(facts: DeviceFacts, seen: Conditions) -> Iterator[tuple[str, str]]:
    quota = "none" if facts.cpu_quota is None else f"{facts.cpu_quota:g}"
    why = f"{len(seen.cpus_online)} online, {len(seen.cpus_allowed)} in the affinity mask"
    yield "usable CPUs", f"{seen.cpus_usable}: {why}, quota {quota}"
    clocks = seen.environment.cpu_mhz
    yield "governor", ", ".join(seen.governors) or _UNTOLD
    yield "clock", f"{min(clocks):.0f} to {max(clocks):.0f} MHz" if clocks else _UNTOLD
    load = seen.environment.load_average_1min
    yield "load", _UNTOLD if load is None else f"{load:.2f} (1 min)"
    yield "free memory", _mib(seen.environment.mem_available_byte)
    yield "swap in use", _mib(seen.environment.swap_used_byte)
    degrees = [f"{zone.name} {zone.degc:.0f} degC" for zone in seen.zones]
    yield "temperature", ", ".join(degrees) or _UNTOLD


def _backend_line(probe: Probe) -> tuple[str, str]:
    if probe.available:
        return probe.name, f"{probe.version} on {', '.join(probe.accelerators)}"
    return probe.name, " -> ".join(part for part in (probe.reason, probe.remedy) if part)


def _mib(value_byte: int | None) -> str:
    return _UNTOLD if value_byte is None else f"{mib_from_byte(value_byte):,.0f} MiB"


def _section(title: str, lines: Iterable[tuple[str, str]]) -> None:
    click.echo(title)
    for label, words in lines:
        _line(label, words)
    click.echo()


def _line(label: str, words: str) -> None:
    click.echo(fill(words, f"  {label:{_LABEL}} ", " " * (_LABEL + 3)))

"""`edgebench devices`: what is known of which boards, who says so, and what this machine is."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from edgebench import __version__, resources
from edgebench.cli import calibrate_
from edgebench.cli.text import fill, one_line
from edgebench.descriptors import (
    Held,
    begun,
    detected,
    fits_by,
    hold,
    read_device,
    shared_matches,
    surest,
)
from edgebench.errors import UsageError
from edgebench.host import identify
from edgebench.host.cpu import ROOT
from edgebench.machine import DeviceFacts
from edgebench.specs import NAME, DeviceMatch, DeviceSpec, FactSpec

_root = click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of another machine's /proc and /sys files, instead of this machine's.",
)
_UNITS = {"mhz": "MHz", "mib": "MiB", "usd": "USD", "tops": "TOPS", "w": "W"}
"""As people write what a key ends in."""
_json = click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")


@click.group("devices")
def command() -> None:
    """List, show, add and verify device descriptors."""


command.add_command(calibrate_.command)


@command.command("list")
@_json
def list_(*, as_json: bool) -> None:
    """Every device in one line: watts from idle to load, price, what it is."""
    specs = [resources.open_device(name) for name in resources.device_files()]
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(spec) for spec in specs], indent=1))
        return
    for spec in specs:
        envelope, price = spec.envelope_w(), spec.figure("price_usd")
        watts = "{:g}-{:g} W".format(*envelope) if envelope else ""
        usd = f"{price:.0f} USD" if price is not None else ""
        what = spec.summary.partition(";")[0]
        click.echo(one_line(f"{spec.name:23} {watts:>11} {usd:>8}  {what}").rstrip())


@command.command("show")
@click.argument("name", required=False)
@click.option("--here", is_flag=True, help="This machine; so it is where no name is given.")
@_root
@_json
def show(*, name: str | None, here: bool, root: Path | None, as_json: bool) -> None:
    """One device: what it is recognised by, and each fact with its source and year.

    Without a name: what this machine is, which device fits, and where the two differ.
    """
    if name is None:
        _show_here(root or ROOT, as_json=as_json)
        return
    if here or root:
        raise UsageError(
            f"{name} is one thing, this machine another",
            remedy="give a name, or --here, or --root FOLDER",
        )
    spec = resources.open_device(name)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(spec), indent=1))
        return
    click.echo(f"{spec.name}: {spec.summary}")
    for kind in ("compatible", "dmi", "cpu_model"):
        for text in getattr(spec.match, kind):
            click.echo(f"  match {kind:11} {text}")
    _print_facts(spec.facts)
    _print_rails(spec)


@command.command("add")
@click.argument("name", required=False)
@_root
def add(*, name: str | None, root: Path | None) -> None:
    """Begin a descriptor of this machine with what it says of itself.

    Figures that no machine tells (watts at the wall, price, TOPS) stand in it as comments, for you
    to complete with a source. It goes to the first folder of EDGEBENCH_PATH, else to the data home.
    """
    root = root or ROOT
    devices = resources.open_devices()
    match = surest(identify.match_keys(root))
    if match is None:
        raise UsageError(
            "this machine names no board and no processor: nothing could be recognised by it",
            remedy="write a descriptor by hand; edgebench devices show NAME shows what is in one",
        )
    for spec in devices:
        if fit := fits_by(spec, match):
            raise UsageError(
                f"{spec.name} fits this machine already, by {fit[0]} {fit[1]!r}",
                remedy=f"edgebench devices show {spec.name}",
            )
    facts = identify.identify(devices=(), root=root)
    name = name or facts.device
    path = _free_path(name)
    told = detected(facts, version=__version__, date=time.strftime("%Y-%m-%d", time.gmtime()))
    _write(path, begun(name, facts.board or facts.cpu_model or name, match, told))
    click.echo(path)
    click.echo(f"complete it, then: edgebench devices verify {name}", err=True)


def _free_path(name: str) -> Path:
    """Where a new descriptor of this name goes.

    Raises:
        UsageError: The name cannot be one, or a device has it.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no device name",
            remedy="small letters, digits, '.', '-' and '_', at most 64, a letter or digit first",
        )
    if taken := resources.device_files().get(name):
        raise UsageError(
            f"there is a device {name} already: {taken}",
            remedy="choose a name of its own: edgebench devices add NAME",
        )
    return resources.device_home() / f"{name}.toml"


def _write(path: Path, text: str) -> None:
    """A new file, never over another.

    Raises:
        UsageError: The folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror}",
            remedy="name a folder of yours: EDGEBENCH_PATH=FOLDER",
        ) from None


@command.command("verify")
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Check that descriptors can be read, name their sources, and fit no other's board."""
    files = resources.device_files()
    for name in names:
        if name not in files:
            resources.open_device(name)  # tells which may be meant
    problems = {name: _problem(files[name]) for name in names or files}
    broken = {name: problem for name, problem in problems.items() if problem}
    read = [read_device(files[name]) for name in problems if name not in broken]
    broken |= shared_matches(read)
    for spec in read:
        if spec.name not in broken:
            click.echo(f"{spec.name}: ok")
    for name, problem in broken.items():
        click.echo(f"{name}: {problem}")
    if broken:
        raise UsageError(f"{len(broken)} device descriptor(s) broken", remedy="mend the files")


def _problem(path: Path) -> str:
    try:
        read_device(path)
    except UsageError as error:
        return str(error)
    return ""


def _show_here(root: Path, *, as_json: bool) -> None:
    devices, keys = resources.open_devices(), identify.match_keys(root)
    facts = identify.identify(devices=devices, root=root)
    spec = next((device for device in devices if device.name == facts.device), None)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    held = hold(spec, detected(facts, version=__version__, date=today))
    if as_json:
        everything = {"here": facts, "match": keys, "device": spec, "held": held}
        click.echo(json.dumps(msgspec.to_builtins(everything), indent=1))
        return
    _print_here(facts, keys, spec)
    for one in held:
        click.echo(fill(_words(one.key, one.here), f"  {one.key:16} ", " " * 19))
        if verdict := _verdict(one):
            click.echo(fill(verdict, " " * 19, " " * 19))
    if spec:
        shown = {one.key for one in held}
        shown |= {"mem_min_mib", "mem_max_mib"}
        click.echo(f"what {spec.name} tells besides")
        _print_facts([fact for fact in spec.facts if fact.key not in shown])
        _print_rails(spec)


def _print_here(facts: DeviceFacts, keys: DeviceMatch, spec: DeviceSpec | None) -> None:
    """What the machine is, and which device that makes it."""
    click.echo(one_line(f"this machine: {facts.board or facts.cpu_model or facts.architecture}"))
    fit = spec and fits_by(spec, keys)
    if spec and fit:
        click.echo(f"  fits {spec.name}")
        click.echo(one_line(f"  by {fit[0]} {fit[1]}"))
        return
    click.echo("  no device fits: edgebench devices add begins a descriptor")
    for kind, texts in msgspec.structs.asdict(keys).items():
        for text in texts:
            click.echo(one_line(f"  match {kind:11} {text}"))


def _verdict(one: Held) -> str:
    """What the descriptor says of a detected fact; empty where it says nothing."""
    if one.told is None:
        return ""
    if one.same:
        return "as its descriptor tells"
    told = _words(one.key, one.told)
    if one.same is None:
        return f"its descriptor tells {told}"
    return f"DIFFERS: {told} is told{f'; {one.note}' if one.note else ''}"


def _print_facts(facts: Sequence[FactSpec]) -> None:
    for fact in facts:
        words = f"{_words(fact.key, fact.value)} ({fact.year}){_note(fact)}"
        click.echo(fill(words, f"  {fact.key:16} ", " " * 19))
        click.echo(f"  {'':16} {fact.source}")


def _print_rails(spec: DeviceSpec) -> None:
    for rail in spec.rails:
        total = ", the whole module" if rail.total else ""
        click.echo(f"  rail {rail.label:16} feeds {', '.join(rail.covers)}{total}")
        click.echo(f"  {'':21} {rail.source}")


def _words(key: str, value: float | str) -> str:
    """A fact's value with its unit."""
    if isinstance(value, str):
        return value
    unit = key.rpartition("_")[2]
    return f"{value:g} {_UNITS.get(unit, unit)}"


def _note(fact: FactSpec) -> str:
    return f"; {fact.note}" if fact.note else ""

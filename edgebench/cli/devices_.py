"""`edgebench devices`: what is known of which boards, and who says so."""

from __future__ import annotations

from pathlib import Path

import click

from edgebench import resources
from edgebench.cli import calibrate_
from edgebench.cli.text import one_line
from edgebench.errors import UsageError
from edgebench.specs import FactSpec, read_device, shared_matches


@click.group("devices")
def command() -> None:
    """List, show and verify device descriptors."""


command.add_command(calibrate_.command)


@command.command("list")
def list_() -> None:
    """Every device in one line."""
    for name in resources.device_files():
        spec = resources.open_device(name)
        click.echo(one_line(f"{spec.name:24} {len(spec.facts):2} facts  {spec.summary}"))


@command.command("show")
@click.argument("name")
def show(name: str) -> None:
    """One device: what it is recognised by, and each fact with its source and year."""
    spec = resources.open_device(name)
    click.echo(f"{spec.name}: {spec.summary}")
    for kind in ("compatible", "dmi", "cpu_model"):
        for text in getattr(spec.match, kind):
            click.echo(f"  match {kind:11} {text}")
    for fact in spec.facts:
        click.echo(f"  {fact.key:16} {_value(fact)}  ({fact.year}){_note(fact)}")
        click.echo(f"  {'':16} {fact.source}")
    for rail in spec.rails:
        total = ", the whole module" if rail.total else ""
        click.echo(f"  rail {rail.label:16} feeds {', '.join(rail.covers)}{total}")
        click.echo(f"  {'':21} {rail.source}")


@command.command("verify")
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Check that descriptors can be read, name their sources, and fit no other's board."""
    files = resources.device_files()
    for name in names:
        if name not in files:
            resources.open_device(name)  # tells the known ones
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


def _value(fact: FactSpec) -> str:
    if isinstance(fact.value, str):
        return fact.value
    return f"{fact.value:g} {fact.key.rpartition('_')[2]}"


def _note(fact: FactSpec) -> str:
    return f"; {fact.note}" if fact.note else ""

"""`edgebench workloads`: what there is to measure, whether its files are whole, building them."""

from __future__ import annotations

from pathlib import Path

import click

from edgebench import resources
from edgebench.errors import UsageError
from edgebench.units import mib_from_byte


@click.group("workloads")
def command() -> None:
    """List, show, verify and build workloads."""


@command.command("list")
def list_() -> None:
    """Every workload in one line."""
    for name in resources.workload_folders():
        spec = resources.open_workload(name).spec
        click.echo(f"{spec.name:16} v{spec.version} {len(spec.models)} models  {spec.summary}")


@command.command("show")
@click.argument("name")
def show(name: str) -> None:
    """One workload: its source, its models, and the accuracy each one has."""
    spec = resources.open_workload(name).spec
    click.echo(f"{spec.name} version {spec.version}: {spec.summary}")
    click.echo(f"input {spec.input.shape} {spec.input.dtype}, {len(spec.labels)} labels")
    click.echo(f"{spec.macs or 0:,} multiply-accumulates, {spec.parameters or 0:,} parameters")
    click.echo(f"source: {spec.source}; licence: {spec.licence}")
    for model in spec.models:
        top1 = "not measured"
        if model.top1_ratio is not None:
            top1 = f"{model.top1_ratio:.2%} top-1 of {model.top1_samples:,}"
        size = f"{mib_from_byte(model.size_byte):.2f} MiB"
        click.echo(f"  {model.path:28} {model.precision:12} {size:>9}  {top1}  ({model.tool})")


@command.command("verify")
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Check that every file is the one that workload.toml names."""
    broken = 0
    for name in names or tuple(resources.workload_folders()):
        problems = resources.open_workload(name).problems()
        broken += bool(problems)
        for problem in problems or ["ok"]:
            click.echo(f"{name}: {problem}")
    if broken:
        raise UsageError(f"{broken} workload(s) damaged", remedy="reinstall or rebuild them")


@command.command("build")
@click.argument("name")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder that holds the data set.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Workload folder to write (default: the one it is read from).",
)
def build(name: str, data: Path, out: Path | None) -> None:
    """Train, export, quantise and evaluate a workload by the recipe in its workload.toml."""
    try:
        from edgebench.zoo.build import build as build_workload
    except ImportError as error:
        raise UsageError(
            f"building a workload needs {error.name}", remedy="pip install 'edgebench[build]'"
        ) from None
    folder = out or resources.open_workload(name).folder
    build_workload(name, data, folder, lambda line: click.echo(line, err=True))

"""`edgebench workloads`: what there is to measure, whether its files are whole, making them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import click

from edgebench import resources
from edgebench.cli import derive_, new_, packs_
from edgebench.cli.text import fill, one_line
from edgebench.derive import cache, folders
from edgebench.errors import UsageError
from edgebench.specs import ModelSpec, Workload
from edgebench.units import mib_from_byte

_UNTOLD = "unknown"
_METRICS = {"map50": "mAP@0.5", "miou": "mIoU"}


@click.group("workloads")
def command() -> None:
    """List, show, verify, make, derive, build, pack and unpack workloads."""


for _verb in (derive_.command, new_.command, packs_.pack_command, packs_.unpack_command):
    command.add_command(_verb)


@command.command("list")
def list_() -> None:
    """Every workload in one line: its name, version, models (shipped + derived), summary."""
    for name in resources.workload_folders():
        try:
            workload = cache.attach(resources.open_workload(name))
        except UsageError as error:  # one that is damaged does not hide the next
            click.echo(one_line(f"{name:20} damaged: {error.message}"))
            continue
        spec = workload.spec
        models = f"{len(spec.models)}+{len(workload.derived)} models"
        state = models if workload.is_built else "not built"
        click.echo(one_line(f"{spec.name:20} v{spec.version} {state:10}  {spec.summary}"))


@command.command("show")
@click.argument("name")
def show(name: str) -> None:
    """One workload: its task, weights, size and source, its models, and how good each one is."""
    workload = cache.attach(resources.open_workload(name))
    spec = workload.spec
    click.echo(fill(f"{spec.name} version {spec.version}: {spec.summary}"))
    labels = f", {len(spec.labels)} labels" if spec.labels else ""
    inputs = ", ".join(f"{'x'.join(map(str, one.shape))} {one.dtype}" for one in spec.inputs)
    click.echo(fill(f"{spec.task}{labels}; weights: {spec.weights}; input {inputs}"))
    click.echo(f"{_count(spec.macs)} multiply-accumulates, {_count(spec.parameters)} parameters")
    peak = spec.activation_peak_byte
    mib = _UNTOLD if peak is None else f"{mib_from_byte(peak):.2f} MiB"
    click.echo(f"activations at their peak: {mib} in float32")
    click.echo(fill(f"source: {spec.source}; licence: {spec.licence or _UNTOLD}"))
    click.echo(f"in {workload.folder}")
    if (remedy := _remedy(workload)) is not None:
        click.echo(fill(f"not built -> {remedy}"))
    for model in (*spec.models, *workload.derived):
        size = f"{mib_from_byte(model.size_byte):.2f} MiB"
        path = f"derived {model.format}" if model in workload.derived else model.path
        click.echo(f"  {path:28} {model.precision:12} {size:>9}  {_quality(workload, model)}")
        if model.tool:
            click.echo(fill(model.tool, "      ", "      "))


def _remedy(workload: Workload) -> str | None:
    """What builds or unpacks a workload; None where it is there."""
    try:
        _ = workload.reference_path
    except UsageError as error:
        return error.remedy
    return None


def _quality(workload: Workload, model: ModelSpec) -> str:
    """How good a model's answers are, as its maker measured it."""
    if model.top1_ratio is not None:
        return f"{model.top1_ratio:.2%} top-1 of {model.top1_samples:,}"
    if model.quality_ratio is not None:
        metric = _METRICS.get(model.quality_metric or "", "quality")
        return f"{model.quality_ratio:.2%} {metric} of {model.quality_samples:,}"
    return "no accuracy" if workload.spec.weights == "random" else "not measured"


def _count(number: int | None) -> str:
    return _UNTOLD if number is None else f"{number:,}"


@command.command("verify")
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Check that every file is the one that workload.toml names."""
    broken = 0
    known = resources.workload_folders()
    for name in names or tuple(known):
        problems, state = _problems(name, known=name in known)
        broken += bool(problems)
        for problem in problems or [state]:
            click.echo(f"{name}: {problem}")
    if broken:
        raise UsageError(f"{broken} workload(s) damaged", remedy="reinstall or rebuild them")


def _problems(name: str, *, known: bool) -> tuple[list[str], str]:
    """What is wrong with a workload, and its state where nothing is.

    One that is damaged does not hide the next.
    """
    try:
        workload = resources.open_workload(name)
        return workload.problems(), "ok" if workload.is_built else "not built"
    except UsageError as error:
        if not known:
            raise
        return [str(error)], ""


@command.command("build")
@click.argument("name")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder that holds the data set, where the recipe trains on one.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Workload folder to write (default: the one it is read from where that is complete and "
    "can be written, else workloads/NAME in the data home).",
)
def build(name: str, data: Path | None, out: Path | None) -> None:
    """Make a workload by the recipe in its workload.toml: train, export, quantise, evaluate."""
    try:
        from edgebench.zoo.build import build as build_workload
    except ImportError as error:
        raise UsageError(
            f"building a workload needs {error.name}", remedy="pip install 'edgebench[build]'"
        ) from None

    def say(line: str) -> None:
        click.echo(line, err=True)

    recipe = resources.recipe_folder(name)
    if out is not None or (resources.is_built(recipe) and os.access(recipe.parent, os.W_OK)):
        build_workload(name, data, out or recipe, say)
        return
    home = resources.workload_home()
    # No `folders.scratch`, which ends what is a day old: so may a training be.
    making = home / ".building" / name
    with _writing(home):
        making.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(recipe / "workload.toml", making / "workload.toml")
        build_workload(name, data, making, say)
        with folders.scratch(home) as scratch:
            folders.put(making, home / name, scratch / "old")
    say(f"{name}: built in {home / name}")


@contextlib.contextmanager
def _writing(home: Path) -> Iterator[None]:
    """Whatever goes wrong with the disk that is written to is the user's to mend."""
    try:
        yield
    except OSError as error:
        elsewhere = error.filename is not None and home not in Path(str(error.filename)).parents
        if elsewhere and not home.is_relative_to(str(error.filename)):
            raise UsageError(f"cannot read {error.filename}: {error.strerror}") from None
        raise UsageError(
            f"cannot write {home}: {error.strerror}", remedy="choose a folder with EDGEBENCH_DATA"
        ) from None

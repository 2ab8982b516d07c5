"""`edgebench workloads new`: a model of the user's kept as a workload folder."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from edgebench import plugins
from edgebench.cli import model_options
from edgebench.errors import UsageError

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@click.command("new")
@click.argument("name")
@click.option(
    "--model", required=True, metavar="FILE", help="The model, as `edgebench run --model` takes it."
)
@model_options.about
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Folder to write (default: NAME in the current one); it must not be there yet.",
)
def command(name: str, model: str, out: Path | None, **about: Any) -> None:  # noqa: ANN401 - click
    """Keep a model of your own as a workload folder.

    It holds the model, what it answers and your images, and a workload.toml to edit: raise its
    version whenever a file of it changes. `edgebench run -w ./NAME` measures it.
    """
    if sys.platform != "linux":
        raise UsageError(
            f"`edgebench workloads new` needs Linux on x86_64 or aarch64, this is {sys.platform}",
            remedy="keep it on the device and copy the folder here",
        )
    from edgebench.adopt import take  # after that check: what runs a model needs Linux
    from edgebench.adopt.describe import Runtimes
    from edgebench.cli import adopted
    from edgebench.runner import launcher

    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:80]!r} cannot name a workload", remedy=f"use {_NAME.pattern}")
    target = (out or Path(name)).absolute()
    if target.exists():
        raise UsageError(f"{target} is there already", remedy="choose another --out or remove it")
    told = model_options.told(about)
    runtimes = Runtimes(_installed(), launcher.probe)
    with tempfile.TemporaryDirectory(prefix="edgebench-new-") as scratch:
        request = model_options.request(str(Path(model).absolute()), told)
        made = take.take_one(request, name, runtimes, Path(scratch) / "made", adopted.say)
        _copy(made.folder, target)
    adopted.say(f"{made.spec.summary}")
    where = f"./{target.name}" if target.parent == Path.cwd() else str(target)
    click.echo(f"edgebench run -w {where}")


def _copy(folder: Path, target: Path) -> None:
    """Copy a folder to where none is; it is there whole or not at all."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as beside:
            shutil.copytree(folder, Path(beside) / "new")
            (Path(beside) / "new").rename(target)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"cannot write {target}: {why}", remedy="choose another --out") from None


def _installed() -> dict[str, Any]:
    """Every backend of this machine that can be asked."""
    from edgebench.runner import launcher

    probes = launcher.probe(plugins.names(plugins.BACKENDS))
    return {probe.name: probe for probe in probes if probe.available}

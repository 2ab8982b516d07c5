"""`edgebench data`: labelled images for `edgebench run --accuracy full`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import msgspec

from edgebench.datasets import folder
from edgebench.errors import UsageError
from edgebench.units import BYTE_PER_MIB

_SPLIT = click.option(
    "--split", default="test", metavar="NAME", help="Which part of the source (default: test)."
)
_REPLACE = click.option("--replace", is_flag=True, help="Take the place of one of the same name.")


@click.group("data")
def command() -> None:
    """Add, download, list and verify the data sets that accuracy is judged on."""


@command.command("add")
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@_SPLIT
@click.option(
    "--color",
    type=click.Choice(["rgb", "gray"]),
    help="Of image files (default: what the workload of this data set takes, else rgb).",
)
@_REPLACE
def add(name: str, path: Path, split: str, color: str | None, *, replace: bool) -> None:
    """Add labelled images from PATH as data set NAME.

    PATH is a folder of images with one folder a class (or with a folder test/ above them), a zip
    of such a folder, an .npz with x_test and y_test (or images and labels), MNIST's
    t10k-images-idx3-ubyte[.gz] or a folder with it, or CIFAR-10's binary .tar.gz.
    """
    from edgebench.datasets import reading

    folder.check_name(name)
    if not replace:
        folder.check_free(name)
    gray = None if color is None else color == "gray"
    found = reading.read(name, path, split, gray=gray)
    _added(folder.save(name, split, path.resolve().name, found, replace=replace))


@command.command("download")
@click.argument("name")
@click.option(
    "--split",
    type=click.Choice(["test", "train"]),
    default="test",
    help="Which part of it (default: test).",
)
@_REPLACE
def download(name: str, split: str, *, replace: bool) -> None:
    """Download a published data set: mnist or cifar10.

    A download that was cut goes on where it stopped; a file with another checksum is not used.
    Where a site has moved, fetch the file elsewhere and use `edgebench data add`: the addresses
    are not verified by a test.
    """
    from edgebench.datasets import published

    _added(published.download(name, split, _Progress().report, replace=replace))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_(*, as_json: bool) -> None:
    """Every data set in a line, and whether its checksum still holds."""
    sets = [folder.open_dataset(name) for name in folder.names()]
    if as_json:
        rows = [{**msgspec.to_builtins(s.spec), "problem": s.problem()} for s in sets]
        click.echo(json.dumps(rows, indent=1))
        return
    for found in sets:
        spec = found.spec
        shape = "x".join(map(str, spec.shape))
        state = found.problem() or "ok"
        click.echo(
            f"{spec.name:16} {spec.count:>8,} {shape:12} {state}  {spec.split} of {spec.source}"
        )
    if not sets:
        click.echo(f"no data sets in {folder.home()}", err=True)


@command.command("verify")
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Check that every file is the one that was added."""
    broken = 0
    for name in names or tuple(folder.names()):
        problem = folder.open_dataset(name).problem()
        broken += bool(problem)
        click.echo(f"{name}: {problem or 'ok'}")
    if broken:
        raise UsageError(f"{broken} data set(s) damaged", remedy="add them again with --replace")


def _added(added: folder.Dataset) -> None:
    spec = added.spec
    shape = "x".join(map(str, spec.shape))
    click.echo(f"{spec.name}: {spec.count:,} images of {shape} in {added.folder}", err=True)


class _Progress:
    """A moving line on a terminal, a line a tenth elsewhere."""

    def __init__(self) -> None:
        self._said: tuple[str, int] | None = None

    def report(self, name: str, done_byte: int, all_byte: int) -> None:
        """Say how far a file is."""
        parts = 100 if sys.stderr.isatty() else 10
        step = (name, done_byte * parts // all_byte)
        if step == self._said:
            return
        self._said = step
        line = f"{name}: {done_byte / BYTE_PER_MIB:.1f} of {all_byte / BYTE_PER_MIB:.1f} MiB"
        moving = sys.stderr.isatty() and done_byte < all_byte
        click.echo(f"\r{line}" if sys.stderr.isatty() else line, err=True, nl=not moving)

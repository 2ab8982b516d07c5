"""`edgebench workloads pack` and `unpack`: carry workloads to a device as one file."""

from __future__ import annotations

from pathlib import Path

import click

from edgebench.cli.text import count
from edgebench.packs import contract, unpack, write
from edgebench.units import mib_from_byte


@click.command("pack")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"The file to write (default: NAME{contract.SUFFIX}, or workloads{contract.SUFFIX}).",
)
@click.option(
    "--derived",
    is_flag=True,
    help="Take along the models that `edgebench workloads derive` made of them.",
)
def pack_command(names: tuple[str, ...], output: Path | None, *, derived: bool) -> None:
    """Write built workloads into one file, for a device that cannot build them."""
    stem = Path(names[0]).name if len({*names}) == 1 else "workloads"
    path = output or Path(f"{stem}{contract.SUFFIX}")
    manifest = write.pack(names, path, derived=derived)
    kinds = [folder.kind for folder in manifest.folders]
    what = count(kinds.count("workloads"), "workload")
    models = kinds.count("derived")
    what += f" and {count(models, 'derived model')}" if models else ""
    click.echo(f"{path}: {what}, {mib_from_byte(path.stat().st_size):.2f} MiB", err=True)


@click.command("unpack")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that gets a folder a workload, to be named by -w FOLDER/NAME (default: the data "
    "home, where every command finds them).",
)
@click.option("--replace", is_flag=True, help="Take the place of another workload of the name.")
def unpack_command(file: Path, into: Path | None, *, replace: bool) -> None:
    """Unpack workloads, and derived models, from a file of `edgebench workloads pack`.

    Every file is checked against its sha256 before anything changes. What a pack holds will be
    run: take packs from those whose models you would run.
    """
    for one in unpack.unpack(file, into, replace=replace):
        folder = one.folder
        words = f"{folder.name} version {folder.version}" if folder.version else folder.name
        size = f", {mib_from_byte(folder.size_byte):.2f} MiB" if one.state == "unpacked" else ""
        click.echo(f"{words}: {one.state}: {one.place}{size}", err=True)

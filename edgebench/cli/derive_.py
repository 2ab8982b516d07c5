"""`edgebench workloads derive`: models for runtimes with a format of their own, made on request."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click

from edgebench import resources
from edgebench.cli.main import EXIT_FAILED_CELLS
from edgebench.cli.params import CommaList, flatten
from edgebench.derive import calibration, contract, make
from edgebench.derive.contract import Converter
from edgebench.derive.make import NotDerivedError
from edgebench.errors import UsageError
from edgebench.records import PRECISIONS, Precision
from edgebench.specs import Workload
from edgebench.units import mib_from_byte


@click.command("derive")
@click.argument("names", nargs=-1)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=CommaList(),
    help="Formats to make (default: all whose converter is installed).",
)
@click.option(
    "-p",
    "--precision",
    multiple=True,
    type=CommaList(click.Choice(PRECISIONS), "|".join(PRECISIONS)),
    help="Precisions (default: all of the format).",
)
@click.option(
    "--data",
    metavar="DIR|NAME",
    help="Training images to calibrate int8 on, instead of those that the workload ships: the "
    "folder of the zoo's data set file (the very images that the zoo took), or a data set that "
    "`edgebench data` keeps (as many of its images).",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0, min_open=True),
    default=make.TIMEOUT_S,
    help="Seconds that a converter may take for one file.",
)
def command(
    names: tuple[str, ...],
    formats: tuple[tuple[str, ...], ...],
    precision: tuple[tuple[str, ...], ...],
    data: str | None,
    timeout_s: float,
) -> None:
    """Make models for ncnn, MNN ... from a workload's own, with the runtime's own converter.

    NAMES: workloads (default: all). Files go to the cache ($EDGEBENCH_CACHE, or edgebench/ in
    $XDG_CACHE_HOME), where `edgebench run` finds them. Converters run without a network.
    """
    converters, wanted = _converters(flatten(formats)), flatten(precision)
    _check_precisions(converters, wanted, named=bool(formats))
    chosen = names or tuple(resources.workload_folders(built=True))
    workloads = [resources.open_built(name) for name in chosen]
    failed = False
    with tempfile.TemporaryDirectory(prefix="edgebench-calibration-") as scratch:
        for workload in workloads:
            images = calibration.choose(workload, data, Path(scratch))
            for converter in converters:
                for one in converter.precisions:
                    if wanted and one not in wanted:
                        continue
                    made = _derive(workload, converter, one, images, timeout_s)
                    # What nobody asked for by name and lacks its images is only told.
                    lacking = images is None and one in converter.calibrated
                    failed |= not made and (one in wanted or not lacking)
    if failed:
        raise click.exceptions.Exit(EXIT_FAILED_CELLS)


def _converters(formats: tuple[str, ...]) -> list[Converter]:
    """The named converters, which must be installed, or all that are."""
    if formats:
        named = [contract.converter_of(fmt) for fmt in formats]
        for converter in named:
            contract.versions(converter)
        return named
    found = []
    for fmt in contract.CONVERTERS:
        converter = contract.converter_of(fmt)
        try:
            contract.versions(converter)
        except UsageError as error:
            click.echo(f"{fmt}: left out: {error}", err=True)
        else:
            found.append(converter)
    if not found:
        raise UsageError("no converter is installed", remedy="pip install 'edgebench[mnn]'")
    return found


def _check_precisions(
    converters: list[Converter], wanted: tuple[Precision, ...], *, named: bool
) -> None:
    """Refuse a precision that nothing makes, and a named format that makes none of them."""
    made = {one for converter in converters for one in converter.precisions}
    lacking = [one for one in wanted if one not in made]
    idle = [one for one in converters if named and wanted and not {*wanted} & {*one.precisions}]
    if lacking or idle:
        each = "; ".join(f"{one.format}: {', '.join(one.precisions)}" for one in idle or converters)
        what = f"{idle[0].format} in {', '.join(wanted)}" if idle else f"{lacking[0]} files"
        raise UsageError(f"nothing derives {what}", remedy=f"choose from {each}")


def _derive(
    workload: Workload,
    converter: Converter,
    precision: Precision,
    images: calibration.Images | None,
    timeout_s: float,
) -> bool:
    """One file and its line; False where it could not be made."""
    what = f"{workload.spec.name} {converter.format} {precision}"
    start = time.monotonic()
    try:
        made = make.derive(workload, converter, precision, images=images, timeout_s=timeout_s)
    except NotDerivedError as error:
        click.echo(f"{what}: {error}", err=True)
        return False
    how = f"made in {time.monotonic() - start:.1f} s" if made.fresh else "in the cache"
    size = f"{mib_from_byte(made.manifest.size_byte):.2f} MiB"
    click.echo(f"{what}: {how}, {size}", err=True)
    return True

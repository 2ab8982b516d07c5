"""`edgebench workloads derive`: models for runtimes with a format of their own, made on request."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from edgebench import resources
from edgebench.cli.main import EXIT_FAILED_CELLS
from edgebench.cli.params import CommaList, flatten
from edgebench.derive import calibration, contract, make, reach
from edgebench.errors import UsageError
from edgebench.records import PRECISIONS, Precision


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
    """Make models for ncnn, MNN ... from a workload's own, with the runtimes' own converters.

    NAMES: workloads (default: all). Files go to the cache ($EDGEBENCH_CACHE, or edgebench/ in
    $XDG_CACHE_HOME), where `edgebench run` finds them. Converters run without a network.
    """
    named, wanted = flatten(formats), flatten(precision)
    found = _formats(named)
    _check_precisions(found, wanted, named=bool(named))
    cells = [cell for cell in reach.makeable() if cell[0] in found]
    asked = [cell for cell in cells if not wanted or cell[1] in wanted]
    chosen = names or tuple(resources.workload_folders(built=True))
    workloads = [resources.open_built(name) for name in chosen]
    failed = False
    with tempfile.TemporaryDirectory(prefix="edgebench-calibration-") as scratch:
        for workload in workloads:
            images = calibration.choose(workload, data, Path(scratch))
            _, reasons = reach.fill(workload, asked, images, _say, timeout_s)
            for fmt, one in reasons:
                # What nobody asked for by name and lacks its images is only told.
                lacking = images is None and one in contract.converter_of(fmt).calibrated
                failed |= one in wanted or not lacking
    if failed:
        raise click.exceptions.Exit(EXIT_FAILED_CELLS)


def _say(line: str) -> None:
    click.echo(line, err=True)


def _formats(named: tuple[str, ...]) -> list[str]:
    """The named formats, whose converter must be installed, or all whose converter is."""
    if named:
        for fmt in named:
            contract.versions(contract.converter_of(fmt))
        return list(named)
    found: list[str] = [fmt for fmt in contract.CONVERTERS if _installed(fmt)]
    if not found:
        raise UsageError("no converter is installed", remedy="pip install 'edgebench[mnn]'")
    return found


def _installed(fmt: str) -> bool:
    try:
        contract.versions(contract.converter_of(fmt))
    except UsageError as error:
        _say(f"{fmt}: left out: {error}")
        return False
    return True


def _check_precisions(formats: list[str], wanted: tuple[Precision, ...], *, named: bool) -> None:
    """Refuse a precision that nothing makes, and a named format that makes none of them."""
    each: dict[str, list[Precision]] = {fmt: [] for fmt in formats}
    for fmt, one in reach.makeable():
        if fmt in each:
            each[fmt].append(one)
    made = {one for precisions in each.values() for one in precisions}
    lacking = [one for one in wanted if one not in made]
    idle = [fmt for fmt in each if named and wanted and not {*wanted} & {*each[fmt]}]
    if lacking or idle:
        listed = "; ".join(f"{fmt}: {', '.join(each[fmt])}" for fmt in idle or each)
        what = f"{idle[0]} in {', '.join(wanted)}" if idle else f"{lacking[0]} files"
        raise UsageError(f"nothing derives {what}", remedy=f"choose from {listed}")

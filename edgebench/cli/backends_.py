"""`edgebench backends`: which runtimes can be used here, whether they work, how to get others."""

from __future__ import annotations

import json

import click
import msgspec

from edgebench import plugins
from edgebench.analysis.validity import parity_fault
from edgebench.cli.main import EXIT_FAILED_CELLS
from edgebench.errors import UsageError
from edgebench.protocols import Probe
from edgebench.records import Record
from edgebench.runner import journal, launcher, trial
from edgebench.runner.trial import NothingToTryError


@click.group("backends")
def command() -> None:
    """List, show and verify the inference runtimes."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def list_(*, as_json: bool) -> None:
    """Every registered backend, its version, or how to install it."""
    probes = launcher.probe(plugins.names(plugins.BACKENDS))
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(probes), indent=1))
        return
    for probe in probes:
        if probe.available:
            where = ", ".join(probe.accelerators)
            click.echo(f"{probe.name:16} {probe.version:12} {where}; {', '.join(probe.precisions)}")
        else:
            click.echo(f"{probe.name:16} {'-':12} {probe.reason}: {probe.remedy}")


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def show(name: str, *, as_json: bool) -> None:
    """One backend: its version, formats, precisions, accelerators and extra."""
    _check(name)
    (probe,) = launcher.probe([name])
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(probe), indent=1))
        return
    click.echo(f"{probe.name} {probe.version}".rstrip())
    if not probe.available:
        click.echo(f"  missing       {probe.reason}")
    else:
        click.echo(f"  formats       {', '.join(probe.formats)} (best first)")
        click.echo(f"  precisions    {', '.join(probe.precisions)}")
        click.echo(f"  accelerators  {', '.join(probe.accelerators)}")
        if probe.reason:
            click.echo(f"  note          {probe.reason}")
    extra = plugins.install_extra(name)
    if line := probe.remedy or (f"pip install '{extra}'" if extra else ""):
        click.echo(f"  install       {line}")


@command.command("verify")
@click.argument("names", nargs=-1)
def verify(names: tuple[str, ...]) -> None:
    """Open a bundled model in a fresh process and compare its outputs with the reference.

    NAMES: backends to try (default: all that are installed).
    """
    for name in names:
        _check(name)
    failed = False
    for probe in launcher.probe(names or plugins.names(plugins.BACKENDS)):
        if not probe.available:
            if names:
                raise UsageError(f"backend {probe.name}: {probe.reason}", remedy=probe.remedy)
            click.echo(f"{probe.name}: not installed: {probe.remedy or probe.reason}")
            continue
        try:
            with journal.one_run_at_a_time():
                record = trial.run(probe)
        except NothingToTryError as error:  # its model is made on request only
            if names:
                raise
            click.echo(f"{probe.name}: not tried: {error}")
            continue
        fault = _fault(record)
        failed |= bool(fault)
        click.echo(f"{probe.name}: {fault or _words(probe, record)}")
    if failed:
        raise click.exceptions.Exit(EXIT_FAILED_CELLS)


def _check(name: str) -> None:
    known = plugins.names(plugins.BACKENDS)
    if name not in known and ":" not in name:
        raise UsageError(f"no backend named {name!r} (known: {', '.join(known)})")


def _fault(record: Record) -> str:
    if record.status != "ok":
        return f"{record.status} in {record.stage}: {record.reason}"
    if record.parity is None:
        return "failed: its outputs were not compared"
    return parity_fault(record.parity, "fp32")


def _words(probe: Probe, record: Record) -> str:
    parity = record.parity
    told = f"cosine {parity.cosine:.6f} over {parity.samples} samples" if parity else ""
    return f"ok: {probe.version}, {trial.WORKLOAD} fp32, {told}"

"""`edgebench backends`: which runtimes can be used here, whether they work, how to get others."""

from __future__ import annotations

import json
from pathlib import Path

import click
import msgspec

from edgebench import plugins
from edgebench.analysis.validity import parity_fault
from edgebench.cli import interpreters
from edgebench.cli.main import EXIT_FAILED_CELLS
from edgebench.errors import UsageError
from edgebench.protocols import Probe
from edgebench.records import Record
from edgebench.runner import journal, trial
from edgebench.runner.config import RunConfig
from edgebench.runner.trial import NothingToTryError


@click.group("backends")
def command() -> None:
    """List, show and verify the inference runtimes."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@interpreters.option
def list_(*, as_json: bool, config_file: Path | None) -> None:
    """Every registered backend, its version, or how to install it."""
    config = interpreters.read(config_file)
    probes = interpreters.probe(config, interpreters.known(config))
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(probes), indent=1))
        return
    for probe in probes:
        if probe.available:
            where = ", ".join(probe.accelerators)
            click.echo(f"{probe.name:16} {probe.version:12} {where}; {', '.join(probe.precisions)}")
        else:
            why = ": ".join(part for part in (probe.reason, probe.remedy) if part)
            click.echo(f"{probe.name:16} {'-':12} {why}")


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@interpreters.option
def show(name: str, *, as_json: bool, config_file: Path | None) -> None:
    """One backend: its version, formats, precisions, accelerators and extra."""
    config = interpreters.read(config_file)
    _check(config, name)
    (probe,) = interpreters.probe(config, [name])
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
@interpreters.option
def verify(names: tuple[str, ...], config_file: Path | None) -> None:
    """Open a bundled model in a fresh process and compare its outputs with the reference.

    NAMES: backends to try (default: all that are installed).
    """
    config = interpreters.read(config_file)
    for name in names:
        _check(config, name)
    failed = False
    for probe in interpreters.probe(config, names or interpreters.known(config)):
        if not probe.available:
            if names:
                raise UsageError(f"backend {probe.name}: {probe.reason}", remedy=probe.remedy)
            click.echo(f"{probe.name}: not installed: {probe.remedy or probe.reason}")
            continue
        try:
            with journal.one_run_at_a_time():
                record = trial.run(probe, interpreters.python_of(config, probe.name))
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


def _check(config: RunConfig, name: str) -> None:
    known = interpreters.known(config)
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

"""`edgebench backends`: which runtimes can be used here, and how to get the others."""

from __future__ import annotations

import json

import click
import msgspec

from edgebench import plugins
from edgebench.runner import launcher


@click.group("backends")
def command() -> None:
    """List the inference runtimes and what each one lacks."""


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

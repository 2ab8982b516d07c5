"""Backends wherever they are installed: `--config` for commands that look and do not measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from edgebench import plugins
from edgebench.errors import UsageError
from edgebench.protocols import Probe
from edgebench.runner import config as configs
from edgebench.runner import launcher
from edgebench.runner.config import RunConfig

_F = TypeVar("_F", bound=Callable[..., Any])


def option(command: _F) -> _F:
    """The option ``--config``, as ``config_file``."""
    return click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="A TOML file as `edgebench run` takes it: backends are asked in the interpreters "
        "that it names.",
    )(command)


def read(file: Path | None) -> RunConfig:
    """The file's settings; without one, none."""
    return configs.read_config(file) if file is not None else RunConfig()


def python_of(config: RunConfig, name: str) -> str | None:
    """The interpreter of a backend; None for ours."""
    settings = config.backends.get(name)
    return settings.python if settings else None


def known(config: RunConfig) -> tuple[str, ...]:
    """Backends that are registered here, and those that live in another interpreter alone."""
    elsewhere = (name for name in config.backends if python_of(config, name))
    return tuple(dict.fromkeys((*plugins.names(plugins.BACKENDS), *elsewhere)))


def probe(config: RunConfig, names: Sequence[str]) -> tuple[Probe, ...]:
    """What each backend's own interpreter says of it, in order.

    An interpreter that cannot be asked costs its own backends only.
    """
    by_python: dict[str | None, list[str]] = {}
    for name in names:
        by_python.setdefault(python_of(config, name), []).append(name)
    probes = [one for python, mine in by_python.items() for one in _ask(mine, python)]
    found = {one.name: one for one in probes}
    return tuple(found[name] for name in names)


def _ask(names: Sequence[str], python: str | None) -> Sequence[Probe]:
    try:
        return launcher.probe(names, python)
    except UsageError as error:
        if python is None:
            raise
        told, remedy = error.message, error.remedy
        return [Probe(name=one, available=False, reason=told, remedy=remedy) for one in names]

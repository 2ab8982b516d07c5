"""Where a backend is to run, and which of its options belong there.

An option whose key is an accelerator's name, alone or followed by a dot, belongs to the cases on
that accelerator; alone it also says where the accelerator is (the path of a delegate's library).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from edgebench.protocols import Probe
from edgebench.runner.config import BackendConfig, RunConfig


def asked(config: RunConfig, backend: BackendConfig) -> tuple[str, ...]:
    """Where it is to run: as its own table says, else as the run does."""
    return tuple(dict.fromkeys(backend.accelerators or config.accelerators or ("cpu",)))


def known(probe: Probe, backend: BackendConfig, wanted: Sequence[str]) -> tuple[str, ...]:
    """The accelerators that are there, and the wanted ones that an option says where to find."""
    told = [name for name in wanted if any(name in table for table in backend.variants)]
    return tuple(dict.fromkeys((*probe.accelerators, *told)))


def own_options(
    options: dict[str, str], accelerator: str, every: Collection[str]
) -> dict[str, str]:
    """The options without those of the other accelerators."""
    others = {name for name in every if name != accelerator}
    return {key: value for key, value in options.items() if key.partition(".")[0] not in others}


def cases(
    backend: BackendConfig, wanted: Sequence[str], every: Collection[str]
) -> list[tuple[str, dict[str, str]]]:
    """Each accelerator with each table of options, as far as that makes cases that differ."""
    found: list[tuple[str, dict[str, str]]] = []
    for accelerator in wanted:
        for table in backend.variants:
            one = accelerator, own_options(table, accelerator, every)
            if one not in found:
                found.append(one)
    return found

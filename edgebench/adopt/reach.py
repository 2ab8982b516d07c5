"""Other formats and precisions of taken models, as far as converters reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edgebench.derive import cache, contract, make, reach
from edgebench.derive.calibration import Images
from edgebench.derive.contract import Converter
from edgebench.derive.reach import Cell
from edgebench.errors import UsageError
from edgebench.protocols import Probe
from edgebench.records import Precision
from edgebench.specs import Workload


def derive(
    workload: Workload,
    probes: Mapping[str, Probe],
    precisions: Sequence[Precision],
    *,
    say: Callable[[str], None],
    timeout_s: float,
) -> tuple[Workload, dict[Cell, str]]:
    """The workload with what its runtimes need, and why the rest could not be made.

    int8 is calibrated on the given images, else on the random inputs of the reference: such a
    model's speed is right, how good its answers are is not told by anybody.

    Args:
        workload: A taken model.
        probes: Of the runtimes.
        precisions: That are asked for.
        say: Told what takes time, a line each.
        timeout_s: For one file.
    """
    if not reachable(workload):
        return cache.attach(workload), {}
    said = set(absent())

    def once(line: str) -> None:
        """What stops one file often stops the next ones; what is absent is told once, later."""
        why = line.partition(": ")[2]
        if why not in said:
            say(line)
        said.add(why)

    images = images_of(workload)
    return reach.derive_all(workload, probes, precisions, images, once, timeout_s)


def lacking(
    workload: Workload, probes: Mapping[str, Probe], precisions: Sequence[Precision]
) -> list[Cell]:
    """What `derive` would try to make."""
    found = reach.lacking(workload, list(probes.values()), precisions)
    return found if reachable(workload) else []


def reachable(workload: Workload) -> bool:
    """Whether any converter, installed or not, takes what the workload has."""
    every = (one for fmt in contract.CONVERTERS for one in contract.converters_of(fmt))
    return any(make.source_of(workload, one) is not None for one in every)


def absent() -> frozenset[str]:
    """Faults that only say that a converter is not installed, as `derive` gives them."""
    every = (one for fmt in contract.CONVERTERS for one in contract.converters_of(fmt))
    return frozenset(filter(None, map(_lacks, every)))


def _lacks(converter: Converter) -> str:
    """What is to be installed for a converter; empty where nothing is."""
    try:
        contract.versions(converter)
    except UsageError as error:
        return str(error)
    return ""


def images_of(workload: Workload) -> Images:
    """What int8 is calibrated on."""
    spec = workload.spec
    file = spec.calibration or spec.reference
    path = workload.file(spec.calibration.path) if spec.calibration else workload.reference_path
    words = f"{file.count} given images" if spec.calibration and file else cache.ON_RANDOM
    return Images(path=path, sha256=file.sha256 if file else "", words=words)

"""Every model that a set of runtimes lacks and the installed converters reach, cheapest first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from edgebench.derive import cache, contract, make
from edgebench.derive.calibration import Images
from edgebench.derive.contract import CONVERTERS, Converter
from edgebench.derive.make import Made
from edgebench.errors import EdgebenchError
from edgebench.protocols import Probe
from edgebench.records import PRECISIONS, Precision
from edgebench.specs import ModelFormat, Workload
from edgebench.units import mib_from_byte

Cell = tuple[ModelFormat, Precision]
Say = Callable[[str], None]
_HUB: Cell = ("onnx", "fp32")
"""What everything else is made of."""


def derive_all(  # noqa: PLR0917 - what is made, for whom, of what
    workload: Workload,
    probes: Mapping[str, Probe] | Iterable[Probe],
    precisions: Sequence[Precision],
    images: Images | None,
    say: Say,
    timeout_s: float = make.TIMEOUT_S,
) -> tuple[Workload, dict[Cell, str]]:
    """Make what backends need of a workload and it does not ship.

    Args:
        workload: With at least one fp32 file.
        probes: Of the backends; those that are not available are passed over.
        precisions: That will be asked of each.
        images: To calibrate on.
        say: Takes a line for each file.
        timeout_s: For one file.

    Returns:
        The workload with its derived models, and a line for each that could not be made.
    """
    given = probes.values() if isinstance(probes, Mapping) else probes
    wanted = lacking(workload, [probe for probe in given if probe.available], precisions)
    return fill(workload, wanted, images, say, timeout_s)


def lacking(
    workload: Workload, probes: Sequence[Probe], precisions: Sequence[Precision]
) -> list[Cell]:
    """What the runtimes would read and the workload does not ship, cheapest first."""
    shipped = {(model.format, model.precision) for model in workload.spec.models}
    found: dict[Cell, None] = {}
    for probe in probes:
        for precision in precisions:
            wanted = probe.serves.get(precision, precision)
            if precision not in probe.precisions or precision in probe.refuses:
                continue
            if any((fmt, wanted) in shipped for fmt in probe.formats):
                continue
            cells = [cell for cell in makeable() if cell[1] == wanted and cell[0] in probe.formats]
            # One of its formats is enough; it is asked in its own order.
            cells.sort(key=lambda cell: probe.formats.index(cell[0]))
            found |= dict.fromkeys(cells[:1])
    order = list(CONVERTERS)
    return sorted(found, key=lambda cell: (order.index(cell[0]), PRECISIONS.index(cell[1])))


def makeable() -> list[Cell]:
    """Everything that some converter makes."""
    found = [
        (fmt, precision)
        for fmt in CONVERTERS
        for converter in contract.converters_of(fmt)
        for precision in converter.precisions
    ]
    return list(dict.fromkeys(found))


def fill(
    workload: Workload,
    cells: Iterable[Cell],
    images: Images | None,
    say: Say,
    timeout_s: float = make.TIMEOUT_S,
) -> tuple[Workload, dict[Cell, str]]:
    """Make some models, and what they are made of; as `derive_all`."""
    work = _Work(cache.attach(workload), images, say, timeout_s)
    reasons = {cell: fault for cell in cells if (fault := work.need(cell))}
    return work.workload, reasons


class _Work:
    """What has become of a workload's cells so far."""

    def __init__(
        self, workload: Workload, images: Images | None, say: Say, timeout_s: float
    ) -> None:
        self.workload = workload
        self._images = images
        self._say = say
        self._timeout_s = timeout_s
        self._done: dict[Cell, str] = {}

    def need(self, cell: Cell) -> str:
        """Make a model, after its source; why there is none, or nothing."""
        if any((one.format, one.precision) == cell for one in self.workload.spec.models):
            return ""
        if cell not in self._done:
            self._done[cell] = self._made(cell)
        return self._done[cell]

    def _made(self, cell: Cell) -> str:
        able = [one for one in contract.converters_of(cell[0]) if cell[1] in one.precisions]
        # Those that have something to make it from come first, and so do their reasons.
        able.sort(key=lambda one: make.source_of(self.workload, one) is None)
        faults = []
        for converter in able:
            if not (fault := self._tried(converter, cell)):
                return ""
            faults.append(fault)
        if self.workload.model(*cell) is not None:  # another machine has made it
            return ""
        fault = faults[0] if faults else f"nothing derives {cell[0]} in {cell[1]}"
        self._say(f"{self.workload.spec.name} {cell[0]} {cell[1]}: {fault}")
        return fault

    def _tried(self, converter: Converter, cell: Cell) -> str:
        """Let one converter make a model; why it did not, or nothing."""
        missing = make.source_of(self.workload, converter) is None
        if missing and _HUB[0] in converter.sources and cell != _HUB and (fault := self.need(_HUB)):
            return fault
        start = time.monotonic()
        try:
            made = make.derive(
                self.workload,
                converter,
                cell[1],
                images=self._images,
                timeout_s=self._timeout_s,
            )
        except EdgebenchError as error:
            return str(error)
        self._take(made)
        how = f"made in {time.monotonic() - start:.1f} s" if made.fresh else "in the cache"
        size = f"{mib_from_byte(made.manifest.size_byte):.2f} MiB"
        self._say(f"{self.workload.spec.name} {cell[0]} {cell[1]}: {how}, {size}")
        return ""

    def _take(self, made: Made) -> None:
        cell = (made.manifest.format, made.manifest.precision)
        others = [one for one in self.workload.derived if (one.format, one.precision) != cell]
        model = cache.spec_of(made.path, made.manifest)
        self.workload = msgspec.structs.replace(self.workload, derived=(*others, model))

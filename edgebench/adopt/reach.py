"""Other formats and precisions of taken models, as far as converters reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edgebench.derive import reach
from edgebench.derive.calibration import Images
from edgebench.derive.reach import Cell
from edgebench.protocols import Probe
from edgebench.records import Precision
from edgebench.specs import Workload

ON_RANDOM = "random inputs"


def derive(
    workload: Workload,
    probes: Mapping[str, Probe],
    precisions: Sequence[Precision],
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
    images = images_of(workload)
    return reach.derive_all(workload, probes, precisions, images, say, timeout_s)


def images_of(workload: Workload) -> Images:
    """What int8 is calibrated on."""
    spec = workload.spec
    file = spec.calibration or spec.reference
    path = workload.file(spec.calibration.path) if spec.calibration else workload.reference_path
    words = f"{file.count} given images" if spec.calibration and file else ON_RANDOM
    return Images(path=path, sha256=file.sha256 if file else "", words=words)

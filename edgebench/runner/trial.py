"""One short launch of a bundled model: does a backend work here, and does it compute right?"""

from __future__ import annotations

import tempfile
from pathlib import Path

from edgebench import resources
from edgebench.derive import cache
from edgebench.derive.contract import CONVERTERS
from edgebench.errors import UsageError
from edgebench.protocols import Probe
from edgebench.records import Case, Record
from edgebench.runner import launcher, requests
from edgebench.runner.config import Preset

WORKLOAD = "mnist_cnn"
_TIMEOUT_S = 60.0
_MEASURE_S = 0.05


class NothingToTryError(UsageError):
    """The bundled model does not come in a format that the backend reads."""


def run(probe: Probe, python: str | None = None) -> Record:
    """The record of one fp32 launch of the smallest bundled model; its speed is no figure.

    Args:
        probe: The backend.
        python: Its interpreter where that is not ours.

    Raises:
        UsageError: The workload is missing.
        NothingToTryError: It has no model in a format the backend reads.
    """
    workload = cache.attach(resources.open_workload(WORKLOAD))
    spec = workload.spec
    found = (workload.model(fmt, "fp32") for fmt in probe.formats)
    model = next((model for model in found if model is not None), None)
    if model is None:
        formats = probe.formats
        raise NothingToTryError(
            f"{WORKLOAD} has no fp32 model as {' or '.join(formats)}",
            remedy=f"edgebench workloads derive {WORKLOAD} --format {','.join(formats)}"
            if CONVERTERS.keys() & set(formats)
            else "only a workload of your own can have one",
        )
    case = Case(
        workload=spec.name,
        workload_version=spec.version,
        source_sha256=spec.source_sha256,
        backend=probe.name,
        format=model.format,
        precision="fp32",
    )
    preset = Preset(
        name="quick", min_launches=1, max_launches=1, measure_s=_MEASURE_S, warmup_s=0.0
    )
    request = requests.build(run_id="trial", case=case, workload=workload, preset=preset, launch=0)
    limits = launcher.Limits(timeout_s=_TIMEOUT_S, measure_s=_MEASURE_S)
    with tempfile.TemporaryDirectory(prefix="edgebench-trial-") as folder:
        return launcher.launch(request, limits, Path(folder) / "worker.log", python)

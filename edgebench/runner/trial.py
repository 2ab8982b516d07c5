"""One short launch of a bundled model: does a backend work here, and does it compute right?"""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from edgebench import resources
from edgebench.errors import UsageError
from edgebench.protocols import Probe
from edgebench.records import Case, Record
from edgebench.runner import journal, launcher
from edgebench.wire import LaunchRequest

WORKLOAD = "mnist_cnn"
_TIMEOUT_S = 60.0
_MEASURE_S = 0.05


def run(probe: Probe) -> Record:
    """The record of one fp32 launch of the smallest bundled model; its speed is no figure.

    Raises:
        UsageError: The workload is missing, or has no model in a format the backend reads.
    """
    workload = resources.open_workload(WORKLOAD)
    spec = workload.spec
    found = (workload.model(fmt, "fp32") for fmt in probe.formats)
    model = next((model for model in found if model is not None), None)
    if model is None:
        raise UsageError(f"{WORKLOAD} has no fp32 model as {' or '.join(probe.formats)}")
    case = Case(
        workload=spec.name,
        workload_version=spec.version,
        source_sha256=spec.source_sha256,
        backend=probe.name,
        format=model.format,
        precision="fp32",
    )
    request = LaunchRequest(
        parent_pid=os.getpid(),
        run_id="trial",
        case_id=case.case_id,
        launch=0,
        started_at_utc=journal.utc(datetime.now(timezone.utc)),
        case=case,
        model_path=str(workload.file(model.path)),
        model_layout=model.layout,
        model_sha256=model.sha256,
        reference_path=str(workload.file(spec.reference.path)),
        warmup_s=0.0,
        warmup_max_s=1.0,
        measure_s=_MEASURE_S,
    )
    limits = launcher.Limits(timeout_s=_TIMEOUT_S, measure_s=_MEASURE_S)
    with tempfile.TemporaryDirectory(prefix="edgebench-trial-") as folder:
        return launcher.launch(request, limits, Path(folder) / "worker.log")

"""The pair that nightly scripts judge: a real model, and the same one slowed by a known time."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from edgebench import __version__
from edgebench.analysis.compare import Comparison, paired
from edgebench.host import identify
from edgebench.measure import passes
from edgebench.protocols import Session, Settings
from edgebench.records import Case, Manifest, PlannedCase
from edgebench.resources import open_workload
from edgebench.runner import launcher, requests
from edgebench.runner.contenders import Contender
from edgebench.runner.contest import Contest
from edgebench.runner.journal import Journal
from edgebench.runner.turns import Goal
from edgebench.testing import SlowedBackend

WORKLOAD = "cifar10_cnn"
BATCH = 32
"""Makes an inference 2 ms long or more."""
_ALTERNATIONS = 500


def session(busy_us: float, workload: str = WORKLOAD, batch: int = BATCH) -> Session:
    """The model in this process, its inputs bound and the first one staged."""
    spec = open_workload(workload)
    options = {"of": "onnxruntime", "busy_us": f"{busy_us:.3f}"}
    model = spec.file("models/fp32.onnx")
    opened: Session = SlowedBackend().open(model, Settings(batch=batch, options=options))
    inputs, _ = passes.load_reference(spec.reference_path)
    opened.bind(passes.ring(opened, inputs, "NCHW", batch, 2))
    opened.stage(0)
    return opened


class Planted(NamedTuple):
    """A difference of about 3 %."""

    busy_us: float
    median_ms: float
    true_ratio: float
    """Measured by alternating single inferences of both in one process: another method."""


def plant(difference_ratio: float = 0.03) -> Planted:
    """Calibrate the busy-wait, and measure what it really comes to."""
    plain = session(0.0)
    median_ns = statistics.median(_timed(plain) for _ in range(_ALTERNATIONS))
    busy_us = difference_ratio * median_ns / 1000
    slowed = session(busy_us)
    pairs = []
    for index in range(_ALTERNATIONS):
        order = (plain, slowed) if index % 2 else (slowed, plain)
        taken = {id(one): _timed(one) for one in order}
        pairs.append(taken[id(slowed)] / taken[id(plain)])
    return Planted(busy_us, median_ns / 1e6, statistics.median(pairs))


def _timed(one: Session) -> int:
    start = time.perf_counter_ns()
    one.invoke()
    return time.perf_counter_ns() - start


def contender(busy_us: float) -> Contender:
    """A side of a contest."""
    workload = open_workload(WORKLOAD)
    case = Case(
        workload=WORKLOAD,
        workload_version=workload.spec.version,
        source_sha256=workload.spec.source_sha256,
        backend=SlowedBackend.name,
        format="onnx",
        precision="fp32",
        batch=BATCH,
        options={"of": "onnxruntime", "busy_us": f"{busy_us:.3f}"},
    )
    return Contender(words=case.label, case=case, workload=workload)


class Answer(NamedTuple):
    """What `edgebench ab` says."""

    comparison: Comparison
    launches: int
    took_s: float


def ab(busy_a_us: float, busy_b_us: float, seed: int) -> Answer:
    """One comparison, by the code that ships."""
    sides = contender(busy_a_us), contender(busy_b_us)
    cases = {side.case.case_id: side.case for side in sides}
    goal, start = Goal(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgebench-nightly-") as folder:
        manifest = Manifest(
            run_id=f"nightly-{seed}",
            started_at_utc=requests.now_utc(),
            edgebench_version=__version__,
            preset="ab",
            seed=seed,
            launches=goal.min_launches,
            method={},
            facts=identify.identify(device_name=None, devices=()),
            plan=tuple(PlannedCase(case_id=name, case=case) for name, case in cases.items()),
        )
        contest = Contest(
            run_id=manifest.run_id,
            sides=sides,
            goal=goal,
            seed=seed,
            store=Journal.create(Path(folder), manifest),
            limits=launcher.Limits(timeout_s=60.0, measure_s=0.05),
        )
        launches = contest.run(lambda *_: None).launches
    if contest.failed is not None:
        raise SystemExit(f"FAIL  a worker failed: {contest.failed.reason}")
    logs = [launch.log_ratio for launch in launches]
    found = paired(logs, deciding=goal.min_launches)
    return Answer(found, len(launches), time.monotonic() - start)

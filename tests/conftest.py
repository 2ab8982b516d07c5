"""Fixtures: records, manifests and stored runs by the product's own code, backends' answers."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # tests import runtimes without a worker's environment
os.environ["EDGEBENCH_DATA"] = os.devnull  # what a developer has built is no parameter of tests
os.environ.pop("PYTEST_ADDOPTS", None)  # options of this suite are not those of a pytest it starts

from edgebench import plugins, resources
from edgebench.machine import DeviceFacts
from edgebench.measure import passes
from edgebench.protocols import Settings
from edgebench.records import Case, Effective, Manifest, Parity, PlannedCase, Precision, Record
from edgebench.samples import Samples

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "derive"))  # planted converters and small models
import second_env

# How long an example takes is the machine's affair; and a commit is judged by the same examples
# each time: `--hypothesis-profile explore` draws others.
UNHURRIED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow],
}
settings.register_profile("explore", **UNHURRIED)
settings.register_profile("edgebench", **UNHURRIED, derandomize=True)
settings.load_profile("edgebench")

SKIPPED: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--skipped-to FILE``: what was skipped, for `pytest @FILE` where more is installed."""
    parser.addoption("--skipped-to", metavar="FILE", help="write the names of skipped tests there")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note a test that was skipped."""
    if report.skipped:
        SKIPPED.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a module that was skipped as a whole."""
    if report.skipped:
        SKIPPED.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write them, a line each."""
    if (file := session.config.getoption("--skipped-to")) is not None:
        Path(file).write_text("".join(f"{one}\n" for one in SKIPPED), encoding="utf-8")


@pytest.fixture(autouse=True)
def _own_lock(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests must not collide with a run on the same machine, nor with each other."""
    folder = tmp_path_factory.mktemp("tmp")
    monkeypatch.setenv("EDGEBENCH_LOCK", str(folder / "lock"))
    monkeypatch.setenv("EDGEBENCH_DATA", str(folder / "data"))
    monkeypatch.setenv("EDGEBENCH_CACHE", str(folder / "cache"))


@pytest.fixture(autouse=True)
def _own_denormals() -> Iterator[None]:
    """Some runtimes flush denormals in the thread that calls them, and leave it so."""
    yield
    ctypes.CDLL("libm.so.6").fesetenv(ctypes.c_void_p(-1))  # FE_DFL_ENV


LEFT_OUT = frozenset({"tensorflow", "torch"})
"""Backends that [dev] leaves out for their size; CI installs them and lets nothing be skipped."""


@pytest.fixture(autouse=True)
def _installed(request: pytest.FixtureRequest) -> None:
    """Skip a test of a ``backend_name`` that is left out and is not here."""
    callspec = getattr(request.node, "callspec", None)
    name = callspec.params.get("backend_name") if callspec else None
    if name in LEFT_OUT and not (probe := plugins.probe_backend(name)).available:
        pytest.skip(f"{probe.reason}: {probe.remedy}")


@pytest.fixture(scope="session")
def derived(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Derives a model with the real converter, once: ``derived("mnist_cnn", "mnn", "fp32")``.

    The answer is a `Made`; a test whose converter is not installed is skipped.
    """
    from edgebench import resources
    from edgebench.derive import calibration, contract, make
    from edgebench.errors import UsageError

    cache, scratch = tmp_path_factory.mktemp("derived"), tmp_path_factory.mktemp("calibration")
    known: dict[tuple[str, ...], make.Made] = {}

    def derive(name: str, fmt: str, precision: Precision, data: str | None = None) -> make.Made:
        key = (name, fmt, precision, data or "")
        if key not in known:
            converter = contract.converter_of(fmt)
            try:
                contract.versions(converter)
            except UsageError as error:
                pytest.skip(str(error))
            workload = resources.open_workload(name)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("EDGEBENCH_CACHE", str(cache))
                images = calibration.choose(workload, data, scratch)
                known[key] = make.derive(workload, converter, precision, images=images)
        return known[key]

    return derive


@pytest.fixture(scope="session")
def tflite_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that has tflite-runtime; see `second_env`."""
    try:
        return second_env.find_or_create(tmp_path_factory.mktemp("second"))
    except RuntimeError as error:
        pytest.skip(f"no environment for tflite-runtime: {error}")


def make_case(**changes: object) -> Case:
    """A case; any field can be changed."""
    fields: dict[str, object] = {
        "workload": "mnist_cnn",
        "workload_version": 1,
        "source_sha256": "0" * 64,
        "backend": "onnxruntime",
        "format": "onnx",
        "precision": "fp32",
    }
    return Case(**{**fields, **changes})  # type: ignore[arg-type]


def make_record(case: Case, **changes: object) -> Record:
    """An ok record of 500 samples around 1 ms; any field can be changed."""
    fields: dict[str, object] = {
        "run_id": "20260101T000000Z-000001",
        "case_id": case.case_id,
        "launch": 0,
        "started_at_utc": "2026-01-01T00:00:00Z",
        "status": "ok",
        "latency_ns": Samples(1_000_000 + 100 * (i * 7919 % 1000) for i in range(500)),
        "window_ns": 600_000_000,
        "inferences": 500,
        "cpu_ns": 500_000_000,
        "load_ns": 5_000_000,
    }
    return Record(**{**fields, **changes})  # type: ignore[arg-type]


def make_manifest(*cases: Case, **changes: object) -> Manifest:
    """A manifest that plans the given cases."""
    fields: dict[str, object] = {
        "run_id": "20260101T000000Z-000001",
        "started_at_utc": "2026-01-01T00:00:00Z",
        "edgebench_version": "0",
        "preset": "quick",
        "seed": 1,
        "launches": 3,
        "method": {},
        "facts": DeviceFacts(device="fake-board", device_id="fake01"),
        "plan": tuple(PlannedCase(case_id=case.case_id, case=case) for case in cases),
    }
    return Manifest(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture
def case() -> Callable[..., Case]:
    """Makes cases."""
    return make_case


@pytest.fixture
def record() -> Callable[..., Record]:
    """Makes records."""
    return make_record


@pytest.fixture
def manifest() -> Callable[..., Manifest]:
    """Makes manifests."""
    return make_manifest


class Answer(NamedTuple):
    """Outputs (n, classes) for the reference inputs, how right they are, and what computed them."""

    outputs: NDArray[np.float32]
    parity: Parity
    effective: Effective

    def fingerprint(self, other: Answer) -> float:
        """Largest difference of any output; 0 where both computed the same in the same way."""
        return float(np.abs(self.outputs - other.outputs).max())


def model_path(file: str, workload: str = "mnist_cnn") -> Path:
    """A bundled model: ``fp32.onnx``."""
    return resources.workload_folders()[workload] / "models" / file


def ask(backend: str, file: str, workload: str = "mnist_cnn", **settings: Any) -> Answer:  # noqa: ANN401 - any of Settings
    """Run a bundled model file on a backend."""
    folder = resources.workload_folders()[workload]
    inputs, reference = passes.load_reference(folder / "reference.npz")
    made = Settings(**settings)
    session = plugins.open_backend(backend).open(model_path(file, workload), made)
    try:
        layout = "NHWC" if file.endswith(".tflite") else "NCHW"
        (outputs,) = passes.run_all(session, inputs, layout, made.batch)
        return Answer(outputs, passes.compare(outputs, reference), session.effective())
    finally:
        session.close()


@pytest.fixture(name="ask")
def _ask() -> Callable[..., Answer]:
    """`ask`."""
    return ask


@pytest.fixture(name="model_path")
def _model_path() -> Callable[..., Path]:
    """`model_path`."""
    return model_path


@pytest.fixture
def row_of(tmp_path: Path) -> Callable[..., Any]:
    """A cell as `edgebench run` makes it, from one launch: ``row_of(workload, "ncnn", "int8")``.

    Further settings are those of ``[backends.NAME]``.
    """
    from edgebench.report import rows
    from edgebench.runner import launcher, plan, requests
    from edgebench.runner.config import BackendConfig, Preset, RunConfig
    from edgebench.specs import Workload

    short = Preset(name="quick", min_launches=1, max_launches=1, measure_s=0.02, warmup_s=0.0)
    limits = launcher.Limits(timeout_s=60.0, measure_s=short.measure_s)

    def measure(workload: Workload, backend: str, precision: Precision, **settings: Any) -> Any:  # noqa: ANN401 - any of BackendConfig
        own = {backend: BackendConfig(**settings)}
        config = RunConfig(precisions=(precision,), backends=own)
        probes = {backend: plugins.probe_backend(backend)}
        (planned,) = plan.build(config, {workload.spec.name: workload}, probes).cases
        assert not planned.skip
        request = requests.build(
            run_id="trap", case=planned.case, workload=workload, preset=short, launch=0
        )
        record = launcher.launch(request, limits, tmp_path / "worker.log")
        (row,) = rows.of_records(make_manifest(plan=(planned,), launches=1), [record])
        return row

    return measure

"""Every built-in backend against the contract and the reference outputs, in every precision."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from shipped import shipping

from edgebench import plugins, resources
from edgebench.analysis.validity import parity_fault
from edgebench.errors import ModelRefusedError
from edgebench.measure import passes
from edgebench.protocols import Backend, Settings
from edgebench.records import Precision
from edgebench.specs import read_toml
from edgebench.testing import check_backend

# What a runtime says while it loads is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("litert", "onnxruntime", "opencv-dnn", "openvino")
"""They read the files that a workload ships; the others are tested on derived ones."""
HELD_IN = {
    **dict.fromkeys(SHIPPED, "test_contract.py"),
    **dict.fromkeys(("ncnn", "mnn"), "test_derived.py"),
    "edge-impulse": "test_edge_impulse.py",
    "tflite-runtime": "test_contract.py",
    "torch": "test_torch.py",
    "tensorflow": "test_tensorflow.py",
}
"""Every built-in backend, and the test that calls `check_backend` with it."""
ELSEWHERE = ("tflite-runtime",)
"""They live in an interpreter of their own, and are held to the contract there."""
HERE = tuple(name for name in plugins.names(plugins.BACKENDS) if name not in ELSEWHERE)
PROBES = {name: plugins.probe_backend(name) for name in SHIPPED}
CELLS = [
    (name, one, workload)
    for name, probe in PROBES.items()
    for one in probe.precisions
    for workload in shipping(f"{probe.serves.get(one, one)}.{probe.formats[0]}")
]
RAN: dict[tuple[str, str], set[str]] = {
    ("onnxruntime", "fp16"): {"fp32", "fp16"},
    ("litert", "fp16"): {"fp32", "fp16"},
    ("openvino", "fp16"): {"bf16", "fp16", "fp32"},  # as the CPU can, see test_openvino.py
    ("openvino", "bf16"): {"bf16", "fp32"},
    ("openvino", "int8_dynamic"): {"fp32"},
    ("opencv-dnn", "fp16"): {"fp32", "fp16"},
    ("opencv-dnn", "int8"): {"fp32"},
}
"""What may have run where that need not be what was asked."""


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(("backend_name", "precision", "workload_name"), CELLS)
def test_a_backend_keeps_the_contract_and_gives_the_right_answers(
    backend_name: str, precision: Precision, workload_name: str, batch: int
) -> None:
    backend: Backend = plugins.open_backend(backend_name)
    workload = resources.open_workload(workload_name)
    of_file = backend.probe().serves.get(precision, precision)
    model = workload.model(backend.formats[0], of_file)
    assert model is not None
    path = workload.file(model.path)
    settings = Settings(precision=precision, batch=batch)
    session = backend.open(path, settings)
    inputs, reference = passes.load_reference(workload.reference_path)
    ring = list(passes.feeds(session, inputs, model.layout, batch))[:4]
    outputs = passes.run_all(session, inputs, model.layout, batch)
    effective = session.effective()
    session.close()
    check_backend(backend, path, ring, settings)
    assert parity_fault(passes.compare(outputs, reference), precision) == ""
    assert effective.precision in RAN.get((backend_name, precision), {precision})
    assert effective.accelerator == "cpu"
    assert effective.accelerator_ops_ratio == pytest.approx(1.0, abs=0.5)


CHECK = """
import sys
from edgebench import plugins, resources
from edgebench.measure import passes
from edgebench.protocols import Settings
from edgebench.testing import check_backend
backend = plugins.open_backend(sys.argv[1])
for name in sys.argv[3:]:
    workload = resources.open_workload(name)
    model = workload.model(backend.formats[0], sys.argv[2])
    path, (inputs, _) = workload.file(model.path), passes.load_reference(
        workload.reference_path
    )
    for batch in (1, 4):
        settings = Settings(precision=sys.argv[2], batch=batch)
        session = backend.open(path, settings)
        ring = list(passes.feeds(session, inputs, model.layout, batch))[:4]
        session.close()
        check_backend(backend, path, ring, settings)
        print("kept", name, batch)
"""


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_tflite_runtime_keeps_the_contract_in_its_own_interpreter(
    tflite_python: Path, precision: Precision
) -> None:
    workloads = shipping(f"{precision}.tflite")
    line = [str(tflite_python), "-c", CHECK, "tflite-runtime", precision, *workloads]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("kept") == 2 * len(workloads)


@pytest.mark.parametrize(
    ("backend_name", "options"),
    [*((name, {}) for name in SHIPPED), ("litert", {"api": "compiled"})],
)
def test_a_closed_session_refuses_to_run(backend_name: str, options: dict[str, str]) -> None:
    backend: Backend = plugins.open_backend(backend_name)
    workload = resources.open_workload("mnist_cnn")
    model = workload.model(backend.formats[0], "fp32")
    assert model is not None
    session = backend.open(workload.file(model.path), Settings(options=options))
    inputs, _ = passes.load_reference(workload.reference_path)
    session.bind(list(passes.feeds(session, inputs, model.layout, 1))[:2])
    session.close()
    session.close()
    with pytest.raises(ModelRefusedError, match="closed"):
        session.invoke()


@pytest.mark.parametrize("backend_name", HERE)
def test_a_backend_runs_in_every_precision_that_it_names(backend_name: str) -> None:
    probe = plugins.probe_backend(backend_name)
    assert probe.available, f"{probe.reason}: {probe.remedy}"
    assert probe.precisions
    assert set(probe.serves) <= set(probe.precisions)


@pytest.mark.parametrize("backend_name", HERE)
def test_an_accelerator_that_is_not_there_is_refused(backend_name: str) -> None:
    backend = plugins.open_backend(backend_name)
    workload = resources.open_workload("mnist_cnn")
    model = workload.model(backend.formats[0], "fp32")
    path = workload.path_of(model) if model else Path("a derived model")  # it is not looked at
    with pytest.raises(ModelRefusedError, match="tpu"):
        backend.open(path, Settings(accelerator="tpu"))


def test_every_built_in_backend_is_held_against_the_contract() -> None:
    registered = read_toml(ROOT / "pyproject.toml")["project"]["entry-points"][plugins.BACKENDS]
    assert set(HELD_IN) == set(registered)
    for name, file in HELD_IN.items():
        source = (Path(__file__).parent / file).read_text(encoding="utf-8")
        assert "check_backend(" in source
        assert re.search(name.replace("-", "[-_ ]?"), source, re.IGNORECASE)

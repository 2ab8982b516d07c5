"""Which case of a run is profiled: found by label or id, as one call, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgebench import resources
from edgebench.errors import UsageError
from edgebench.protocols import Probe
from edgebench.records import Case, Manifest
from edgebench.runner import contenders, profiled
from edgebench.runner.config import BackendConfig
from edgebench.store.read import StoredRun

Cases = Callable[..., Case]
Manifests = Callable[..., Manifest]
PROBE = Probe(name="onnxruntime", available=True, formats=("onnx",), precisions=("fp32",))


@pytest.fixture
def run(manifest: Manifests) -> Callable[..., StoredRun]:
    def make(*cases: Case) -> StoredRun:
        return StoredRun(folder=Path("a-run"), manifest=manifest(*cases), records=())

    return make


def test_a_case_is_profiled_as_one_call(case: Cases, run: Callable[..., StoredRun]) -> None:
    server = case(scenario="server", parameters={"bound_ms": 5.0}, streams=2, threads=2, batch=4)
    picture = case(region="e2e", image_sha256="1" * 64, options={"a": "b"})
    stored = run(server, picture)
    for words in (server.label, server.case_id):
        assert profiled.stored_case(stored, words) == case(threads=2, batch=4)
    assert profiled.stored_case(stored, picture.label) == case(options={"a": "b"})


def test_a_label_of_two_cases_asks_for_an_id(case: Cases, run: Callable[..., StoredRun]) -> None:
    onnx, tflite = case(backend="openvino"), case(backend="openvino", format="tflite")
    stored = run(onnx, tflite)
    with pytest.raises(UsageError, match=f"name {onnx.case_id} .onnx., {tflite.case_id} .tflite."):
        profiled.stored_case(stored, onnx.label)
    assert profiled.stored_case(stored, tflite.case_id).format == "tflite"


def test_a_run_of_another_model_is_refused(case: Cases, run: Callable[..., StoredRun]) -> None:
    spec = resources.open_workload("mnist_cnn").spec
    now = case(source_sha256=spec.source_sha256, workload_version=spec.version)
    contender = profiled.stored_contender(run(now), now.label, {"onnxruntime": PROBE}, {})
    assert contender.case == now
    for other in (case(), case(source_sha256=spec.source_sha256, workload_version=99)):
        with pytest.raises(UsageError, match="not the one that a-run ran"):
            profiled.stored_contender(run(other), other.label, {"onnxruntime": PROBE}, {})
    many = case(source_sha256=spec.source_sha256, threads=4096)
    with pytest.raises(UsageError, match="this process may use"):
        profiled.stored_contender(run(many), many.label, {"onnxruntime": PROBE}, {})
    gpu = case(source_sha256=spec.source_sha256, accelerator="cuda")
    with pytest.raises(UsageError, match="onnxruntime has no cuda here"):
        profiled.stored_contender(run(gpu), gpu.label, {"onnxruntime": PROBE}, {})


def test_what_was_typed_loses_how_calls_are_asked_for() -> None:
    wanted = contenders.read("mnist_cnn/litert/int8/t2/s2/server/bound_ms=5/e2e/loadgen")
    fields = profiled.one_call(wanted).fields
    assert fields == {"workload": "mnist_cnn", "backend": "litert", "precision": "int8"} | {
        "threads": 2
    }


def test_what_was_typed_finds_the_file_that_its_precision_is_computed_from() -> None:
    probe = Probe(
        name="openvino",
        available=True,
        formats=("onnx", "tflite"),
        precisions=("fp32", "bf16"),
        serves={"bf16": "fp32"},
    )
    wanted = contenders.read("mnist_cnn/openvino/bf16")
    made = contenders.resolve(wanted, {"openvino": probe}, {})
    assert (made.case.format, made.case.file_precision) == ("onnx", "fp32")
    config = {"openvino": BackendConfig(formats=("tflite",))}
    assert contenders.resolve(wanted, {"openvino": probe}, config).case.format == "tflite"

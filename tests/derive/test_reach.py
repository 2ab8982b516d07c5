"""What a set of runtimes lacks is made, by chains too; what cannot be is a line with its reason."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import converters
import numpy as np
import pytest
from small import EXTRA, IMAGE, ONE, TWO, derived_from, onnx_file, samples, workload_of

from edgebench import resources
from edgebench.derive import cache, contract, reach
from edgebench.protocols import Probe
from edgebench.records import Precision
from edgebench.specs import InputSpec, Workload

HERE = Path(__file__).resolve().parent
FLOATS: tuple[Precision, ...] = ("fp32", "fp16", "bf16", "int8", "int8_dynamic")


def quiet(_: str) -> None:
    """Nobody listens."""


def probe(
    name: str,
    *formats: str,
    serves: dict[str, str] | None = None,
    refuses: dict[str, str] | None = None,
) -> Probe:
    return Probe(
        name=name,
        available=True,
        formats=formats,
        precisions=FLOATS,
        serves=serves or {},
        refuses=refuses or {},
    )


def test_only_what_is_lacking_and_asked_for_is_wanted() -> None:
    mnist = resources.open_workload("mnist_cnn")
    assert reach.lacking(mnist, [probe("a", "onnx"), probe("b", "tflite")], ("fp32", "int8")) == []
    wanted = reach.lacking(mnist, [probe("a", "torch", "mnn"), probe("b", "onnx", "ncnn")], FLOATS)
    # A format is chosen by the runtime's own order, and what it can read already needs no other.
    assert wanted == [
        ("mnn", "fp16"),
        ("ncnn", "bf16"),
        ("torch", "fp32"),
        ("torch", "int8"),
    ]


def test_a_precision_that_is_computed_from_another_ones_file_wants_that() -> None:
    mnist = resources.open_workload("mnist_cnn")
    served = probe("a", "torch", serves={"bf16": "fp32"})
    assert reach.lacking(mnist, [served], ("bf16",)) == [("torch", "fp32")]
    refused = probe("a", "torch", refuses={"fp32": "no"})
    assert reach.lacking(mnist, [refused], ("fp32",)) == []


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX is copied from TFLite, and MNN from ONNX."""
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    made = {"onnx": ("converters:FromTFLite",), "mnn": ("converters:Plain",)}
    monkeypatch.setattr(contract, "CONVERTERS", made)
    monkeypatch.setattr(reach, "CONVERTERS", made)


def tflite_only(tmp_path: Path) -> Workload:
    path = tmp_path / "model.tflite"
    shutil.copy(resources.open_workload("mnist_cnn").file("models/fp32.onnx"), path)
    return workload_of(path, InputSpec(name="input", shape=(28, 28, 1)), fmt="tflite")


@pytest.mark.usefixtures("planted")
def test_a_chain_is_made_and_found_again_without_a_converter(tmp_path: Path) -> None:
    said: list[str] = []
    workload, reasons = reach.fill(tflite_only(tmp_path), [("mnn", "fp32")], None, said.append)
    assert reasons == {}
    assert list(derived_from(workload)) == [("onnx", "fp32"), ("mnn", "fp32")]
    assert [line.split(":")[0] for line in said] == ["small onnx fp32", "small mnn fp32"]
    assert set(derived_from(cache.attach(tflite_only(tmp_path)))) == set(derived_from(workload))
    again, _ = reach.fill(tflite_only(tmp_path), [("mnn", "fp32")], None, said.append)
    assert derived_from(again) == derived_from(workload)
    assert "in the cache" in said[-1]


@pytest.mark.usefixtures("planted")
def test_another_size_of_the_same_file_is_another_model(tmp_path: Path) -> None:
    workload, _ = reach.fill(tflite_only(tmp_path), [("onnx", "fp32")], None, quiet)
    assert workload.derived
    path = tmp_path / "model.tflite"
    other = workload_of(path, InputSpec(name="input", shape=(56, 56, 1)), fmt="tflite")
    assert cache.attach(other).derived == ()


@pytest.mark.usefixtures("planted")
def test_what_cannot_be_made_has_its_reason_and_the_rest_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells: list[reach.Cell] = [("mnn", "int8"), ("mnn", "fp32"), ("mnn", "fp16")]
    workload, reasons = reach.fill(tflite_only(tmp_path), cells, None, quiet)
    assert ("mnn", "fp32") in derived_from(workload)
    assert "ships no calibration images" in reasons["mnn", "int8"]
    assert reasons["mnn", "fp16"] == "nothing derives mnn in fp16"
    monkeypatch.setattr(converters.FromTFLite, "tools", {"no-such-tool": "no-such-tool"})
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "empty"))
    _, reasons = reach.fill(tflite_only(tmp_path), [("mnn", "fp32")], None, quiet)
    assert reasons["mnn", "fp32"].startswith("deriving onnx needs no-such-tool")


def test_several_inputs_and_open_sizes_reach_every_converter(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    pytest.importorskip("MNN", reason="needs MNN")
    source = workload_of(onnx_file(tmp_path / "two.onnx", TWO), IMAGE, EXTRA)
    images = samples(tmp_path / "samples.npz", IMAGE, EXTRA)
    cells: list[reach.Cell] = [
        *(("onnx", precision) for precision in ("fp16", "int8", "int8_dynamic")),
        ("mnn", "fp32"),
        ("mnn", "int8"),
        ("ncnn", "fp32"),
    ]
    workload, reasons = reach.fill(source, cells, images, quiet)
    assert list(reasons) == [("ncnn", "fp32")]
    assert "ncnn" in reasons["ncnn", "fp32"]
    assert set(derived_from(workload)) == set(cells[:-1])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an intact onnx file"),
        (b"a text file, and no model at all\n", "not an intact onnx file"),
        (b"\x08\x08", "not an intact onnx file"),
    ],
)
def test_a_source_that_is_no_model_is_a_line(content: bytes, words: str, tmp_path: Path) -> None:
    pytest.importorskip("MNN", reason="needs MNN")
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    _, reasons = reach.fill(workload_of(path, IMAGE), [("mnn", "fp32")], None, quiet)
    assert words in reasons["mnn", "fp32"]
    assert "\n" not in reasons["mnn", "fp32"]


def test_a_workload_that_says_otherwise_than_its_file_is_a_line(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    pytest.importorskip("MNN", reason="needs MNN")
    path = onnx_file(tmp_path / "one.onnx", ONE)
    for inputs, words in (
        ((IMAGE, EXTRA), "takes 1 inputs, the workload says 2"),
        ((InputSpec(name="image", shape=(16, 12, 4)),), r"the workload says \(4, 16, 12\)"),
    ):
        _, reasons = reach.fill(workload_of(path, *inputs), [("mnn", "fp32")], None, quiet)
        assert np.all([word in reasons["mnn", "fp32"] for word in words.replace("\\", "").split()])


def test_a_state_without_a_batch_is_fed_as_it_is_and_wide_biases_are_quantised(
    tmp_path: Path,
) -> None:
    pytest.importorskip("onnx", reason="needs onnx")
    body = """g (float[N,6] x, float[2,1,6] state) => (float[] y) {
        axes = Constant<value_ints=[0,1]>() s = ReduceMean<axes=[0,1], keepdims=0>(state)
        a = Add(x, s) p = MatMul(a, k) y = Add(p, wide) }"""
    path = onnx_file(tmp_path / "state.onnx", body, k=(6, 4), wide=(1, 4))
    inputs = (
        InputSpec(name="x", shape=(6,), image=False),
        InputSpec(name="state", shape=(2, 1, 6), image=False),
    )
    images = samples(tmp_path / "samples.npz", *inputs)
    _, reasons = reach.fill(workload_of(path, *inputs), [("onnx", "int8")], images, quiet)
    assert reasons == {}

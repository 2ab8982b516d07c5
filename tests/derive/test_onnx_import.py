"""What importers of ONNX share: the input they take, constants, the check of the result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgebench.errors import ModelRefusedError

# ruff: noqa: E402, ANN401 - they may be missing, and have no types
onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs onnxruntime")

from edgebench.derive import onnx_check
from edgebench.derive.onnx_graph import Graph


def parsed(inputs: str, body: str) -> Any:
    return onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : 17]>
        g ({inputs}) => (float[] y) {{ {body} }}"""
    )


def test_an_answer_beside_the_reference_is_refused() -> None:
    right = np.random.default_rng(1).normal(size=(2, 5)).astype(np.float32)
    onnx_check.hold({"y": right}, {"y": right}, 1e-4)
    for wrong in (right * 1.01, right[:, :1], np.full_like(right, np.nan)):
        with pytest.raises(ModelRefusedError, match="beside ONNX Runtime's"):
            onnx_check.hold({"y": wrong}, {"y": right}, 1e-4)


def test_the_input_is_one_batch_of_images_open_or_fixed() -> None:
    assert Graph(parsed("float[N,3,8,9] x", "y = Relu(x)")).image.batch is None
    image = Graph(parsed("float[2,3,8,9] x", "y = Relu(x)")).image
    assert (image.name, image.batch, image.shape, image.outputs) == ("x", 2, (3, 8, 9), ("y",))
    assert onnx_check.drawn(image).shape == (2, 3, 8, 9)


@pytest.mark.parametrize(
    "inputs", ["float[N,3] x", "float[N,3,H,8] x", "float[N,1,8,8] x, float[N,1,8,8] z"]
)
def test_another_input_is_refused(inputs: str) -> None:
    with pytest.raises(ModelRefusedError, match="not one batch of images"):
        Graph(parsed(inputs, "y = Relu(x)"))


def test_what_depends_on_no_input_is_computed_and_never_asked_for() -> None:
    asked = []

    def make(op: Any) -> Any:
        asked.append((op.kind, *op.args))
        return op.kind

    body = "a = Constant<value_float=3.0>() b = Add(a, a) y = Mul(x, b)"
    made = Graph(parsed("float[N,1,8,8] x", body)).run("image", {"Mul"}, make)
    assert made == {"y": "Mul"}
    assert asked == [("Mul", "image", 6.0)]


def test_a_fault_in_an_operator_has_its_name_before_it() -> None:
    def make(_: Any) -> None:
        raise ValueError("upside down")

    graph = Graph(parsed("float[N,1,8,8] x", "y = Relu(x)"))
    with pytest.raises(ModelRefusedError, match=r"Relu \(.*\): upside down"):
        graph.run("image", {"Relu"}, make)

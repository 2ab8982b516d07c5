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


def test_the_batch_is_open_or_fixed() -> None:
    graph = Graph(parsed("float[N,3,8,9] x", "y = Relu(x)"))
    assert graph.open_batch
    assert graph.inputs[0].sizes(4) == (4, 3, 8, 9)
    graph = Graph(parsed("float[2,3,8,9] x", "y = Relu(x)"))
    assert (graph.open_batch, graph.outputs) == (False, ("y",))
    assert onnx_check.drawn(graph.inputs)["x"].shape == (2, 3, 8, 9)


def test_inputs_may_be_several_and_of_any_kind() -> None:
    graph = Graph(parsed("float[N,1,8,8] x, int64[N,3] z, uint8[N,1,8,8] u", "y = Relu(x)"), {"x"})
    kinds = [(one.name, one.dtype.name, one.image) for one in graph.inputs]
    assert kinds == [("x", "float32", True), ("z", "int64", False), ("u", "uint8", False)]
    drawn = onnx_check.drawn(graph.inputs)
    assert [drawn[name].max() <= most for name, most in (("x", 1), ("z", 9), ("u", 255))]
    assert drawn["z"].shape == (2, 3)


def test_a_size_that_is_open_beside_the_batch_is_refused() -> None:
    with pytest.raises(ModelRefusedError, match="the input x has open sizes"):
        Graph(parsed("float[N,3,H,8] x", "y = Relu(x)"))


def test_sizes_that_are_computed_from_sizes_are_known() -> None:
    body = """s = Shape(x) zero = Constant<value_ints=[0]>() n = Gather(s, zero)
    rest = Constant<value_ints=[-1]>() all = Concat<axis=0>(n, rest) y = Reshape(x, all)"""
    graph = Graph(parsed("float[N,3,8,9] x", body), batch=2)
    assert graph.shape("y") == (2, 216)
    made = graph.run({"x": "image"}, {"Reshape"}, lambda op: tuple(op.args[1]))
    assert made == {"y": (2, -1)}


def test_what_depends_on_no_input_is_computed_and_never_asked_for() -> None:
    asked = []

    def make(op: Any) -> Any:
        asked.append((op.kind, *op.args))
        return op.kind

    body = "a = Constant<value_float=3.0>() b = Add(a, a) y = Mul(x, b)"
    made = Graph(parsed("float[N,1,8,8] x", body)).run({"x": "image"}, {"Mul"}, make)
    assert made == {"y": "Mul"}
    assert asked == [("Mul", "image", 6.0)]


def test_a_fault_in_an_operator_has_its_name_before_it() -> None:
    def make(_: Any) -> None:
        raise ValueError("upside down")

    graph = Graph(parsed("float[N,1,8,8] x", "y = Relu(x)"))
    with pytest.raises(ModelRefusedError, match=r"Relu \(.*\): upside down"):
        graph.run({"x": "image"}, {"Relu"}, make)

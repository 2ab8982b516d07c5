"""What pnnx is given: padding, scales and offsets lie in the convolutions beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgebench.derive import ncnn_

onnx = pytest.importorskip("onnx", reason="needs onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")


def normalised(path: Path) -> Path:
    """A depthwise convolution as tf2onnx writes it with its batch normalisation."""
    random = np.random.default_rng(1)
    constants = {
        "pads": np.array([0, 0, 0, 0, 0, 0, 1, 1]),
        "weights": random.normal(size=(4, 1, 3, 3)).astype(np.float32),
        "scale": random.normal(size=(1, 4, 1, 1)).astype(np.float32),
        "offset": random.normal(size=(1, 4, 1, 1)).astype(np.float32),
    }
    node = onnx.helper.make_node
    graph = onnx.helper.make_graph(
        [
            node("Pad", ["x", "pads"], ["padded"]),
            node("Conv", ["padded", "weights"], ["sums"], group=4, strides=[2, 2]),
            node("Mul", ["sums", "scale"], ["scaled"]),
            node("Add", ["scaled", "offset"], ["y"]),
        ],
        "normalised",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 4, 8, 8])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(made, path)
    return path


def test_one_convolution_is_left_and_gives_the_same_answers(tmp_path: Path) -> None:
    plain = normalised(tmp_path / "plain.onnx")
    folded = ncnn_._folded(plain, tmp_path / "folded.onnx")
    assert [node.op_type for node in onnx.load(str(folded)).graph.node] == ["Conv"]
    image = np.random.default_rng(2).normal(size=(1, 4, 8, 8)).astype(np.float32)
    answers = [
        onnxruntime.InferenceSession(str(path)).run(None, {"x": image})[0]
        for path in (plain, folded)
    ]
    np.testing.assert_allclose(answers[0], answers[1], rtol=1e-4, atol=1e-5)

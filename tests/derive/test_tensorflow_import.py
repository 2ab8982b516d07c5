"""ONNX graphs as TensorFlow functions: held against ONNX Runtime, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench import resources
from edgebench.derive import contract, make
from edgebench.errors import ModelRefusedError
from edgebench.specs import InputSpec

tf = pytest.importorskip("tensorflow", reason="needs edgebench[tensorflow]")
onnx = pytest.importorskip("onnx", reason="needs onnx")

from edgebench.derive import tensorflow_operators, tensorflow_write  # noqa: E402 - they import both

RANDOM = np.random.default_rng(3)
SHAPE = (8, 10, 12)
Part = tuple[str, list[Any], dict[str, Any]]
"""Operator, its inputs after the first (arrays, or names of values), its attributes."""


@pytest.fixture(scope="module", autouse=True)
def _threads() -> None:
    """As every test of the backend has them: they are the process's."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def weights(*shape: int) -> NDArray[np.float32]:
    return RANDOM.normal(0, 0.3, shape).astype(np.float32)


def ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def model(path: Path, parts: list[Part]) -> Path:
    """A chain of operators on an image; value ``v0`` is the input, ``v1`` what the first gives."""
    nodes, constants = [], []
    for number, (kind, rest, attributes) in enumerate(parts):
        names = [f"v{number}"] if not rest or rest[0] is not None else []
        for place, one in enumerate(rest):
            if isinstance(one, str):
                names.append(one)
            elif one is not None:
                names.append(f"c{number}_{place}")
                constants.append(onnx.numpy_helper.from_array(one, names[-1]))
        outputs = attributes.pop("_outputs", [f"v{number + 1}"])
        nodes.append(onnx.helper.make_node(kind, names, outputs, **attributes))
    last = f"v{len(parts)}"
    graph = onnx.helper.make_graph(
        nodes,
        "chain",
        [onnx.helper.make_tensor_value_info("v0", onnx.TensorProto.FLOAT, ["n", *SHAPE])],
        [onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None)],
        constants,
    )
    made = onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.save(made, path)
    return path


CONV: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "plain": ((6, 8, 3, 3), {}),
    "same": ((6, 8, 3, 3), {"pads": [1, 1, 1, 1]}),
    "pads on both sides, strided": ((6, 8, 3, 3), {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    "uneven pads": ((6, 8, 3, 3), {"pads": [0, 2, 1, 0]}),
    "dilated": ((6, 8, 3, 3), {"dilations": [2, 2], "pads": [2, 2, 2, 2]}),
    "depthwise": ((8, 1, 3, 3), {"group": 8, "pads": [1, 1, 1, 1]}),
    "depthwise, strided": ((8, 1, 3, 3), {"group": 8, "pads": [1] * 4, "strides": [2, 2]}),
    "depthwise, two each": ((16, 1, 3, 3), {"group": 8}),
    "grouped": ((6, 4, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    "auto_pad": ((6, 8, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
}
CHAINS: dict[str, list[Part]] = {
    "batch normalisation": [
        ("BatchNormalization", [weights(8), weights(8), weights(8), weights(8) ** 2 + 0.5], {})
    ],
    "activations": [
        ("Relu", [], {}),
        ("LeakyRelu", [], {"alpha": 0.2}),
        ("Sigmoid", [], {}),
        ("Tanh", [], {}),
        ("HardSigmoid", [], {"alpha": 1 / 6, "beta": 0.5}),
        ("HardSigmoid", [], {}),
        ("HardSwish", [], {}),
        ("Clip", [np.float32(0), np.float32(6)], {}),
        ("Clip", [np.float32(0.05), np.float32(0.4)], {}),
        ("PRelu", [weights(8, 1, 1)], {}),
    ],
    "squeeze and excite": [
        ("GlobalAveragePool", [], {}),
        ("Conv", [weights(8, 8, 1, 1), weights(8)], {}),
        ("HardSigmoid", [], {}),
        ("Mul", ["v0"], {}),
    ],
    "residual": [("Conv", [weights(8, 8, 1, 1)], {}), ("Add", ["v0"], {}), ("Relu", [], {})],
    "constants by channel, row and number": [
        ("Add", [weights(8, 1, 1)], {}),
        ("Mul", [weights(1, 8, 1, 1)], {}),
        ("Sub", [weights(12)], {}),
        ("Div", [np.float32(2)], {}),
    ],
    "concatenation": [("Relu", [], {}), ("Concat", ["v0"], {"axis": 1})],
    "max pooling": [("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4})],
    "max pooling, hanging over": [
        ("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1})
    ],
    "average pooling": [
        ("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        (
            "AveragePool",
            [],
            {"kernel_shape": [3, 3], "pads": [1] * 4, "count_include_pad": 1},
        ),
    ],
    "means": [("ReduceMean", [], {"axes": [2, 3], "keepdims": 0}), ("Softmax", [], {"axis": 1})],
    "flatten, images first": [
        ("Flatten", [], {}),
        ("Gemm", [weights(5, 960), weights(5)], {"transB": 1, "alpha": 0.5}),
        ("Softmax", [], {}),
    ],
    "shuffled channels": [
        ("Reshape", [ints(0, 2, 4, 10, 12)], {}),
        ("Transpose", [], {"perm": [0, 2, 1, 3, 4]}),
        ("Reshape", [ints(0, 8, 10, 12)], {}),
        ("Conv", [weights(4, 8, 3, 3)], {}),
    ],
    "channels last and back": [
        ("Transpose", [], {"perm": [0, 2, 3, 1]}),
        ("Add", [weights(8)], {}),
        ("Transpose", [], {"perm": [0, 3, 1, 2]}),
        ("Conv", [weights(4, 8, 3, 3)], {}),
    ],
    "a shape that is computed": [
        ("Shape", [], {}),
        ("Gather", [ints(0)], {"axis": 0}),
        ("Concat", [ints(-1)], {"axis": 0}),
        ("Reshape", [None, "v0", "v3"], {}),
    ],
    "slices and pads": [
        ("Slice", [ints(2, 1), ints(2**62, 9), ints(1, 3)], {}),
        ("Pad", [ints(0, 1, 0, 2, 0, 0, 1, 0)], {}),
    ],
    "softmax over channels": [("Softmax", [], {"axis": 1})],
    "squeezed": [
        ("GlobalMaxPool", [], {}),
        ("Squeeze", [ints(2, 3)], {}),
        ("Unsqueeze", [ints(1)], {}),
    ],
    "the largest of rows": [
        ("Reshape", [ints(0, 8, 120)], {}),
        ("GlobalMaxPool", [], {}),
        ("Flatten", [], {}),
    ],
    "a mirror at the edges": [("Pad", [ints(0, 0, 1, 2, 0, 0, 3, 0)], {"mode": "reflect"})],
    "nearest, twice as large": [
        (
            "Resize",
            ["", np.array([1, 1, 2, 2], np.float32)],
            {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        )
    ],
    "linear": [
        ("Resize", ["", np.array([1, 1, 2, 2], np.float32)], {"mode": "linear"}),
        ("Conv", [weights(4, 8, 3, 3)], {}),
    ],
}


def converted(source: Path, folder: Path) -> None:
    """As the converter's process does; what is not right is refused."""
    (folder / "out").mkdir(parents=True)
    (folder / "scratch").mkdir()
    tensorflow_write.write(
        contract.Job(
            parent_pid=0,
            converter="",
            source=str(source),
            target=str(folder / "out" / "model.zip"),
            precision="fp32",
            inputs=(InputSpec(name="v0", shape=(SHAPE[1], SHAPE[2], SHAPE[0])),),
        )
    )


@pytest.mark.parametrize("name", CONV)
def test_a_convolution_is_onnx_runtimes(name: str, tmp_path: Path) -> None:
    shape, attributes = CONV[name]
    parts: list[Part] = [("Conv", [weights(*shape), weights(shape[0])], dict(attributes))]
    converted(model(tmp_path / "m.onnx", parts), tmp_path / "saved")


@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_of_operators_is_onnx_runtimes(name: str, tmp_path: Path) -> None:
    parts = [(kind, rest, dict(attributes)) for kind, rest, attributes in CHAINS[name]]
    converted(model(tmp_path / "m.onnx", parts), tmp_path / "saved")


def test_a_split_gives_each_of_its_parts(tmp_path: Path) -> None:
    parts: list[Part] = [
        ("Split", [ints(3, 5)], {"axis": 1, "_outputs": ["a", "v1"]}),
        ("Concat", ["a"], {"axis": 1}),
    ]
    converted(model(tmp_path / "m.onnx", parts), tmp_path / "saved")


def test_a_wrong_result_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = dict(tensorflow_operators.OPERATORS) | {
        "Relu": tensorflow_operators.OPERATORS["Tanh"]
    }
    monkeypatch.setattr(tensorflow_write, "OPERATORS", planted)
    source = model(tmp_path / "m.onnx", [("Sub", [np.float32(0.5)], {}), ("Relu", [], {})])
    with pytest.raises(ModelRefusedError, match="beside ONNX Runtime's"):
        converted(source, tmp_path / "saved")


def test_an_operator_that_is_not_known_is_named(tmp_path: Path) -> None:
    source = model(tmp_path / "m.onnx", [("Celu", [], {})])
    with pytest.raises(ModelRefusedError, match=r"the operator Celu .* is not known"):
        converted(source, tmp_path / "saved")


def test_the_same_source_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = resources.open_workload("mnist_cnn")
    hashes = set()
    for number in range(2):
        monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / str(number)))
        made = make.derive(workload, contract.converter_of("savedmodel"), "fp32")
        assert made.manifest.network == "blocked"
        hashes.add(made.manifest.sha256)
    assert len(hashes) == 1

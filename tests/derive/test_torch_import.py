"""ONNX operators as torch's: each answers as ONNX Runtime does, at any batch, and in int8."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edgebench.errors import ModelRefusedError

# ruff: noqa: E402, ANN401 - these may be missing, and have no types
onnx = pytest.importorskip("onnx", reason="needs onnx")
torch = pytest.importorskip("torch", reason="needs torch")

from edgebench.derive import torch_write
from edgebench.derive.contract import Job
from edgebench.derive.feeds import Feeds
from edgebench.derive.onnx_graph import Graph
from edgebench.derive.torch_import import Importer
from edgebench.derive.torch_operators import MAKERS
from edgebench.specs import InputSpec

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
SHAPE = (4, 9, 9)
Weights = Mapping[str, Any]


def drawn(*shape: int) -> Any:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def model(body: str, weights: Weights) -> Any:
    """A graph from ``x`` (N, 4, 9, 9) to ``y``, as `onnx.parser` reads it."""
    text = f"""<ir_version: 8, opset_import: ["" : 17]>
    g (float[N,4,9,9] x) => (float[] y) {{ {body} }}"""
    parsed = onnx.parser.parse_model(text)
    parsed.graph.output[0].type.tensor_type.ClearField("shape")
    for name, array in weights.items():
        parsed.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(array), name))
    return parsed


def reference(parsed: Any, images: Any) -> Any:
    session = onnxruntime.InferenceSession(parsed.SerializeToString())
    return session.run(None, {"x": images})[0]


CONV = {"w": drawn(6, 4, 3, 3), "b": drawn(6)}
DEPTHWISE = {"w": drawn(4, 1, 3, 3)}
NORM = {"s": drawn(4), "b": drawn(4), "m": drawn(4), "v": np.abs(drawn(4)) + 0.5}
FLOOR = 'coordinate_transformation_mode="asymmetric", nearest_mode="floor"'
SIZES = {"none": np.array([], np.float32), "sizes": np.array([1, 1, 2, 2], np.float32)}
CASES: dict[str, tuple[str, Weights]] = {
    "conv": ("y = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w, b)", CONV),
    "conv, uneven pads": ("y = Conv<pads=[0,0,1,1], strides=[2,2]>(x, w, b)", CONV),
    "conv, same": ('y = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, w, b)', CONV),
    "conv, same lower": ('y = Conv<auto_pad="SAME_LOWER", strides=[3,2]>(x, w, b)', CONV),
    "depthwise": ("y = Conv<group=4, pads=[1,1,1,1]>(x, w)", DEPTHWISE),
    "norm": ("y = BatchNormalization<epsilon=0.001>(x, s, b, m, v)", NORM),
    "relu": ("y = Relu(x)", {}),
    "relu6": ("y = Clip(x, l, h)", {"l": np.float32(0), "h": np.float32(6)}),
    "clip": ("y = Clip(x, l)", {"l": np.float32(-0.5)}),
    "leaky": ("y = LeakyRelu<alpha=0.1>(x)", {}),
    "hard swish": ("y = HardSwish(x)", {}),
    "hard sigmoid": ("y = HardSigmoid<alpha=0.16666667>(x)", {}),
    "hard sigmoid, other": ("y = HardSigmoid(x)", {}),
    "swish": ("t = Sigmoid(x) y = Mul(x, t)", {}),
    "residual": ("t = Relu(x) y = Add(x, t)", {}),
    "number": ("t = Mul(x, n) u = Sub(n, t) y = Div(u, n)", {"n": np.array([3], np.float32)}),
    "by channel": ("t = Mul(x, c) y = Add(c, t)", {"c": drawn(1, 4, 1, 1)}),
    "extremes": (
        "t = Max(n, x, m) y = Min(t, x)",
        {"n": drawn(4, 1, 1), "m": np.float32(0.1)},
    ),
    "concat": ("t = Tanh(x) y = Concat<axis=1>(x, t)", {}),
    "split": ("t, u = Split<axis=1>(x, n) y = Concat<axis=1>(u, t)", {"n": np.array([1, 3])}),
    "max pool": ("y = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)", {}),
    "max pool, uneven": ("y = MaxPool<kernel_shape=[2,2], pads=[0,0,1,1]>(x)", {}),
    "max pool, ceil": ("y = MaxPool<kernel_shape=[2,2], strides=[2,2], ceil_mode=1>(x)", {}),
    "mean pool": ("y = AveragePool<kernel_shape=[2,2], strides=[2,2], pads=[1,1,1,1]>(x)", {}),
    "global pool": ("t = GlobalAveragePool(x) y = Flatten(t)", {}),
    "mean": ("y = ReduceMean<axes=[2,3], keepdims=0>(x)", {}),
    "squeeze": (
        "t = ReduceMean<axes=[2,3]>(x) u = Squeeze(t, a) y = Unsqueeze(u, a)",
        {"a": np.array([2, 3])},
    ),
    "pad": ("y = Pad(x, p, f)", {"p": np.array([0, 0, 1, 2, 0, 0, 3, 0]), "f": np.float32(2)}),
    "nearest": (f"y = Resize<{FLOOR}>(x, none, sizes)", SIZES),
    "linear": ('y = Resize<mode="linear">(x, none, sizes)', SIZES),
    "gemm": ("t = Flatten(x) y = Gemm<transB=1>(t, w, b)", {"w": drawn(5, 324), "b": drawn(5)}),
    "dense": ("t = Flatten(x) u = MatMul(t, w) y = Add(u, b)", {"w": drawn(324, 5), "b": drawn(5)}),
    "channels last": (
        "t = Transpose<perm=[0,2,3,1]>(x) y = Reshape(t, n)",
        {"n": np.array([-1, 324])},
    ),
    "shape": (
        "s = Shape(x) t = Gather(s, z) u = Concat<axis=0>(t, n) y = Reshape(x, u)",
        {"z": np.array([0]), "n": np.array([4, 81])},
    ),
    "boxes": (
        "t = Reshape(x, n) u = Transpose<perm=[0,1,3,2]>(t) y = Reshape(u, m)",
        {"n": np.array([0, 2, 2, 81]), "m": np.array([0, -1, 2])},
    ),
    "softmax": ("t = Flatten(x) y = Softmax<axis=1>(t)", {}),
    "idle": ("t = Dropout(x) y = Identity(t)", {}),
    "conv transposed": (
        "y = ConvTranspose<strides=[2,2], pads=[1,1,1,1], output_padding=[1,0]>(x, w, b)",
        {"w": drawn(4, 3, 3, 3), "b": drawn(3)},
    ),
    "smooth": ("t = Elu<alpha=0.5>(x) u = Erf(t) y = Softplus(u)", {}),
    "signs": ("t = Neg(x) u = Abs(t) w = Floor(u) y = Sum(w, x, t)", {}),
    "powers": (
        "t = Abs(x) u = Add(t, n) v = Log(u) w = Reciprocal(u) p = Pow(w, n) y = Mul(p, v)",
        {"n": np.float32(2)},
    ),
    "prelu": ("y = PRelu(x, s)", {"s": drawn(4, 1, 1)}),
    "reductions": (
        "t = ReduceMax<axes=[1]>(x) u = ReduceMin<axes=[2]>(x) v = Mul(t, u) y = ReduceSum(v, a)",
        {"a": np.array([1, 3])},
    ),
    "global max": ("t = GlobalMaxPool(x) y = Flatten(t)", {}),
    "global, of rows": (
        "t = Reshape(x, n) u = GlobalMaxPool(t) v = GlobalAveragePool(t) y = Sub(u, v)",
        {"n": np.array([0, 4, 81])},
    ),
    "layer norm": ("y = LayerNormalization(x, s, b)", {"s": drawn(9), "b": drawn(9)}),
    "slice": (
        "y = Slice(x, a, e, d)",
        {"a": np.array([1, -4]), "e": np.array([3, 2**62]), "d": np.array([1, 3])},
    ),
    "gather": (
        "t = Gather<axis=1>(x, n) u = Gather<axis=3>(x, m) v = Unsqueeze(u, a) y = Mul(v, t)",
        {"n": np.array([2, 0, 1, 3]), "m": np.array(4), "a": np.array([3])},
    ),
    "expand": (
        "t = Cast<to=7>(x) u = Cast<to=1>(t) v = ReduceMean<axes=[1]>(u) y = Expand(v, n)",
        {"n": np.array([1, 5, 1, 1])},
    ),
    "compared": (
        "t = Greater(x, n) u = Less(x, m) v = Equal(t, u) y = Where(v, x, n)",
        {"n": np.float32(0), "m": np.float32(0.5)},
    ),
    "computed": ("t = Add(n, n) u = Sqrt(t) y = Mul(x, u)", {"n": np.float32(8)}),
}


def test_every_known_operator_is_tried_here() -> None:
    bodies = " ".join(body for body, _ in CASES.values())
    called = re.findall(r"= (\w+)[<(]", bodies)
    assert set(MAKERS) - set(called) == {"Exp"}


@pytest.mark.parametrize("name", CASES)
def test_an_operator_answers_as_the_reference_does_at_any_batch(name: str) -> None:
    parsed = model(*CASES[name])
    module = Importer(Graph(parsed), MAKERS).run()
    program = torch.export.export(
        module, (torch.zeros(2, *SHAPE),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    for batch in (1, 3):
        images = drawn(batch, *SHAPE)
        wanted = reference(parsed, images)
        for one in (module, program.module()):
            made = one(torch.from_numpy(images)).numpy()
            assert made.shape == wanted.shape
            assert np.abs(made - wanted).max() < 1e-4


NETWORKS = {
    "inverted residual": (
        "a = Conv<pads=[0,0,1,1], strides=[2,2]>(x, w, b) c = Clip(a, l, h)"
        "d = Conv<group=6, pads=[1,1,1,1]>(c, dw) e = HardSwish(d)"
        "p = GlobalAveragePool(e) q = Conv(p, pw) r = HardSigmoid<alpha=0.16666667>(q)"
        "s = Mul(e, r) t = Conv(s, pw) u = Add(t, c) f = ReduceMean<axes=[2,3], keepdims=0>(u)"
        "y = Gemm<transB=1>(f, g)"
    ),
    "fire": (
        "a = Conv(x, w, b) c = Relu(a) d = Conv(c, pw) e = Relu(d) k = Conv<pads=[1,1,1,1]>(c, cw)"
        "m = Relu(k) n = Concat<axis=1>(e, m) o = GlobalAveragePool(n) y = Flatten(o)"
    ),
    "residual": (
        "a = Conv<pads=[1,1,1,1]>(x, w, b) n = BatchNormalization(a, s6, b, m6, v6) c = Relu(n)"
        "d = Conv<pads=[1,1,1,1]>(c, cw) e = Add(d, c) i = Relu(e)"
        "k = MaxPool<kernel_shape=[2,2], strides=[2,2]>(i)"
        "y = LeakyRelu<alpha=0.1>(k)"
    ),
}
PARTS = {
    **CONV,
    "dw": drawn(6, 1, 3, 3),
    "pw": drawn(6, 6, 1, 1),
    "cw": drawn(6, 6, 3, 3),
    "g": drawn(5, 6),
    "l": np.float32(0),
    "h": np.float32(6),
    "s6": drawn(6),
    "m6": drawn(6),
    "v6": np.abs(drawn(6)) + 0.5,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_blocks_of_known_networks_run_wholly_in_int8(name: str, tmp_path: Path) -> None:
    from edgebench.backends import torch_witness
    from edgebench.backends.torch_files import Signature

    used = {
        key: value
        for key, value in PARTS.items()
        if f" {key}" in NETWORKS[name].replace(",", " ").replace(")", " ")
    }
    parsed = model(NETWORKS[name], used)
    images = drawn(32, *SHAPE)
    signature = Signature(input_name="x", batch=None, sample_shape=SHAPE, output_names=("y",))
    np.savez(tmp_path / "images.npz", inputs=images.transpose(0, 2, 3, 1))
    channels, height, width = SHAPE
    feeds = Feeds(
        Job(
            parent_pid=0,
            converter="",
            source="",
            precision="int8",
            inputs=(InputSpec(name="x", shape=(height, width, channels)),),
            calibration=str(tmp_path / "images.npz"),
        )
    )
    module = torch_write._quantised(Importer(Graph(parsed), MAKERS).run(), feeds, signature)
    wanted = reference(parsed, images[:8])
    made = module(torch.from_numpy(images[:8])).numpy()
    assert np.linalg.norm(made - wanted) / np.linalg.norm(wanted) < 0.2
    seen = torch_witness.operators(lambda: module(torch.from_numpy(images[:1])))
    assert {one.precision for one in seen if one.macs} == {"int8"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("y = Celu(x)", "the operator Celu .* is not known"),
        ("y = AveragePool<kernel_shape=[2,2], pads=[0,0,1,1]>(x)", "AveragePool .*by side"),
        ('y = Resize<mode="cubic">(x, none, sizes)', "Resize .*cubic"),
        ("y = Gemm(x, x)", "Gemm .*not constant"),
    ],
)
def test_what_is_not_known_is_refused_by_its_name(body: str, words: str) -> None:
    with pytest.raises(ModelRefusedError, match=words):
        Importer(Graph(model(body, SIZES)), MAKERS).run()

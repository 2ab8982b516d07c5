"""What a graph costs is what a hand, a slow count and the papers say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason="needs onnx, which the build extra brings")

from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper  # noqa: E402

from edgebench.derive.onnx_cost import Cost, cost  # noqa: E402

WORKLOADS = Path(__file__).resolve().parents[2] / "workloads"


def model(
    nodes: Sequence[NodeProto],
    weights: Mapping[str, tuple[int, ...]],
    shape: Sequence[int | str | None],
    outputs: Sequence[str],
) -> ModelProto:
    """A graph of one float input ``x``."""
    tensors = [numpy_helper.from_array(np.ones(s, np.float32), n) for n, s in weights.items()]
    source = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes, "graph", [source], ends, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def node(kind: str, inputs: str, output: str, **attributes: int | list[int]) -> NodeProto:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


@settings(max_examples=40, deadline=None)
@given(
    group=st.integers(1, 3),
    per_group=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    side=st.tuples(st.integers(4, 9), st.integers(4, 9)),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
)
def test_a_convolution_by_hand(
    group: int, per_group: tuple[int, int], side: tuple[int, int], kernel: int, stride: int
) -> None:
    channels, filters = group * per_group[0], group * per_group[1]
    conv = node("Conv", "x w b", "y", group=group, strides=[stride, stride])
    weights = {"w": (filters, per_group[0], kernel, kernel), "b": (filters,)}
    got = cost(model([conv], weights, ["batch", channels, *side], ["y"]))
    places = math.prod((s - kernel) // stride + 1 for s in side)
    assert got.macs == places * filters * per_group[0] * kernel**2
    assert got.parameters == filters * per_group[0] * kernel**2 + filters
    assert got.activation_peak_byte == 4 * (channels * math.prod(side) + filters * places)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=2, max_size=6))
def test_dense_layers_by_hand(widths: list[int]) -> None:
    pairs = [(widths[i], widths[i + 1]) for i in range(len(widths) - 1)]
    names = ["x", *(f"y{i}" for i in range(len(pairs)))]
    nodes = [
        node("Gemm", f"{names[i]} w{i}", names[i + 1], transB=1)
        if i % 2
        else node("MatMul", f"{names[i]} w{i}", names[i + 1])
        for i in range(len(pairs))
    ]
    weights = {f"w{i}": pair[::-1] if i % 2 else pair for i, pair in enumerate(pairs)}
    got = cost(model(nodes, weights, [None, widths[0]], [names[-1]]))
    assert got.macs == got.parameters == sum(a * b for a, b in pairs)
    assert got.activation_peak_byte == 4 * max(a + b for a, b in pairs)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=8))
def test_the_peak_of_any_graph_is_what_a_slow_count_finds(wiring: list[tuple[int, int]]) -> None:
    """Concatenations of two earlier values each: nothing is a view, nothing is done in place."""
    sizes, nodes, uses = {"x": 3}, [], []
    for place, (left, right) in enumerate(wiring):
        names = list(sizes)
        a, b = names[left % len(names)], names[right % len(names)]
        nodes.append(node("Concat", f"{a} {b}", f"y{place}", axis=1))
        sizes[f"y{place}"] = sizes[a] + sizes[b]
        uses.append((a, b))
    final = f"y{len(wiring) - 1}"
    peak = 0
    for place in range(len(uses)):
        made = ["x", *(f"y{i}" for i in range(place + 1))]
        later = {name for pair in uses[place:] for name in pair} | {f"y{place}", final}
        peak = max(peak, sum(sizes[name] for name in made if name in later))
    assert cost(model(nodes, {}, [1, 3], [final])).activation_peak_byte == 4 * peak


def test_views_and_what_overwrites_its_input_take_no_room() -> None:
    shape = numpy_helper.from_array(np.array([-1, 16], np.int64), "shape")
    nodes = [node("Relu", "x", "a"), node("Reshape", "a shape", "b"), node("Exp", "b", "y")]
    chain = model(nodes, {}, ["n", 1, 4, 4], ["y"])
    chain.graph.initializer.append(shape)
    assert cost(chain) == Cost(0, 0, 4 * 16)
    # A value that is needed again cannot be overwritten.
    kept = model([*nodes[:1], node("Add", "x a", "y")], {}, ["n", 16], ["y"])
    assert cost(kept).activation_peak_byte == 4 * 32


def test_a_transposed_convolution_spreads_each_element_over_its_kernels() -> None:
    conv = node("ConvTranspose", "x w", "y", strides=[2, 2])
    got = cost(model([conv], {"w": (4, 5, 2, 2)}, [1, 4, 3, 3], ["y"]))
    assert got == Cost(4 * 9 * 5 * 4, 80, 4 * (36 + 5 * 36))


def test_what_cannot_be_told_is_not_told() -> None:
    conv = node("Conv", "x w", "y")
    open_sides = model([conv], {"w": (2, 1, 3, 3)}, ["n", 1, "h", "w"], ["y"])
    assert cost(open_sides) == Cost(None, 18, None)
    assert cost(open_sides, {"x": (1, 5, 5)}) == Cost(9 * 18, 18, 4 * (25 + 18))
    own = helper.make_node("Mystery", ["x"], ["y"], domain="vendor")
    assert cost(model([own], {}, [1, 3], ["y"])).macs is None


def test_counting_changes_nothing_in_the_model() -> None:
    source = model([node("Relu", "x", "y")], {}, ["n", 3], ["y"])
    before = source.SerializeToString()
    cost(source)
    assert source.SerializeToString() == before


@pytest.mark.parametrize(
    ("name", "macs", "parameters"),
    [("mnist_cnn", 2_794_240, 93_322), ("cifar10_cnn", 10_585_344, 356_810)],
)
def test_the_shipped_networks_in_float_and_quantised(name: str, macs: int, parameters: int) -> None:
    folder = WORKLOADS / name / "models"
    plain, integer = (cost(onnx.load(folder / f"{p}.onnx")) for p in ("fp32", "int8"))
    assert (plain.macs, plain.parameters) == (macs, parameters)
    assert integer.macs == macs

"""What each operator of a file multiplies adds up to the whole file, and bears its names."""

from __future__ import annotations

from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx, which the build extra brings")

from test_onnx_cost import WORKLOADS, model, node  # noqa: E402

from edgebench.derive import onnx_work  # noqa: E402
from edgebench.derive.onnx_cost import cost  # noqa: E402


def test_every_kind_is_told_apart_and_counted() -> None:
    nodes = [
        node("Conv", "x w3", "a", pads=[1, 1, 1, 1]),
        node("Relu", "a", "b"),
        node("Conv", "b thin", "c", pads=[1, 1, 1, 1], group=4),
        node("Conv", "c pair", "d", group=2),
        node("Conv", "d point", "e"),
        node("ConvTranspose", "e up", "f", strides=[2, 2]),
        node("GlobalAveragePool", "f", "g"),
        node("Flatten", "g", "h"),
        node("Gemm", "h last", "y"),
    ]
    weights = {
        "w3": (4, 3, 3, 3),
        "thin": (4, 1, 3, 3),
        "pair": (4, 2, 1, 1),
        "point": (6, 4, 1, 1),
        "up": (6, 2, 2, 2),
        "last": (2, 5),
    }
    graph = model(nodes, weights, ["batch", 3, 8, 8], ["y"])
    found = onnx_work.operators(graph)
    assert [(one.kind, one.macs) for one in found] == [
        ("convolution", 64 * 4 * 27),
        ("depthwise", 64 * 4 * 9),
        ("grouped", 64 * 4 * 2),
        ("pointwise", 64 * 6 * 4),
        ("transposed", 64 * 6 * 2 * 4),
        ("dense", 2 * 5),
    ]


def test_an_operator_bears_the_names_of_what_is_fused_into_it_and_no_others() -> None:
    nodes = [
        onnx.helper.make_node("Conv", ["x", "w"], ["a"], name="first"),
        onnx.helper.make_node("Relu", ["a"], ["b"], name="activation"),
        onnx.helper.make_node("Conv", ["b", "v"], ["c"], name="second"),
        onnx.helper.make_node("Add", ["b", "c"], ["y"], name="residual"),
    ]
    weights = {"w": (3, 3, 1, 1), "v": (3, 3, 1, 1)}
    first, second = onnx_work.operators(model(nodes, weights, [1, 3, 4, 4], ["y"]))
    assert first.names == ("first", "a", "activation", "b")
    assert second.names == ("second", "c", "residual", "y")


def test_an_operator_of_a_branch_has_no_fixed_place() -> None:
    nodes = [
        node("Conv", "x w", "a"),
        node("Conv", "a w", "left"),
        node("Conv", "left w", "further"),
        node("Conv", "a w", "right"),
        node("Add", "further right", "b"),
        node("Conv", "b w", "y"),
    ]
    found = onnx_work.operators(model(nodes, {"w": (3, 3, 1, 1)}, [1, 3, 4, 4], ["y"]))
    assert [one.fixed for one in found] == [True, False, False, False, True]


@pytest.mark.parametrize("name", ["mnist_cnn", "cifar10_cnn"])
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8", "int8_dynamic"])
def test_the_operators_of_a_bundled_file_add_up_to_it(name: str, precision: str) -> None:
    path = WORKLOADS / name / "models" / f"{precision}.onnx"
    found = onnx_work.of_file(path)
    whole = cost(onnx.load(path.with_name("fp32.onnx"))).macs
    assert sum(one.macs or 0 for one in found) == whole
    assert all(one.macs for one in found)


def test_a_size_that_is_open_counts_as_it_is_told_and_not_at_all_else() -> None:
    graph = model([node("Conv", "x w", "y")], {"w": (4, 3, 1, 1)}, ["n", 3, "h", "w_"], ["y"])
    assert [one.macs for one in onnx_work.operators(graph)] == [None]
    (told,) = onnx_work.operators(graph, {"x": (3, 5, 7)})
    assert told.macs == 5 * 7 * 4 * 3


def test_a_file_that_is_none_has_no_operators(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"\x08\x07 no graph \xff")
    assert onnx_work.of_file(tmp_path / "a.onnx") == ()
    assert onnx_work.of_file(tmp_path / "b.onnx") == ()

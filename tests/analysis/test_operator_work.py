"""Operators of a profile find theirs in the file by name, by order, or stay together."""

from __future__ import annotations

import pytest

from edgebench.analysis.operators import PRODUCT, Told, assign, bare
from edgebench.protocols import OpWork, WorkKind


def work(name: str, kind: WorkKind, macs: int | None, *more: str, fixed: bool = True) -> OpWork:
    return OpWork(names=(name, *more), kind=kind, macs=macs, fixed=fixed)


NET = (
    work("stem", "convolution", 100, "stem/Relu:0"),
    work("thin", "depthwise", 10),
    work("wide", "pointwise", 50),
    work("logits", "dense", 5),
)


def told(*words: str, kind: str = "Conv") -> list[Told]:
    return [Told(one, kind, "") for one in words]


@pytest.mark.parametrize(
    "names",
    [
        ("stem", "thin", "wide", "logits"),
        ("stem/Relu:0_nchwc", "thin_quant", "wide_token_12", "logits/WithoutBiases"),
        ("onnx_node_output_0!stem/Relu", "onnx_node!thin", "wide:0", "logits"),
    ],
)
def test_names_that_a_runtime_keeps_tell_which_is_which_in_any_order(names: list[str]) -> None:
    found = assign(told(*reversed(names)), NET)
    assert found.macs == (5, 50, 10, 100)
    assert found.kinds == ("dense", "pointwise", "depthwise", "convolution")
    assert found.together == {}


def test_without_names_order_tells_where_kinds_agree() -> None:
    ran = [
        Told("xnnpack 0", "Convolution", "Convolution (NHWC, F32) IGEMM"),
        Told("xnnpack 1", "Clamp", ""),
        Told("xnnpack 2", "Convolution", "Convolution (NHWC, F32) DWConv"),
        Told("xnnpack 3", "Fully Connected", "Fully Connected (NC, F32) GEMM"),
        Told("xnnpack 4", "Fully Connected", "Fully Connected (NC, F32) GEMM"),
    ]
    assert assign(ran, NET).macs == (100, None, 10, 50, 5)
    assert assign(ran, NET).kinds[1] == ""
    # A dense layer that stands where the file has a convolution of 3 x 3: another order.
    swapped = [ran[3], ran[1], ran[2], ran[0], ran[4]]
    found = assign(swapped, NET)
    assert found.macs == (None, None, 10, None, None)
    assert (found.kinds[0], found.together) == (PRODUCT, {PRODUCT: 155})


def test_branches_that_may_run_in_another_order_are_known_together_only() -> None:
    heads = [work(f"head {n}", "convolution", n * 100, fixed=False) for n in (1, 2)]
    net = (NET[0], *heads, work("last", "convolution", 7))
    found = assign(told("a", "b", "c", "d", kind="Convolution"), net)
    assert found.macs == (100, None, None, 7)
    assert found.kinds == ("convolution",) * 4
    assert found.together == {"convolution": 300}


def test_branches_of_two_kinds_are_told_apart_by_what_the_runtime_calls_them() -> None:
    wide = work("wide", "pointwise", 50, fixed=False)
    net = (NET[0], wide, work("high", "convolution", 9, fixed=False))
    ran = [*told("a", "b", kind="Convolution"), *told("c", kind="Fully Connected")]
    found = assign(ran, net)
    assert found.macs == (100, 9, 50)
    blind = assign(told("a", "b", "c", kind="aten::conv2d"), net)
    assert (blind.macs, blind.together) == ((100, None, None), {PRODUCT: 59})


def test_branches_alike_need_no_order() -> None:
    net = tuple(work(f"branch {n}", "convolution", 30, fixed=False) for n in range(3))
    assert assign(told("a", "b", "c"), net).macs == (30, 30, 30)


def test_what_cannot_be_told_apart_stays_together() -> None:
    ran = told(*"abcde", kind="aten::conv2d")
    found = assign(ran, NET)
    assert found.macs == (None,) * 5
    assert (set(found.kinds), found.together) == ({PRODUCT}, {PRODUCT: 165})
    unknown = assign(ran, (*NET, work("open", "convolution", None), NET[1]))
    assert unknown.together == {PRODUCT: None}


def test_fewer_operators_than_the_file_has_are_not_all_of_its_work() -> None:
    found = assign(told("a", "b", kind="aten::conv2d"), NET)
    assert (found.macs, found.together) == ((None, None), {PRODUCT: None})


def test_depthwise_ones_are_told_apart_where_the_others_are_not() -> None:
    ran = [Told("a", "ConvolutionDepthWise", ""), *told(*"bcde", kind="Convolution")]
    found = assign(ran, NET)
    assert found.kinds == ("depthwise", *[PRODUCT] * 4)
    assert found.macs == (10, *[None] * 4)
    assert found.together == {PRODUCT: 155}


def test_what_moves_or_rounds_is_no_product_whatever_it_is_called_after() -> None:
    for kind in ("Transpose", "ConvertTensor", "Convert", "Reorder", "DynamicQuantizeLinear"):
        found = assign([Told("stem", kind, "")], NET)
        assert (found.kinds, found.macs, found.together) == (("",), (None,), {})


def test_one_operator_of_the_file_is_counted_once() -> None:
    found = assign(told("wide", "wide:0"), NET[2:3])
    assert found == (("pointwise", ""), (50, None), {})


def test_wrapping_comes_off_however_often() -> None:
    assert bare("onnx_node!a/Relu:0_nchwc") == "a/Relu"
    assert bare("input_abcd_acdb_stem/WithoutBiases") != bare("stem")

"""How an operator profile is held against an outlier of latency over MACs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx", reason="needs onnx, which the build extra brings")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "acceptance"))
import latency_macs

from edgebench.analysis.work import Standing


def profile(*operators: tuple[str, str, float], call_us: float = 100.0) -> dict[str, Any]:
    """A profile of ``(operator, kind, us)``."""
    return {
        "plain_us": call_us,
        "operators_us": sum(us for _, _, us in operators),
        "operators": [
            {"operator": name, "kind": kind, "kernel": "", "duration_us": us}
            for name, kind, us in operators
        ],
    }


def test_time_is_split_by_kind_and_what_lies_between_operators_counts() -> None:
    told = profile(("a", "Conv", 40.0), ("b_nchwc", "Conv", 30.0), ("c", "Transpose", 20.0))
    found = latency_macs.split(told, frozenset({"b"}))
    assert found.dense_ratio == pytest.approx(0.4)
    assert found.depthwise_ratio == pytest.approx(0.3)
    assert found.others == pytest.approx({"Transpose": 0.2, latency_macs.OUTSIDE: 0.1})


@pytest.mark.parametrize(
    ("kind", "dense"),
    [
        ("CONV_2D", 1.0),
        ("InnerProduct", 1.0),
        ("aten::addmm", 1.0),
        ("Fully Connected (NC, F32) GEMM", 1.0),
        ("DEPTHWISE_CONV_2D", 0.0),
        ("ConvolutionDepthWise", 0.0),
        ("GroupConvolution", 0.0),
        ("Convert", 0.0),
        ("Resize", 0.0),
    ],
)
def test_each_runtimes_words_are_understood(kind: str, dense: float) -> None:
    found = latency_macs.split(profile(("x", kind, 100.0)), frozenset())
    assert found.dense_ratio == dense


@pytest.mark.parametrize(
    ("ratio", "dense_us", "explained"),
    [(3.0, 50.0, True), (3.0, 90.0, False), (0.4, 90.0, True), (0.4, 20.0, False)],
)
def test_an_outlier_is_explained_only_where_the_shares_account_for_it(
    ratio: float, dense_us: float, explained: bool
) -> None:
    told = profile(("a", "Conv", dense_us), ("b", "Resize", 100.0 - dense_us))
    standing = Standing({}, 1.0, ratio, 6)
    assert (
        latency_macs.explain(standing, latency_macs.split(told, frozenset())).explained is explained
    )

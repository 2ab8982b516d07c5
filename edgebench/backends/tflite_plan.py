"""What an interpreter's plan tells: who runs which operator, and in which type it multiplies.

Both generations of the runtime, LiteRT and tflite-runtime, describe their plan in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

Operator = dict[str, Any]
"""One of the interpreter's own descriptions."""
_DELEGATE = "DELEGATE"
_PRODUCTS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV", "BATCH_MATMUL"}


def plain(ops: Iterable[Operator]) -> list[Operator]:
    """The model's own operators; delegates have nodes of their own beside them."""
    return [op for op in ops if op["op_name"] != _DELEGATE]


def delegate_nodes(ops: Iterable[Operator]) -> frozenset[int]:
    """Indices of the nodes that stand for a delegate; which one's, the plan does not tell."""
    return frozenset(int(op["index"]) for op in ops if op["op_name"] == _DELEGATE)


def delegated(ops: Sequence[Operator], nodes: Collection[int]) -> set[int]:
    """Indices of the operators that these delegate nodes replaced.

    The plan lists both the original operators and the delegate nodes; an operator belongs to a
    delegate when it lies on a way back from the delegate's outputs to its inputs.
    """
    by_output = {int(tensor): op for op in plain(ops) for tensor in op["outputs"]}
    taken: set[int] = set()
    for delegate in (op for op in ops if int(op["index"]) in nodes):
        inside = {int(tensor) for tensor in delegate["inputs"]}
        waiting = [int(tensor) for tensor in delegate["outputs"]]
        while waiting:
            tensor = waiting.pop()
            op = by_output.get(tensor)
            if tensor in inside or op is None or op["index"] in taken:
                continue
            taken.add(op["index"])
            waiting += [int(source) for source in op["inputs"] if source >= 0]
    return taken


def multiplications(ops: Iterable[Operator], details: Iterable[dict[str, Any]]) -> Counter[str]:
    """Multiply-accumulates of these operators by the precision of their operands."""
    tensors = {int(detail["index"]): detail for detail in details}
    macs: Counter[str] = Counter()
    for op in ops:
        count, kind = _multiplications(op, tensors)
        macs[kind] += count
    return macs


def _multiplications(op: Operator, details: dict[int, dict[str, Any]]) -> tuple[int, str]:
    """``(multiply-accumulates, precision)`` of a convolution or matrix product, else ``(0, "")``.

    Weights are (out, height, width, in) for convolutions, (1, height, width, channels) for
    depthwise ones and (out, in) for fully connected layers.
    """
    if op["op_name"] not in _PRODUCTS:
        return 0, ""
    tensors = [details[int(i)] for i in op["inputs"][:2] if int(i) in details]
    output = details.get(int(op["outputs"][0]))
    if len(tensors) < 2 or output is None:  # noqa: PLR2004 - an activation and a weight
        return 0, ""
    weight = [int(size) for size in tensors[1]["shape"]]
    each = (
        weight[1] * weight[2] if op["op_name"].startswith("DEPTHWISE") else int(np.prod(weight[1:]))
    )
    activation_type, weight_type = (np.dtype(t["dtype"]).name for t in tensors)
    return int(np.prod(output["shape"])) * each, _precision(activation_type, weight_type)


def _precision(activation: str, weight: str) -> str:
    """Precision of a product by its operand types; fp16 weights are computed in float32."""
    if weight in {"int8", "int4"}:
        return "int8" if activation in {"int8", "uint8", "int16"} else "int8_dynamic"
    return {"float32": "fp32", "float16": "fp16"}.get(activation, activation)

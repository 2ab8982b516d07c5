"""What TensorFlow made of a function: operators, their types and devices, from its own graphs.

Reference: the post-optimisation and partition graphs of
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/config.proto
(RunMetadata.FunctionGraphs), and XLA's text form of a program, https://openxla.org/xla/hlo_dumps.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from edgebench.backends import shares
from edgebench.errors import ModelRefusedError

_NO_WORK = {"Const", "_Arg", "_Retval", "Identity", "NoOp", "Placeholder", "_HostRecv", "_Recv"}
_TYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "int8": "int8"}
_HLO_TYPES = {"f32": "fp32", "f16": "fp16", "bf16": "bf16", "s8": "int8"}
_HLO_NO_WORK = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast"}
_HLO_LINE = re.compile(r"= (?P<type>\w+)\[(?P<sizes>[\d,]*)\]\S* (?P<kind>[\w-]+)\(")
_HLO_CALL = re.compile(r'custom_call_target="([^"]+)"')


class Proof(NamedTuple):
    """What ran."""

    share: shares.Share
    """Of most multiplications."""
    places: Counter[str]
    """Operators by device."""
    words: str

    def device(self, wanted: str) -> tuple[str | None, float | None]:
        """Where most operators ran, and which share of them on the wanted device."""
        if not self.places:
            return None, None
        (most, _), *_ = self.places.most_common(1)
        return most, self.places[wanted] / self.places.total()


def graphs(call: Callable[[], None]) -> list[Any]:
    """The graphs that TensorFlow makes for its devices at the first call of a function.

    Raises:
        ModelRefusedError: It tells of none.
    """
    context.enable_graph_collection()
    try:
        call()
        told = context.context().export_run_metadata()
    finally:
        context.disable_graph_collection()
    found = [graph for one in told.function_graphs for graph in one.partition_graphs]
    if not found:
        raise ModelRefusedError("tensorflow tells nothing of its graph")
    return found


def of_graphs(partitions: Sequence[Any]) -> Proof:
    """Operators by type and device, multiplications by the type of their operands."""
    names: Counter[str] = Counter()
    places: Counter[str] = Counter()
    macs: Counter[str] = Counter()
    for definition in partitions:
        with tf.Graph().as_default() as graph:
            tf.graph_util.import_graph_def(definition, name="")
        for operator in graph.get_operations():
            if operator.type in _NO_WORK:
                continue
            names[operator.type] += 1
            places[_kind(operator.device)] += 1
            if count := _multiplications(operator):
                macs[operator.inputs[0].dtype.name] += count
    return Proof(_share(macs, _TYPES), places, _listed(names))


def _multiplications(operator: Any) -> int:  # noqa: ANN401 - the runtime's own Operation
    """Multiply-accumulates of a convolution or matrix product, else 0.

    A filter is (height, width, in, out), a depthwise one (height, width, in, times): one element
    of the output sees as much of it as its channels leave.
    """
    kind = operator.type
    if "Depthwise" in kind:
        axes = slice(0, 2)
    elif "Conv2D" in kind:
        axes = slice(0, 3)
    elif "MatMul" in kind:
        axes = slice(0, 1)
    else:
        return 0
    out, weights = operator.outputs[0].shape, operator.inputs[1].shape
    if not (out.is_fully_defined() and weights.is_fully_defined()):
        return 1
    return int(np.prod(out.as_list()) * np.prod(weights.as_list()[axes]))


def of_hlo(text: str, device: str) -> Proof:
    """Instructions by kind, multiplications by the type of their result.

    Args:
        text: A program of XLA's.
        device: Where it ran, as a whole.
    """
    names: Counter[str] = Counter()
    macs: Counter[str] = Counter()
    for line in text.splitlines():
        found = _HLO_LINE.search(line)
        if found is None or found["kind"] in _HLO_NO_WORK:
            continue
        target = _HLO_CALL.search(line)
        kind = target[1] if target else found["kind"]
        names[kind] += 1
        if "conv" in kind.lower().replace("convert", "") or kind == "dot" or "matmul" in kind:
            # The operands' sizes are not told in one line: an output's element counts as one.
            macs[found["type"]] += int(np.prod([int(n) for n in found["sizes"].split(",") if n]))
    places = Counter({_kind(device): names.total()})
    most = _share(macs, _HLO_TYPES)
    # Elements are no multiplications: of a mixture they tell the type of most, not how many.
    alone = most._replace(ratio=1.0 if most.ratio == 1.0 else None)
    return Proof(alone, places, _listed(names))


def _kind(device: str) -> str:
    """``cpu`` of ``/job:localhost/replica:0/task:0/device:CPU:0``."""
    return device.rpartition("device:")[2].partition(":")[0].lower()


def _share(macs: Counter[str], names: dict[str, str]) -> shares.Share:
    """The largest share, of multiplications by TensorFlow's names of types."""
    told: Counter[str] = Counter()
    for kind, count in macs.items():
        told[names.get(kind, kind)] += count
    return shares.of(told)


def _listed(names: Counter[str]) -> str:
    return " ".join(f"{name}x{count}" for name, count in sorted(names.items()))

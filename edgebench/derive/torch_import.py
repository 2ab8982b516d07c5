"""An ONNX graph as a module of torch: what exporting and quantising in torch start from.

Own code, because onnx2torch needs torchvision (which brings a torch with CUDA of its own) and hides
shapes and paddings in modules that neither ``torch.export`` nor torch's quantisation looks into.
Here every layer is one of torch's own. Reference: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator
from torch import fx, nn

from edgebench.errors import ModelRefusedError

Value = Any
"""What a name stands for: a `fx.Node` of the new graph, or a constant as a numpy array."""
_DOMAINS = ("", "ai.onnx")


class Op(NamedTuple):
    """One operator of the file."""

    node: onnx.NodeProto
    attributes: Mapping[str, Any]
    args: Sequence[Value]

    def arg(self, place: int) -> Value:
        """An input; None where it is left out."""
        return self.args[place] if place < len(self.args) else None

    def numbers(self, name: str, place: int) -> list[Any] | None:
        """What was an attribute in older files and is a constant input in newer ones."""
        if isinstance(constant := self.arg(place), np.ndarray):
            return list(constant.reshape(-1).tolist())
        value = self.attributes.get(name)
        return list(value) if isinstance(value, Sequence) else None if value is None else [value]


Maker = Callable[["Importer", Op], Value]
"""Puts an operator into the new graph; gives its output, or a list of its outputs."""


class Importer:
    """One graph in the making.

    Args:
        model: One that is intact.
        makers: The operators that are known.
    """

    def __init__(self, model: onnx.ModelProto, makers: Mapping[str, Maker]) -> None:
        self._onnx = shape_inference.infer_shapes(model, data_prop=True).graph
        self._opset = list(model.opset_import)
        self._makers = makers
        self._root = nn.Module()
        self._graph = fx.Graph()
        self._values: dict[str, Value] = {"": None}
        self._shapes = {
            value.name: _shape(value)
            for value in (*self._onnx.input, *self._onnx.value_info, *self._onnx.output)
            if value.type.tensor_type.HasField("shape")
        }

    def run(self) -> fx.GraphModule:
        """The whole graph, in evaluation mode.

        Raises:
            ModelRefusedError: An operator, or how it is used, is not known here.
        """
        for tensor in self._onnx.initializer:
            self._values[tensor.name] = numpy_helper.to_array(tensor)
        for value in self._onnx.input:
            if value.name not in self._values:  # old files list their weights among the inputs
                self._values[value.name] = self._graph.placeholder(f"input_{len(self._shapes)}")
        for node in self._onnx.node:
            self._take(node)
        outputs = tuple(self._values[value.name] for value in self._onnx.output)
        self._graph.output(outputs if len(outputs) > 1 else outputs[0])
        module = fx.GraphModule(self._root, self._graph)
        module.graph.eliminate_dead_code()
        module.recompile()
        return module.eval().requires_grad_(requires_grad=False)

    def _take(self, node: onnx.NodeProto) -> None:
        args = [self._values[name] for name in node.input]
        made: Value
        if node.op_type == "Shape":
            made = self._shape_of(node)
        elif all(arg is None or isinstance(arg, np.ndarray) for arg in args):
            made = self._computed(node, args)
        else:
            attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
            made = self._made(Op(node, attributes, args))
        parts = made if isinstance(made, list) else [made]
        self._values |= dict(zip(node.output, parts, strict=False))

    def _made(self, op: Op) -> Value:
        kind = op.node.op_type
        if op.node.domain not in _DOMAINS or kind not in self._makers:
            raise ModelRefusedError(f"the operator {kind} ({op.node.name}) is not known here")
        try:
            return self._makers[kind](self, op)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            raise ModelRefusedError(f"{kind} ({op.node.name}): {error}") from error

    def _computed(self, node: onnx.NodeProto, args: Sequence[Value]) -> list[Value]:
        """The outputs of an operator whose inputs are all constants, by ONNX's own reference."""
        known = {name: arg for name, arg in zip(node.input, args, strict=True) if name}
        inputs = [helper.make_empty_tensor_value_info(name) for name in known]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
        graph = helper.make_graph([node], "constant", inputs, outputs)
        model = helper.make_model(graph, opset_imports=self._opset)
        return list(ReferenceEvaluator(model).run(None, known))

    def _shape_of(self, node: onnx.NodeProto) -> NDArray[np.int64]:
        """A shape as a constant: its batch is -1, which a later Reshape fills in."""
        shape = self.shape(node.input[0])
        if None in shape[1:]:
            raise ModelRefusedError(f"Shape ({node.name}): {shape} is open beside its batch")
        return np.array([-1 if size is None else size for size in shape], np.int64)

    def shape(self, name: str) -> tuple[int | None, ...]:
        """Of a value; None where a size is open.

        Raises:
            ModelRefusedError: Nobody knows.
        """
        if name not in self._shapes:
            raise ModelRefusedError(f"the shape of {name} cannot be inferred")
        return self._shapes[name]

    def call(self, function: Callable[..., Any], *args: Value, **options: Value) -> fx.Node:
        """A call of a function of torch; constants become buffers of the module."""
        return self._graph.call_function(function, tuple(map(self._operand, args)), options)

    def layer(self, module: nn.Module, value: Value) -> fx.Node:
        """A layer of torch."""
        name = f"layer_{len(list(self._root.children()))}"
        self._root.add_module(name, module)
        return self._graph.call_module(name, (value,))

    def layer_of(self, value: Value) -> nn.Module | None:
        """The layer that makes a value which nothing uses yet."""
        if isinstance(value, fx.Node) and value.op == "call_module" and not value.users:
            return self._root.get_submodule(str(value.target))
        return None

    def _operand(self, value: Value) -> Value:
        """A constant of one element as a number: torch quantises sums and products with those."""
        if not isinstance(value, np.ndarray):
            return value
        if value.size == 1:
            return value.item()
        name = f"constant_{len(list(self._root.buffers(recurse=False)))}"
        self._root.register_buffer(name, torch.from_numpy(value.copy()))
        return self._graph.get_attr(name)


def _shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)

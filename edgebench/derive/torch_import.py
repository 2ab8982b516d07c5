"""An ONNX graph as a module of torch: what exporting and quantising in torch start from.

Own code, because onnx2torch needs torchvision (which brings a torch with CUDA of its own) and hides
shapes and paddings in modules that neither ``torch.export`` nor torch's quantisation looks into.
Here every layer is one of torch's own.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import fx, nn

from edgebench.derive.onnx_graph import Graph, Op, Value

Maker = Callable[["Importer", Op], Value]
"""Puts an operator into the new graph; gives its output, or a list of its outputs."""


def identifier(name: str) -> str:
    """A name that an argument in Python may have, and that no function of torch has."""
    plain = "".join(one if one.isalnum() else "_" for one in name)
    return f"of_{plain}" if not plain.isidentifier() or keyword.iskeyword(plain) else plain


class Importer:
    """One graph in the making; a value of it is a `fx.Node`, or a constant as a numpy array.

    Args:
        source: The graph that it is made from.
        makers: The operators that are known.
    """

    def __init__(self, source: Graph, makers: Mapping[str, Maker]) -> None:
        self.source = source
        self._makers = makers
        self._root = nn.Module()
        self._graph = fx.Graph()

    def run(self) -> fx.GraphModule:
        """The whole graph, in evaluation mode.

        Raises:
            ModelRefusedError: An operator, or how it is used, is not known here.
        """
        given = {
            one.name: self._graph.placeholder(identifier(one.name)) for one in self.source.inputs
        }
        made = self.source.run(given, self._makers, lambda op: self._makers[op.kind](self, op))
        outputs = tuple(made.values())
        self._graph.output(outputs if len(outputs) > 1 else outputs[0])
        module = fx.GraphModule(self._root, self._graph)
        module.graph.eliminate_dead_code()
        module.recompile()
        return module.eval().requires_grad_(requires_grad=False)

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
        return value.item() if value.size == 1 else self.held(value)

    def held(self, value: NDArray[Any]) -> fx.Node:
        """A constant as a buffer of the module."""
        name = f"constant_{len(list(self._root.buffers(recurse=False)))}"
        self._root.register_buffer(name, torch.from_numpy(value.copy()))
        return self._graph.get_attr(name)

"""An ONNX graph as every importer reads it: its one input, its operators in order, its constants.

What depends on no input is computed here; what an operator is in a framework, the framework's own
module says (`torch_operators`, `tensorflow_operators`). Reference: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from edgebench.errors import ModelRefusedError

Value = Any
"""What a name stands for: a constant as a numpy array, what a framework made of an operator, or
None for an input that is left out."""
_DOMAINS = ("", "ai.onnx")
_IMAGE_RANK = 4


class Image(NamedTuple):
    """The input of a graph, and what its outputs are called."""

    name: str
    batch: int | None
    """None where any is taken."""
    shape: tuple[int, int, int]
    """Channels, height, width."""
    outputs: tuple[str, ...]


class Op(NamedTuple):
    """One operator of the file."""

    node: onnx.NodeProto
    attributes: Mapping[str, Any]
    args: Sequence[Value]

    @property
    def kind(self) -> str:
        """Its name in ONNX."""
        return str(self.node.op_type)

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - of many types
        """An attribute, or what ONNX says it is where it is left out."""
        return self.attributes.get(name, default)

    def arg(self, place: int) -> Value:
        """An input; None where it is left out."""
        return self.args[place] if place < len(self.args) else None

    def numbers(self, name: str, place: int) -> list[Any] | None:
        """What was an attribute in older files and is a constant input in newer ones.

        Raises:
            ValueError: It depends on the graph's input.
        """
        given = self.arg(place)
        if isinstance(given, np.ndarray):
            return list(given.reshape(-1).tolist())
        if given is not None:
            raise ValueError(f"its {name} depend on the input")
        value = self.attributes.get(name)
        return list(value) if isinstance(value, Sequence) else None if value is None else [value]


class Graph:
    """One file's graph.

    Args:
        model: One that is intact.

    Raises:
        ModelRefusedError: It takes something else than one batch of images.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = shape_inference.infer_shapes(model, data_prop=True).graph
        self._opset = list(model.opset_import)
        self._shapes = {
            value.name: _shape(value)
            for value in (*self._graph.input, *self._graph.value_info, *self._graph.output)
            if value.type.tensor_type.HasField("shape")
        }
        self.image = self._image()

    def _image(self) -> Image:
        # Old files list their weights among the inputs.
        weights = {tensor.name for tensor in self._graph.initializer}
        inputs = [value.name for value in self._graph.input if value.name not in weights]
        shape = self._shapes.get(inputs[0], ()) if len(inputs) == 1 else ()
        if len(shape) != _IMAGE_RANK or None in shape[1:]:
            told = ", ".join(f"{name} {self._shapes.get(name, '')}" for name in inputs)
            raise ModelRefusedError(f"the model takes {told}: that is not one batch of images")
        batch, channels, height, width = shape
        return Image(
            name=inputs[0],
            batch=batch,
            shape=(int(channels or 0), int(height or 0), int(width or 0)),
            outputs=tuple(value.name for value in self._graph.output),
        )

    def shape(self, name: str) -> tuple[int | None, ...]:
        """Of a value; None where a size is open.

        Raises:
            ModelRefusedError: Nobody knows.
        """
        if name not in self._shapes:
            raise ModelRefusedError(f"the shape of {name} cannot be inferred")
        return self._shapes[name]

    def run(
        self, image: Value, known: Collection[str], make: Callable[[Op], Value]
    ) -> dict[str, Value]:
        """The outputs by their names.

        Args:
            image: What stands for the input.
            known: The operators that ``make`` takes.
            make: Gives an operator's output, or a list of its outputs. What is wrong with the
                operator it says by any of the usual exceptions; its name is put before that here.

        Raises:
            ModelRefusedError: An operator, or how it is used, is not known.
        """
        values: dict[str, Value] = {"": None, self.image.name: image}
        values |= {one.name: numpy_helper.to_array(one) for one in self._graph.initializer}
        for node in self._graph.node:
            args = [values[name] for name in node.input]
            if all(arg is None or isinstance(arg, np.ndarray) for arg in args):
                made = self._computed(node, args)
            else:
                attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
                made = _made(Op(node, attributes, args), known, make)
            values |= dict(zip(node.output, made, strict=False))
        return {name: values[name] for name in self.image.outputs}

    def _computed(self, node: onnx.NodeProto, args: Sequence[Value]) -> list[NDArray[Any]]:
        """The outputs of an operator whose inputs are all constants, by ONNX's own reference."""
        given = {name: arg for name, arg in zip(node.input, args, strict=True) if name}
        inputs = [helper.make_empty_tensor_value_info(name) for name in given]
        outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
        graph = helper.make_graph([node], "constant", inputs, outputs)
        model = helper.make_model(graph, opset_imports=self._opset)
        return [np.asarray(one) for one in ReferenceEvaluator(model).run(None, given)]


def _made(op: Op, known: Collection[str], make: Callable[[Op], Value]) -> list[Value]:
    if op.node.domain not in _DOMAINS or op.kind not in known:
        raise ModelRefusedError(f"the operator {op.kind} ({op.node.name}) is not known here")
    try:
        made = make(op)
    except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
        raise ModelRefusedError(f"{op.kind} ({op.node.name}): {error}") from error
    return made if isinstance(made, list) else [made]


def _shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)

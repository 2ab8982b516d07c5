"""An ONNX graph as every importer reads it: its inputs, its operators in order, its constants.

What depends on no input is computed here; what an operator is in a framework, the framework's own
module says (`torch_operators`, `tensorflow_operators`). Reference: https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

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
_ROUNDS = 8
"""Of inferring, at most: each may make constants of what the one before found."""
_SMALL = 64
"""Elements of a value that may hold sizes."""
_OF_SIZES = frozenset(
    {
        *("Constant", "Cast", "Gather", "Slice", "Concat", "Squeeze", "Unsqueeze", "Identity"),
        *("Add", "Sub", "Mul", "Div", "Floor", "Ceil", "Reshape", "ReduceProd", "Range"),
        *("ConstantOfShape", "Equal", "Where", "Expand", "Min", "Max"),
    }
)
"""Operators that sizes are computed with."""
_T = TypeVar("_T")


class Entry(NamedTuple):
    """An input of a graph."""

    name: str
    shape: tuple[int | None, ...]
    """In the file's own order; None where any batch is taken."""
    dtype: np.dtype[Any]
    image: bool
    """Whether it is a batch of images, channels first."""

    def sizes(self, batch: int) -> tuple[int, ...]:
        """Its shape for a batch, where the file leaves that open."""
        return tuple(batch if size is None else size for size in self.shape)


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
        images: The inputs that are images, channels first; None stands for all of rank 4.
        batch: What an open batch becomes; None leaves it open.

    Raises:
        ModelRefusedError: A size is open that is no batch.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        images: Collection[str] | None = None,
        batch: int | None = None,
    ) -> None:
        # Old files list their weights among the inputs.
        weights = {tensor.name for tensor in model.graph.initializer}
        given = [value for value in model.graph.input if value.name not in weights]
        if batch is not None:
            model = _with_batch(model, {value.name for value in given}, batch)
        self._opset = list(model.opset_import)
        self._infer(model)
        for _ in range(_ROUNDS):
            if not self._settle(model):
                break
        self.inputs = tuple(self._entry(value, images) for value in given)
        self.outputs = tuple(value.name for value in self._graph.output)

    def _infer(self, model: onnx.ModelProto) -> None:
        self._graph = shape_inference.infer_shapes(model, data_prop=True).graph
        self._shapes = {
            value.name: _shape(value)
            for value in (*self._graph.input, *self._graph.value_info, *self._graph.output)
            if value.type.tensor_type.HasField("shape")
        }

    def _settle(self, model: onnx.ModelProto) -> bool:
        """Make constants of sizes that are known now, so that more is; False at the end."""
        known = {one.name: one for one in self._graph.initializer if _small(one.dims)}
        values: dict[str, Value] = {name: numpy_helper.to_array(one) for name, one in known.items()}
        changed = False
        nodes = []
        for node in self._graph.node:
            made = None
            if (size := self._size(node)) is not None:
                made = [size]
            elif node.op_type in _OF_SIZES and all(not one or one in values for one in node.input):
                made = self._computed(node, [values.get(one) for one in node.input])
            if made is None or not _small(made[0].shape):
                nodes.append(node)
                continue
            values[node.output[0]] = made[0]
            nodes.append(_constant(node.output[0], made[0]))
            changed |= node.op_type != "Constant"
        if changed:
            copy = onnx.ModelProto()
            copy.CopyFrom(model)
            copy.graph.CopyFrom(self._graph)
            del copy.graph.node[:]
            copy.graph.node.extend(nodes)
            self._infer(copy)
        return changed

    def _entry(self, value: onnx.ValueInfoProto, images: Collection[str] | None) -> Entry:
        shape, kind = self._shapes.get(value.name), value.type.tensor_type.elem_type
        if shape is None or None in shape[1:]:
            raise ModelRefusedError(
                f"the input {value.name} has open sizes ({shape or 'none is told'})"
            )
        image = len(shape) == _IMAGE_RANK and (images is None or value.name in images)
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind))
        return Entry(name=value.name, shape=shape, dtype=dtype, image=image)

    @property
    def open_batch(self) -> bool:
        """Whether any batch is taken."""
        return any(None in entry.shape for entry in self.inputs)

    def shape(self, name: str) -> tuple[int | None, ...]:
        """Of a value; None where a size is open.

        Raises:
            ModelRefusedError: Nobody knows.
        """
        if name not in self._shapes:
            raise ModelRefusedError(f"the shape of {name} cannot be inferred")
        return self._shapes[name]

    def run(
        self, given: Mapping[str, Value], known: Collection[str], make: Callable[[Op], Value]
    ) -> dict[str, Value]:
        """The outputs by their names.

        Args:
            given: What stands for each input.
            known: The operators that ``make`` takes.
            make: Gives an operator's output, or a list of its outputs. What is wrong with the
                operator it says by any of the usual exceptions; its name is put before that here.

        Raises:
            ModelRefusedError: An operator, or how it is used, is not known.
        """
        values: dict[str, Value] = {"": None, **given}
        values |= {one.name: numpy_helper.to_array(one) for one in self._graph.initializer}
        for node in self._graph.node:
            args = [values[name] for name in node.input]
            if all(arg is None or isinstance(arg, np.ndarray) for arg in args):
                made = self._computed(node, args)
            elif (size := self._size(node)) is not None:
                made = [size]
            else:
                attributes = {one.name: helper.get_attribute_value(one) for one in node.attribute}
                made = _made(Op(node, attributes, args), known, make)
            values |= dict(zip(node.output, made, strict=False))
        return {name: values[name] for name in self.outputs}

    def _size(self, node: onnx.NodeProto) -> NDArray[np.int64] | None:
        """What a Shape gives, where no size is open."""
        shape = self._shapes.get(node.input[0]) if node.op_type == "Shape" else None
        if shape is None or None in shape:
            return None
        asked = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        return np.array(shape, np.int64)[asked.get("start", 0) : asked.get("end")]

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


def imported(model: onnx.ModelProto, images: Collection[str], make: Callable[[Graph], _T]) -> _T:
    """What ``make`` gives of a graph; where its operators allow no open batch, of one of 1.

    Raises:
        ModelRefusedError: It cannot be made either way.
    """
    graph = Graph(model, images)
    try:
        return make(graph)
    except Exception:
        if not graph.open_batch:
            raise
    return make(Graph(model, images, 1))


def _small(shape: Iterable[int]) -> bool:
    return math.prod(shape) <= _SMALL


def _constant(name: str, value: NDArray[Any]) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))


def _with_batch(model: onnx.ModelProto, names: Collection[str], batch: int) -> onnx.ModelProto:
    """A copy for one batch; what the file says of the sizes of other values is left out."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name in names and dims and not dims[0].HasField("dim_value"):
            dims[0].dim_value = batch
    forget_sizes(copy.graph)
    return copy


def forget_sizes(graph: onnx.GraphProto) -> None:
    """Leave out the sizes of all but the inputs: they follow from those."""
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")


def _shape(value: onnx.ValueInfoProto) -> tuple[int | None, ...]:
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)

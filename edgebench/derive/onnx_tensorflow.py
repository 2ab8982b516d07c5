"""An ONNX graph as a TensorFlow function, channels last, and the proof that both say the same.

Reference: https://onnx.ai/onnx/operators/. Imports TensorFlow, and only
the converter's process imports this.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray
from onnx import numpy_helper

from edgebench.derive.onnx_operators import OPERATORS
from edgebench.derive.onnx_values import Held, Node, first
from edgebench.errors import ModelRefusedError

_TOLERANCE = 1e-3
"""Largest difference allowed, of the largest output; float32 in another order stays below 1e-5."""
_SAMPLES = 4
_IMAGE_RANK = 4


def save(source: Path, folder: Path) -> None:
    """Write a SavedModel: images (batch, h, w, c) in, the ONNX model's outputs by their names.

    Raises:
        ModelRefusedError: It has an operator that is not known here, or an input that is no image.
    """
    model = onnx.load(source)
    (name, shape), *others = _inputs(model)
    if others or len(shape) != _IMAGE_RANK:
        raise ModelRefusedError(f"{source.name} takes something else than one batch of images")
    outputs = [value.name for value in model.graph.output]
    spec = tf.TensorSpec((None, *shape[2:], shape[1]), tf.float32, name=_identifier(name))

    def run(images: Any) -> dict[str, Any]:  # noqa: ANN401 - TensorFlow's own tensors
        values = _evaluate(model, {name: Held(images, last=True)})
        return {_identifier(one): tf.identity(first(values[one])) for one in outputs}

    module = tf.Module()
    module.run = tf.function(run, input_signature=(spec,), autograph=False)
    tf.saved_model.save(module, str(folder), signatures=module.run)


def _inputs(model: Any) -> list[tuple[str, list[int]]]:  # noqa: ANN401 - an onnx message
    """Name and sizes of each input that is no weight; an open size is 0."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [
        (value.name, [size.dim_value for size in value.type.tensor_type.shape.dim])
        for value in model.graph.input
        if value.name not in weights
    ]


def _identifier(name: str) -> str:
    """A name that a TensorFlow signature may have."""
    return "".join(one if one.isalnum() else "_" for one in name)


def _evaluate(model: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - as above
    """Every value of the graph: weights as arrays, what depends on an input as tensors."""
    values: dict[str, Any] = {"": None, **inputs}
    for tensor in model.graph.initializer:
        values[tensor.name] = numpy_helper.to_array(tensor)
    opset = next(one.version for one in model.opset_import if one.domain in {"", "ai.onnx"})
    for message in model.graph.node:
        if message.op_type not in OPERATORS:
            raise ModelRefusedError(f"no operator {message.op_type} is known here ({message.name})")
        node = Node(
            kind=message.op_type,
            attributes={
                one.name: onnx.helper.get_attribute_value(one) for one in message.attribute
            },
            outputs=len(message.output),
            opset=opset,
        )
        made = OPERATORS[node.kind](node, *(values[name] for name in message.input))
        results = made if isinstance(made, list) else [made]
        values.update(zip(message.output, results, strict=False))
    return values


def check(source: Path, folder: Path) -> None:
    """Hold a SavedModel against its ONNX file on random images.

    Raises:
        ModelRefusedError: They differ by more than rounding.
    """
    model = onnx.load(source)
    ((_, shape),) = _inputs(model)
    images = np.random.default_rng(1).random((_SAMPLES, *shape[1:]), dtype=np.float32)
    wanted = reference(source, images)
    function = tf.saved_model.load(str(folder)).signatures["serving_default"]
    (name,) = function.structured_input_signature[1]
    given = function(**{name: tf.constant(images.transpose(0, 2, 3, 1))})
    for key, array in wanted.items():
        found = given[_identifier(key)].numpy()
        worst = np.abs(found - array).max() if found.shape == array.shape else np.inf
        limit = _TOLERANCE * max(float(np.abs(array).max()), 1e-6)
        if not worst <= limit:  # NaN is no agreement
            raise ModelRefusedError(
                f"the SavedModel's {key} is {worst:.3g} off the ONNX file's ({limit:.3g} allowed)"
            )


def reference(source: Path, images: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """The ONNX file's outputs for images (batch, c, h, w), by ONNX Runtime or ONNX's own Python."""
    try:
        import onnxruntime  # noqa: PLC0415 - not needed, but much faster
    except ImportError:
        from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - as above

        evaluator = ReferenceEvaluator(str(source))
        names = list(evaluator.output_names)
        return dict(
            zip(names, evaluator.run(None, {evaluator.input_names[0]: images}), strict=True)
        )
    session = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, {session.get_inputs()[0].name: images}), strict=True))

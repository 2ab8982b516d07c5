"""From an ONNX file to a SavedModel, channels last; runs in the converter's process.

Reference: https://www.tensorflow.org/guide/saved_model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray

from edgebench.backends import savedmodel_files
from edgebench.derive import contract, onnx_check
from edgebench.derive.contract import Job
from edgebench.derive.onnx_graph import Graph
from edgebench.derive.tensorflow_operators import OPERATORS
from edgebench.derive.tensorflow_values import TO_LAST, Held, first


def write(job: Job) -> None:
    """Write ``job.target``.

    Raises:
        ModelRefusedError: It has an operator that is not known here, or an input that is no image;
            or the result is wrong.
    """
    source, folder = Path(job.source), contract.scratch(job) / "saved"
    graph = Graph(onnx.load(source))
    save(graph, folder)
    probes = onnx_check.drawn(graph.image)
    wanted = onnx_check.reference(source, graph.image, probes)
    onnx_check.hold(_answers(graph, folder, probes), wanted, onnx_check.MAX_FLOAT_ERROR)
    savedmodel_files.pack(folder, Path(job.target))


def save(graph: Graph, folder: Path) -> None:
    """Write a SavedModel: images (batch, h, w, c) in, the graph's outputs by their names.

    Raises:
        ModelRefusedError: An operator, or how it is used, is not known here.
    """
    image = graph.image
    channels, height, width = image.shape
    shape = (image.batch, height, width, channels)
    spec = tf.TensorSpec(shape, tf.float32, name=_identifier(image.name))

    def run(images: Any) -> dict[str, Any]:  # noqa: ANN401 - TensorFlow's own tensors
        made = graph.run(
            Held(images, last=True), OPERATORS, lambda op: OPERATORS[op.kind](op, *op.args)
        )
        return {_identifier(name): tf.identity(first(value)) for name, value in made.items()}

    module = tf.Module()
    module.run = tf.function(run, input_signature=(spec,), autograph=False)
    tf.saved_model.save(module, str(folder), signatures=module.run)


def _identifier(name: str) -> str:
    """A name that a TensorFlow signature may have."""
    return "".join(one if one.isalnum() else "_" for one in name)


def _answers(
    graph: Graph, folder: Path, probes: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """What the SavedModel gives, by ONNX's names."""
    function = tf.saved_model.load(str(folder)).signatures["serving_default"]
    (name,) = function.structured_input_signature[1]
    given = function(**{name: tf.constant(probes.transpose(TO_LAST))})
    return {one: given[_identifier(one)].numpy() for one in graph.image.outputs}

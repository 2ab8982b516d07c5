"""From an ONNX file to a SavedModel, channels last; runs in the converter's process.

Reference: https://www.tensorflow.org/guide/saved_model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
from numpy.typing import NDArray

from edgebench.backends import savedmodel_files
from edgebench.derive import contract, onnx_check
from edgebench.derive.contract import Job
from edgebench.derive.onnx_graph import Graph, imported
from edgebench.derive.tensorflow_operators import OPERATORS
from edgebench.derive.tensorflow_values import TO_FIRST, TO_LAST, Held, first

Arrays = Mapping[str, NDArray[Any]]


class Made:
    """What became of a graph.

    Args:
        graph: With every size fixed but that of the batch.
        folder: Where the SavedModel goes: images (batch, h, w, c) in and out.

    Raises:
        ModelRefusedError: An operator, or how it is used, is not known here.
    """

    def __init__(self, graph: Graph, folder: Path) -> None:
        self.graph = graph
        self.folder = folder
        self._last: set[str] = set()
        module = tf.Module()
        module.run = tf.function(self._run, input_signature=self._specs(), autograph=False)
        self.function = module.run.get_concrete_function()
        tf.saved_model.save(module, str(folder), signatures=module.run)

    def _specs(self) -> list[Any]:
        specs = []
        for one in self.graph.inputs:
            shape = [one.shape[axis] for axis in TO_LAST] if one.image else one.shape
            specs.append(tf.TensorSpec(shape, one.dtype, name=identifier(one.name)))
        return specs

    def _run(self, *tensors: Any) -> dict[str, Any]:  # noqa: ANN401 - TensorFlow's own
        given = {
            one.name: Held(tensor, last=one.image)
            for one, tensor in zip(self.graph.inputs, tensors, strict=True)
        }
        made = self.graph.run(given, OPERATORS, lambda op: OPERATORS[op.kind](op, *op.args))
        self._last = {name for name, value in made.items() if _is_last(value)}
        return {
            identifier(name): tf.identity(value.tensor if name in self._last else first(value))
            for name, value in made.items()
        }

    def feeds(self, probes: Arrays) -> list[NDArray[Any]]:
        """Inputs in ONNX's order of axes as the new model takes them."""
        return [
            probes[one.name].transpose(TO_LAST) if one.image else probes[one.name]
            for one in self.graph.inputs
        ]

    def named(self, answers: Arrays) -> dict[str, NDArray[Any]]:
        """Answers of the new model as ONNX gives them."""
        found = {name: np.asarray(answers[identifier(name)]) for name in self.graph.outputs}
        return {
            name: one.transpose(TO_FIRST) if name in self._last else one
            for name, one in found.items()
        }

    def answers(self, probes: Arrays) -> dict[str, NDArray[Any]]:
        """What the SavedModel gives, as ONNX does."""
        function = tf.saved_model.load(str(self.folder)).signatures["serving_default"]
        names = [identifier(one.name) for one in self.graph.inputs]
        pairs = zip(names, self.feeds(probes), strict=True)
        given = function(**{name: tf.constant(array) for name, array in pairs})
        return self.named({name: tensor.numpy() for name, tensor in given.items()})


def write(job: Job) -> None:
    """Write ``job.target``.

    Raises:
        ModelRefusedError: It has an operator that is not known here, or the result is wrong.
    """
    made = imported(onnx.load(job.source), job.images, lambda graph: checked(graph, job))
    savedmodel_files.pack(made.folder, Path(job.target))


def checked(graph: Graph, job: Job) -> Made:
    """The job's source as a SavedModel in the scratch, held against ONNX Runtime.

    Raises:
        ModelRefusedError: It has an operator that is not known here, or the result is wrong.
    """
    made = Made(graph, contract.scratch(job) / ("saved" if graph.open_batch else "single"))
    probes = onnx_check.drawn(graph.inputs)
    wanted = onnx_check.reference(Path(job.source), graph.outputs, probes)
    onnx_check.hold(made.answers(probes), wanted, onnx_check.MAX_FLOAT_ERROR)
    return made


def _is_last(value: Any) -> bool:  # noqa: ANN401 - of any kind
    return isinstance(value, Held) and value.last


def identifier(name: str) -> str:
    """A name that a TensorFlow signature may have."""
    return "".join(one if one.isalnum() else "_" for one in name)

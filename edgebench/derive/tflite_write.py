"""From a SavedModel in the making to a TFLite file; runs in the converter's process.

Reference: https://ai.google.dev/edge/litert/conversion/tensorflow/overview.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import tensorflow as tf
from numpy.typing import NDArray

from edgebench.derive import onnx_check, tensorflow_write
from edgebench.derive.contract import Job
from edgebench.derive.feeds import Feeds
from edgebench.derive.onnx_graph import Graph
from edgebench.derive.tensorflow_write import Arrays, Made
from edgebench.errors import ModelRefusedError
from edgebench.zoo import export_tflite

_SIGNATURE = "serving_default"


def write(job: Job) -> None:
    """Write ``job.target``.

    Raises:
        ModelRefusedError: An operator is not known here, TensorFlow cannot, or the result is wrong.
    """
    graph = Graph(onnx.load(job.source), job.images, 1)
    made = tensorflow_write.checked(graph, job)
    converter = tf.lite.TFLiteConverter.from_saved_model(str(made.folder))
    try:
        content = export_tflite.converted(converter, job.precision, _samples(job, made))
    except Exception as error:  # its own kinds are in no public module
        raise ModelRefusedError(f"TensorFlow's converter says: {_words(error)}") from error
    target = Path(job.target)
    target.write_bytes(content)
    probes = onnx_check.drawn(made.graph.inputs)
    wanted = onnx_check.reference(Path(job.source), made.graph.outputs, probes)
    onnx_check.hold(_answers(made, content, probes), wanted, onnx_check.LIMITS[job.precision])


def _samples(job: Job, made: Made) -> Iterator[dict[str, NDArray[Any]]]:
    if job.precision == "int8":
        for sample in Feeds(job):
            yield _named(made, sample)


def _named(made: Made, probes: Arrays) -> dict[str, NDArray[Any]]:
    """Inputs as the signature names them: the converter has an order of its own."""
    names = [tensorflow_write.identifier(one.name) for one in made.graph.inputs]
    return dict(zip(names, made.feeds(probes), strict=True))


def _words(error: Exception) -> str:
    """The line of a long message that tells most."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "error:" in line), lines[0] if lines else "nothing")


def _answers(made: Made, content: bytes, probes: Arrays) -> dict[str, NDArray[Any]]:
    """What the file gives, as ONNX does."""
    interpreter = tf.lite.Interpreter(model_content=content)
    runner = interpreter.get_signature_runner(_SIGNATURE)
    return made.named(runner(**_named(made, probes)))

"""From TensorFlow's files to an ONNX file by tf2onnx; runs in the converter's process.

Reference: https://github.com/onnx/tensorflow-onnx.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import onnx
import tensorflow as tf
import tf2onnx

from edgebench.backends import savedmodel_files
from edgebench.derive import contract, onnx_answers
from edgebench.derive.contract import Job

_OPSET = 17
_SIGNATURE = "serving_default"


def write(job: Job) -> None:
    """Write ``job.target``: images channels first, names as in the workload where it has them.

    Raises:
        ModelRefusedError: The result is wrong.
    """
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    model = _of_tflite(job) if job.source_format == "tflite" else _of_savedmodel(job)
    model.graph.doc_string = ""  # of the machine's own paths
    onnx.save(model, job.target)
    onnx_answers.hold(job)


def _of_tflite(job: Job) -> Any:  # noqa: ANN401 - an onnx message
    interpreter = tf.lite.Interpreter(model_path=job.source)
    names = [one["name"] for one in interpreter.get_input_details()]
    images = [name for name, one in zip(names, job.inputs, strict=True) if one.image]
    model, _ = tf2onnx.convert.from_tflite(job.source, opset=_OPSET, inputs_as_nchw=images)
    return model


def _of_savedmodel(job: Job) -> Any:  # noqa: ANN401 - an onnx message
    folder = contract.scratch(job) / "saved"
    folder.mkdir()
    savedmodel_files.unpack(Path(job.source), folder)
    loaded = tf.saved_model.load(str(folder))
    function = loaded.signatures[_SIGNATURE]
    specs = list(function.structured_input_signature[1].values())
    images = [spec.name for spec, one in zip(specs, job.inputs, strict=True) if one.image]
    model, _ = tf2onnx.convert.from_function(
        tf.function(
            lambda *given: function(**dict(zip((s.name for s in specs), given, strict=True)))
        ),
        input_signature=specs,
        opset=_OPSET,
        inputs_as_nchw=images,
    )
    return model

"""Derive the four TFLite files of a workload with TensorFlow's own converter."""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

PRECISIONS = ("fp32", "fp16", "int8", "int8_dynamic")


def export(model: Any, calibration: NDArray[Any], folder: Path) -> None:  # noqa: ANN401
    """Write ``<precision>.tflite`` for each precision, NHWC, float32 in and out.

    Args:
        model: A Keras model with a fixed batch of one that ends at the logits. One keeps SHAPE
            and PACK out of the graph; the reshape to (-1, n) lets a runtime resize it all the
            same.
        calibration: float32, (n, height, width, channels), preprocessed training images.
        folder: An existing folder.
    """
    for precision in PRECISIONS:
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        samples = ([calibration[index : index + 1]] for index in range(len(calibration)))
        (folder / f"{precision}.tflite").write_bytes(converted(converter, precision, samples))


def converted(
    converter: Any,  # noqa: ANN401 - TensorFlow's own
    precision: str,
    samples: Iterable[list[NDArray[Any]] | dict[str, NDArray[Any]]],
) -> bytes:
    """One file.

    Args:
        converter: A TFLiteConverter of the float32 model.
        precision: One of `PRECISIONS`.
        samples: Calibration inputs, a batch of one each, in the model's order or by the names of
            its signature; read for int8 only.
    """
    _configure(converter, precision, samples)
    # The exporter prints to stdout, where only data belongs.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        # Meant for TensorFlow 1 models: the representative data set gives the statistics.
        warnings.filterwarnings("ignore", message="Statistics for quantized inputs")
        return bytes(converter.convert())


def tool(precision: str) -> str:
    """Say which tool made a file of this precision, and in which version."""
    how = {
        "fp32": "no optimisation",
        "fp16": "float16 weights",
        "int8": "full integer, per-channel weights, float32 in and out",
        "int8_dynamic": "dynamic range, per-channel weights",
    }
    return f"TFLiteConverter of tensorflow {tf.__version__}, {how[precision]}"


def _configure(
    converter: Any,  # noqa: ANN401 - TensorFlow's own
    precision: str,
    samples: Iterable[list[NDArray[Any]] | dict[str, NDArray[Any]]],
) -> None:
    if precision == "fp32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    elif precision == "int8":
        converter.representative_dataset = lambda: iter(samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.float32
        converter.inference_output_type = tf.float32

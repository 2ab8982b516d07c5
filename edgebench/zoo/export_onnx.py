"""Derive the four ONNX files of a workload with tf2onnx and onnxruntime's own tools."""

from __future__ import annotations

import logging
import re
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx

from edgebench.zoo import onnx_precisions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_IMAGE_RANK = 4
_FOLDED = "batch_normalisation_folded_by"
PRECISIONS = ("fp32", "fp16", "int8", "int8_dynamic")


def export(
    model: Any,  # noqa: ANN401 - a Keras model
    calibration: NDArray[np.float32],
    folder: Path,
    opset: int,
) -> None:
    """Write ``<precision>.onnx`` for each precision: NCHW, symbolic batch, float32 in and out.

    Args:
        model: A Keras model of any batch that ends at the logits, or at a dictionary of outputs.
        calibration: float32, (n, height, width, channels), preprocessed training images.
        folder: An existing folder.
        opset: Of the files.
    """
    plain = folder / "fp32.onnx"
    export_fp32(model, plain, opset)
    onnx_precisions.half(plain, folder / "fp16.onnx")
    with tempfile.TemporaryDirectory() as scratch:
        prepared = Path(scratch) / "prepared.onnx"
        onnx_precisions.prepare(plain, prepared)
        feeds = ({"input": image[np.newaxis]} for image in calibration.transpose(0, 3, 1, 2))
        onnx_precisions.static(prepared, folder / "int8.onnx", feeds)
        onnx_precisions.dynamic(prepared, folder / "int8_dynamic.onnx")


def export_fp32(model: Any, path: Path, opset: int) -> None:  # noqa: ANN401
    """Write the file that the others are made of; the same weights give the same bytes.

    Args:
        model: As `export` takes it.
        path: The file to write.
        opset: ONNX operator set of the file.
    """
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    onnx.save(_from_keras(model, opset), path)
    if normalised(model):
        _fold(path)


def normalised(model: Any) -> bool:  # noqa: ANN401 - a Keras model
    """Whether a model has batch normalisation, which its convolutions can take over."""
    return any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)


def _fold(path: Path) -> None:
    """Put scales, offsets and padding into the convolutions beside them; drop idle transposes.

    tf2onnx leaves them as operators of their own. Some runtimes fold them when they load a file
    and some do not: what would be compared then is the exporter.
    """
    import onnxruntime as ort  # noqa: PLC0415 - only a build needs a session

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    model = onnx.load(path)
    plain = [one for one in model.opset_import if not one.domain]
    del model.opset_import[:]
    model.opset_import.extend(plain)
    del model.graph.value_info[:]
    _renumber(model.graph)
    onnx.helper.set_model_props(model, {_FOLDED: f"onnxruntime {version('onnxruntime')}"})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def is_folded(path: Path) -> bool:
    """Whether batch normalisation was folded in an fp32 file that this module made."""
    return any(one.key == _FOLDED for one in onnx.load(path).metadata_props)


def tool(precision: str, opset: int, *, folded: bool = False) -> str:
    """Say which tools made a file of this precision, and in which versions."""
    ort = f"onnxruntime {version('onnxruntime')}"
    how = {
        "fp32": "",
        "fp16": f"; {ort} transformers.float16, float32 in and out",
        "int8": f"; {ort} quantize_static QDQ, U8 activations, S8 per-channel weights",
        "int8_dynamic": f"; {ort} quantize_dynamic, U8 activations, U8 per-tensor weights",
    }
    fold = f"; batch normalisation folded by {ort}" if folded else ""
    return f"tf2onnx {version('tf2onnx')}, opset {opset}{fold}{how[precision]}"


def _from_keras(model: Any, opset: int) -> Any:  # noqa: ANN401
    signature = (tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="input"),)
    shapes = _output_shapes(model)
    names = tuple(shapes)

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def outputs(input: Any) -> Any:  # noqa: A002, ANN401 - the graph's input gets this name
        made = model(input, training=False)
        parts = made if isinstance(made, dict) else {names[0]: made}
        return [tf.identity(parts[name], name=name) for name in names]

    tensors = outputs.get_concrete_function().outputs
    graph, _ = tf2onnx.convert.from_function(
        outputs,
        input_signature=signature,
        opset=opset,
        inputs_as_nchw=["input"],
        outputs_as_nchw=[
            tensor.name
            for tensor, shape in zip(tensors, shapes.values(), strict=True)
            if len(shape) == _IMAGE_RANK
        ],
    )
    return _tidy(graph.graph, graph, names)


def _output_shapes(model: Any) -> dict[str, tuple[int | None, ...]]:  # noqa: ANN401
    """Shapes by what the outputs are called in a file: as in the model, one alone ``logits``."""
    shapes = model.compute_output_shape(model.input_shape)
    return shapes if isinstance(shapes, dict) else {"logits": shapes}


def _tidy(graph: Any, model: Any, names: Sequence[str]) -> Any:  # noqa: ANN401 - onnx messages
    """Name outputs and batch, and drop what tf2onnx says of the machine's own graph."""
    new = {output.name: name for output, name in zip(graph.output, names, strict=True)}
    for node in graph.node:
        node.output[:] = [new.get(name, name) for name in node.output]
        node.input[:] = [new.get(name, name) for name in node.input]
    for output in graph.output:
        output.name = new[output.name]
    for value in (graph.input[0], *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    # Shapes between input and output carry other names for the batch; they can be inferred.
    del graph.value_info[:]
    _drop_idle_reshape(graph)
    _renumber(graph)
    graph.name, graph.doc_string = "_and_".join(names), ""
    onnx.checker.check_model(model, full_check=True)
    return model


def _drop_idle_reshape(graph: Any) -> None:  # noqa: ANN401
    """Remove the Reshape from NCHW to NCHW that tf2onnx leaves for an input of one channel."""
    wanted = [dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim][1:]
    shapes = {t.name: onnx.numpy_helper.to_array(t).tolist() for t in graph.initializer}
    for node in graph.node:
        if node.op_type != "Reshape" or node.input[0] != graph.input[0].name:
            continue
        if shapes.get(node.input[1]) != [-1, *wanted]:
            continue
        for user in graph.node:
            user.input[:] = [node.input[0] if i == node.output[0] else i for i in user.input]
        constant = next(t for t in graph.initializer if t.name == node.input[1])
        graph.initializer.remove(constant)
        graph.node.remove(node)
        return


def _renumber(graph: Any) -> None:  # noqa: ANN401
    """Number tf2onnx's own names afresh: it counts on through a process, and bytes would differ."""
    new: dict[str, str] = {}

    def name(old: str) -> str:
        if old not in new:
            new[old] = re.sub(r"__\d+", f"__{len(new)}", old)
        return new[old]

    _name_shared(graph)
    for tensor in graph.initializer:
        tensor.name = name(tensor.name)
    for node in graph.node:
        node.name = name(node.name)
        node.input[:] = [name(old) for old in node.input]
        node.output[:] = [name(old) for old in node.output]


def _name_shared(graph: Any) -> None:  # noqa: ANN401
    """Name and order constants by their uses: which of equal ones tf2onnx keeps is left to chance.

    It goes by a set's order, which Python draws anew for each process.
    """
    used = [name for node in graph.node for name in node.input]
    places = {name: place for place, name in reversed(list(enumerate(used)))}
    constants = sorted(graph.initializer, key=lambda one: places.get(one.name, len(used)))
    new = {one.name: f"shared_{places[one.name]}" for one in constants if used.count(one.name) > 1}
    for one in constants:
        one.name = new.get(one.name, one.name)
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
    kept = [type(one).FromString(one.SerializeToString()) for one in constants]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def runtime_operators(path: Path) -> list[str]:
    """List the operators that onnxruntime really runs, after its own optimisation.

    Args:
        path: An ONNX file.

    Returns:
        Operator types in graph order.
    """
    import onnxruntime as ort  # noqa: PLC0415 - only a check needs a session

    with tempfile.TemporaryDirectory() as scratch:
        options = ort.SessionOptions()
        options.optimized_model_filepath = str(Path(scratch) / "optimised.onnx")
        options.log_severity_level = 3
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath).graph
    return [node.op_type for node in graph.node]


def float_convolutions(operators: Sequence[str]) -> int:
    """Count the convolutions that still run in float."""
    return sum(name in {"Conv", "FusedConv"} for name in operators)

"""From a program of ``torch.export`` to an ONNX file; runs in the converter's process.

Reference: https://docs.pytorch.org/docs/stable/onnx.html.
"""

from __future__ import annotations

import warnings

import onnx
import torch

from edgebench.backends.torch_files import first_line
from edgebench.derive import onnx_answers
from edgebench.derive.contract import Job
from edgebench.errors import ModelRefusedError

_OPSET = 18


def write(job: Job) -> None:
    """Write ``job.target``.

    Raises:
        ModelRefusedError: torch cannot, or the result is wrong.
    """
    warnings.simplefilter("ignore")  # torch's deprecations; this process can do nothing about them
    names = [one.name for one in job.inputs]
    try:
        program = torch.export.load(job.source)
        made = torch.onnx.export(
            program, dynamo=True, input_names=names, opset_version=_OPSET, verbose=False
        )
    except (RuntimeError, ValueError, TypeError, OSError, torch.onnx.OnnxExporterError) as error:
        raise ModelRefusedError(f"torch says: {first_line(error)}") from error
    model = made.model_proto
    _forget_places(model.graph)
    onnx.save(model, job.target)
    onnx_answers.hold(job)


def _forget_places(graph: onnx.GraphProto) -> None:
    """Leave out where each line of code lay on this machine: the same source, the same bytes."""
    for node in graph.node:
        del node.metadata_props[:]
    del graph.value_info[:]  # onnxruntime's quantiser trips over those of weights

"""Whether an ONNX file that was made of another format answers as the workload's reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from edgebench.derive import onnx_check, onnx_sizes
from edgebench.derive.contract import Job
from edgebench.derive.onnx_graph import Graph
from edgebench.errors import ModelRefusedError

_ROWS = 4


def hold(job: Job) -> None:
    """Hold ``job.target`` against ``job.reference``.

    Raises:
        ModelRefusedError: It answers otherwise, or there is no reference.
    """
    if job.reference is None:
        raise ModelRefusedError("the workload has no reference to hold the result against")
    made = onnx_sizes.named(job)
    graph = Graph(onnx.load(job.target), made.images)
    count = len(graph.outputs)
    with np.load(job.reference, allow_pickle=False) as archive:
        given = [archive[_key("inputs", place)][:_ROWS] for place in range(len(made.inputs))]
        wanted = [archive[_key("outputs", place)][:_ROWS] for place in range(count)]
    feeds = {
        one.name: np.moveaxis(array, -1, 1) if one.name in made.images else array
        for one, array in zip(made.inputs, given, strict=True)
    }
    fixed = [one.shape[0] for one in graph.inputs if one.shape and one.shape[0] is not None]
    if fixed:
        feeds = {name: array[: fixed[0]] for name, array in feeds.items()}
    found = onnx_check.reference(Path(job.target), graph.outputs, feeds)
    for name, right in zip(graph.outputs, wanted, strict=True):
        answer = found[name]
        rows = right[: len(answer)]
        if answer.shape != rows.shape and answer.ndim == rows.ndim == 4:  # noqa: PLR2004 - images
            answer = np.moveaxis(answer, 1, -1)
        onnx_check.hold({name: answer}, {name: rows}, onnx_check.MAX_FLOAT_ERROR)


def _key(name: str, place: int) -> str:
    return f"{name}_{place}" if place else name

"""From outputs to the answer that a workload's task asks for: labels, boxes or a mask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError
from edgebench.measure import boxes
from edgebench.measure.masks import masks
from edgebench.measure.tensors import told_first
from edgebench.protocols import Session, Tensor, plain_name
from edgebench.wire import LaunchRequest

Outputs: TypeAlias = Mapping[str, NDArray[Any]]
Answer = list[tuple[str, float]]
"""The likeliest classes of an image with their probability (or logit), best first."""
_TOP = 5
_CORNERS = 4


class Found(NamedTuple):
    """A thing in an image."""

    label: str
    score: float
    box: tuple[float, float, float, float]
    """Top, left, bottom, right as shares of the image."""


def of(request: LaunchRequest, session: Session) -> Callable[[Outputs], object]:
    """What makes answers of a session's outputs, one an image, by the workload's task.

    Of a task that nobody told the answer is the outputs as they are.

    Raises:
        ModelRefusedError: The outputs are not what the task needs.
    """
    labels, softmax = request.labels, request.postprocess is None or request.postprocess.softmax
    if request.task == "detection":
        detect = detector(request, session)
        return lambda outputs: [named(found, labels) for found in detect(outputs)]
    if request.task == "segmentation":
        return segmenter(request, session)
    if request.task == "other":
        return lambda outputs: outputs
    logits = session.outputs[told_first(session, request.outputs)]
    softmax = softmax and not logits.probabilities
    return lambda outputs: likeliest(outputs[logits.name], labels, softmax=softmax)


def detector(request: LaunchRequest, session: Session) -> Callable[[Outputs], list[boxes.Boxes]]:
    """What makes boxes of a session's outputs.

    Raises:
        ModelRefusedError: The workload does not say how, or the outputs are not two.
    """
    spec = request.postprocess.boxes if request.postprocess else None
    if spec is None:
        raise ModelRefusedError("the workload does not say how its outputs become boxes")
    decode = boxes.Decoder(spec)
    offsets, scores = offsets_and_scores(session.outputs, request.outputs)
    return lambda outputs: decode(outputs[offsets], outputs[scores])


def offsets_and_scores(outputs: Sequence[Tensor], known: Sequence[str]) -> tuple[str, str]:
    """Names of a detector's two outputs, which converters rename and reorder.

    They are told by their names, else by their shapes, else (three classes and background are as
    many numbers as a box has) by their order.

    Args:
        outputs: As the runtime declares them.
        known: The workload's names, offsets first.

    Raises:
        ModelRefusedError: There are not two, or none of them has four numbers an anchor.
    """
    offsets = [tensor.name for tensor in outputs if tensor.shape[-1] == _CORNERS]
    if len(outputs) != 2 or not offsets:  # noqa: PLR2004 - boxes and scores
        told = ", ".join(f"{tensor.name} {tensor.shape}" for tensor in outputs)
        raise ModelRefusedError(
            "a detector has two outputs, offsets of boxes (n, anchors, 4) and scores "
            f"(n, anchors, 1 + classes); this model has {told}"
        )
    named = [name for name in offsets if known and plain_name(name) == plain_name(known[0])]
    first = (named or offsets)[0]
    (scores,) = (tensor.name for tensor in outputs if tensor.name != first)
    return first, scores


def named(found: boxes.Boxes, labels: Sequence[str]) -> list[Found]:
    """Boxes as a person reads them, best first."""
    return [
        Found(_label(int(index), labels), float(score), (top, left, bottom, right))
        for index, score, (top, left, bottom, right) in zip(
            found.classes, found.scores, found.places.tolist(), strict=True
        )
    ]


def segmenter(request: LaunchRequest, session: Session) -> Callable[[Outputs], NDArray[np.int64]]:
    """What makes masks (n, h, w) of a session's outputs.

    Raises:
        ModelRefusedError: There is more than one output.
    """
    if len(session.outputs) != 1:
        raise ModelRefusedError(f"a segmenter has one output, not {len(session.outputs)}")
    (tensor,) = session.outputs
    first = (tensor.layout or request.model_layout) == "NCHW"
    return lambda outputs: masks(outputs[tensor.name], channels_first=first)


def likeliest(logits: NDArray[Any], labels: Sequence[str], *, softmax: bool) -> list[Answer]:
    """The five likeliest classes of each image, from logits (batch, classes)."""
    values = logits.reshape(len(logits), -1).astype(np.float32)
    if softmax:
        values = boxes.softmax(values)
    best = np.argsort(-values, axis=1)[:, :_TOP]
    return [
        [(_label(i, labels), float(row[i])) for i in order]
        for row, order in zip(values, best, strict=True)
    ]


def _label(index: int, labels: Sequence[str]) -> str:
    return labels[index] if index < len(labels) else str(index)

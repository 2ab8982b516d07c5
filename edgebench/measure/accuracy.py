"""Top-1 of a classifier over labelled samples; no clock."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgebench import arrays
from edgebench.errors import ModelRefusedError
from edgebench.measure import passes, tensors
from edgebench.protocols import Session
from edgebench.records import Accuracy
from edgebench.samples import deflate_bits
from edgebench.wire import LaunchRequest

_CHUNK_SAMPLES = 500
_CHUNK_BYTE = 16 << 20
"""Labelled samples are made float32 so many at a time: a board may have 1 GB of memory."""


def score(outputs: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of outputs (n, classes) have their label (n,) as the largest one, shape (n,)."""
    return np.asarray(outputs.reshape(len(outputs), -1).argmax(axis=1) == labels, dtype=np.bool_)


def measure(
    session: Session, request: LaunchRequest, path: Path, alive: Callable[[], None]
) -> Accuracy:
    """Top-1 over a file of labelled samples, a chunk at a time: the rest stays on the disk.

    Answers are those of one pass over all samples: chunks are whole batches, and the last batch
    is filled up with the first samples of the file.

    Args:
        session: Open.
        request: Its batch, layout and normalisation.
        path: The samples.
        alive: Called after each chunk.
    """
    batch, place = request.case.batch, tensors.told_first(session, request.outputs)
    image_byte = 4 * math.prod(arrays.labelled_shape(path)[1:])
    fitting = min(_CHUNK_SAMPLES, _CHUNK_BYTE // max(1, image_byte))
    hits: list[bool] = []
    head: NDArray[Any] | None = None
    for pixels, labels in arrays.labelled_rows(path, max(batch, fitting - fitting % batch)):
        head = pixels[:batch] if head is None else head
        lacking = -len(pixels) % batch if hits else 0
        filled = np.concatenate([pixels, head[:lacking]])
        images = passes.as_input(filled, request)
        whole = passes.run_all(session, images, request.model_layout, batch)[place][: len(labels)]
        outputs = whole.reshape(len(whole), -1)
        if int(labels.max()) >= outputs.shape[1]:
            raise ModelRefusedError(
                f"{path.name} has the label {labels.max()}, the model {outputs.shape[1]} classes"
            )
        hits += score(outputs, labels).tolist()
        alive()
    return Accuracy(
        samples=len(hits),
        correct=sum(hits),
        source=request.samples_source,
        hits=deflate_bits(hits),
    )

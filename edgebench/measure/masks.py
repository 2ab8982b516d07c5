"""From a segmenter's logits to a mask: the likeliest class of each pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError

_RANK = 4


def masks(logits: NDArray[Any], *, channels_first: bool) -> NDArray[np.int64]:
    """The likeliest class of each pixel (n, h, w), in the size of the model's output.

    Args:
        logits: (n, h, w, classes), or (n, classes, h, w) where channels come first.
        channels_first: Which of the two.

    Raises:
        ModelRefusedError: The output is no image of logits, or has one class alone.
    """
    if logits.ndim != _RANK:
        raise ModelRefusedError(
            f"an output of {logits.shape} is no mask: a segmenter gives (n, h, w, classes), "
            "or (n, classes, h, w) where channels come first"
        )
    axis = 1 if channels_first else -1
    if logits.shape[axis] == 1:
        raise ModelRefusedError(
            "one logit a pixel tells no class: a segmenter gives one a class, background included"
        )
    return np.asarray(logits.argmax(axis=axis), np.int64)

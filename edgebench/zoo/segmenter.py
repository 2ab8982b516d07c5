"""A segmenter as a task of `scene_build`: a class for each pixel, judged by mIoU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from edgebench.measure.masks import masks
from edgebench.measure.quality import confusion, mean_iou
from edgebench.zoo import manifest, scene_build, unet

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgebench.zoo.scatter import Scenes
    from edgebench.zoo.scene_build import Arrays, Say


def run(folder: Path, data: Path | None, say: Say) -> None:
    """Build a segmenter; see `scene_build.build`."""
    scene_build.build(folder, data, Segmenter(manifest.read(folder)), say)


class Segmenter:
    """See `scene_build.Task`.

    Args:
        document: The workload's file.
    """

    metric = "miou"

    def __init__(self, document: dict[str, Any]) -> None:
        self.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._shape = tuple(document["input"]["shape"])
        self._classes = len(document["labels"])

    def network(self, *, folded: bool, batch: int | None = None) -> Any:  # noqa: ANN401
        """See `scene_build.Task`."""
        return unet.segmenter(self._shape, self._classes, folded=folded, batch=batch)

    def targets(self, scenes: Scenes) -> NDArray[np.uint8]:
        """Masks (n, h, w): where the workload names no digits, all of them are one class."""
        return np.minimum(scenes.masks, np.uint8(self._classes - 1))

    def labels(self, scenes: Scenes) -> Arrays:
        """See `scene_build.Task`."""
        return {"masks": self.targets(scenes)}

    def figure(self, outputs: Arrays, scenes: Scenes) -> float:
        """See `scene_build.Task`."""
        (logits,) = outputs.values()
        found = masks(logits, channels_first=False)
        return mean_iou(confusion(found, self.targets(scenes), self._classes))

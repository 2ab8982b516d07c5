"""A detector as a task of `scene_build`: offsets and classes of anchors, judged by mAP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edgebench.measure.boxes import Decoder
from edgebench.measure.quality import Truth, mean_average_precision
from edgebench.specs import BoxesSpec
from edgebench.zoo import anchors, manifest, scene_build, ssd

if TYPE_CHECKING:
    from pathlib import Path

    from edgebench.zoo.scatter import Scenes
    from edgebench.zoo.scene_build import Arrays, Say


def run(folder: Path, data: Path | None, say: Say) -> None:
    """Build a detector; see `scene_build.build`."""
    scene_build.build(folder, data, Detector(manifest.read(folder)), say)


class Detector:
    """See `scene_build.Task`.

    Args:
        document: The workload's file.
    """

    metric = "map50"

    def __init__(self, document: dict[str, Any]) -> None:
        self.loss = {"boxes": ssd.box_loss, "scores": ssd.score_loss}
        self._shape = tuple(document["input"]["shape"])
        self._classes = len(document["labels"])
        self._spec = msgspec.convert(document["postprocess"]["boxes"], BoxesSpec)

    def network(self, *, folded: bool, batch: int | None = None) -> Any:  # noqa: ANN401
        """See `scene_build.Task`."""
        counts = tuple(map(len, self._spec.sizes))
        return ssd.detector(self._shape, counts, self._classes, folded=folded, batch=batch)

    def targets(self, scenes: Scenes) -> Arrays:
        """What each output is to be.

        Returns:
            ``boxes`` (n, anchors, 5): offsets, and 1 where the anchor has a box; ``scores``
            (n, anchors): classes, 0 for background.
        """
        start = anchors.anchors(self._spec)
        pairs = [
            anchors.targets(start, *one, self._spec.variances)
            for one in zip(scenes.boxes, scenes.classes, strict=True)
        ]
        offsets, wanted = (np.stack(part) for part in zip(*pairs, strict=True))
        real = (wanted > 0)[..., np.newaxis].astype(np.float32)
        return {"boxes": np.concatenate([offsets, real], axis=2), "scores": wanted}

    def labels(self, scenes: Scenes) -> Arrays:
        """See `scene_build.Task`."""
        return {"boxes": scenes.boxes, "classes": scenes.classes}

    def figure(self, outputs: Arrays, scenes: Scenes) -> float:
        """See `scene_build.Task`."""
        found = Decoder(self._spec)(outputs["boxes"], outputs["scores"])
        pairs = zip(scenes.boxes, scenes.classes, strict=True)
        truth = [Truth(classes[classes >= 0], boxes[classes >= 0]) for boxes, classes in pairs]
        return mean_average_precision(found, truth)

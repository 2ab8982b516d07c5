"""Times of layers as OpenCV's dnn module keeps them (``Net.getPerfProfile``).

Reference: https://docs.opencv.org/5.x/db/d30/classcv_1_1dnn_1_1Net.html. It keeps those of the last
call, in ticks of its clock, in the order of ``getLayerNames``; a layer that was fused into another
one has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from edgebench.backends.opencv_dnn import PRODUCTS, OpenCVSession, precision_of
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, OpTime, OpTimes
from edgebench.units import NS_PER_S


class ProfiledSession(OpenCVSession):
    """The same net, its books read after each call."""

    def bind(self, ring: Sequence[Feeds]) -> None:
        """As ever; then an inference is followed by a look at the books."""
        super().bind(ring)
        self._ticks: list[list[float]] = []
        self.invoke = _looking(self.invoke, self._net.getPerfProfile, self._ticks)

    def op_times(self, calls: int) -> OpTimes:
        """Layers that took any time, of the last calls.

        Raises:
            ModelRefusedError: Its books do not list the layers (the CUDA backend keeps none).
        """
        names = list(self._net.getLayerNames())
        layers = [(name, self._net.getLayer(name)) for name in names]
        kept = self._ticks[-calls:]
        if any(len(ticks) != len(names) for ticks in kept) or not any(map(any, kept)):
            raise ModelRefusedError("OpenCV keeps no times of layers for this net and target")
        frequency_hz = cv2.getTickFrequency()
        places = self._places()
        where = places if len(places) == len(names) else [""] * len(names)
        return OpTimes(
            source="OpenCV's getPerfProfile",
            times=tuple(
                OpTime(
                    name=name.removeprefix("onnx_node!"),
                    kind=str(layer.type),
                    call=call,
                    duration_ns=round(ticks * NS_PER_S / frequency_hz),
                    precision=precision_of(layer) if layer.type.startswith(PRODUCTS) else "",
                    accelerator=place,
                )
                for call, row in enumerate(kept)
                for (name, layer), ticks, place in zip(layers, row, where, strict=True)
                if ticks
            ),
        )


def _looking(
    forward: Callable[[], None],
    books: Callable[[], tuple[int, Sequence[float]]],
    ticks: list[list[float]],
) -> Callable[[], None]:
    def invoke() -> None:
        forward()
        ticks.append([float(one) for one in np.ravel(books()[1])])

    return invoke

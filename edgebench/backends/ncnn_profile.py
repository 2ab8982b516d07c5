"""Times of layers of ncnn, which has no profiler in Python: each layer is asked for by itself.

Reference: https://github.com/Tencent/ncnn/blob/master/src/net.h (Extractor). An extractor that
keeps its blobs computes no layer twice, so asking for the output of one layer after the other runs
the net layer by layer, and a clock of ours stands between two of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgebench.backends.ncnn_ import NcnnSession
from edgebench.backends.ncnn_files import INT8
from edgebench.errors import ModelRefusedError
from edgebench.protocols import OpTime, OpTimes, Settings

_CONVERTED, _AS_IT_IS = 0, 1
"""Of a blob: unpacked to float32 for the user, or as the next layer takes it."""


class ProfiledSession(NcnnSession):
    """The same net, run layer by layer."""

    def __init__(self, model: Path, settings: Settings) -> None:
        if settings.accelerator != "cpu":
            raise ModelRefusedError(
                f"ncnn's layers are timed from outside, which on {settings.accelerator} would time "
                "copies to the CPU"
            )
        self._calls: list[list[int]] = []
        super().__init__(model, settings)

    def _bound(self, net: Any, last: list[tuple[int, Any]]) -> Callable[[], None]:  # noqa: ANN401
        """An inference that leaves a stamp after each layer; any other net is not looked at."""
        if net is not self._net:
            return super()._bound(net, last)
        create, mat, calls, clock = (
            net.create_extractor,
            self._mat,
            self._calls,
            time.perf_counter_ns,
        )
        source, sinks = self._source, self._sinks
        wanted = [layer.tops[0] for layer in self._timed()]
        last[:] = [(0, None)] * len(sinks)

        def invoke() -> None:
            extractor = create()
            extractor.set_light_mode(False)
            extractor.input(source, mat)
            stamps = [clock()]
            for name in wanted:
                extractor.extract(name, _AS_IT_IS)
                stamps.append(clock())
            last[:] = [extractor.extract(sink, _CONVERTED) for sink in sinks]
            calls.append(stamps)

        return invoke

    def _timed(self) -> list[Any]:
        return [layer for layer in self._layers if layer.kind != "Input"]

    def op_times(self, calls: int) -> OpTimes:
        """Layers of the last calls."""
        kept, floating = self._calls[-calls:], self._floating()
        layers = self._timed()
        return OpTimes(
            source="edgebench's clock, ncnn's layers asked for one by one",
            caveat="ncnn tells no times itself: each layer's holds about 2 us of asking, and blobs "
            "that a whole inference would share are kept",
            times=tuple(
                OpTime(
                    name=layer.name,
                    kind=layer.kind,
                    call=call,
                    start_ns=begin - stamps[0],
                    duration_ns=end - begin,
                    precision=_precision(layer, floating),
                    accelerator="cpu",
                )
                for call, stamps in enumerate(kept)
                for layer, begin, end in zip(layers, stamps, stamps[1:], strict=False)
            ),
        )


def _precision(layer: Any, floating: str) -> str:  # noqa: ANN401 - a `Layer`
    if layer.weight is None:
        return ""
    return "int8" if layer.tag == INT8 else floating

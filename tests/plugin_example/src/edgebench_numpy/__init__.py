"""A runtime for edgebench that edgebench does not know: plain numpy on an ONNX file.

All that a backend is: a class without arguments whose `probe` tells what it can do and whose `open`
gives a session. A session allocates in `bind`, copies an input in `stage` and computes in `invoke`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Probe, Settings, Tensor
from edgebench.records import Effective
from edgebench_numpy import onnx_file
from edgebench_numpy.operators import OPERATORS


class NumpyBackend:
    """The backend ``numpy``."""

    name = "numpy"
    formats: tuple[str, ...] = ("onnx",)
    precisions: tuple[str, ...] = ("fp32",)

    def probe(self) -> Probe:
        """Always there, since edgebench itself needs numpy."""
        return Probe(
            name=self.name,
            available=True,
            version=np.__version__,
            formats=self.formats,
            precisions=self.precisions,
        )

    def open(self, model: Path, settings: Settings) -> NumpySession:
        """A session, if this can run the model the way it is wanted."""
        if settings.accelerator != "cpu" or settings.precision != "fp32":
            raise ModelRefusedError(
                f"numpy computes fp32 on the cpu, not {settings.precision} on "
                f"{settings.accelerator}"
            )
        try:
            return NumpySession(onnx_file.read(model), settings)
        except ValueError as error:
            raise ModelRefusedError(str(error)) from error


class NumpySession:
    """A graph, its values, and one input buffer that is bound once."""

    def __init__(self, graph: onnx_file.Graph, settings: Settings) -> None:
        if unknown := sorted({node.kind for node in graph.nodes} - set(OPERATORS)):
            raise ModelRefusedError(f"not implemented: {', '.join(unknown)}")
        shape = (settings.batch, *graph.shape[1:])
        self._graph = graph
        self._input = np.zeros(shape, np.float32)
        self._values: dict[str, NDArray[Any]] = {**graph.weights, graph.input: self._input}
        self._ring: list[NDArray[np.float32]] = []
        self._name = graph.nodes[-1].output
        self.invoke()  # what cannot be computed is refused now, and the output's shape is known
        self.inputs = (Tensor(name=graph.input, shape=shape, dtype="float32", layout="NCHW"),)
        answer = self._values[self._name]
        self.outputs = (Tensor(name=self._name, shape=answer.shape, dtype=str(answer.dtype)),)

    def bind(self, ring: Sequence[Feeds]) -> None:
        """Convert every input now, so that neither `stage` nor `invoke` has to."""
        self._ring = [np.array(feeds[self._graph.input], np.float32) for feeds in ring]

    def stage(self, slot: int) -> None:
        """Copy an input into the buffer."""
        np.copyto(self._input, self._ring[slot])

    def feed(self, inputs: Feeds) -> None:
        """Copy an input into the buffer that no ring holds."""
        np.copyto(self._input, inputs[self._graph.input], casting="same_kind")

    def invoke(self) -> None:
        """One operator after the other."""
        values = self._values
        for node in self._graph.nodes:
            arguments = [values[name] for name in node.inputs]
            values[node.output] = OPERATORS[node.kind](node.attributes, *arguments)

    def read(self) -> dict[str, NDArray[Any]]:
        """A copy: the next `invoke` may write where this answer lies."""
        return {self._name: self._values[self._name].copy()}

    def effective(self) -> Effective:
        """What ran; how many threads numpy's BLAS took it does not tell, so that stays None."""
        computed = {str(self._values[node.output].dtype) for node in self._graph.nodes}
        kinds = ", ".join(sorted({node.kind for node in self._graph.nodes}))
        return Effective(
            backend_version=np.__version__,
            precision="fp32" if computed == {"float32"} else None,
            accelerator="cpu",
            accelerator_ops_ratio=1.0,
            words=f"numpy: {kinds} in {', '.join(sorted(computed))}",
        )

    def close(self) -> None:
        """Let go of everything."""
        self._values, self._ring = {}, []

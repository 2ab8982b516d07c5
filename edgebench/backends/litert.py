"""LiteRT (the successor of TensorFlow Lite's Python runtime), through its Interpreter."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from ai_edge_litert import interpreter

from edgebench.backends import tflite_session
from edgebench.backends.tflite_session import TFLiteSession
from edgebench.protocols import Probe, Settings


class LiteRT:
    """The backend ``litert``."""

    name = "litert"
    formats: tuple[str, ...] = tflite_session.FORMATS
    precisions: tuple[str, ...] = tflite_session.PRECISIONS

    def probe(self) -> Probe:
        """The installed version; the CPU, and accelerators whose delegate is installed."""
        return tflite_session.probe(self, version("ai-edge-litert"))

    def open(self, model: Path, settings: Settings) -> TFLiteSession:
        """An interpreter with its tensors allocated."""
        return TFLiteSession(interpreter, version("ai-edge-litert"), model, settings)

"""tflite-runtime, TensorFlow Lite's Python runtime of old, in an interpreter of its own.

It ended in 2023 with 2.14: its wheels stop at Python 3.11 and were compiled for numpy 1. With
numpy 2 it can still be imported, and fails where it hands out the first tensor.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

from edgebench.backends import tflite_session
from edgebench.backends.tflite_session import TFLiteSession
from edgebench.errors import UsageError
from edgebench.protocols import Probe, Settings

_OLD_NUMPY = np.lib.NumpyVersion(np.__version__) < "2.0.0"
_ELSEWHERE = (
    "python3.11 -m venv tflite && tflite/bin/pip install 'edgebench[tflite-runtime]', and in a "
    '--config file [backends.tflite-runtime] python = "tflite/bin/python"'
)
_HERE = "pip install 'edgebench[tflite-runtime]'"
try:
    from tflite_runtime import interpreter
except ModuleNotFoundError as error:
    raise UsageError(
        f"{error.name} is not installed; it wants Python <= 3.11 and numpy < 2",
        remedy=_HERE if _OLD_NUMPY and sys.version_info < (3, 12) else _ELSEWHERE,
    ) from error
if not _OLD_NUMPY:
    raise UsageError(
        f"it wants numpy < 2, here is {np.__version__}", remedy="pip install 'numpy<2'"
    )


class TFLiteRuntime:
    """The backend ``tflite-runtime``."""

    name = "tflite-runtime"
    formats: tuple[str, ...] = tflite_session.FORMATS
    precisions: tuple[str, ...] = tflite_session.PRECISIONS

    def probe(self) -> Probe:
        """The installed version; the CPU, and accelerators whose delegate is installed."""
        return tflite_session.probe(self, version("tflite-runtime"))

    def open(self, model: Path, settings: Settings) -> TFLiteSession:
        """An interpreter with its tensors allocated."""
        return TFLiteSession(interpreter, version("tflite-runtime"), model, settings)

"""LiteRT (the successor of TensorFlow Lite's Python runtime), through its Interpreter.

``options["api"] = "compiled"`` takes its CompiledModel instead, which is also the only way to GPU
and NPU. That is imported when it is asked for: its load time holds the import.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import msgspec
from ai_edge_litert import interpreter

from edgebench import resources
from edgebench.backends import tflite_session
from edgebench.backends.tflite_session import TFLiteSession
from edgebench.errors import EdgebenchError, ModelRefusedError
from edgebench.protocols import Probe, ProfilingSession, Session, Settings

_NODES = {
    "gpu": ("dri/renderD*", "mali*", "kgsl-3d0", "nvidia0"),
    "npu": ("accel/accel*", "fastrpc-cdsp*", "adsprpc-smd*", "apusys*"),
}
"""Device nodes of drivers: without one there is no use in asking."""
_TRY_S = 20.0
_TRY = """
import sys
from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator
CompiledModel.from_file(sys.argv[2], hardware_accel=HardwareAccelerator[sys.argv[1].upper()])
"""


class LiteRT:
    """The backend ``litert``."""

    name = "litert"
    formats: tuple[str, ...] = tflite_session.FORMATS
    precisions: tuple[str, ...] = tflite_session.PRECISIONS

    def probe(self) -> Probe:
        """The installed version; the CPU, GPU and NPU where it runs, and installed delegates."""
        told = tflite_session.probe(self, version("ai-edge-litert"))
        return msgspec.structs.replace(told, accelerators=(*told.accelerators, *compiled_on()))

    def open(self, model: Path, settings: Settings) -> Session:
        """An interpreter with its tensors allocated, or a compiled model with its buffers."""
        api = settings.options.get("api", "interpreter")
        if api not in {"interpreter", "compiled"}:
            raise ModelRefusedError(f"api is interpreter or compiled, not {api!r}")
        told = {key: value for key, value in settings.options.items() if key != "api"}
        plain = msgspec.structs.replace(settings, options=told)
        if api == "compiled" or settings.accelerator in _NODES:
            return _compiled(model, plain)
        return TFLiteSession(interpreter, version("ai-edge-litert"), model, plain)

    def profile(self, model: Path, settings: Settings) -> ProfilingSession:
        """The file once more, as a CompiledModel of the C library, which has a profiler."""
        from edgebench.backends.litert_profile import ProfiledSession  # noqa: PLC0415 - rare

        return ProfiledSession(self.open(model, settings), model, settings)


def _compiled(model: Path, settings: Settings) -> Session:
    tflite_session.check_options(settings)
    if settings.accelerator not in {"cpu", *_NODES}:
        raise ModelRefusedError(f"CompiledModel takes no delegate, not {settings.accelerator}")
    try:
        from edgebench.backends.litert_compiled import CompiledSession  # noqa: PLC0415 - as above
    except ImportError as error:
        raise ModelRefusedError(
            f"this LiteRT has no CompiledModel: {error}", remedy="pip install -U ai-edge-litert"
        ) from error
    return CompiledSession(version("ai-edge-litert"), model, settings)


def compiled_on(devices: Path = Path("/dev")) -> list[str]:
    """Accelerators on which a small model was compiled whole.

    It is tried in a process of its own: a driver that crashes or hangs takes nothing along.

    Args:
        devices: Where device nodes are.
    """
    found = [name for name, nodes in _NODES.items() if any(_any(devices, one) for one in nodes)]
    return [name for name in found if _runs_on(name)]


def _any(devices: Path, pattern: str) -> bool:
    return next(devices.glob(pattern), None) is not None


def _runs_on(accelerator: str) -> bool:
    try:
        workload = resources.open_workload("mnist_cnn")
        path = workload.file("models/fp32.tflite")
        line = [sys.executable, "-c", _TRY, accelerator, str(path)]
        done = subprocess.run(line, capture_output=True, timeout=_TRY_S, check=False)
    except (EdgebenchError, OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0

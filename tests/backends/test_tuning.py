"""``--tuning``: what it is about is read back, and setting it changes what a runtime does."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from eim_workload import standin

from edgebench import plugins, resources
from edgebench.derive.contract import CONVERTERS
from edgebench.derive.make import Made
from edgebench.protocols import Session, Settings
from edgebench.records import TUNINGS, Tuning

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
WHAT = {"spinning", "denormals_as_zero", "arena", "memory_pattern"}


def open_session(
    backend_name: str, tuning: Tuning, path: Path | None = None, **changes: object
) -> Session:
    backend = plugins.open_backend(backend_name)
    workload = resources.open_workload("mnist_cnn")
    if path is None:
        model = workload.model(backend.formats[0], "fp32")
        assert model is not None
        path = workload.file(model.path)
    settings = msgspec.structs.replace(Settings(tuning=tuning), **changes)
    session = backend.open(path, settings)
    tensor = session.inputs[0]
    session.bind([{tensor.name: np.ones(tensor.shape, tensor.dtype)}])
    session.stage(0)
    return session


SHIPPED = {"onnx", "tflite"}
"""Formats that every bundled workload has."""


@pytest.mark.parametrize("tuning", TUNINGS)
@pytest.mark.parametrize(
    "backend_name", [name for name in plugins.names(plugins.BACKENDS) if name != "tflite-runtime"]
)
def test_every_backend_tells_of_each_setting(
    backend_name: str, tuning: Tuning, derived: Callable[..., Made], tmp_path: Path
) -> None:
    (first, *_) = plugins.open_backend(backend_name).formats
    path = (
        derived("mnist_cnn", first, "fp32").path if first in CONVERTERS.keys() - SHIPPED else None
    )
    changes = {}
    if first == "eim":
        path, changes = standin(tmp_path / "model.eim"), {"mean": (0.0,), "std": (255.0,)}
    session = open_session(backend_name, tuning, path, **changes)
    told = session.effective().tuning
    session.close()
    assert set(told) >= WHAT
    assert all(told.values())


def test_onnxruntime_reads_back_what_it_ships_with_and_what_was_set() -> None:
    native = open_session("onnxruntime", "native", threads=2).effective().tuning
    equal = open_session("onnxruntime", "equal", threads=2).effective().tuning
    assert native["spinning"] == "default:on"
    assert native["denormals_as_zero"] == "default:off"
    assert equal == {
        "spinning": "off",
        "denormals_as_zero": "on",
        "arena": "on",
        "memory_pattern": "on",
    }


def test_an_option_of_the_runtime_has_the_last_word() -> None:
    options = {"session.intra_op.allow_spinning": "1"}
    session = open_session("onnxruntime", "equal", threads=2, options=options)
    assert session.effective().tuning["spinning"] == "on"


def test_one_thread_has_no_pool_that_could_spin() -> None:
    assert open_session("onnxruntime", "native").effective().tuning["spinning"] == "no_pool"


def pauses_cpu_ns(tuning: Tuning) -> int:
    """CPU time that a session of two threads takes in pauses between inferences."""
    session = open_session("onnxruntime", tuning, threads=2)
    total = 0
    for _ in range(40):
        session.invoke()
        start = time.process_time_ns()
        time.sleep(0.002)
        total += time.process_time_ns() - start
    session.close()
    return total


def test_equal_keeps_idle_threads_from_spinning() -> None:
    """Measured by CPU time, so other processes do not matter."""
    assert pauses_cpu_ns("equal") < 0.5 * pauses_cpu_ns("native")

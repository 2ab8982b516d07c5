"""LiteRT's profiled session gives the plain one's answers, however many tensors go in and out."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from test_many_tensors_frameworks import SPECS, backend_of, drawn, tflite

from edgebench import plugins, resources
from edgebench.backends import litert_profile
from edgebench.errors import ModelRefusedError
from edgebench.measure import passes
from edgebench.protocols import ProfilingBackend, Settings

CALLS = 3


@pytest.mark.parametrize(
    ("size", "settings"),
    [
        (8, Settings()),
        (8, Settings(batch=2)),
        (None, Settings(shapes={"image": (6, 6, 3), "vector": (5,)})),
    ],
    ids=["as it is", "another batch", "open sizes"],
)
def test_two_inputs_and_two_outputs_are_profiled_and_right(
    size: int | None, settings: Settings, tmp_path: Path
) -> None:
    backend, path = backend_of("litert"), tflite(tmp_path, size)
    arrays = drawn(size or 6)
    plain, profiled = backend.open(path, settings), backend.profile(path, settings)
    wanted = passes.run_all(plain, arrays, "NHWC", settings.batch, SPECS)
    found = passes.run_all(profiled, arrays, "NHWC", settings.batch, SPECS)
    by_name = dict(zip((tensor.name for tensor in profiled.outputs), found, strict=True))
    for tensor, array in zip(plain.outputs, wanted, strict=True):
        np.testing.assert_array_equal(by_name[tensor.name], array)
    for _ in range(CALLS):
        profiled.invoke()
    told = profiled.op_times(CALLS)
    assert {one.call for one in told.times} == set(range(CALLS))
    assert any("Conv" in one.kind for one in told.times)
    profiled.close()
    plain.close()


def test_a_call_that_fails_is_told_and_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    path = resources.open_workload("mnist_cnn").file("models/fp32.tflite")
    backend = plugins.open_backend("litert")
    assert isinstance(backend, ProfilingBackend)
    session = backend.profile(path, Settings())
    session.invoke()
    failed = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 3)
    monkeypatch.setattr(
        litert_profile._Library,  # nothing makes the runtime fail at will
        "function",
        lambda _, name: (lambda *__: failed()) if name == "RunCompiledModel" else None,
    )
    with pytest.raises(ModelRefusedError, match="RunCompiledModel ended with status 3"):
        session.invoke()
    monkeypatch.undo()
    session.close()

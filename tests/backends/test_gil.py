"""Runtimes let go of Python while they compute: streams are threads because of that."""

from __future__ import annotations

import threading
import time

import pytest

from edgebench import plugins, resources
from edgebench.measure import passes
from edgebench.protocols import Settings

CALLS = 5
BATCH = 512


@pytest.mark.parametrize("name", ["onnxruntime", "litert"])
def test_python_runs_on_while_a_runtime_computes(name: str) -> None:
    workload = resources.open_workload("cifar10_cnn")
    inputs, _ = passes.load_reference(workload.reference_path)
    backend = plugins.open_backend(name)
    model = workload.model(backend.formats[0], "fp32")
    assert model is not None
    session = backend.open(workload.file(model.path), Settings(batch=BATCH))
    session.bind(passes.ring(session, inputs, model.layout, BATCH, 2))
    session.stage(0)

    def work() -> None:
        for _ in range(CALLS):
            session.invoke()

    thread = threading.Thread(target=work)
    thread.start()
    woken = 0
    while thread.is_alive():
        time.sleep(0.001)
        woken += 1
    session.close()
    # A call that kept the interpreter would let this thread wake up once a call.
    assert woken > 4 * CALLS

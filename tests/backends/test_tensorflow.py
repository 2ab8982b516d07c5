"""TensorFlow on really derived models: right answers, memory that is shared, proof of what ran."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench import plugins, resources
from edgebench.analysis.validity import parity_fault
from edgebench.backends import savedmodel_files
from edgebench.derive.make import Made
from edgebench.errors import ModelRefusedError
from edgebench.measure import passes
from edgebench.protocols import Backend, Session, Settings
from edgebench.records import Effective, Parity, Precision
from edgebench.testing import check_backend

tf = pytest.importorskip("tensorflow", reason="needs edgebench[tensorflow]")
Derive = Callable[..., Made]
XLA = {"xla": "1"}


@pytest.fixture
def backend() -> Backend:
    return plugins.open_backend("tensorflow")


def measured(
    session: Session, name: str = "mnist_cnn", batch: int = 1
) -> tuple[Parity, Effective, NDArray[np.float32]]:
    workload = resources.open_workload(name)
    inputs, reference = passes.load_reference(workload.reference_path)
    (outputs,) = passes.run_all(session, inputs, "NHWC", batch)
    effective = session.effective()
    session.close()
    return passes.compare(outputs, reference), effective, outputs


def ring(session: Session, name: str = "mnist_cnn", batch: int = 1) -> list[Any]:
    workload = resources.open_workload(name)
    inputs, _ = passes.load_reference(workload.reference_path)
    return passes.ring(session, inputs, "NHWC", batch, 4)


@pytest.mark.parametrize("options", [{}, XLA], ids=["executor", "xla"])
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("name", sorted(resources.workload_folders(built=True)))
def test_a_derived_model_keeps_the_contract_and_gives_the_right_answers(
    derived: Derive, backend: Backend, name: str, batch: int, options: dict[str, str]
) -> None:
    made = derived(name, "savedmodel", "fp32")
    assert made.manifest.network == "blocked"
    settings = Settings(batch=batch, options=options)
    session = backend.open(made.path, settings)
    inputs = ring(session, name, batch)
    parity, effective, _ = measured(session, name, batch)
    assert parity_fault(parity, "fp32") == ""
    assert (effective.precision, effective.accelerator, effective.threads) == ("fp32", "cpu", 1)
    assert effective.accelerator_ops_ratio == 1.0
    check_backend(backend, made.path, inputs, settings)


def test_the_function_reads_the_very_memory_that_staging_writes(
    derived: Derive, backend: Backend
) -> None:
    session: Any = backend.open(derived("mnist_cnn", "savedmodel", "fp32").path, Settings())
    inputs = ring(session)
    session.bind(inputs)
    for slot in (1, 3, 0):
        session.stage(slot)
        assert np.array_equal(session._bound[0].numpy(), inputs[slot]["input"])
    session.close()
    with pytest.raises(ModelRefusedError, match="closed"):
        session.invoke()


def test_the_optimised_graph_tells_what_was_fused_and_xla_its_own_program(
    derived: Derive, backend: Backend
) -> None:
    path = derived("mnist_cnn", "savedmodel", "fp32").path
    _, plain, _ = measured(backend.open(path, Settings()))
    _, compiled, _ = measured(backend.open(path, Settings(options=XLA)))
    assert plain.words.startswith("executor; pools of the process intra 1 inter 1;")
    assert "FusedConv2Dx3" in plain.words
    assert "FusedMatMulx2" in plain.words
    assert compiled.words.startswith("xla;")
    assert "FusedConv2D" not in compiled.words
    assert "fusionx" in compiled.words


def test_bf16_is_what_the_graph_says_and_what_the_outputs_show(
    derived: Derive, backend: Backend
) -> None:
    path = derived("mnist_cnn", "savedmodel", "fp32").path
    _, _, exact = measured(backend.open(path, Settings()))
    asked: dict[str, tuple[Precision, dict[str, str]]] = {
        "executor": ("bf16", {}),
        "xla": ("bf16", XLA),  # to which TensorFlow's rewriting does not apply
    }
    for way, (precision, options) in asked.items():
        session = backend.open(path, Settings(precision=precision, options=options))
        parity, effective, outputs = measured(session)
        off = float(np.abs(outputs - exact).max())
        assert parity_fault(parity, "bf16") == "", way
        assert effective.precision == ("bf16" if off > 1e-3 else "fp32"), way
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    session = backend.open(path, Settings(precision="bf16"))
    _, effective, _ = measured(session)
    if "avx512_bf16" in flags or "amx_bf16" in flags:
        assert effective.precision == "bf16"
    _, again, same = measured(backend.open(path, Settings()))
    assert again.precision == "fp32"
    assert np.array_equal(same, exact), "an earlier session's precision is left on"


def test_python_runs_on_while_it_computes(derived: Derive, backend: Backend) -> None:
    batch, calls = 512, 5
    path = derived("cifar10_cnn", "savedmodel", "fp32").path
    session = backend.open(path, Settings(batch=batch))
    session.bind(ring(session, "cifar10_cnn", batch)[:2])
    session.stage(0)

    def work() -> None:
        for _ in range(calls):
            session.invoke()

    thread = threading.Thread(target=work)
    thread.start()
    woken = 0
    while thread.is_alive():
        time.sleep(0.001)
        woken += 1
    session.close()
    assert woken > 4 * calls  # a call that kept the interpreter would allow one a call


IN_TWO_THREADS = """
import json, sys
from pathlib import Path
import numpy as np
from edgebench import plugins
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Settings
backend, path = plugins.open_backend("tensorflow"), Path(sys.argv[1])
session = backend.open(path, Settings(threads=2))
told = {"threads": session.effective().threads, "words": session.effective().words}
try:
    backend.open(path, Settings(threads=1))
except ModelRefusedError as error:
    told["refused"] = str(error)
print(json.dumps(told))
"""


def test_threads_are_the_processs_set_first_and_read_back(derived: Derive) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two CPUs")
    path = derived("mnist_cnn", "savedmodel", "fp32").path
    line = [sys.executable, "-c", IN_TWO_THREADS, str(path)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert told["threads"] == 2
    assert "intra 2 inter 2" in told["words"]
    assert "cannot be modified" in told["refused"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(precision="int8"), "int8"),
        (Settings(options={"xla": "yes"}), "xla"),
        (Settings(options={"magic": "1"}), "magic"),
        (Settings(accelerator="npu"), "has: cpu"),
    ],
    ids=["precision", "value", "option", "accelerator"],
)
def test_what_it_cannot_do_is_refused(
    derived: Derive, backend: Backend, settings: Settings, words: str
) -> None:
    with pytest.raises(ModelRefusedError, match=words):
        backend.open(derived("mnist_cnn", "savedmodel", "fp32").path, settings)


def test_what_xla_cannot_compile_is_refused_in_its_words(backend: Backend, tmp_path: Path) -> None:
    def through_text(images: Any) -> Any:  # noqa: ANN401 - a tensor of TensorFlow's
        return {"y": tf.strings.to_number(tf.strings.as_string(images))}

    # As every session here has them: they are the process's, and saving settles them.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    module = tf.Module()
    spec = tf.TensorSpec((None, 2, 2, 1), tf.float32, name="x")
    module.run = tf.function(through_text, input_signature=(spec,), autograph=False)
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.run)
    path = tmp_path / "model.savedmodel.zip"
    savedmodel_files.pack(tmp_path / "saved", path)
    backend.open(path, Settings()).close()
    with pytest.raises(ModelRefusedError, match="AsString"):
        backend.open(path, Settings(options=XLA))


def zipped(path: Path, kind: int, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_a_file_that_is_no_savedmodel_is_refused(
    derived: Derive, backend: Backend, tmp_path: Path
) -> None:
    whole = derived("mnist_cnn", "savedmodel", "fp32").path.read_bytes()
    rubbish, cut = tmp_path / "rubbish", tmp_path / "cut"
    rubbish.write_bytes(b"no model at all")
    cut.write_bytes(whole[: len(whole) // 2])
    bomb = {savedmodel_files.MODEL: b"\0" * (1 << 22)}
    stored = zipfile.ZIP_STORED
    for path in (
        rubbish,
        cut,
        tmp_path / "absent",
        zipped(tmp_path / "bomb", zipfile.ZIP_DEFLATED, bomb),
        zipped(tmp_path / "other", stored, {"model.txt": b"x"}),
        zipped(tmp_path / "broken", stored, {savedmodel_files.MODEL: b"\xff" * 999}),
        zipped(tmp_path / "empty", stored, {savedmodel_files.MODEL: b""}),
    ):
        with pytest.raises(ModelRefusedError):
            backend.open(path, Settings())


def test_a_name_that_leads_out_of_the_folder_stays_inside(tmp_path: Path) -> None:
    files = {savedmodel_files.MODEL: b"x", "../../outside": b"y"}
    hostile = zipped(tmp_path / "hostile", zipfile.ZIP_STORED, files)
    savedmodel_files.unpack(hostile, tmp_path / "a" / "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "hostile"]
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]

"""ncnn and MNN on really derived models: the contract, right answers, and proof of what ran."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench import plugins, resources
from edgebench.analysis.validity import parity_fault
from edgebench.backends import ncnn_files
from edgebench.derive.make import Made
from edgebench.errors import ModelRefusedError
from edgebench.measure import passes
from edgebench.protocols import Backend, Settings
from edgebench.records import Effective, Parity, Precision
from edgebench.testing import check_backend

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
RAN: dict[tuple[str, Precision], set[str]] = {
    ("ncnn", "fp32"): {"fp32"},
    ("ncnn", "fp16"): {"fp32", "fp16"},  # by what the CPU can
    ("ncnn", "bf16"): {"bf16"},
    ("ncnn", "int8"): {"int8"},
    ("mnn", "fp32"): {"fp32"},
    ("mnn", "fp16"): {"fp32", "fp16"},
    ("mnn", "int8"): {"int8"},
}
Derive = Callable[..., Made]


def measured(
    backend: Backend, path: Path, name: str, settings: Settings
) -> tuple[Parity, Effective, NDArray[np.float32]]:
    workload = resources.open_workload(name)
    inputs, reference = passes.load_reference(workload.reference_path)
    session = backend.open(path, settings)
    (outputs,) = passes.run_all(session, inputs, "NCHW", settings.batch)
    effective = session.effective()
    session.close()
    return passes.compare(outputs, reference), effective, outputs


def alone(name: str, path: Path, workload: str, settings: Settings) -> tuple[Parity, Effective]:
    """As `measured`, in a process where no other runtime lies, as every launch is one.

    Vulkan's driver for CPUs and TensorFlow both bring an LLVM: together they end in SIGSEGV.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(parity_of, name, path, workload, settings).result()


def parity_of(name: str, path: Path, workload: str, settings: Settings) -> tuple[Parity, Effective]:
    return measured(plugins.open_backend(name), path, workload, settings)[:2]


def ring(backend: Backend, path: Path, name: str, settings: Settings) -> list[Any]:
    workload = resources.open_workload(name)
    inputs, _ = passes.load_reference(workload.reference_path)
    session = backend.open(path, settings)
    try:
        return passes.ring(session, inputs, "NCHW", settings.batch, 4)
    finally:
        session.close()


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(("fmt", "precision"), RAN)
@pytest.mark.parametrize("name", sorted(resources.workload_folders(built=True)))
def test_a_derived_model_keeps_the_contract_and_gives_the_right_answers(
    derived: Derive, name: str, fmt: str, precision: Precision, batch: int
) -> None:
    data = None
    if precision == "int8" and resources.open_workload(name).spec.calibration is None:
        if not DATA.is_dir():
            pytest.skip(f"needs the images of {name} in {DATA}")
        data = str(DATA)
    made = derived(name, fmt, precision, data)
    path = made.path
    assert made.manifest.network == "blocked"  # so the converter, which ended well, asked for none
    backend = plugins.open_backend(fmt)
    settings = Settings(precision=precision, batch=batch)
    parity, effective, _ = measured(backend, path, name, settings)
    assert parity_fault(parity, precision) == ""
    assert effective.precision in RAN[fmt, precision]
    assert (effective.accelerator, effective.threads) == ("cpu", 1)
    check_backend(backend, path, ring(backend, path, name, settings), settings)


@pytest.mark.parametrize("fmt", ["ncnn", "mnn"])
def test_threads_are_read_back(derived: Derive, fmt: str) -> None:
    backend, path = plugins.open_backend(fmt), derived("mnist_cnn", fmt, "fp32").path
    threads = min(2, len(os.sched_getaffinity(0)))
    parity, effective, _ = measured(backend, path, "mnist_cnn", Settings(threads=threads))
    assert parity_fault(parity, "fp32") == ""
    assert effective.threads == threads


@pytest.mark.parametrize("fmt", ["ncnn", "mnn"])
def test_a_precision_or_file_that_the_runtime_cannot_take_is_refused(
    derived: Derive, fmt: str, tmp_path: Path
) -> None:
    backend, path = plugins.open_backend(fmt), derived("mnist_cnn", fmt, "fp32").path
    with pytest.raises(ModelRefusedError, match="int8_dynamic"):
        backend.open(path, Settings(precision="int8_dynamic"))
    wrong = tmp_path / "model"
    wrong.write_bytes(b"no model at all")
    with pytest.raises(ModelRefusedError):
        backend.open(wrong, Settings())


@pytest.mark.parametrize(("fmt", "accelerator"), [("ncnn", "vulkan"), ("mnn", "opencl")])
def test_an_accelerator_is_offered_only_where_it_is_found(
    derived: Derive, fmt: str, accelerator: str
) -> None:
    backend, path = plugins.open_backend(fmt), derived("mnist_cnn", fmt, "fp32").path
    if accelerator not in backend.probe().accelerators:
        with pytest.raises(ModelRefusedError, match="finds no"):
            backend.open(path, Settings(accelerator=accelerator))
        return
    parity, effective = alone(fmt, path, "mnist_cnn", Settings(accelerator=accelerator))
    assert parity_fault(parity, "fp32") == ""
    # A driver may compute on the CPU: then it is named so.
    pretended = "(the CPU, by" in effective.words
    assert effective.accelerator == ("cpu" if pretended else accelerator)


def test_ncnn_runs_fp32_bit_for_bit_though_float16_is_its_default(derived: Derive) -> None:
    ncnn = pytest.importorskip("ncnn", reason="needs ncnn")
    assert ncnn.Option().use_fp16_storage, "the trap is gone: ncnn's default has changed"
    backend, path = plugins.open_backend("ncnn"), derived("mnist_cnn", "ncnn", "fp32").path
    exact, plain, outputs = measured(backend, path, "mnist_cnn", Settings())
    assert plain.precision == "fp32"
    assert "no option of precision" in plain.words
    left_on = {"use_fp16_storage": "1", "use_fp16_packed": "1"}
    loose, half, others = measured(backend, path, "mnist_cnn", Settings(options=left_on))
    assert not np.array_equal(outputs, others)
    assert loose.max_abs_error > 10 * exact.max_abs_error
    assert "on: use_fp16_packed use_fp16_storage" in half.words


def test_an_option_that_ncnn_does_not_have_is_refused(derived: Derive) -> None:
    backend, path = plugins.open_backend("ncnn"), derived("mnist_cnn", "ncnn", "fp32").path
    for options in ({"use_magic": "1"}, {"lightmode": "0"}, {"use_sgemm_convolution": "yes"}):
        with pytest.raises(ModelRefusedError, match="ncnn"):
            backend.open(path, Settings(options=options))


def test_a_pair_of_files_that_do_not_fit_each_other_is_refused(
    derived: Derive, tmp_path: Path
) -> None:
    backend, path = plugins.open_backend("ncnn"), derived("mnist_cnn", "ncnn", "fp32").path
    param, weights = ncnn_files.unpack(path)
    for broken in (
        (param, weights[:-4]),
        (b"text", weights),
        (param.replace(b"in0 0", b"in0 7"), b""),
    ):
        ncnn_files.pack(tmp_path / "model.zip", *broken)
        with pytest.raises(ModelRefusedError):
            backend.open(tmp_path / "model.zip", Settings())
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [ncnn_files.PARAM, ncnn_files.BIN]


@pytest.mark.parametrize("options", [{"magic": "1"}, {"precision": "half"}, {"numThread": "2"}])
def test_mnn_refuses_an_option_that_it_would_pass_over(
    derived: Derive, options: dict[str, str]
) -> None:
    made = derived("mnist_cnn", "mnn", "fp32")
    backend = plugins.open_backend("mnn")
    with pytest.raises(ModelRefusedError, match=f"no option {next(iter(options))} = "):
        backend.open(made.path, Settings(options=options))
    backend.open(made.path, Settings(options={"memory": "low", "power": "high"})).close()

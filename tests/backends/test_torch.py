"""torch on really derived models: right answers, proof of what ran, and what it cannot do."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench import plugins, resources
from edgebench.analysis.validity import parity_fault
from edgebench.derive.make import Made
from edgebench.errors import ModelRefusedError
from edgebench.measure import passes
from edgebench.protocols import Session, Settings
from edgebench.records import Effective, Parity, Precision
from edgebench.testing import check_backend

torch = pytest.importorskip("torch", reason="needs torch")

from edgebench.backends import torch_witness  # noqa: E402 - it imports torch

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FILES: dict[Precision, Precision] = {"fp32": "fp32", "fp16": "fp32", "bf16": "fp32", "int8": "int8"}
"""Which file each precision is computed from."""
MAX_DIFFERENCE = {"fp32": 1e-4, "fp16": 0.03, "bf16": 0.3}
Derive = Callable[..., Made]


class Ran(NamedTuple):
    """What came of it."""

    outputs: NDArray[np.float32]
    parity: Parity
    effective: Effective


def opened(path: Path, **settings: Any) -> Session:  # noqa: ANN401 - any of Settings
    return plugins.open_backend("torch").open(path, Settings(**settings))


def ran(path: Path, name: str = "mnist_cnn", **settings: Any) -> Ran:  # noqa: ANN401 - as above
    workload = resources.open_workload(name)
    inputs, reference = passes.load_reference(workload.reference_path)
    session = opened(path, **settings)
    (outputs,) = passes.run_all(session, inputs, "NCHW", session.inputs[0].shape[0])
    effective = session.effective()
    session.close()
    return Ran(outputs, passes.compare(outputs, reference), effective)


def ring(session: Session, name: str = "mnist_cnn") -> list[Any]:
    workload = resources.open_workload(name)
    inputs, _ = passes.load_reference(workload.reference_path)
    return passes.ring(session, inputs, "NCHW", session.inputs[0].shape[0], 4)


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("precision", FILES)
@pytest.mark.parametrize("name", sorted(resources.workload_folders(built=True)))
def test_a_derived_model_keeps_the_contract_and_gives_the_right_answers(
    derived: Derive, name: str, precision: Precision, batch: int
) -> None:
    data = None
    if precision == "int8" and resources.open_workload(name).spec.calibration is None:
        if not DATA.is_dir():
            pytest.skip(f"needs the images of {name} in {DATA}")
        data = str(DATA)
    made = derived(name, "torch", FILES[precision], data)
    assert made.manifest.network == "blocked"  # so the converter, which ended well, asked for none
    found = ran(made.path, name, precision=precision, batch=batch)
    assert parity_fault(found.parity, precision) == ""
    assert found.effective.precision == precision
    assert (found.effective.accelerator, found.effective.accelerator_ops_ratio) == ("cpu", 1.0)
    settings = Settings(precision=precision, batch=batch)
    session = opened(made.path, precision=precision, batch=batch)
    assert session.inputs[0].name == "input"
    assert [one.name for one in session.outputs] == ["logits"]
    images = ring(session, name)
    session.close()
    check_backend(plugins.open_backend("torch"), made.path, images, settings)


def test_each_precision_leaves_its_own_fingerprint(derived: Derive) -> None:
    path = derived("mnist_cnn", "torch", "fp32").path
    exact = ran(path).outputs
    for precision in ("fp16", "bf16"):
        found = ran(path, precision=precision).outputs
        assert 0 < np.abs(found - exact).max() < MAX_DIFFERENCE[precision]


def test_kernels_are_told_by_their_own_names(derived: Derive) -> None:
    floats = derived("mnist_cnn", "torch", "fp32").path
    assert "aten::addmm[fp32]x2" in ran(floats).effective.words
    assert "convolution[bf16]x3" in ran(floats, precision="bf16").effective.words
    int8 = ran(derived("mnist_cnn", "torch", "int8").path, precision="int8").effective.words
    assert "quantized::conv2d_relu[int8]x3" in int8
    assert f"engine {torch.backends.quantized.engine}" in int8


def test_multiplications_are_counted_alike_in_float_and_in_int8(derived: Derive) -> None:
    from edgebench.backends import torch_witness

    counted = []
    for precision in ("fp32", "int8"):
        session = opened(derived("mnist_cnn", "torch", precision).path, precision=precision)
        counted.append(sum(one.macs for one in torch_witness.operators(session.invoke)))
        session.close()
    maps = 26 * 26 * 32 * 9 + 11 * 11 * 64 * 32 * 9 + 3 * 3 * 64 * 64 * 9
    assert counted == [maps + 576 * 64 + 64 * 10] * 2


def test_another_engine_computes_int8_with_other_kernels(derived: Derive) -> None:
    path = derived("mnist_cnn", "torch", "int8").path
    for engine in set(torch.backends.quantized.supported_engines) - {"none"}:
        found = ran(path, precision="int8", options={"engine": engine})
        assert f"engine {engine}" in found.effective.words
        assert parity_fault(found.parity, "int8") == ""
    shipped = ran(path, precision="int8").effective.words  # the option does not outlast its session
    assert f"engine {torch.backends.quantized.engine}" in shipped
    with pytest.raises(ModelRefusedError, match="no engine 'magic'"):
        opened(path, precision="int8", options={"engine": "magic"})


def test_threads_and_denormals_are_read_back(derived: Derive) -> None:
    path = derived("mnist_cnn", "torch", "fp32").path
    threads = min(2, len(os.sched_getaffinity(0)))
    equal = ran(path, threads=threads, tuning="equal").effective
    native = ran(path).effective
    assert (equal.threads, native.threads) == (threads, 1)
    assert equal.tuning["denormals_as_zero"] == "on"
    assert native.tuning["denormals_as_zero"] == "off"
    assert native.tuning["spinning"] == "no_pool"


def test_a_session_may_be_used_by_another_thread(derived: Derive) -> None:
    session = opened(derived("mnist_cnn", "torch", "fp32").path)
    session.bind(ring(session))
    session.stage(1)
    session.invoke()
    here = session.read()["logits"]

    def work() -> None:
        session.stage(1)
        session.invoke()

    thread = threading.Thread(target=work)
    session.stage(0)
    session.invoke()
    thread.start()
    thread.join()
    assert np.array_equal(session.read()["logits"], here)
    session.close()
    with pytest.raises(ModelRefusedError, match="closed"):
        session.invoke()


@pytest.mark.parametrize(
    ("of_file", "settings", "words"),
    [
        ("fp32", {"precision": "int8_dynamic"}, "no int8_dynamic"),
        ("fp32", {"precision": "int8"}, "holds float32 weights"),
        ("int8", {"precision": "fp32"}, "holds int8 weights"),
        ("int8", {"precision": "int8", "options": {"compile": "1"}}, "takes no TorchScript"),
        ("fp32", {"options": {"speed": "1"}}, "no option 'speed'"),
        ("fp32", {"options": {"compile": "yes"}}, "is 0 or 1"),
        ("fp32", {"accelerator": "npu"}, "no accelerator 'npu'"),
    ],
)
def test_what_it_cannot_do_is_refused_in_a_line(
    derived: Derive, of_file: Precision, settings: dict[str, Any], words: str
) -> None:
    path = derived("mnist_cnn", "torch", of_file).path
    with pytest.raises(ModelRefusedError, match=words) as caught:
        opened(path, **settings)
    assert "\n" not in str(caught.value)


def test_cuda_is_offered_only_where_it_is_found(derived: Derive) -> None:
    path = derived("mnist_cnn", "torch", "fp32").path
    if "cuda" not in plugins.open_backend("torch").probe().accelerators:
        with pytest.raises(ModelRefusedError, match="finds no CUDA"):
            opened(path, accelerator="cuda")
        return
    found = ran(path, accelerator="cuda")
    assert parity_fault(found.parity, "fp32") == ""
    assert (found.effective.accelerator, found.effective.precision) == ("cuda", "fp32")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"no model at all")
    with pytest.raises(ModelRefusedError, match=r"cannot read model\.pt"):
        opened(path)
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), str(path))
    with pytest.raises(ModelRefusedError, match=r"cannot read model\.pt"):  # by whom it was made
        opened(path, precision="int8")


def test_a_compiled_model_is_compiled_and_right(
    derived: Derive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Takes half a minute: a compiler runs."""
    # Inductor imports setuptools, which refuses to where another test's runtime has imported the
    # standard library's distutils before; a worker has one runtime.
    monkeypatch.setenv("SETUPTOOLS_USE_DISTUTILS", "stdlib")
    path = derived("mnist_cnn", "torch", "fp32").path
    found = ran(path, precision="bf16", options={"compile": "1"})
    assert parity_fault(found.parity, "bf16") == ""
    assert found.effective.precision == "bf16"
    assert "compiled by inductor" in found.effective.words
    assert "eager" in ran(path, precision="bf16").effective.words


def test_without_a_compiler_compiling_is_refused(
    derived: Derive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = derived("mnist_cnn", "torch", "fp32").path
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(ModelRefusedError, match=r"apt-get install g\+\+"):
        opened(path, options={"compile": "1"}, batch=3)


def test_a_product_of_two_quantised_answers_is_counted() -> None:
    rows = torch.quantize_per_tensor(torch.rand(2, 3, 5), 0.1, 0, torch.quint8)
    columns = torch.quantize_per_tensor(torch.rand(2, 5, 4), 0.1, 0, torch.quint8)
    seen = torch_witness.operators(lambda: torch.ops.quantized.matmul(rows, columns, 0.1, 0))
    assert [(one.macs, one.precision) for one in seen if one.macs] == [(2 * 3 * 4 * 5, "int8")]

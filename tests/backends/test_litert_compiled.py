"""LiteRT's CompiledModel: proven on the CPU, and no accelerator where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ai_edge_litert.compiled_model import CompiledModel, HardwareAccelerator
from shipped import shipping

from edgebench import resources
from edgebench.analysis.validity import parity_fault
from edgebench.backends import litert
from edgebench.errors import ModelRefusedError
from edgebench.measure import passes
from edgebench.protocols import Settings
from edgebench.records import Precision
from edgebench.testing import check_backend

COMPILED = {"api": "compiled"}
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8", "int8_dynamic")


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(
    ("precision", "workload_name"),
    [(one, name) for one in PRECISIONS for name in shipping(f"{one}.tflite")],
)
def test_it_keeps_the_contract_and_gives_the_right_answers(
    ask: Callable[..., Any], precision: Precision, workload_name: str, batch: int
) -> None:
    file = f"{precision}.tflite"
    told = ask("litert", file, workload_name, precision=precision, batch=batch, options=COMPILED)
    assert parity_fault(told.parity, precision) == ""
    # XNNPACK leaves int8's average pool out, which the interpreter's plan tells too.
    planned = ask("litert", file, workload_name, precision=precision, batch=batch).effective
    degree = "fully" if planned.accelerator_ops_ratio == 1.0 else "not fully"
    assert told.effective.words == f"CompiledModel {degree} accelerated"
    assert told.effective.precision is None  # it tells no types
    settings = Settings(precision=precision, batch=batch, options=COMPILED)
    workload = resources.open_workload(workload_name)
    path = workload.file(f"models/{file}")
    inputs, _ = passes.load_reference(workload.file("reference.npz"))
    session = litert.LiteRT().open(path, settings)
    ring = list(passes.feeds(session, inputs, "NHWC", batch))[:4]
    session.close()
    check_backend(litert.LiteRT(), path, ring, settings)


def test_without_xnnpack_nothing_is_accelerated(ask: Callable[..., Any]) -> None:
    told = ask("litert", "fp32.tflite", options={**COMPILED, "xnnpack": "0"})
    assert told.effective.accelerator_ops_ratio is None
    assert told.effective.words == "CompiledModel not fully accelerated"
    assert told.parity.cosine > 0.9999


def open_one(path: Path, accelerator: str = "cpu", **options: str) -> None:
    settings = Settings(accelerator=accelerator, options=options)
    litert.LiteRT().open(path, settings).close()


@pytest.mark.skipif("npu" in litert.compiled_on(), reason="there is an NPU")
def test_an_npu_that_is_not_there_is_refused_though_the_runtime_would_fall_back(
    model_path: Callable[..., Path],
) -> None:
    path = model_path("fp32.tflite")
    both = HardwareAccelerator.NPU | HardwareAccelerator.CPU
    trap = CompiledModel.from_file(str(path), hardware_accel=both)
    assert trap.is_fully_accelerated()  # by the CPU
    with pytest.raises(ModelRefusedError, match=r"CompiledModel on npu: .*not accelerated"):
        open_one(path, "npu")


@pytest.mark.skipif("gpu" in litert.compiled_on(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused_in_the_runtimes_words(
    model_path: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(ModelRefusedError, match="CompiledModel on gpu: ERROR") as caught:
        open_one(model_path("fp32.tflite"), "gpu")
    assert "\n" not in str(caught.value)
    assert litert.compiled_on(tmp_path) == []
    (tmp_path / "dri").mkdir()
    (tmp_path / "dri" / "renderD128").touch()  # a driver is there; what it drives is not
    assert litert.compiled_on(tmp_path) == []


def test_an_accelerator_counts_once_a_model_was_compiled_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The CPU stands for hardware that works: asked for in the same way, it does compile."""
    (tmp_path / "cpu0").touch()
    monkeypatch.setattr(litert, "_NODES", {"cpu": ("cpu*",)})
    assert litert.compiled_on(tmp_path) == ["cpu"]


@pytest.mark.parametrize(
    ("accelerator", "options", "words"),
    [
        ("cpu", {"api": "eager"}, "api is interpreter or compiled, not 'eager'"),
        ("cpu", {**COMPILED, "num_threads": "2"}, "there is no option 'num_threads'"),
        ("edgetpu", COMPILED, "CompiledModel takes no delegate"),
    ],
)
def test_what_it_does_not_take_is_refused(
    model_path: Callable[..., Path], accelerator: str, options: dict[str, str], words: str
) -> None:
    with pytest.raises(ModelRefusedError, match=words):
        open_one(model_path("fp32.tflite"), accelerator, **options)


def test_a_broken_model_is_refused_in_its_words(tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"nonsense")
    with pytest.raises(ModelRefusedError, match="Failed to build flatbuffer model"):
        open_one(path, **COMPILED)

"""OpenVINO: what was asked, what ran, and that its use is told to nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shipped import shipping

from edgebench import plugins, resources
from edgebench.analysis.validity import parity_fault
from edgebench.backends import openvino_, openvino_files
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Settings
from edgebench.records import Precision

openvino: Any = sys.modules["openvino"]  # as ours imported it: its telemetry off
CAN = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
"""What the runtime says this CPU computes by itself."""
BF16 = "bf16" if "BF16" in CAN else "fp32"
FP16 = "fp16" if "FP16" in CAN else BF16
"""Asked for f16, a CPU without it computes bf16 if it has that."""
FLOATS: dict[Precision, tuple[str, str]] = {
    "fp32": ("fp32", "fp32"),
    "bf16": ("fp32", BF16),
    "fp16": ("fp16", FP16),
}
"""By precision: the model file's, and what runs here."""


@pytest.mark.parametrize("format_name", ["onnx", "tflite"])
@pytest.mark.parametrize("precision", FLOATS)
def test_the_float_precision_that_is_reported_shows_in_the_figures(
    ask: Callable[..., Any], precision: Precision, format_name: str
) -> None:
    file, ran = FLOATS[precision]
    answer = ask("openvino", f"{file}.{format_name}", precision=precision)
    plain = ask("openvino", f"{file}.{format_name}", precision="fp32")
    assert plain.effective.precision == "fp32"
    assert answer.effective.precision == ran
    assert parity_fault(answer.parity, precision) == ""
    if ran == "fp32":
        assert answer.fingerprint(plain) == 0
    else:
        assert answer.fingerprint(plain) > 1e-4


@pytest.mark.parametrize(
    ("precision", "ran", "format_name", "workload"),
    [
        (precision, ran, one, name)
        for precision, ran in (("int8", "int8"), ("int8_dynamic", "fp32"))
        for one in ("onnx", "tflite")
        for name in shipping(f"{precision}.{one}", f"fp32.{one}")
    ],
)
def test_static_int8_runs_in_int8_and_dynamic_int8_is_told_to_run_in_fp32(
    ask: Callable[..., Any], precision: Precision, ran: str, format_name: str, workload: str
) -> None:
    answer = ask("openvino", f"{precision}.{format_name}", workload, precision=precision)
    plain = ask("openvino", f"fp32.{format_name}", workload)
    assert answer.effective.precision == ran
    assert parity_fault(answer.parity, precision) == ""
    assert answer.fingerprint(plain) > 1e-2


def test_the_trap_of_bf16_by_default_is_set_and_not_fallen_into(
    ask: Callable[..., Any], model_path: Callable[..., Path]
) -> None:
    untold = openvino.Core().compile_model(model_path("fp32.onnx"), "CPU")
    by_default = untold.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    assert by_default == {"bf16": "bf16", "fp32": "f32"}[BF16]
    assert ask("openvino", "fp32.onnx").effective.precision == "fp32"
    told = ask("openvino", "fp32.onnx", options={"INFERENCE_PRECISION_HINT": "bf16"})
    assert told.effective.precision == BF16  # the user's own option wins, and is seen through


def test_fp16_weights_multiplied_in_fp32_are_called_fp32(
    ask: Callable[..., Any], model_path: Callable[..., Path]
) -> None:
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    assert ask(
        "openvino", "fp16.tflite", precision="fp16", options=options
    ).effective.precision == ("fp32")
    compiled = openvino.Core().compile_model(model_path("fp16.tflite"), "CPU", options)
    said = {
        op.get_rt_info()["runtimePrecision"].astype(str)
        for op in compiled.get_runtime_model().get_ordered_ops()
        if op.get_rt_info()["layerType"].astype(str) == "Convolution"
    }
    assert said <= {"f16", "f32"}  # f16 is the trap: what the kernel reads, not how it multiplies


@pytest.mark.parametrize("workload", shipping("fp32.tflite"))
def test_every_multiplication_of_a_model_is_counted(
    model_path: Callable[..., Path], workload: str
) -> None:
    graph = openvino.Core().read_model(model_path("fp32.tflite", workload))
    compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    facts = [openvino_._facts(op) for op in compiled.get_runtime_model().get_ordered_ops()]
    spec = resources.open_workload(workload).spec
    assert sum(one["macs"] for one in facts) == spec.macs


def test_a_grouped_convolution_counts_one_group_an_output() -> None:
    ops = openvino.opset13
    image = ops.parameter([1, 8, 6, 6], np.float32, name="image")
    weights = ops.constant(np.ones((8, 1, 1, 3, 3), np.float32))
    product = ops.group_convolution(image, weights, [1, 1], [0, 0], [0, 0], [1, 1])
    model = openvino.Model([product], [image])
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    facts = [openvino_._facts(op) for op in compiled.get_runtime_model().get_ordered_ops()]
    assert sum(one["macs"] for one in facts) == 8 * 4 * 4 * 9


def test_threads_device_and_tuning_are_read_back(ask: Callable[..., Any]) -> None:
    threads = min(2, len(os.sched_getaffinity(0)))
    native = ask("openvino", "fp32.onnx", threads=threads).effective
    equal = ask("openvino", "fp32.onnx", tuning="equal").effective
    assert (native.threads, equal.threads) == (threads, 1)
    assert (native.accelerator, native.accelerator_ops_ratio) == ("cpu", 1.0)
    assert native.tuning["denormals_as_zero"] == "off"
    assert equal.tuning == {
        **dict.fromkeys(("spinning", "arena", "memory_pattern"), "unsettable"),
        "denormals_as_zero": "on",
        "pinning": "off",
    }


def test_its_own_format_is_read_too(model_path: Callable[..., Path], tmp_path: Path) -> None:
    path = tmp_path / "own.xml"
    openvino.save_model(openvino.Core().read_model(model_path("fp32.onnx")), path)
    session = openvino_.OpenVINO().open(path, Settings(batch=2))
    assert session.inputs[0].shape == (2, 1, 28, 28)
    session.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"NO_SUCH_KEY": "1"}, "Unsupported property NO_SUCH_KEY"),
        ({"NUM_STREAMS": "many"}, "many"),
    ],
)
def test_an_option_that_openvino_does_not_know_is_one_line_in_its_words(
    model_path: Callable[..., Path], options: dict[str, str], words: str
) -> None:
    with pytest.raises(ModelRefusedError, match=words) as caught:
        openvino_.OpenVINO().open(model_path("fp32.onnx"), Settings(options=options))
    assert "\n" not in str(caught.value)
    assert "Exception from" not in str(caught.value)


def test_a_broken_model_is_refused_in_openvinos_words(tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"nonsense")
    with pytest.raises(ModelRefusedError, match="Unable to read the model"):
        openvino_.OpenVINO().open(path, Settings())


def test_without_the_package_the_probe_gives_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "edgebench.backends.openvino_")
    monkeypatch.setitem(sys.modules, "openvino", None)
    probe = plugins.probe_backend("openvino")
    assert not probe.available
    assert probe.reason == "openvino is not installed"
    assert probe.remedy == "pip install 'edgebench[openvino]'"


WATCHED = """
import sys, threading, time
seen = []
def watch(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.fork", "os.posix_spawn")):
        seen.append(event)
sys.addaudithook(watch)
{code}
for thread in threading.enumerate():
    if thread is not threading.main_thread():
        thread.join(10)
print(sorted(set(seen)))
"""
OPEN = """
from pathlib import Path
from edgebench.backends.openvino_ import OpenVINO
from edgebench.protocols import Settings
OpenVINO().open(Path({path!r}), Settings())
"""


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "plain import"])
def test_telemetry_is_off_with_us_and_would_be_on_without(
    model_path: Callable[..., Path], tmp_path: Path, *, ours: bool
) -> None:
    """Without us it forks a sender and writes to the home folder; a dead proxy keeps it here."""
    code = OPEN.format(path=str(model_path("fp32.onnx"))) if ours else "import openvino"
    kept = {key: value for key, value in os.environ.items() if key != "CI"}
    nowhere = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED.format(code=code)],
        env={**kept, **nowhere, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip() == "[]") == ours
    assert (list(tmp_path.iterdir()) == []) == ours


def test_reading_a_pair_of_files_takes_no_memory_for_their_weights(tmp_path: Path) -> None:
    # What passes through this process would count as the model's peak.
    size_byte = 32 << 20
    openvino_files.pack(tmp_path / "pair.zip", b"<net/>", bytes(size_byte))
    seen: list[tuple[bytes, int]] = []

    class Core:
        def read_model(self, path: str) -> str:
            seen.append((Path(path).read_bytes(), Path(path).with_suffix(".bin").stat().st_size))
            return "a model"

    tracemalloc.start()
    assert openvino_files.read(Core(), tmp_path / "pair.zip") == "a model"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seen == [(b"<net/>", size_byte)]
    assert peak < size_byte // 8

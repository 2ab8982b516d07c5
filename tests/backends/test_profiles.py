"""Every runtime that tells times of operators: they are plausible, and name what really ran."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebench import plugins, resources
from edgebench.derive.make import Made
from edgebench.errors import EdgebenchError, ModelRefusedError
from edgebench.measure import passes, profile
from edgebench.protocols import ProfilingBackend, Settings
from edgebench.records import Case, Precision
from edgebench.report.profile import Summary, summarise
from edgebench.runner import requests
from edgebench.runner.config import PRESETS
from edgebench.specs import ModelSpec, Workload
from edgebench.testing import check_backend
from edgebench.wire import Profiled

# What a runtime says while it loads is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
CALLS = 60
CELLS: list[tuple[str, Precision]] = [
    ("litert", "fp32"),
    ("litert", "int8"),
    ("onnxruntime", "fp32"),
    ("onnxruntime", "int8"),
    ("opencv-dnn", "fp32"),
    ("openvino", "fp32"),
    ("openvino", "int8"),
    ("mnn", "fp32"),
    ("mnn", "int8"),
    ("ncnn", "fp32"),
    ("ncnn", "int8"),
    ("torch", "fp32"),
    ("torch", "int8"),
]
DERIVED = ("mnn", "ncnn", "torch")
OF_ANOTHER_CALL = ("litert",)
"""Profiled through another door than benchmarked: only the operators are the same."""
Derive = Callable[..., Made]


def model_of(backend: str, precision: Precision, derived: Derive) -> tuple[Workload, ModelSpec]:
    workload = resources.open_workload("mnist_cnn")
    if backend in DERIVED:
        made = derived("mnist_cnn", backend, precision)
        model = ModelSpec(
            path=str(made.path),
            format=backend,  # type: ignore[arg-type] # each has a format of its own name
            precision=precision,
            layout="NCHW",
            sha256="0" * 64,
            size_byte=1,
        )
        workload = msgspec.structs.replace(workload, derived=(model,))
        return workload, model
    found = workload.model(plugins.probe_backend(backend).formats[0], precision)
    assert found is not None
    return workload, found


def profiled(
    backend: str, precision: Precision, derived: Derive, batch: int = 4, calls: int = CALLS
) -> Profiled:
    """Profiled as a worker does it, in this process."""
    workload, model = model_of(backend, precision, derived)
    case = Case(
        workload="mnist_cnn",
        workload_version=1,
        source_sha256="0" * 64,
        backend=backend,
        format=model.format,
        precision=precision,
        batch=batch,
    )
    request = requests.build(
        run_id="profile", case=case, workload=workload, preset=PRESETS["quick"], launch=0
    )
    request = msgspec.structs.replace(request, profile_calls=calls)
    opener = plugins.open_backend(backend)
    assert isinstance(opener, ProfilingBackend)
    path, settings = workload.path_of(model), Settings(precision=precision, batch=batch)
    opened: list[Any] = []

    def open_profiled() -> Any:  # noqa: ANN401 - whichever session the runtime has
        opened.append(opener.profile(path, settings))
        return opened[-1]

    plain = opener.open(path, settings)
    told = profile.measure(plain, open_profiled, request, lambda: None)
    for session in (*opened, plain):
        session.close()
    return told


def plausible(told: Profiled, summary: Summary, backend: str) -> bool:
    """Whether the operators are most of a call and not more than one."""
    whole_us = summary.plain_us if backend in OF_ANOTHER_CALL else summary.profiled_us
    return 0.3 <= summary.operators_us / whole_us <= 1.1 and len(told.op_times.times) > 0


@pytest.mark.parametrize(("backend", "precision"), CELLS)
def test_operators_add_up_to_a_call_and_name_the_precision_that_ran(
    backend: str, precision: Precision, derived: Derive
) -> None:
    for _ in range(3):  # other work on a shared machine may strike a whole profile
        told = profiled(backend, precision, derived)
        summary = summarise(told)
        if plausible(told, summary, backend):
            break
    assert plausible(told, summary, backend), summary
    assert len(told.profiled_ns) == len(told.plain_ns) == CALLS
    assert told.same_outputs
    assert told.op_times.source
    products = [one for one in summary.operators if one.precision == precision]
    assert products, {one.precision for one in summary.operators}
    convolutions = [one.share_ratio for one in products if "conv" in one.kind.lower()]
    assert sum(convolutions) > 0.3, "most multiplications of this network are theirs"
    assert all(one.executions == 1 for one in summary.operators)
    for number in {one.call for one in told.op_times.times} - {None}:
        own = [one for one in told.op_times.times if one.call == number]
        ends = [one.start_ns + one.duration_ns for one in own if one.start_ns is not None]
        assert max(ends, default=0) <= told.profiled_ns[number or 0]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere fp16 is computed in fp16")
def test_onnxruntime_shows_what_its_fp16_costs_where_it_computes_in_fp32(derived: Derive) -> None:
    told = profiled("onnxruntime", "fp16", derived, batch=1)
    operators = summarise(told).operators
    assert {one.precision for one in operators if one.kind == "Conv"} == {"fp32"}
    casts = {one.precision for one in operators if one.kind == "Cast"}
    assert {"fp32>fp16", "fp16>fp32"} <= casts


def test_opencv_shows_that_it_multiplies_a_quantised_file_in_float(derived: Derive) -> None:
    operators = summarise(profiled("opencv-dnn", "int8", derived)).operators
    assert {one.precision for one in operators if one.kind == "Convolution"} == {"fp32"}
    assert {"Quantize", "Dequantize"} <= {one.kind for one in operators}


@pytest.mark.parametrize(("backend", "precision"), CELLS[:: len(CELLS) // 5])
def test_a_profiled_session_is_a_session(
    backend: str, precision: Precision, derived: Derive, monkeypatch: pytest.MonkeyPatch
) -> None:
    workload, model = model_of(backend, precision, derived)
    opener = plugins.open_backend(backend)
    assert isinstance(opener, ProfilingBackend)
    path, settings = workload.path_of(model), Settings(precision=precision)
    session = opener.profile(path, settings)
    inputs, _ = passes.load_reference(workload.file("reference.npz"))
    ring = passes.ring(session, inputs, model.layout, 1, 4)
    session.close()
    again = plugins.open_backend(backend)
    assert isinstance(again, ProfilingBackend)
    monkeypatch.setattr(opener, "open", again.profile)
    check_backend(opener, path, ring, settings)


TWO = """
import sys
from pathlib import Path
from edgebench import plugins, resources
from edgebench.measure import passes
from edgebench.protocols import Settings
inputs, _ = passes.load_reference(resources.open_workload("mnist_cnn").file("reference.npz"))
sessions = [plugins.open_backend("torch").profile(Path(sys.argv[1]), Settings()) for _ in range(2)]
for session in sessions:
    session.bind(passes.ring(session, inputs, "NCHW", 1, 4))
for session in sessions:
    session.stage(0)
    session.invoke()
for session in sessions:
    session.close()
"""


def test_a_closed_session_leaves_torchs_profiler_off(derived: Derive) -> None:
    """One that is still on at the end of the process takes it down."""
    pytest.importorskip("torch", reason="needs torch")
    path = derived("mnist_cnn", "torch", "fp32").path
    done = subprocess.run([sys.executable, "-c", TWO, str(path)], check=False)
    assert done.returncode == 0


def test_what_cannot_be_looked_into_is_refused(tmp_path: Path) -> None:
    from edgebench.backends.litert_profile import ProfiledSession as LiteRTProfile
    from edgebench.backends.ncnn_profile import ProfiledSession as NcnnProfile

    with pytest.raises(ModelRefusedError, match="would time copies"):
        NcnnProfile(tmp_path, Settings(accelerator="vulkan"))
    path = resources.open_workload("mnist_cnn").file("models/fp32.tflite")
    plain = plugins.open_backend("litert").open(path, Settings())
    for settings in (Settings(accelerator="gpu"), Settings(options={"delegate": "x.so"})):
        with pytest.raises(ModelRefusedError, match="on the CPU"):
            LiteRTProfile(plain, path, settings)


def test_a_profile_that_no_answer_could_hold_says_how_many_calls_would_fit(
    derived: Derive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profile, "_MAX_EXECUTIONS", 100)
    with pytest.raises(EdgebenchError, match=r"too many to tell \(profile \d+ calls\)"):
        profiled("onnxruntime", "fp32", derived)


def test_a_backend_need_not_be_able_to_profile() -> None:
    probes = [plugins.probe_backend(name) for name in plugins.names(plugins.BACKENDS)]
    can = {probe.name for probe in probes if probe.profiles}
    assert can == {name for name, _ in CELLS} & {probe.name for probe in probes if probe.available}
    assert not plugins.probe_backend("edgebench.testing:NullBackend").profiles


LAUNCH = """
import sys
from edgebench import plugins
from edgebench.measure import memory, methods, passes, single_stream, witness, worker
for name in ("litert", "onnxruntime", "opencv-dnn", "openvino"):
    plugins.open_backend(name).probe()
print([name for name in sys.modules if name.startswith("edgebench") and "profile" in name])
"""


def test_a_launch_that_measures_has_no_code_of_profiles_in_its_process() -> None:
    run = [sys.executable, "-c", LAUNCH]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

"""Each backend's ``invoke`` against the tightest loop one would write for that runtime by hand.

A process each: both sides have the same model open, fp32 on one thread, and take turns
(`bare_pair`). A backend is added by one function in `BARE`; one that is registered and not there
is a FAIL, one that is not installed is named. Models in a runtime's own format are derived first,
into a temporary cache. ``--plant`` gives every ``invoke`` more work than the limit allows and must
end in FAIL. Wants a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from time import perf_counter_ns as clock
from typing import Any

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
from bare_more import bare_edge_impulse, bare_tensorflow, bare_torch
from bare_pair import Images, Turn, compare
from verdict import Verdict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import second_env

from edgebench import plugins, resources
from edgebench.derive import contract, make
from edgebench.errors import EdgebenchError
from edgebench.runner import launcher
from edgebench.runner.config import BackendConfig, read_config

SECOND = "tflite-runtime"
"""It lives in an environment of its own (EDGEBENCH_TFLITE_PYTHON, else one that is made)."""
CASES = (("mnist_cnn", 1), ("cifar10_cnn", 32))
"""Workload and batch: one far below 1 ms, one above."""


def bare_onnxruntime(model: Path, images: Images) -> Turn:
    """I/O binding, and the binding's own call."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model), options, ["CPUExecutionProvider"])
    (source,), (target,) = session.get_inputs(), session.get_outputs()
    x, y = np.empty_like(images[0]), np.empty((len(images[0]), 10), np.float32)
    binding = session.io_binding()
    binding.bind_input(source.name, "cpu", 0, np.float32, x.shape, x.ctypes.data)
    binding.bind_output(target.name, "cpu", 0, np.float32, y.shape, y.ctypes.data)
    run, bound = session._sess.run_with_iobinding, binding._iobinding

    def turn(slots: Iterable[int]) -> list[int]:
        taken = []
        for slot in slots:
            x[...] = images[slot]
            start = clock()
            run(bound, None)
            taken.append(clock() - start)
        return taken

    turn.keeps = y, binding  # type: ignore[attr-defined] # the runtime holds their addresses only
    return turn


def bare_litert(model: Path, images: Images) -> Turn:
    """As `_bare_tflite`."""
    from ai_edge_litert.interpreter import Interpreter

    return _bare_tflite(Interpreter, model, images)


def bare_tflite_runtime(model: Path, images: Images) -> Turn:
    """As `_bare_tflite`."""
    from tflite_runtime.interpreter import Interpreter

    return _bare_tflite(Interpreter, model, images)


def _bare_tflite(kind: Any, model: Path, images: Images) -> Turn:  # noqa: ANN401 - either class
    """A view of the input tensor, and the interpreter's compiled call."""
    interpreter = kind(model_path=str(model), num_threads=1)
    index = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(index, images[0].shape)
    interpreter.allocate_tensors()
    x = interpreter.tensor(index)()
    run = interpreter._interpreter.Invoke

    def turn(slots: Iterable[int]) -> list[int]:
        taken = []
        for slot in slots:
            x[...] = images[slot]
            start = clock()
            run()
            taken.append(clock() - start)
        return taken

    return turn


def bare_openvino(model: Path, images: Images) -> Turn:
    """Shared tensors, and the request's call below the Python class."""
    import openvino

    core = openvino.Core()
    graph = core.read_model(model)
    graph.reshape(list(images[0].shape))
    hints = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}
    compiled = core.compile_model(graph, "CPU", {**hints, "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    x, y = np.empty_like(images[0]), np.empty((len(images[0]), 10), np.float32)
    request.set_input_tensor(0, openvino.Tensor(x, shared_memory=True))
    request.set_output_tensor(0, openvino.Tensor(y, shared_memory=True))
    run = openvino._pyopenvino.InferRequest.infer
    nothing: dict[int, object] = {}

    def turn(slots: Iterable[int]) -> list[int]:
        taken = []
        for slot in slots:
            x[...] = images[slot]
            start = clock()
            run(request, nothing, True, False)
            taken.append(clock() - start)
        return taken

    turn.keeps = y  # type: ignore[attr-defined] # as above
    return turn


def bare_opencv_dnn(model: Path, images: Images) -> Turn:
    """``forward()`` alone: it allocates its output."""
    import cv2

    cv2.setNumThreads(1)
    net = cv2.dnn.readNetFromONNX(str(model))

    def turn(slots: Iterable[int]) -> list[int]:
        taken = []
        for slot in slots:
            net.setInput(images[slot])
            start = clock()
            net.forward()
            taken.append(clock() - start)
        return taken

    return turn


def bare_ncnn(model: Path, images: Images) -> Turn:
    """A fresh extractor a call, since one gives a blob once; blobs by index."""
    import ncnn

    net, (batch, channels, height, width) = ncnn.Net(), images[0].shape
    for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{name}", False)
    net.opt.num_threads = 1
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(model) as both:
        both.extractall(folder)
        net.load_param(next(str(path) for path in Path(folder).glob("*.param")))
        net.load_model(next(str(path) for path in Path(folder).glob("*.bin")))
    x = ncnn.Mat(width, height, channels)
    if batch > 1:
        x = ncnn.Mat(np.zeros_like(images[0]), 0)
    views = [np.asarray(x if batch == 1 else x.batch(number)) for number in range(batch)]
    create, source, target = net.create_extractor, net.input_indexes()[0], net.output_indexes()[0]

    def turn(slots: Iterable[int]) -> list[int]:
        taken = []
        for slot in slots:
            for view, image in zip(views, images[slot], strict=True):
                view[...] = image
            start = clock()
            extractor = create()
            extractor.input(source, x)
            _answer = extractor.extract(target)
            taken.append(clock() - start)
        return taken

    return turn


def bare_mnn(model: Path, images: Images) -> Turn:
    """``runSession`` alone; MNN's own tensors are made before and copied from outside it."""
    import MNN

    net = MNN.Interpreter(str(model))
    session = net.createSession({"backend": "CPU", "numThread": 1, "precision": "high"})
    x = net.getSessionInput(session)
    net.resizeTensor(x, images[0].shape)
    net.resizeSession(session)
    kind, layout = MNN.Halide_Type_Float, MNN.Tensor_DimensionType_Caffe
    tensors = [MNN.Tensor(image.shape, kind, image, layout) for image in images]
    run = net.runSession

    def turn(slots: Iterable[int]) -> list[int]:
        taken = []
        for slot in slots:
            x.copyFrom(tensors[slot])
            start = clock()
            run(session)
            taken.append(clock() - start)
        return taken

    return turn


BARE: dict[str, Callable[[Path, Images], Turn]] = {
    "onnxruntime": bare_onnxruntime,
    "litert": bare_litert,
    "openvino": bare_openvino,
    "opencv-dnn": bare_opencv_dnn,
    "ncnn": bare_ncnn,
    "mnn": bare_mnn,
    "torch": bare_torch,
    "tensorflow": bare_tensorflow,
    "edge-impulse": bare_edge_impulse,
    "tflite-runtime": bare_tflite_runtime,
}
ONE_BY_ONE = ("edge-impulse",)
"""They take no batch."""


def derive(fmt: str, workload: str) -> None:
    """A model in a runtime's own format; where that fails, the backend's case does and says so."""
    source = resources.open_workload(workload)
    if source.model(fmt, "fp32") is not None:
        return
    try:
        make.derive(source, contract.converter_of(fmt), "fp32")
    except EdgebenchError as error:
        print(f"      {workload} as {fmt}: {error}", flush=True)


def size(verdict: Verdict, name: str, case: tuple[str, int], *, plant: bool) -> str:
    """``short`` or ``long``, as the case that was judged; empty where the backend refuses it."""
    try:
        return compare(verdict, name, BARE[name], case, plant=plant)
    except EdgebenchError as error:
        print(f"      {name}, {case[0]}, batch {case[1]}: {error}", flush=True)
        return ""


def judge(name: str, cases: Sequence[tuple[str, int]], *, plant: bool) -> int:
    """Every case of one backend, in this process; give the exit code."""
    sys.path.remove(str(Path(__file__).resolve().parent))  # its packaging.py is not the package
    verdict = Verdict()
    own = [(case[0], 1) for case in cases] if name in ONE_BY_ONE else cases
    sizes = {size(verdict, name, case, plant=plant) for case in own} - {""}
    figure = " and ".join(sorted(sizes)) or "none"
    wanted = {"short"} if name in ONE_BY_ONE else {"short", "long"}
    limit = " and ".join(sorted(wanted, reverse=True)) + " (1 ms divides them)"
    verdict.check(f"{name}, sizes", figure, limit, passed=wanted <= sizes)
    return verdict.exit_code


def main() -> int:
    """Every registered backend, each in a process of its own; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", action="store_true", help="slow every invoke down")
    parser.add_argument("--backend", action="append", help="only these")
    parser.add_argument("--large", metavar="DIR", help="also a workload of >= 1 ms at batch 1")
    parser.add_argument("--config", type=Path, help="as of `run`, for runtimes in other Pythons")
    parser.add_argument("--here", metavar="BACKEND", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    cases = [*CASES, *([(asked.large, 1)] if asked.large else [])]
    if asked.here:
        return judge(asked.here, cases, plant=asked.plant)
    words = [*(["--plant"] if asked.plant else []), *(["--large", asked.large] * bool(asked.large))]
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="edgebench-cache-") as cache:
        os.environ["EDGEBENCH_CACHE"] = cache
        elsewhere = read_config(asked.config).backends if asked.config else {}
        if SECOND not in elsewhere and SECOND in (asked.backend or [SECOND]):
            second = second_env.find_or_create(Path(cache) / "second")
            elsewhere = {**elsewhere, SECOND: BackendConfig(python=str(second))}
        for name in asked.backend or dict.fromkeys((*plugins.names(plugins.BACKENDS), *elsewhere)):
            python = elsewhere[name].python if name in elsewhere else None
            (probe,) = launcher.probe([name], python)
            if name not in BARE:
                verdict.check(name, "no loop written by hand", "one a backend", passed=False)
                continue
            if not probe.available:
                print(f"      {name}: not judged, not installed: {probe.reason}", flush=True)
                continue
            for fmt, (workload, _) in product(set(probe.formats) & set(contract.CONVERTERS), cases):
                derive(fmt, workload)
            line = [python or sys.executable, __file__, *words, "--here", name]
            verdict.failed += subprocess.run(line, check=False).returncode != 0
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

"""Each backend's ``invoke`` against the tightest loop one would write for that runtime by hand.

In one process both have the same model open, fp32 on one thread, and take short turns in random
order; a round is a turn of each. The figure is the median over rounds of the difference of the
turns' medians. A backend is added by one function in `BARE`. ``--plant`` gives every ``invoke``
more work than the limit allows and must end in FAIL. Wants a quiet machine.
"""

from __future__ import annotations

import argparse
import atexit
import json
import mmap
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter_ns as clock
from typing import Any, NamedTuple

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np
from numpy.typing import NDArray
from verdict import Verdict

sys.path.insert(0, str(Path(__file__).parents[1] / "backends"))
import eim_workload

from edgebench import plugins, resources
from edgebench.measure import loop, passes
from edgebench.protocols import Session, Settings
from edgebench.specs import Workload

CASES = (("mnist_cnn", 1), ("cifar10_cnn", 32))
"""Workload and batch: one far below 1 ms, one above."""
ROUNDS = 61
TURN_NS = 30_000_000
DROPPED = 5
SLOTS = 16
LONG_NS = 1_000_000
MAX_RATIO = 0.03
MAX_US = 5.0
PLANT_NS = 20_000
PLANT_RATIO = 0.1

Images = list[NDArray[np.float32]]
Turn = Callable[[Iterable[int]], list[int]]
"""Given slots, one inference each; what each took in ns, staging left out."""


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
    """A view of the input tensor, and the interpreter's compiled call."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model), num_threads=1)
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


def bare_edge_impulse(model: Path, images: Images) -> Turn:
    """A plain socket, and numpy on the executable's shared memory."""
    path = model.parent / "bare"
    subprocess.Popen([str(model), str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    while client.connect_ex(str(path)):
        time.sleep(0.01)
    client.sendall(b'{"hello": 1, "id": 1}')
    told = json.loads(client.recv(1 << 16)[:-1])["features_shm"]
    file = os.open(f"/dev/shm{told['name']}", os.O_RDWR)  # noqa: S108 - shm_open(3)
    x = np.frombuffer(mmap.mmap(file, told["size_bytes"]), np.float32)
    request = b'{"classify_shm": {"elements": %d}, "id": 2}' % len(x)
    weights = np.array([1 << 16, 1 << 8, 1] if images[0].shape[3] == 3 else [0x010101])
    features = [np.rint(image * 255).reshape(len(x), -1) @ weights for image in images]
    reply = bytearray(1 << 16)
    send, receive = client.sendall, client.recv_into

    def turn(slots: Iterable[int]) -> list[int]:
        taken = []
        for slot in slots:
            x[...] = features[slot]
            start = clock()
            send(request)
            while reply[receive(reply) - 1]:
                pass
            taken.append(clock() - start)
        return taken

    return turn


BARE: dict[str, Callable[[Path, Images], Turn]] = {
    "onnxruntime": bare_onnxruntime,
    "litert": bare_litert,
    "openvino": bare_openvino,
    "opencv-dnn": bare_opencv_dnn,
    "edge-impulse": bare_edge_impulse,
}
ONE_BY_ONE = ("edge-impulse",)
"""They take no batch."""


class Pair(NamedTuple):
    """The same model twice: through the backend, and by hand."""

    session: Session
    bare: Turn


def ours(session: Session, slots: tuple[int, ...]) -> list[int]:
    """A turn of edgebench's own loop."""
    samples = array("q", bytes(8 * len(slots)))
    loop.timed(session.stage, session.invoke, slots, samples)
    return samples.tolist()


def model_of(formats: tuple[str, ...], workload: Workload) -> tuple[Path, str]:
    """The workload's fp32 model, and its layout; of ``.eim`` there are stand-ins only."""
    if "eim" in formats:
        folder = Path(tempfile.mkdtemp(prefix="edgebench-bare-"))
        atexit.register(shutil.rmtree, folder)
        return eim_workload.standin(folder / "model.eim", workload.spec.name), "NHWC"
    found = [workload.model(fmt, "fp32") for fmt in formats]
    model = next(one for one in found if one is not None)
    return workload.file(model.path), model.layout


def opened(name: str, workload_name: str, batch: int) -> Pair:
    """Both, bound to the same images."""
    backend = plugins.open_backend(name)  # first: it turns telemetry off before the import
    workload = resources.open_workload(workload_name)
    path, layout = model_of(backend.formats, workload)
    pre = workload.spec.preprocess
    session = backend.open(path, Settings(batch=batch, mean=pre.mean, std=pre.std))
    images, _ = passes.load_reference(workload.file(workload.spec.reference.path))
    ring = passes.ring(session, images, layout, batch, SLOTS)
    session.bind(ring)
    return Pair(session, BARE[name](path, [next(iter(feeds.values())) for feeds in ring]))


def slowed(invoke: Callable[[], Any], expected_ns: float) -> Callable[[], None]:
    """The same call with a pause that no limit allows."""
    pause_ns = max(PLANT_NS, int(PLANT_RATIO * expected_ns))

    def call() -> None:
        invoke()
        end = clock() + pause_ns
        while clock() < end:
            pass

    return call


def compare(verdict: Verdict, name: str, workload: str, batch: int, *, plant: bool) -> None:
    """Turns of both, until every round is made."""
    pair = opened(name, workload, batch)
    warm = [slot % SLOTS for slot in range(20)]
    expected_ns = statistics.median(pair.bare(warm)[DROPPED:])
    ours(pair.session, tuple(warm))
    if plant:
        pair.session.invoke = slowed(pair.session.invoke, expected_ns)  # type: ignore[method-assign]
    count = DROPPED + max(5, int(TURN_NS / expected_ns))
    slots = tuple(slot % SLOTS for slot in range(count))
    turns: dict[str, Callable[[], list[int]]] = {
        "ours": lambda: ours(pair.session, slots),
        "bare": lambda: pair.bare(slots),
    }
    draw = random.Random(1)  # noqa: S311 - no secret
    medians: dict[str, list[float]] = {"ours": [], "bare": []}
    loop.quiet()
    for _ in range(ROUNDS):
        for side in draw.sample(sorted(turns), 2):
            medians[side].append(statistics.median(turns[side]()[DROPPED:]))
    extra_ns = statistics.median(a - b for a, b in zip(*medians.values(), strict=True))
    bare_ns = statistics.median(medians["bare"])
    long = bare_ns >= LONG_NS
    passed = abs(extra_ns) <= (MAX_RATIO * bare_ns if long else MAX_US * 1000)
    figure = f"{extra_ns / 1000:+.2f} us, {extra_ns / bare_ns:+.2%} of {bare_ns / 1000:.1f} us"
    limit = f"within {MAX_RATIO:.0%}" if long else f"within {MAX_US:g} us"
    verdict.check(f"{name}, {workload}, batch {batch}", figure, limit, passed=passed)
    pair.session.close()


def main() -> int:
    """Every installed backend; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", action="store_true", help="slow every invoke down")
    parser.add_argument("--backend", action="append", help="only these")
    options = parser.parse_args()
    verdict = Verdict()
    known = plugins.names(plugins.BACKENDS)
    for name in options.backend or [n for n in known if plugins.probe_backend(n).available]:
        if name not in BARE:
            verdict.check(name, "no loop written by hand", "one a backend", passed=False)
            continue
        for workload, usual in CASES:
            batch = 1 if name in ONE_BY_ONE else usual
            compare(verdict, name, workload, batch, plant=options.plant)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

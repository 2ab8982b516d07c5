"""From an image file's bytes to the answer, one image (or batch) after the other, by stages.

The file is read once: the disk is not in it. The same image is decoded anew each time, as a
camera's would be, though its bytes are warm in the caches.
"""

from __future__ import annotations

import hashlib
import time
from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError
from edgebench.host import counters
from edgebench.measure import loop, pipeline
from edgebench.measure.methods import Context, Fields
from edgebench.measure.pipeline import Pipeline
from edgebench.protocols import Session
from edgebench.samples import Samples
from edgebench.units import NS_PER_S
from edgebench.wire import LaunchRequest

_MIN_IMAGES = 5
_MAX_IMAGES = 1 << 18
_CHUNK_S = 0.05
"""The loop is left this often to look whether time is up."""
_ALIVE_NS = NS_PER_S
_TOLERANCE_RATIO = 1e-3
"""Of the largest output, between two ways to give the same input: some devices sum in any order."""


def measure(context: Context) -> Fields:
    """Latency of every image, and of each of its stages."""
    request, session = context.request, context.session
    made = pipeline.build(request, session, pipeline.library(request.case.threads))
    data = _read(request)
    expected_ns = _warm_up(made, data, request)
    context.begin()
    used_before = counters.used()
    stamps = _stamps(made, data, context, expected_ns)
    used = counters.used().since(used_before)
    _check_copy_in(made, data, request, session)
    stages = zip(made.steps, np.diff(stamps, axis=1).T, strict=True)
    return {
        "latency_ns": _samples(stamps[:, -1] - stamps[:, 0]),
        "stage_ns": {name: _samples(taken) for name, taken in stages},
        "pipeline": made.words,
        "inferences": len(stamps),
        "window_ns": int(stamps[-1, -1] - stamps[0, 0]),
        **used.fields(),
    }


def _read(request: LaunchRequest) -> bytes:
    if request.image_path is None:
        raise ModelRefusedError("the request names no image")
    data = Path(request.image_path).read_bytes()
    if hashlib.sha256(data).hexdigest() != request.case.image_sha256:
        raise ModelRefusedError(f"{request.image_path} is not the image that was planned with")
    return data


def _warm_up(made: Pipeline, data: bytes, request: LaunchRequest) -> int:
    """Run until ``warmup_s`` have passed and 5 images went through; ns of the quickest one."""
    steps = tuple(made.steps.values())
    stamps = array("q", bytes(8 * (len(steps) + 1)))
    taken: list[int] = []
    start = time.perf_counter()
    while (passed := time.perf_counter() - start) < request.warmup_max_s or not taken:
        if passed >= request.warmup_s and len(taken) >= _MIN_IMAGES:
            break
        loop.staged(steps, data, 1, stamps)
        taken.append(stamps[-1] - stamps[0])
    return min(taken)


def _stamps(made: Pipeline, data: bytes, context: Context, expected_ns: int) -> NDArray[np.int64]:
    """A row an image: the stamp before its first stage, and after each one."""
    steps, measure_ns = tuple(made.steps.values()), context.request.measure_s * NS_PER_S
    width = len(steps) + 1
    per_chunk = max(1, int(_CHUNK_S * NS_PER_S / max(1, expected_ns)))
    buffer = array("q", bytes(8 * width * per_chunk))
    taken = array("q")
    told_ns = time.perf_counter_ns()
    while len(taken) < _MAX_IMAGES * width:
        loop.staged(steps, data, per_chunk, buffer)
        taken += buffer
        if taken[-1] - taken[0] >= measure_ns and len(taken) >= _MIN_IMAGES * width:
            break
        if taken[-1] - told_ns >= _ALIVE_NS:
            context.alive()
            told_ns = taken[-1]
    return np.frombuffer(taken, np.int64).reshape(-1, width)


def _samples(taken: NDArray[np.int64]) -> Samples:
    return Samples.from_bytes(np.ascontiguousarray(taken, np.uint64).tobytes())


def _check_copy_in(made: Pipeline, data: bytes, request: LaunchRequest, session: Session) -> None:
    """See that what was fed has arrived: the same input gives the same output through the ring.

    Raises:
        ModelRefusedError: It does not, so what was timed was another inference.
    """
    value: object = data
    for name, step in made.steps.items():
        if name == "copy_in":
            break
        value = step(value)
    if not isinstance(value, dict):
        raise ModelRefusedError("the stages before copy_in made no inputs")
    session.feed(value)
    session.invoke()
    fed = session.read()
    session.bind([value])
    session.stage(0)
    session.invoke()
    for name, expected in session.read().items():
        wanted = expected.astype(np.float64)
        limit = _TOLERANCE_RATIO * max(1.0, float(np.abs(wanted).max()))
        if not np.allclose(fed[name], wanted, rtol=0, atol=limit, equal_nan=True):
            raise ModelRefusedError(
                f"{request.case.backend} gives another {name} for an input that it is fed "
                "than for the same input in its ring"
            )

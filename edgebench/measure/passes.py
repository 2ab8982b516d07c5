"""The passes of a launch, one instrument each: warm-up, latency, outputs."""

from __future__ import annotations

import math
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError
from edgebench.host import counters
from edgebench.measure import loop, stopping, tensors
from edgebench.protocols import Feeds, Session
from edgebench.records import Parity
from edgebench.samples import Samples
from edgebench.specs import InputSpec
from edgebench.units import NS_PER_S
from edgebench.wire import LaunchRequest, described_path

_MIN_INFERENCES = 5
_MAX_INFERENCES = 1 << 20
_CHUNK_S = 0.05
"""The loop is left this often to look whether time is up; never within a chunk."""
_REFRESH = 5
"""Inferences after a look that are not counted: by then the caches are as they were."""
_EPSILON = 1e-30
_FAINT_RMS = 1e-5
"""Of an answer; beneath it there is nothing but how a runtime rounds (onnxruntime's sigmoid is
right to 1e-7), and a direction tells nothing."""
_SUM_TOLERANCE = 0.05
"""Probabilities of 8 bits add up to 1 only roughly."""

Arrays = NDArray[Any] | Sequence[NDArray[Any]]


class Window(NamedTuple):
    """What the latency pass saw."""

    latency_ns: array[int]
    window_ns: int
    used: counters.Used
    converged: bool | None = None
    """Whether the rule held; None without one."""

    @property
    def cpu_ns(self) -> int:
        """CPU time of all threads within the window."""
        return self.used.cpu_ns


def load_reference(path: Path) -> tensors.Reference:
    """``(inputs, fp32 outputs)`` of a workload, a tuple of arrays (n, ...) each; no pickles.

    Raises:
        ModelRefusedError: The reference itself is unfit: no model may be blamed for that.
    """
    return tensors.load(path)


def make_reference(session: Session, request: LaunchRequest) -> None:
    """Inputs for a model that has no workload, and its own outputs for them, as a file.

    They are the request's samples where it has some, else random, and then the same shapes give
    the same inputs: two such files tell how far two models agree. Beside it
    lies what the runtime declares (`edgebench.wire.Described`), also where the model cannot run.

    Raises:
        ModelRefusedError: Nothing could be held against its answers.
    """
    path, layout = Path(request.reference_path), request.model_layout
    tensors.describe(session, described_path(path))
    if not (session.inputs and session.outputs):
        raise ModelRefusedError(f"it has no {'outputs' if session.inputs else 'inputs'}")
    inputs = _pictured(request) if request.samples_path else tensors.random(session, request)
    outputs = run_all(session, inputs, layout, request.case.batch, request.inputs)
    made = tensors.as_reference(session, outputs, layout)
    if not all(np.isfinite(one).all() for one in made if one.dtype.kind == "f"):
        given = "the given images" if request.samples_path else "random inputs"
        raise ModelRefusedError(f"it answers {given} with NaN or infinity")
    tensors.save(path, tensors.Reference(inputs, made))


def _pictured(request: LaunchRequest) -> tuple[NDArray[Any], ...]:
    """The request's samples as the one input that takes them."""
    with np.load(str(request.samples_path), allow_pickle=False) as archive:
        return (as_input(archive["images"], request),)


def as_input(pixels: NDArray[Any], request: LaunchRequest) -> NDArray[Any]:
    """Labelled images (n, h, w, c) as the workload's input takes them."""
    made = normalise(pixels, request.samples_mean, request.samples_std)
    return tensors.typed(made, tensors.image_dtype(request))


def normalise(
    pixels: NDArray[Any], mean: tuple[float, ...], std: tuple[float, ...]
) -> NDArray[np.float32]:
    """Stored pixels (n, h, w, c) as the workload's inputs: ``(pixel - mean) / std``."""
    centred = pixels.astype(np.float32) - np.asarray(mean, np.float32)
    return (centred / np.asarray(std, np.float32)).astype(np.float32)


def feeds(
    session: Session,
    inputs: Arrays,
    layout: str,
    batch: int,
    specs: Sequence[InputSpec] = (),
) -> Iterator[Feeds]:
    """Inputs (n, ...) as feeds of ``batch``, in the session's names, layout and types.

    The last feed is filled up with the first samples.

    Args:
        session: Open.
        inputs: The workload's inputs in its order, images (n, h, w, c); one may come without a
            tuple around it.
        layout: Of the model's file.
        batch: Of the session.
        specs: Of the inputs, in their order; none: each of rank 4 is an image.

    Raises:
        ModelRefusedError: The model has other inputs.
    """
    arrays = _many(inputs)
    plugs = tensors.plugs(session, arrays, layout, batch, specs)
    for first in range(0, len(arrays[0]), batch):
        rows = np.arange(first, first + batch) % len(arrays[0])
        yield {plug.tensor.name: _fed(plug, arrays[plug.place][rows]) for plug in plugs}


def _fed(plug: tensors.Plug, rows: NDArray[Any]) -> NDArray[Any]:
    """A batch of samples as an input takes it; one without a batch takes the sample alone."""
    laid = rows.transpose(0, 3, 1, 2) if plug.channels_first else rows
    return np.ascontiguousarray(laid, dtype=plug.tensor.dtype).reshape(plug.tensor.shape)


def _many(inputs: Arrays) -> tuple[NDArray[Any], ...]:
    return (inputs,) if isinstance(inputs, np.ndarray) else tuple(inputs)


def ring(  # noqa: PLR0917 - those of `feeds`, in its order
    session: Session,
    inputs: Arrays,
    layout: str,
    batch: int,
    slots: int,
    specs: Sequence[InputSpec] = (),
) -> list[Feeds]:
    """``slots`` different inputs of ``batch`` samples each; else as `feeds`.

    Where the samples do not last for that many, neighbouring slots share all but one sample.
    """
    arrays = _many(inputs)
    count = len(arrays[0])
    stride = batch if slots * batch <= count else 1
    rows = [np.arange(slot * stride, slot * stride + batch) % count for slot in range(slots)]
    return [
        next(feeds(session, [one[chosen] for one in arrays], layout, batch, specs))
        for chosen in rows
    ]


def warm_up(session: Session, slots: int, at_least_s: float, at_most_s: float) -> Samples:
    """Run until ``at_least_s`` have passed and `_MIN_INFERENCES` were made, or ``at_most_s``."""
    taken: list[int] = []
    start = time.perf_counter()
    while (passed := time.perf_counter() - start) < at_most_s:
        if passed >= at_least_s and len(taken) >= _MIN_INFERENCES:
            break
        taken.append(loop.once(session.stage, session.invoke, len(taken) % slots))
    return Samples(taken)


class _Timer:
    """Inferences back to back, in stretches; it knows what they took.

    Args:
        session: Bound and warm.
        ring_slots: Slots in the ring, visited in order.
        expected_ns: One inference, for the size of a chunk.
        clock: Instead of the real one; ns.
    """

    def __init__(
        self, session: Session, ring_slots: int, expected_ns: int, clock: Callable[[], int] | None
    ) -> None:
        self._session, self._ring_slots, self._clock = session, ring_slots, clock
        per_chunk = max(1, min(1 << 16, int(_CHUNK_S * NS_PER_S / max(1, expected_ns))))
        self._per_chunk = per_chunk
        self._slots = tuple(i % ring_slots for i in range(per_chunk + ring_slots))
        self.latency_ns = array("q")
        self.window_ns = 0
        self.used = counters.Used()

    def go(self, samples: int, at_least_ns: float, at_most_ns: float = math.inf) -> None:
        """On until there are so many samples and the window is so long, or at most so long."""
        buffer = array("q", bytes(8 * self._per_chunk))
        taken, done_ns, begin = self.latency_ns, self.window_ns, 0
        stage, invoke = self._session.stage, self._session.invoke
        start_used = counters.used()
        while len(taken) < _MAX_INFERENCES:
            first = len(taken) % self._ring_slots
            chunk = self._slots[first : first + self._per_chunk]
            start, end = loop.timed(stage, invoke, chunk, buffer, clock=self._clock)
            begin = begin or start
            taken += buffer
            window_ns = done_ns + end - begin
            enough = window_ns >= at_least_ns and len(taken) >= samples
            if len(taken) >= _MIN_INFERENCES and (enough or window_ns >= at_most_ns):
                break
        self.used = self.used.plus(counters.used().since(start_used))
        self.window_ns = done_ns + end - begin

    def refresh(self) -> None:
        """A few inferences outside the window: a look has taken the caches."""
        for index in range(_REFRESH):
            loop.once(self._session.stage, self._session.invoke, index % self._ring_slots)


def latency(
    session: Session,
    ring_slots: int,
    measure_s: float,
    expected_ns: int,
    *,
    rule: stopping.Rule | None = None,
    clock: Callable[[], int] | None = None,
) -> Window:
    """Time inferences back to back for ``measure_s``, in chunks of about 50 ms.

    With a rule, on from there until the median is known well enough. Looking whether it is lies
    between two stretches of the window, in neither a sample nor the window nor its CPU time.

    Args:
        session: Bound and warm.
        ring_slots: Slots in the ring, visited in order.
        measure_s: At least so long, and at least 5 inferences.
        expected_ns: One inference, for the size of a chunk.
        rule: When to stop; None stops at ``measure_s``.
        clock: Instead of the real one; ns.
    """
    timer = _Timer(session, ring_slots, expected_ns, clock)
    least_ns, converged = measure_s * NS_PER_S, None
    if rule is None:
        timer.go(_MIN_INFERENCES, least_ns)
    else:
        most_ns, converged = rule.max_s * NS_PER_S, False
        samples = stopping.FIRST_LOOK
        while not converged:
            timer.go(samples, least_ns, most_ns)
            converged = stopping.reached(timer.latency_ns, rule.target_ratio)
            if timer.window_ns >= most_ns or len(timer.latency_ns) >= _MAX_INFERENCES:
                break
            samples = stopping.next_look(len(timer.latency_ns))
            timer.refresh()
    return Window(timer.latency_ns, timer.window_ns, timer.used, converged)


def run_all(
    session: Session,
    inputs: Arrays,
    layout: str,
    batch: int,
    specs: Sequence[InputSpec] = (),
) -> tuple[NDArray[Any], ...]:
    """Every output of the session, in its order, for every sample, (n, ...) each; no clock."""
    count = len(_many(inputs)[0])
    rows: list[list[NDArray[Any]]] = [[] for _ in session.outputs]
    for one in feeds(session, inputs, layout, batch, specs):
        session.bind([one])
        session.stage(0)
        session.invoke()
        for taken, out in zip(rows, session.read().values(), strict=True):
            taken.append(out if tensors.batched(out.shape, batch) else out[np.newaxis])
    return tuple(np.concatenate(taken)[:count] for taken in rows)


def answers(
    session: Session, request: LaunchRequest, inputs: Arrays, outputs: Sequence[NDArray[Any]]
) -> tuple[NDArray[Any], ...]:
    """What the session answers, in the order and layout of the reference's ``outputs``."""
    layout = request.model_layout
    found = run_all(session, inputs, layout, request.case.batch, request.inputs)
    return tensors.in_order(session, found, outputs, request.outputs, layout)


def compare(outputs: Arrays, reference: Arrays) -> Parity:
    """Every output (n, ...) against the reference's, in its order; one without a tuple around it.

    A model that ends in softmax is compared with the softmax of the reference: as directions,
    probabilities and logits have nothing in common. Integers (indices, an argmax) are right or
    wrong: of them the share of equal elements is told.

    Raises:
        ModelRefusedError: The outputs have other shapes.
    """
    pairs = list(zip(_many(outputs), _many(reference), strict=True))
    for ours, theirs in pairs:
        if ours.shape != theirs.shape:
            raise ModelRefusedError(
                f"the model's outputs are {ours.shape}, the reference's {theirs.shape}"
            )
    floats = [both for both in pairs if both[1].dtype.kind == "f"]
    equal = [float(np.mean(a == b)) for a, b in pairs if b.dtype.kind != "f"]
    found = [_compared(*both) for both in floats or pairs]
    classes = len(pairs) == len(floats) == 1 and _are_classes(floats[0][1])
    return Parity(
        samples=len(pairs[0][1]),
        cosine=min(one.cosine for one in found),
        max_abs_error=max(one.max_abs_error for one in found),
        top1_ratio=found[0].top1_ratio if classes else None,
        equal_ratio=min(equal, default=None),
        softmax=any(one.softmax for one in found),
    )


class _Compared(NamedTuple):
    """One output; the fields are those of `Parity`."""

    cosine: float
    max_abs_error: float
    top1_ratio: float
    softmax: bool


def _compared(outputs: NDArray[Any], reference: NDArray[Any]) -> _Compared:
    ours = outputs.reshape(len(outputs), -1).astype(np.float64)
    theirs = reference.reshape(len(reference), -1).astype(np.float64)
    softmax = _are_classes(reference) and _probabilities(ours) and not _probabilities(theirs)
    if softmax:
        theirs = np.exp(theirs - theirs.max(axis=1, keepdims=True))
        theirs /= theirs.sum(axis=1, keepdims=True)
    # As if both had one more element: what is faint is not turned by rounding, and wrong if large.
    size, least = (theirs**2).sum(axis=1), _FAINT_RMS**2 * theirs.shape[1]
    faint = np.where(size < least, least, 0.0)
    with np.errstate(invalid="ignore"):  # infinity over infinity
        norms = np.sqrt(((ours**2).sum(axis=1) + faint) * (size + faint))
        cosine = ((ours * theirs).sum(axis=1) + faint) / np.maximum(norms, _EPSILON)
    # A NaN output is as wrong as an output can be: it must never look like "not measured".
    cosine = np.nan_to_num(cosine, nan=-1.0, posinf=-1.0, neginf=-1.0)
    # Zeros have no direction; where they are right, they are as right as can be.
    cosine[(ours == theirs).all(axis=1)] = 1.0
    error = np.nan_to_num(np.abs(ours - theirs), nan=np.finfo(np.float64).max)
    agree = ours.argmax(axis=1) == theirs.argmax(axis=1)
    return _Compared(float(cosine.min()), float(error.max()), float(agree.mean()), softmax)


def _are_classes(outputs: NDArray[Any]) -> bool:
    """Whether each sample's are one number a class, of two or more: (n, c), (n, c, 1, 1) ..."""
    sizes = outputs.shape[1:]
    return 1 < max(sizes, default=0) == math.prod(sizes)


def _probabilities(rows: NDArray[np.float64]) -> bool:
    """Whether every row (n, classes) has no negative value and adds up to 1; NaN never does."""
    return bool((rows >= 0).all() and (np.abs(rows.sum(axis=1) - 1) < _SUM_TOLERANCE).all())

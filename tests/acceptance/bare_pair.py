"""Two loops over one model take short turns in random order: edgebench's, and one by hand.

A round is a turn of each; the figure is the median over rounds of the difference of the turns'
medians. Below 1 ms the limit is one of microseconds, above it a ratio.
"""

from __future__ import annotations

import atexit
import random
import shutil
import statistics
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import perf_counter_ns as clock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from verdict import Verdict

from edgebench import plugins, resources
from edgebench.derive import cache
from edgebench.errors import UsageError
from edgebench.measure import loop, passes
from edgebench.protocols import Session, Settings
from edgebench.specs import Workload

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


class Pair(NamedTuple):
    """The same model twice: through the backend, and by hand."""

    session: Session
    bare: Turn


def ours(session: Session, slots: tuple[int, ...]) -> list[int]:
    """A turn of edgebench's own loop."""
    samples = array("q", bytes(8 * len(slots)))
    loop.timed(session.stage, session.invoke, slots, samples)
    return samples.tolist()


def opened(
    name: str, by_hand: Callable[[Path, Images], Turn], workload_name: str, batch: int
) -> Pair:
    """Both, bound to the same images.

    Raises:
        EdgebenchError: The workload has no such model, or the backend refuses it or the batch.
    """
    backend = plugins.open_backend(name)  # first: it turns telemetry off before the import
    workload = cache.attach(resources.open_workload(workload_name))
    path, layout = _model(backend.formats, workload)
    pre = workload.spec
    session = backend.open(path, Settings(batch=batch, mean=pre.mean, std=pre.std))
    images, _ = passes.load_reference(workload.reference_path)
    ring = passes.ring(session, images, layout, batch, SLOTS)
    session.bind(ring)
    return Pair(session, by_hand(path, [next(iter(feeds.values())) for feeds in ring]))


def _model(formats: Sequence[str], workload: Workload) -> tuple[Path, str]:
    """The workload's fp32 model and its layout; of ``.eim`` there are stand-ins only."""
    if "eim" in formats:
        sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "backends"))
        import eim_workload

        folder = Path(tempfile.mkdtemp(prefix="edgebench-bare-"))
        atexit.register(shutil.rmtree, folder)
        return eim_workload.standin(folder / "model.eim", workload.spec.name), "NHWC"
    found = [workload.model(fmt, "fp32") for fmt in formats]
    model = next((one for one in found if one is not None), None)
    if model is None:
        raise UsageError(f"{workload.spec.name} has no fp32 model as {' or '.join(formats)}")
    return workload.path_of(model), model.layout


def slowed(invoke: Callable[[], Any], expected_ns: float) -> Callable[[], None]:
    """The same call with a pause that no limit allows."""
    pause_ns = max(PLANT_NS, int(PLANT_RATIO * expected_ns))

    def call() -> None:
        invoke()
        end = clock() + pause_ns
        while clock() < end:
            pass

    return call


def compare(
    verdict: Verdict,
    name: str,
    by_hand: Callable[[Path, Images], Turn],
    case: tuple[str, int],
    *,
    plant: bool,
) -> str:
    """Turns of both, until every round is made; ``short`` or ``long``, as the model is.

    Args:
        verdict: Gets the line.
        name: Of the backend.
        by_hand: Its loop.
        case: Workload and batch.
        plant: Slow the backend down.
    """
    pair = opened(name, by_hand, *case)
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
    label = f"{name}, {Path(case[0]).name}, batch {case[1]}"
    verdict.check(label, figure, limit, passed=passed)
    pair.session.close()
    return "long" if long else "short"

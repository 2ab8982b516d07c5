"""The loop times what it says, in order, and nothing else."""

from __future__ import annotations

import itertools
import sys
import time
from array import array
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from virtual import NS_PER_S, TimedSession, install

from edgebench.errors import ModelRefusedError
from edgebench.measure import accuracy, loop, memory, passes
from edgebench.protocols import Settings
from edgebench.testing import NullSession


class Clock:
    """A clock that moves only when told: readings cost 2, staging 100, call k costs 10 + k."""

    def __init__(self) -> None:
        self.now = 0
        self.staged: list[int] = []
        self.calls = 0

    def read(self) -> int:
        self.now += 2
        return self.now

    def stage(self, slot: int) -> None:
        self.now += 100
        self.staged.append(slot)

    def invoke(self) -> None:
        self.now += 10 + self.calls
        self.calls += 1


def test_samples_hold_the_call_and_one_clock_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(loop, "perf_counter_ns", clock.read)
    samples = array("q", bytes(8 * 6))
    first, end = loop.timed(clock.stage, clock.invoke, (0, 1, 2, 0), samples, 1)
    assert list(samples) == [0, 12, 13, 14, 15, 0]
    assert clock.staged == [0, 1, 2, 0]
    # From the first stamp to the last: all samples, and the three stagings and stamps between.
    assert end - first == 12 + 13 + 14 + 15 + 3 * 102


def test_the_clock_costs_something_and_little() -> None:
    assert 0 < loop.clock_cost_ns() < 100_000


def test_the_latency_pass_keeps_order_and_visits_the_ring_in_turn() -> None:
    session = NullSession(Settings(options={"busy_us": "200"}))
    visited: list[int] = []
    session.stage = visited.append  # type: ignore[method-assign, assignment]
    window = passes.latency(session, 7, 0.15, 200_000)
    assert len(window.latency_ns) == len(visited)
    assert visited == [i % 7 for i in range(len(visited))]
    assert window.window_ns >= 0.15e9
    assert min(window.latency_ns) >= 200_000
    assert window.cpu_ns > 0


def _slow_stage(slot: int) -> None:
    del slot
    time.sleep(0.02)


def test_the_window_of_a_slow_model_holds_its_staging_too() -> None:
    session = NullSession(Settings(options={"busy_us": "20000"}))
    session.stage = _slow_stage  # type: ignore[method-assign]
    window = passes.latency(session, 4, 0.3, 60_000_000)  # a chunk of one inference
    count = len(window.latency_ns)
    assert window.window_ns >= count * 20_000_000 + (count - 1) * 20_000_000


@pytest.mark.parametrize("batch", [1, 4, 8, 64])
def test_the_ring_holds_different_inputs_at_every_batch(batch: int) -> None:
    images = np.arange(64, dtype=np.float32)[:, None, None, None] * np.ones((1, 28, 28, 1), "f4")
    made = passes.ring(NullSession(Settings(batch=batch)), images, "NHWC", batch, 16)
    assert {feeds["input"].shape for feeds in made} == {(batch, 28, 28, 1)}
    assert len({feeds["input"].tobytes() for feeds in made}) == 16


def test_a_slow_model_is_still_measured_five_times() -> None:
    window = passes.latency(
        NullSession(Settings(options={"busy_us": "30000"})), 4, 0.01, 30_000_000
    )
    assert len(window.latency_ns) == 5


def slow(monkeypatch: pytest.MonkeyPatch, service_ns: int) -> TimedSession:
    """A session on a virtual clock, which is everybody's."""
    clock = install(monkeypatch)
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now / NS_PER_S)
    return TimedSession(clock, itertools.repeat(service_ns), itertools.repeat(0))


def test_warm_up_ends_at_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    session = slow(monkeypatch, 1_000_000)
    assert len(passes.warm_up(session, 4, 0.0, 10.0)) == 5
    assert len(passes.warm_up(session, 4, 0.0499, 10.0)) == 50
    assert len(passes.warm_up(session, 4, 10.0, 0.0099)) == 10


def test_the_memory_pass_takes_five_inferences_or_as_many_as_there_is_time_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A model of 15 s must not time out before anything is timed."""
    seen = memory.measure(slow(monkeypatch, 1_000_000), {}, 10.0)
    assert (seen.first_inference_ns, len(seen.others_ns)) == (1_000_000, 4)
    assert len(memory.measure(slow(monkeypatch, 15 * NS_PER_S), {}, 10.0).others_ns) == 0
    assert len(memory.measure(slow(monkeypatch, 6 * NS_PER_S), {}, 10.0).others_ns) == 1


def test_feeds_are_batched_wrapped_and_laid_out() -> None:
    images = np.arange(5 * 28 * 28, dtype=np.float32).reshape(5, 28, 28, 1)
    session = NullSession(Settings(batch=2))
    made = list(passes.feeds(session, images, "NCHW", 2))
    assert [feed["input"].shape for feed in made] == [(2, 28, 28, 1)] * 3
    assert np.array_equal(made[2]["input"], images[[4, 0]])
    with pytest.raises(ModelRefusedError, match="input is"):
        next(passes.feeds(session, np.zeros((1, 8, 8, 3), np.float32), "NHWC", 2))


def test_outputs_are_compared_by_the_worst_sample() -> None:
    reference = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    same = passes.compare(reference, reference)
    assert (same.cosine, same.max_abs_error, same.top1_ratio) == (1.0, 0.0, 1.0)
    half = passes.compare(np.array([[1.0, 0.0], [1.0, 0.0]], np.float32), reference)
    assert (half.cosine, half.max_abs_error, half.top1_ratio) == (0.0, 1.0, 0.5)
    with pytest.raises(ModelRefusedError):
        passes.compare(np.zeros((2, 3), np.float32), reference)


def test_a_model_that_ends_in_softmax_is_compared_with_the_softmax_of_the_reference() -> None:
    logits = np.random.default_rng(1).normal(0, 5, (16, 10)).astype(np.float32)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    answers = raised / raised.sum(axis=1, keepdims=True)
    parity = passes.compare(answers, logits)
    assert parity.softmax
    assert parity.cosine > 0.999999
    assert parity.max_abs_error < 1e-6
    assert not passes.compare(logits, logits).softmax
    assert not passes.compare(answers, answers).softmax
    rounded = np.round(answers * 256).astype(np.float32) / 256  # as 8 bits hold them
    assert passes.compare(rounded, logits).softmax
    wrong = passes.compare(answers[:, ::-1], logits)
    assert wrong.softmax
    assert wrong.cosine < 0.5


def test_nan_is_as_wrong_as_can_be() -> None:
    reference = np.array([[1.0, 0.0]], np.float32)
    parity = passes.compare(np.full((1, 2), np.nan, np.float32), reference)
    assert parity.cosine == -1.0
    assert parity.max_abs_error > 1e300


def test_top1_counts_hits() -> None:
    outputs = np.eye(4, dtype=np.float32)
    labels = np.array([0, 1, 2, 0])
    assert accuracy.score(outputs, labels).tolist() == [True, True, True, False]

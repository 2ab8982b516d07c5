"""Accuracy over any number of samples, a chunk at a time: the same answers, a bounded memory."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench import plugins, resources, wire
from edgebench.errors import ModelRefusedError
from edgebench.measure import accuracy, passes
from edgebench.measure.worker import _Launch, _Pipe
from edgebench.protocols import Settings
from edgebench.records import Case
from edgebench.testing import NullSession

MIB = 1 << 20


@pytest.fixture
def request_for(case: Callable[..., Case]) -> Callable[..., wire.LaunchRequest]:
    """Makes requests that judge an int8_dynamic mnist_cnn on a file of samples."""
    workload = resources.open_workload("mnist_cnn")

    def make(samples: Path, batch: int = 1) -> wire.LaunchRequest:
        one = case(precision="int8_dynamic", batch=batch)
        return wire.LaunchRequest(
            parent_pid=0,
            run_id="r",
            case_id=one.case_id,
            launch=0,
            started_at_utc="2026-01-01T00:00:00Z",
            case=one,
            model_path=str(workload.file("models/int8_dynamic.onnx")),
            model_layout="NCHW",
            model_sha256="",
            reference_path=str(workload.file("reference.npz")),
            samples_path=str(samples),
            samples_source="a test",
            samples_mean=(0.0,),
            samples_std=(255.0,),
            warmup_s=0.0,
            warmup_max_s=1.0,
            measure_s=0.0,
        )

    return make


@pytest.mark.parametrize("chunk", [32, 500, 5000])
@pytest.mark.parametrize("batch", [1, 7, 32])
def test_chunks_give_the_answers_of_one_pass(
    request_for: Callable[..., wire.LaunchRequest],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    chunk: int,
    batch: int,
) -> None:
    # A dynamically quantised model takes its scale over the whole batch: a batch that is put
    # together or filled up otherwise has other answers, which noise on the digits brings out.
    workload = resources.open_workload("mnist_cnn")
    with np.load(workload.file("samples.npz")) as stored:
        pixels, labels = stored["images"][:210], stored["labels"][:210]
    noise = np.random.default_rng(1).integers(0, 200, pixels.shape, np.uint8)
    pixels = np.maximum(pixels, noise)
    np.savez(tmp_path / "noisy.npz", images=pixels, labels=labels)
    request = request_for(tmp_path / "noisy.npz", batch)
    settings = Settings(precision="int8_dynamic", batch=batch)
    session = plugins.open_backend("onnxruntime").open(Path(request.model_path), settings)
    seen: list[NDArray[np.float32]] = []
    (whole,) = passes.run_all(session, passes.normalise(pixels, (0.0,), (255.0,)), "NCHW", batch)
    spied = accuracy.score

    def score(outputs: NDArray[np.float32], *rest: object) -> object:
        seen.append(outputs)
        return spied(outputs, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(accuracy, "score", score)
    monkeypatch.setattr(accuracy, "_CHUNK_SAMPLES", chunk)
    found = accuracy.measure(session, request, tmp_path / "noisy.npz", lambda: None)
    session.close()
    assert np.array_equal(np.concatenate(seen), whole)
    hits = spied(whole, labels.astype(np.int64))
    assert [found.right >> index & 1 for index in range(found.samples)] == hits.tolist()
    assert found.correct == int(hits.sum())
    assert 0 < found.correct < found.samples == 210


def test_each_chunk_begins_the_time_out_anew(
    request_for: Callable[..., wire.LaunchRequest], tmp_path: Path
) -> None:
    images = np.zeros((1200, 28, 28, 1), np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.zeros(1200, np.uint8))
    stream = io.BytesIO()
    launch = _Launch(request_for(tmp_path / "a.npz"), _Pipe(stream))
    launch._check(NullSession(Settings()))
    replies = list(wire.FrameReader().feed(stream.getvalue()))
    assert replies == [wire.Progress(stage="check")] * (1 + 3)  # 500 + 500 + 200
    assert launch.record.accuracy is not None
    assert (launch.record.accuracy.samples, launch.record.accuracy.correct) == (1200, 1200)


def test_memory_does_not_grow_with_the_number_of_samples(
    request_for: Callable[..., wire.LaunchRequest], tmp_path: Path
) -> None:
    images = np.zeros((4000, 64, 64, 3), np.uint8)  # 47 MiB, and 188 as float32
    np.savez(tmp_path / "a.npz", images=images, labels=np.zeros(4000, np.uint8))
    session = NullSession(Settings(options={"shape": "64,64,3"}))
    request = request_for(tmp_path / "a.npz")
    tracemalloc.start()
    accuracy.measure(session, request, tmp_path / "a.npz", lambda: None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80 * MIB


def test_a_reference_that_is_unfit_blames_no_model(tmp_path: Path) -> None:
    path = tmp_path / "reference.npz"
    good = np.ones((4, 2, 2, 1), np.float32)
    for outputs, words in ((np.ones((3, 2)), "3 outputs"), (np.full((4, 2), np.nan), "NaN")):
        np.savez(path, inputs=good, outputs=outputs)
        with pytest.raises(ModelRefusedError, match=words):
            passes.load_reference(path)

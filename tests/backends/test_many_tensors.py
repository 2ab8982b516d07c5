"""Several inputs and outputs, integers, sizes that a file leaves open: right, or one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
import many_tensors

from edgebench import plugins
from edgebench.backends.onnxruntime_ import OnnxRuntime, OnnxRuntimeSession
from edgebench.errors import ModelRefusedError
from edgebench.measure import passes
from edgebench.protocols import Feeds, Session, Settings
from edgebench.testing import check_backend

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
ONNX = ("onnxruntime", "openvino", "opencv-dnn")
Make = Callable[[Path], Path]


def as_it_is(path: Path) -> Path:
    return path


READERS = [
    *((name, as_it_is) for name in ONNX),
    ("openvino", many_tensors.as_openvino),
    ("mnn", many_tensors.as_mnn),
]
"""Backends, and what makes a file of theirs of an ONNX file."""


def drawn(batch: int = 1, size: int = 8) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(3)
    images = rng.random((4 * batch, size, size, 3), dtype=np.float32)
    return images, rng.normal(size=(4 * batch, 5)).astype(np.float32)


def right(
    images: NDArray[np.float32], vectors: NDArray[np.float32]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scores, and features as (n, h, w, c): what `many_tensors.two` computes, in numpy."""
    features = many_tensors.features(images)
    return features.mean((1, 2)) + vectors @ many_tensors.MATRIX, features


def ring_of(session: Session, arrays: passes.Arrays, batch: int) -> list[Feeds]:
    return list(passes.feeds(session, arrays, "NCHW", batch))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("name", "make"), READERS)
def test_two_inputs_and_two_outputs_keep_the_contract_and_are_right(
    name: str, make: Make, batch: int, tmp_path: Path
) -> None:
    path = make(many_tensors.two(tmp_path / "two.onnx"))
    backend, settings = plugins.open_backend(name), Settings(batch=batch)
    images, vectors = drawn(batch)
    wanted = right(images, vectors)
    session = backend.open(path, settings)
    ring = ring_of(session, (images, vectors), batch)
    found = dict(
        zip(
            (t.name for t in session.outputs),
            passes.run_all(session, (images, vectors), "NCHW", batch),
            strict=True,
        )
    )
    session.close()
    np.testing.assert_allclose(found["scores"], wanted[0], rtol=1e-3, atol=1e-3)
    features = found["features"].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(features, wanted[1], rtol=1e-3, atol=1e-3)
    check_backend(backend, path, ring, settings)


@pytest.mark.parametrize(("name", "make"), READERS)
def test_open_sizes_are_those_that_are_told_or_refused_in_a_line(
    name: str, make: Make, tmp_path: Path
) -> None:
    path = make(many_tensors.two(tmp_path / "open.onnx", size="S"))
    backend = plugins.open_backend(name)
    with pytest.raises(ModelRefusedError, match=r"input image has the open shape .*--shape"):
        backend.open(path, Settings())
    images, vectors = drawn(size=6)
    settings = Settings(shapes={"image": (3, 6, 6)})
    session = backend.open(path, settings)
    assert {t.name: t.shape for t in session.outputs} == {
        "scores": (1, 4),
        "features": (1, 4, 6, 6),
    }
    ring = ring_of(session, (images, vectors), 1)
    session.close()
    check_backend(backend, path, ring, settings)
    with pytest.raises(ModelRefusedError, match=r"image is .*, not \(5, 6, 6\)"):
        backend.open(path, Settings(shapes={"image": (5, 6, 6)}))


@pytest.mark.parametrize(("name", "make"), [*((name, as_it_is) for name in ONNX)])
def test_pixels_and_indices_are_integers(name: str, make: Make, tmp_path: Path) -> None:
    path = make(many_tensors.pixels(tmp_path / "pixels.onnx"))
    backend = plugins.open_backend(name)
    images = np.random.default_rng(4).integers(0, 256, (4, 8, 8, 3), np.uint8)
    session = backend.open(path, Settings())
    ring = ring_of(session, images, 1)
    label, scores = passes.run_all(session, images, "NCHW", 1)
    with pytest.raises(ModelRefusedError, match="input takes uint8"):
        ring_of(session, images.astype(np.float32), 1)
    session.close()
    wanted = right(images.astype(np.float32), np.zeros((4, 5), np.float32))
    assert session.inputs[0].dtype == "uint8"
    assert label.dtype.kind == "i"
    assert label.tolist() == scores.argmax(axis=1).tolist()
    assert wanted[1].shape == (4, 8, 8, 4)
    check_backend(backend, path, ring)


@pytest.mark.parametrize("name", ONNX)
def test_a_model_without_a_batch_takes_one_sample(name: str, tmp_path: Path) -> None:
    path, backend = many_tensors.state(tmp_path / "state.onnx"), plugins.open_backend(name)
    rng = np.random.default_rng(5)
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((4, 5), (4, 2, 1, 4))]
    session = backend.open(path, Settings())
    ring = ring_of(session, arrays, 1)
    scores, after = passes.run_all(session, arrays, "", 1)
    session.close()
    wanted = (arrays[0] @ many_tensors.MATRIX)[:, np.newaxis, np.newaxis] + arrays[1]
    np.testing.assert_allclose(after, wanted, rtol=1e-4, atol=1e-5)
    assert scores.shape == (4, 4)
    check_backend(backend, path, ring)
    with pytest.raises(ModelRefusedError, match="batch of 2"):
        backend.open(path, Settings(batch=2))


@pytest.mark.parametrize("name", ONNX)
def test_an_output_whose_shape_depends_on_the_data_is_refused(name: str, tmp_path: Path) -> None:
    path = many_tensors.found(tmp_path / "found.onnx")
    with pytest.raises(ModelRefusedError, match="depends on the data"):
        plugins.open_backend(name).open(path, Settings())


def test_ncnn_has_several_outputs_and_one_input(tmp_path: Path) -> None:
    path, backend = many_tensors.ncnn(tmp_path / "a.zip"), plugins.open_backend("ncnn")
    images, vectors = drawn()
    session = backend.open(path, Settings())
    assert [t.name for t in session.outputs] == ["out0", "out1"]
    ring = ring_of(session, images, 1)
    _, made = passes.run_all(session, images, "NCHW", 1)
    session.close()
    features = right(images, np.zeros_like(vectors))[1]
    np.testing.assert_allclose(np.maximum(made.transpose(0, 2, 3, 1), 0), features, atol=1e-3)
    check_backend(backend, path, ring)
    twice = many_tensors.ncnn(tmp_path / "b.zip", inputs=2)
    with pytest.raises(ModelRefusedError, match="2 inputs, one is taken"):
        backend.open(twice, Settings())


def test_ncnn_takes_the_size_that_is_told(tmp_path: Path) -> None:
    path, backend = many_tensors.ncnn(tmp_path / "a.zip", size=None), plugins.open_backend("ncnn")
    with pytest.raises(ModelRefusedError, match=r"in0 has the open shape .*--shape"):
        backend.open(path, Settings())
    session = backend.open(path, Settings(shapes={"image": (3, 6, 5)}))
    assert session.inputs[0].shape == (1, 3, 6, 5)
    session.close()


class FirstOnly(OnnxRuntime):
    """A backend that stages, or feeds, the first of several inputs alone."""

    def __init__(self, method: str) -> None:
        self.method = method

    def open(self, model: Path, settings: Settings) -> OnnxRuntimeSession:
        session = super().open(model, settings)

        def stage(slot: int) -> None:
            session._in[0][...] = session._ring[slot][0]

        def feed(inputs: Feeds) -> None:
            session._in[0][...] = inputs[session.inputs[0].name]

        setattr(session, self.method, stage if self.method == "stage" else feed)
        bind = session.bind

        def bound(ring: Sequence[Feeds]) -> None:
            bind(ring)
            session._in[1][...] = 0

        session.bind = bound  # type: ignore[method-assign]
        return session


@pytest.mark.parametrize("method", ["stage", "feed"])
def test_a_backend_that_forgets_an_input_is_found(method: str, tmp_path: Path) -> None:
    path = many_tensors.two(tmp_path / "two.onnx")
    session = OnnxRuntime().open(path, Settings())
    ring = ring_of(session, drawn(), 1)
    session.close()
    check_backend(OnnxRuntime(), path, ring)
    with pytest.raises(AssertionError, match=method):
        check_backend(FirstOnly(method), path, ring)


def test_wrong_answers_of_a_further_output_are_found(tmp_path: Path) -> None:
    path = many_tensors.two(tmp_path / "two.onnx")
    session = OnnxRuntime().open(path, Settings())
    arrays = drawn()
    ring = ring_of(session, arrays, 1)
    scores, features = passes.run_all(session, arrays, "NCHW", 1)
    session.close()
    rights = [(scores[i : i + 1], features[i : i + 1]) for i in range(4)]
    check_backend(OnnxRuntime(), path, ring, reference=rights)
    wrongs = [(scores, -features) for scores, features in rights]
    with pytest.raises(AssertionError, match="wrong answers"):
        check_backend(OnnxRuntime(), path, ring, reference=wrongs)

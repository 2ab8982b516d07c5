"""The derived files depend on the weights and the calibration images alone."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench.errors import UsageError
from edgebench.zoo import manifest
from edgebench.zoo.evaluate import predict

# Before onnxruntime is imported: its wheel uploads telemetry otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
for package in ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai_edge_litert"):
    pytest.importorskip(package, reason=f"needs {package}, which the build extra brings")

import keras  # noqa: E402

from edgebench.zoo import export_onnx, export_tflite, files, networks  # noqa: E402
from edgebench.zoo.training import _augment  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (28, 28, 1)


def export(folder: Path, weights: list[NDArray[np.float32]]) -> dict[str, bytes]:
    folder.mkdir()
    images = np.random.default_rng(3).random((20, *SHAPE), dtype=np.float32)
    for batch in (None, 1):
        keras.utils.clear_session()
        model = networks.inference_model("mnist_cnn", SHAPE, batch)
        model.set_weights(weights)
        if batch is None:
            export_onnx.export(model, images, folder, 17)
        else:
            export_tflite.export(model, images, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.filterwarnings("default")  # the build packages' own
def test_the_same_weights_give_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras.utils.set_random_seed(4)
    weights = networks.weights_of(networks.inference_model("mnist_cnn", SHAPE, None))
    first, again = (export(tmp_path / name, weights) for name in ("first", "again"))
    assert len(first) == 8
    assert first == again
    inputs = np.random.default_rng(5).random((6, *SHAPE), dtype=np.float32)
    for precision in export_tflite.PRECISIONS:
        path = tmp_path / "first" / f"{precision}.tflite"
        single, batched = (predict(path, "tflite", inputs, batch=size) for size in (1, 4))
        assert np.allclose(single, batched, atol=1e-5)
    weights[0] = weights[0] * np.float32(1.5)
    other = export(tmp_path / "other", weights)
    assert all(first[name] != other[name] for name in first)
    assert capsys.readouterr().out == ""


def test_a_float_convolution_is_noticed() -> None:
    models = ROOT / "workloads" / "mnist_cnn" / "models"
    counts = [
        export_onnx.float_convolutions(export_onnx.runtime_operators(models / file))
        for file in ("fp32.onnx", "int8.onnx", "int8_dynamic.onnx")
    ]
    assert counts == [3, 0, 0]
    with pytest.raises(UsageError, match=r"3 convolutions of fp32\.onnx still run in float"):
        files.must_be_integer(models / "fp32.onnx")


def test_augmentation_moves_and_mirrors_but_invents_nothing() -> None:
    recipe = manifest.recipe_of(manifest.read(ROOT / "workloads" / "cifar10_cnn"))
    images = np.arange(40 * 8 * 8, dtype=np.uint32).reshape(40, 8, 8, 1).astype(np.uint8)
    still = dataclasses.replace(recipe, shift_px=0, flip=False)
    assert np.array_equal(_augment(images, still, np.random.default_rng(1)), images)
    mirrored = dataclasses.replace(recipe, shift_px=0, flip=True)
    moved = _augment(images, mirrored, np.random.default_rng(1))
    flips = [np.array_equal(m, i[:, ::-1]) for m, i in zip(moved, images, strict=True)]
    kept = [np.array_equal(m, i) for m, i in zip(moved, images, strict=True)]
    assert all(a != b for a, b in zip(flips, kept, strict=True))
    assert 8 < sum(flips) < 32
    shifted = _augment(images, dataclasses.replace(recipe, flip=False), np.random.default_rng(1))
    assert shifted.shape == images.shape
    assert not np.array_equal(shifted, images)

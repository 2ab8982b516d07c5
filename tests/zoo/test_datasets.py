"""The loaders read what is published and say clearly what is wrong with anything else."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgebench.errors import UsageError
from edgebench.zoo.datasets import CIFAR10_LABELS, load, load_test, to_input

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def write_mnist(folder: Path, side: int = 28) -> None:
    images = np.arange(3 * side * side, dtype=np.uint8).reshape(3, side, side)
    labels = np.array([7, 2, 1], dtype=np.uint8)
    np.savez(
        folder / "mnist.npz",
        x_train=images,
        y_train=labels,
        x_test=images[:2],
        y_test=labels[:2],
    )


def write_cifar10(folder: Path, side: int = 32) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="needs pillow")
    with zipfile.ZipFile(folder / "cifar10-jpeg.zip", "w") as archive:
        for part in ("test", "train"):
            for index, label in enumerate(CIFAR10_LABELS):
                buffer = io.BytesIO()
                pillow.new("RGB", (side, side), (index * 20, 0, 0)).save(buffer, "JPEG")
                archive.writestr(f"{part}/{label}/0001.jpg", buffer.getvalue())


def test_mnist_is_read(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    splits = load("mnist", tmp_path)
    assert splits.train_images.shape == (3, 28, 28, 1)
    assert splits.test_images.shape == (2, 28, 28, 1)
    assert splits.train_images.dtype == np.uint8
    assert splits.train_labels.tolist() == [7, 2, 1]


def test_cifar10_is_read_in_the_order_of_the_labels(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    images, labels = load_test("cifar10", tmp_path)
    assert images.shape == (10, 32, 32, 3)
    assert labels.tolist() == list(range(10))
    assert np.all(np.diff(images[:, 0, 0, 0].astype(int)) > 10)


def test_an_unknown_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown data set 'mnits'") as caught:
        load("mnits", tmp_path)
    assert "mnist" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "file"), [("mnist", "mnist.npz"), ("cifar10", "cifar10-jpeg.zip")]
)
def test_a_missing_file_is_named(tmp_path: Path, name: str, file: str) -> None:
    with pytest.raises(UsageError, match="missing") as caught:
        load(name, tmp_path)
    assert file in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "file"), [("mnist", "mnist.npz"), ("cifar10", "cifar10-jpeg.zip")]
)
@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x05\x06" + b"\0" * 18])
def test_a_damaged_file_is_a_users_error(
    tmp_path: Path, name: str, file: str, content: bytes
) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(UsageError, match="cannot be used"):
        load(name, tmp_path)


def test_images_of_another_size_are_refused(tmp_path: Path) -> None:
    write_mnist(tmp_path, side=27)
    write_cifar10(tmp_path, side=31)
    for name in ("mnist", "cifar10"):
        with pytest.raises(UsageError, match="cannot be used"):
            load_test(name, tmp_path)


def test_preprocessing_scales_each_channel() -> None:
    images = np.full((1, 2, 2, 3), 255, dtype=np.uint8)
    assert to_input(images).dtype == np.float32
    assert to_input(images).max() == 1.0
    scaled = to_input(images, mean=(0.0, 127.5, 255.0), std=(255.0, 127.5, 255.0))
    assert scaled[0, 0, 0].tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("name", "file"), [("mnist", "mnist.npz"), ("cifar10", "cifar10-jpeg.zip")]
)
def test_the_real_test_part_has_a_thousand_of_most_classes(name: str, file: str) -> None:
    if not (DATA / file).is_file():
        pytest.skip(f"needs the data set file {DATA / file}")
    images, labels = load_test(name, DATA)
    assert len(images) == len(labels) == 10_000
    assert np.bincount(labels).min() >= 850

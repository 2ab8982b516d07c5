"""What folders of images mean: their classes, how many are taken, what is told of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from edgebench.adopt import images
from edgebench.errors import UsageError

sys.path.insert(0, str(Path(__file__).parent))
import models
from test_take import pictures, taken


def labelled(path: Path, *classes: str) -> images.Folder:
    """One image in a folder for each class."""
    for name in classes:
        (path / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(path / name / "one.png")
    return images.find(path)


def test_folders_of_numbers_are_classes_by_their_number(tmp_path: Path) -> None:
    folder = labelled(tmp_path, *map(str, range(12)))
    assert folder.classes == tuple(map(str, range(12)))
    assert images.labels_of(folder, folder.classes)["10"] == 10


def test_folders_of_names_are_classes_by_the_alphabet(tmp_path: Path) -> None:
    assert labelled(tmp_path, "dog", "10", "cat").classes == ("10", "cat", "dog")


def test_a_folder_that_is_named_twice_is_not_guessed(tmp_path: Path) -> None:
    folder = labelled(tmp_path, "crane")
    with pytest.raises(UsageError, match="'crane' is none of the model's 3 classes"):
        images.labels_of(folder, ("crane", "dog", "crane"))


def test_of_large_images_fewer_are_taken(tmp_path: Path) -> None:
    members = tuple((str(index % 2), f"{index}.png") for index in range(4000))
    folder = images.Folder(tmp_path, members, ("0", "1"))
    small = images.choose(folder, (224, 224, 3))
    assert (len(small.labelled), len(small.calibration)) == (1000, 128)
    large = images.choose(folder, (2048, 2048, 3))
    assert (len(large.labelled), len(large.calibration)) == (21, 21)
    assert not {*large.labelled} & {*large.calibration}
    flat = images.choose(folder._replace(classes=()), (2048, 2048, 3))
    assert len(flat.calibration) == 21


def test_the_order_of_classes_that_nobody_named_is_told(tmp_path: Path) -> None:
    for index in range(models.CLASSES):
        pictures(tmp_path / "images" / f"kind {index}", 1)
    path = models.classifier(tmp_path / "net.onnx")
    spec = taken(path, images=tmp_path / "images").spec
    assert spec.labels[3] == "kind 3"
    assert "in alphabetical order" in spec.summary
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"kind {i}\n" for i in range(models.CLASSES)))
    assert "order" not in taken(path, images=tmp_path / "images", labels=labels).spec.summary


def test_labelled_images_of_a_model_without_classes_say_that_nothing_is_judged(
    tmp_path: Path,
) -> None:
    path = models.mapper(tmp_path / "net.onnx")
    pictures(tmp_path / "images" / "0", 3)
    spec = taken(path, images=tmp_path / "images").spec
    assert (spec.task, spec.samples) == ("other", None)
    assert "no top-1: its outputs are no classes" in spec.summary
    assert "judged" not in spec.summary

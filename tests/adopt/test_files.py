"""Which format a path is in, what belongs to it, and one line for whatever is no model."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebench import resources
from edgebench.adopt import files, onnx_file, precisions
from edgebench.errors import UsageError
from edgebench.specs import sha256_of

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
import broken
import models

MNIST = "mnist_cnn"


def refused(path: Path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        files.find(path)
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_suffix_in_any_case_and_a_folder_are_found(
    tmp_path: Path, model_path: Callable[..., Path]
) -> None:
    upper = tmp_path / "NET.ONNX"
    upper.write_bytes(model_path("fp32.onnx").read_bytes())
    assert files.find(upper).format == "onnx"
    assert files.find(model_path("int8.tflite")).format == "tflite"
    (tmp_path / "saved" / "variables").mkdir(parents=True)
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"\x08\x01")
    (tmp_path / "saved" / "variables" / "variables.index").write_bytes(b"1")
    found = files.find(tmp_path / "saved")
    assert found.format == "savedmodel"
    assert len(found.parts) == 2


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.onnx", None, "there is no such file"),
        ("a.onnx", b"", "is empty"),
        ("a.onnx", b"hello, this is no model\n", "is a text file, no ONNX model"),
        ("a.tflite", b"\x1c\0\0\0XXXX\0\0", "does not begin as TensorFlow Lite files do"),
        ("a.keras", b"\x89HDF\r\n\x1a\n", "is HDF5, no Keras model"),
        ("a.pt2", b"\x80\x02\x8a\nl\xfc", "does not begin as torch.export files do"),
        ("a.xml", b"\0\1\2", "does not begin as OpenVINO files do"),
        ("a.param", b"7767517\n1 1\n", "its weights are missing"),
        ("a.h5", b"\x89HDF", "Keras' old HDF5 format"),
        ("a.pth", b"PK\x03\x04", "weights of PyTorch without a network"),
        ("a.zip", b"PK\x03\x04", "has no known suffix"),
        ("model", b"\0", "has no known suffix"),
        ("a.eim", b"#!/bin/sh\n", "is a text file, no Edge Impulse model"),
        ("a.onnx", b"\x3a\xff\xff\xff\x7f\x01", "not an intact onnx file"),
    ],
)
def test_what_is_no_model_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    assert words in str(refused(path))


def test_every_suffix_that_is_known_is_named_where_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "net.bmodel").write_bytes(b"\1")
    for suffix in files.KINDS:
        assert suffix in refused(tmp_path / "net.bmodel").remedy


def test_a_folder_without_a_saved_model_and_one_that_leads_elsewhere_are_refused(
    tmp_path: Path,
) -> None:
    assert "no SavedModel" in str(refused(tmp_path))
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"\x08\x01")
    (tmp_path / "secret").write_text("secret")
    (folder / "variables").symlink_to(tmp_path / "secret")
    assert "leads out of the folder" in str(refused(folder))


def test_weights_beside_an_onnx_file_become_part_of_it(tmp_path: Path) -> None:
    plain = models.classifier(tmp_path / "plain.onnx")
    apart = models.classifier(tmp_path / "apart.onnx", outside="apart.bin")
    assert (tmp_path / "apart.bin").is_file()
    found = files.find(apart)
    assert [part.name for part in found.parts] == ["apart.onnx", "apart.bin"]
    assert found.sha256 != sha256_of(apart)
    whole = tmp_path / "whole.onnx"
    whole.write_bytes(onnx_file.whole(apart))
    assert onnx_file.outside(whole) == ()
    assert models.filters().tobytes() in whole.read_bytes()
    assert precisions.of(whole, "onnx") == precisions.of(plain, "onnx") == "fp32"


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a\0b"])
def test_weights_outside_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "deep" / "deeper"
    folder.mkdir(parents=True)
    path = models.classifier(folder / "a.onnx", outside=name)
    assert "its weights lie outside of its folder" in str(refused(path))


def test_missing_and_short_weights_are_named(tmp_path: Path) -> None:
    path = models.classifier(tmp_path / "a.onnx", outside="a.bin")
    (tmp_path / "a.bin").write_bytes(b"short")
    with pytest.raises(UsageError, match=r"a\.bin is shorter than the model says"):
        onnx_file.whole(path)
    (tmp_path / "a.bin").unlink()
    assert "put a.bin beside it" in str(refused(path))


def test_a_link_to_weights_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "elsewhere").write_bytes(bytes(1000))
    path = models.classifier(tmp_path / "in" / "a.onnx", outside="a.bin")
    (tmp_path / "in" / "a.bin").unlink()
    (tmp_path / "in" / "a.bin").symlink_to(tmp_path / "elsewhere")
    assert "outside of its folder" in str(refused(path))


@pytest.mark.parametrize("workload", ["mnist_cnn", "cifar10_cnn"])
def test_the_precision_of_every_bundled_model_is_read_from_its_file(workload: str) -> None:
    found = resources.open_workload(workload)
    for model in found.spec.models:
        assert precisions.of(found.path_of(model), model.format) == model.precision, model.path


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_the_precision_of_derived_ncnn_models_is_read_from_their_files(
    derived: Callable[..., object], precision: str
) -> None:
    made = derived(MNIST, "ncnn", precision)
    assert precisions.of(made.path, "ncnn") == precision  # type: ignore[attr-defined] # a Made


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Net (2).onnx", "my_net_2"),
        ("yolov8n.onnx", "yolov8n"),
        ("ch_PP-OCRv4_det.onnx", "ch_pp-ocrv4_det"),
        ("模型.onnx", "model"),
        ("..tflite", "model"),
    ],
)
def test_a_name_is_made_of_the_stem(tmp_path: Path, name: str, slug: str) -> None:
    assert files.slug(tmp_path / name) == slug


def test_a_pair_is_one_file_with_both(tmp_path: Path) -> None:
    (tmp_path / "net.xml").write_text("<?xml version='1.0'?><net/>")
    (tmp_path / "net.bin").write_bytes(b"weights")
    found = files.find(tmp_path / "net.xml")
    path = files.lay(found, tmp_path, "fp32")
    with zipfile.ZipFile(path) as archive:
        assert archive.read("model.bin") == b"weights"
    (tmp_path / "net.bin").write_bytes(b"others")
    assert files.find(tmp_path / "net.xml").sha256 != found.sha256


HELD = broken.external("v", [1, 4], "../v.bin", 16)


@pytest.mark.parametrize(
    "graph",
    [
        broken.node("Constant", "", "y", broken.attribute("value", held=HELD)),
        broken.node("If", "x", "y", broken.attribute("then_branch", graph=HELD)),
        broken.node(
            "If",
            "x",
            "y",
            broken.attribute(
                "then_branch",
                graph=broken.node("If", "x", "y", broken.attribute("else_branch", graph=HELD)),
            ),
        ),
    ],
)
def test_numbers_of_attributes_and_branches_in_another_file_are_refused(
    tmp_path: Path, graph: bytes
) -> None:
    (tmp_path / "a.onnx").write_bytes(broken.model(graph, *broken.VECTOR))
    assert "has its numbers in another file (write it as one file" in str(
        refused(tmp_path / "a.onnx")
    )

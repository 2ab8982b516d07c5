"""Declared inputs, read from the files' own encoding; a broken file is refused, never a crash."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebench import resources
from edgebench.backends import model_files
from edgebench.errors import ModelRefusedError

SHAPES = {"mnist_cnn": (28, 28, 1), "cifar10_cnn": (32, 32, 3)}


@pytest.mark.parametrize("workload", sorted(SHAPES))
def test_every_bundled_model_declares_its_workloads_input(workload: str) -> None:
    height, width, channels = SHAPES[workload]
    found = resources.open_workload(workload)
    for model in found.spec.models:
        (declared,) = model_files.inputs(found.file(model.path))
        if model.format == "onnx":
            assert declared == ("input", (None, channels, height, width), "float32")
        else:
            assert declared == ("serving_default_input:0", (1, height, width, channels), "float32")


@pytest.mark.parametrize("file", ["int8.onnx", "int8.tflite"])
def test_a_damaged_file_is_refused_or_read_but_never_a_crash(
    model_path: Callable[..., Path], tmp_path: Path, file: str
) -> None:
    whole = model_path(file).read_bytes()
    path = tmp_path / file
    draw = random.Random(1)  # noqa: S311 - no secret
    refused = 0
    for _ in range(200):
        damaged = bytearray(whole[: draw.choice([len(whole), draw.randrange(len(whole))])])
        for _ in range(20):
            if damaged:
                damaged[draw.randrange(min(len(damaged), 4000))] = draw.randrange(256)
        path.write_bytes(damaged)
        try:
            model_files.inputs(path)
        except ModelRefusedError:
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("content", [b"", b"\xff" * (1 << 20), b"\0\0\0\0TFL3" + b"\xff" * 64])
@pytest.mark.parametrize("suffix", [".onnx", ".tflite"])
def test_rubbish_is_refused_at_once(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"rubbish{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelRefusedError, match="not an intact"):
        model_files.inputs(path)

"""A workload that nobody trained is built, answers differently to different inputs, and repeats."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgebench.errors import UsageError
from edgebench.specs import Workload, read_workload
from edgebench.zoo import manifest

# Before onnxruntime is imported: its wheel uploads telemetry otherwise.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
for package in ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai_edge_litert"):
    pytest.importorskip(package, reason=f"needs {package}, which the build extra brings")

from edgebench.zoo import (  # noqa: E402
    export_onnx,
    files,
    networks,
    photographs,
    seeded,
    seeding,
    topologies,
)
from edgebench.zoo.build import build  # noqa: E402
from edgebench.zoo.datasets import to_input  # noqa: E402

RECIPES = Path(__file__).resolve().parents[2] / "workloads"
NAME = "mobilenet_v1_025_96"
SHAPE = (96, 96, 3)
CROPS = 8
# What the build packages warn about each other is not this project's to mend.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workload:
    folder = tmp_path_factory.mktemp("workloads") / NAME
    folder.mkdir()
    document = manifest.read(RECIPES / NAME)
    document["recipe"] |= {"calibration_samples": CROPS}
    manifest.write(folder, document)
    build(NAME, None, folder, lambda _: None)
    return read_workload(folder)


def fresh() -> Any:  # noqa: ANN401 - a Keras model
    model = topologies.model(NAME, SHAPE, 2, None)
    seeding.seed(model, to_input(photographs.crops(CROPS, 1, SHAPE[0])), 1)
    return model


def test_the_folder_is_whole_and_has_no_accuracy(built: Workload) -> None:
    spec = built.spec
    assert built.problems() == []
    assert (spec.weights, spec.macs, len(spec.models)) == ("random", 7_489_664, 8)
    assert {model.top1_ratio for model in spec.models} == {None}
    with np.load(built.reference_path) as archive:
        inputs, outputs = archive["inputs"], archive["outputs"]
    assert (inputs.dtype, inputs.shape, outputs.shape) == (np.float32, (16, *SHAPE), (16, 2))
    # Both answers are given, as often as not.
    assert 4 <= outputs.argmax(axis=1).sum() <= 12
    assert spec.calibration is not None
    with np.load(built.file(spec.calibration.path)) as archive:
        assert (archive["images"].dtype, archive["images"].shape) == (np.uint8, (CROPS, *SHAPE))


def test_the_same_seed_gives_the_same_bytes(built: Workload, tmp_path: Path) -> None:
    model = fresh()
    assert networks.source_sha256(networks.weights_of(model)) == built.spec.source_sha256
    again = tmp_path / "fp32.onnx"
    export_onnx.export_fp32(model, again, 17)
    assert again.read_bytes() == (built.folder / "models" / "fp32.onnx").read_bytes()


def test_signals_neither_vanish_nor_explode_and_answers_differ() -> None:
    model = topologies.model("mobilenet_v3_small", (96, 96, 3), 50, None)
    crops = to_input(photographs.crops(24, 1, 96), (127.5,), (127.5,))
    seeding.seed(model, crops[:16], 1)
    answers = model.predict(crops, verbose=0)
    assert 1.0 < answers.std() < 10.0
    assert len(np.unique(answers[16:].argmax(axis=1))) >= 4
    centred = answers - answers.mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    cosines = (unit @ unit.T)[~np.eye(len(unit), dtype=bool)]
    assert cosines.mean() < 0.3
    assert np.median(np.abs(cosines)) < 0.6


@pytest.mark.parametrize("name", ["mobilenet_v2", "squeezenet", "efficientnet_lite0"])
def test_every_topology_ends_at_the_logits(name: str) -> None:
    model = topologies.model(name, (64, 64, 3), 7, None)
    assert model.output_shape == (None, 7)
    kinds = {type(layer).__name__ for layer in model.layers}
    assert not kinds & {"Softmax", "Rescaling", "Normalization"}


def test_weights_that_nobody_published_are_refused(tmp_path: Path) -> None:
    document = manifest.read(RECIPES / NAME) | {"weights": "published"}
    manifest.write(tmp_path, document)
    with pytest.raises(UsageError, match="there are no published weights"):
        seeded.run(tmp_path, None, lambda _: None)
    with pytest.raises(UsageError, match="no network for the workload 'lenet'"):
        topologies.model("lenet", SHAPE, 2, None)


def test_only_what_a_recipe_ships_stays(built: Workload, tmp_path: Path) -> None:
    folder = tmp_path / NAME
    shutil.copytree(built.folder, folder)
    rows = manifest.read(folder)["models"]
    with pytest.raises(UsageError, match=r"ships int4\.onnx"):
        files.ship(folder, rows, ["int4.onnx"])
    kept = files.ship(folder, rows, ["fp32.onnx", "int8.tflite"])
    assert [row["path"] for row in kept] == ["models/fp32.onnx", "models/int8.tflite"]
    assert sorted(path.name for path in (folder / "models").iterdir()) == [
        "fp32.onnx",
        "int8.tflite",
    ]

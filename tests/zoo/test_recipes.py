"""The recipes in git: complete, no larger than git should hold, and as big as the papers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgebench.errors import UsageError
from edgebench.specs import read_workload
from edgebench.zoo import calibration, manifest
from edgebench.zoo.build import build

WORKLOADS = Path(__file__).resolve().parents[2] / "workloads"
# Multiply-accumulates in millions as published; ResNet-50's paper says 3.8 billion.
PUBLISHED_MACS_M = {
    "mobilenet_v1_025_96": 7.5,
    "mobilenet_v2": 300,
    "mobilenet_v3_small": 57,
    "efficientnet_lite0": 385,
    "squeezenet": 350,
    "resnet50": 3850,
    "resnet8": 12.5,
}
SEEDED = tuple(name for name in PUBLISHED_MACS_M if name != "resnet8")


@pytest.mark.parametrize("name", PUBLISHED_MACS_M)
def test_a_network_costs_what_its_paper_says(name: str) -> None:
    spec = read_workload(WORKLOADS / name).spec
    assert spec.macs == pytest.approx(PUBLISHED_MACS_M[name] * 1e6, rel=0.03)
    assert spec.parameters is not None
    assert spec.activation_peak_byte is not None
    assert spec.activation_peak_byte >= 4 * spec.input.shape[0] ** 2 * spec.input.shape[2]


@pytest.mark.parametrize("name", SEEDED)
def test_what_is_too_large_for_git_is_a_recipe_there(name: str) -> None:
    workload = read_workload(WORKLOADS / name)
    assert manifest.kind_of(manifest.read(workload.folder)) == "seeded"
    assert [path.name for path in workload.folder.iterdir()] == ["workload.toml"]
    assert workload.spec.weights == ("published" if name == "efficientnet_lite0" else "random")
    assert len(workload.spec.labels) in {2, 1000}
    assert not workload.spec.default
    with pytest.raises(UsageError, match="not built here"):
        _ = workload.reference_path


def test_model_files_in_git_stay_small() -> None:
    files = [path for path in WORKLOADS.glob("*/models/*") if path.is_file()]
    assert len(files) > 10
    assert sum(path.stat().st_size for path in files) <= 8_000_000


def seeded(**recipe: Any) -> dict[str, Any]:  # noqa: ANN401 - wrong types on purpose
    document = manifest.read(WORKLOADS / "mobilenet_v1_025_96")
    return {**document, "recipe": {**document["recipe"], **recipe}}


def test_a_recipes_kind_decides_its_keys() -> None:
    recipe = manifest.recipe_as(seeded(ships=["fp32.onnx"]), manifest.SeededRecipe)
    assert (recipe.seed, recipe.ships) == (1, ("fp32.onnx",))
    assert manifest.kind_of(manifest.read(WORKLOADS / "cifar10_cnn")) == "classifier"
    with pytest.raises(UsageError, match="epochs"):
        manifest.recipe_as(seeded(epochs=3), manifest.SeededRecipe)
    with pytest.raises(UsageError, match="ships is 'fp32'") as caught:
        manifest.recipe_as(seeded(ships="fp32"), manifest.SeededRecipe)
    assert caught.value.remedy == "make it a list of strings"
    with pytest.raises(UsageError, match="kind is 'poem'"):
        manifest.kind_of(seeded(kind="poem"))


def test_a_seeded_recipe_has_no_training_images(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="seeded recipe"):
        calibration.images(WORKLOADS / "resnet50", tmp_path)


def test_a_training_without_its_data_set_is_refused_before_anything_is_imported() -> None:
    with pytest.raises(UsageError, match="trained on the data set cifar10") as caught:
        build("cifar10_cnn", None, WORKLOADS / "cifar10_cnn", print)
    assert "--data" in caught.value.remedy

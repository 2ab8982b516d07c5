"""The recipe is strict, and a written workload file reads back the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgebench.errors import UsageError
from edgebench.zoo import manifest

ROOT = Path(__file__).resolve().parents[2]
WORKLOADS = ("mnist_cnn", "cifar10_cnn", "resnet8")


def document() -> dict[str, Any]:
    return manifest.read(ROOT / "workloads" / "mnist_cnn")


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_shipped_recipes_are_complete(name: str) -> None:
    recipe = manifest.recipe_of(manifest.read(ROOT / "workloads" / name))
    assert recipe.epochs > 0
    assert recipe.calibration_samples >= 200


@pytest.mark.parametrize("name", WORKLOADS)
def test_rewriting_a_shipped_file_changes_no_byte(tmp_path: Path, name: str) -> None:
    pytest.importorskip("tomli_w", reason="needs tomli-w, which the build extra brings")
    folder = ROOT / "workloads" / name
    manifest.write(tmp_path, manifest.read(folder))
    assert (tmp_path / "workload.toml").read_bytes() == (folder / "workload.toml").read_bytes()


def test_a_key_of_the_users_own_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("tomli_w", reason="needs tomli-w, which the build extra brings")
    manifest.write(tmp_path, {**document(), "note": "mine"})
    assert manifest.read(tmp_path)["note"] == "mine"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": None}, "epochs"),
        ({"epochs": "8"}, "epochs is '8'"),
        ({"flip": 1}, "flip is 1"),
        ({"epochs": True}, "epochs is True"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_recipe_is_refused(change: dict[str, Any], words: str) -> None:
    table = {**document()["recipe"], **change}
    table = {key: value for key, value in table.items() if value is not None}
    with pytest.raises(UsageError, match=words):
        manifest.recipe_of({"recipe": table})


def test_a_whole_number_is_a_ratio_too() -> None:
    table = {**document()["recipe"], "momentum": 1}
    assert isinstance(manifest.recipe_of({"recipe": table}).momentum, float)


def test_a_missing_or_broken_file_is_a_users_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing"):
        manifest.read(tmp_path)
    (tmp_path / "workload.toml").write_text("schema = ", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be read"):
        manifest.read(tmp_path)

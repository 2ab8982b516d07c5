"""workload.toml: what is wrong is named in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebench import resources, specs
from edgebench.errors import UsageError
from edgebench.records import ParityLimits

GOOD = """
schema = 1
name = "tiny"
version = 1
task = "classification"
labels = ["a", "b"]
source_sha256 = "{sha}"
[input]
shape = [2, 2, 1]
[preprocess]
resize = [2, 2]
mean = [0.0]
std = [1.0]
[reference]
path = "reference.npz"
sha256 = "{sha}"
count = 1
[[models]]
path = "models/fp32.onnx"
format = "onnx"
precision = "fp32"
layout = "NCHW"
sha256 = "{sha}"
size_byte = 1
""".replace("{sha}", "a" * 64)


def write(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "workload.toml").write_text(text)
    return folder


def test_a_workload_is_read(tmp_path: Path) -> None:
    workload = specs.read_workload(write(tmp_path / "tiny", GOOD))
    model = workload.model("onnx", "fp32")
    assert model is not None
    assert model.layout == "NCHW"
    assert workload.model("tflite", "fp32") is None


def test_a_workload_states_limits_of_its_own(tmp_path: Path) -> None:
    stated = "[parity.int8]\nmin_cosine = 0.95\n[reference]"
    spec = specs.read_workload(write(tmp_path / "tiny", GOOD.replace("[reference]", stated))).spec
    assert spec.parity == {"int8": ParityLimits(min_cosine=0.95)}
    assert specs.read_workload(write(tmp_path / "plain", GOOD)).spec.parity == {}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("schema = 1", "schema = 2"), "schema"),
        (("version = 1", 'version = "x"'), "version"),
        (('precision = "fp32"', 'precision = "fp8"'), "precision"),
        (("[input]", "[inputs]"), "input"),
        (("count = 1", "count = 1\ncolour = 3"), "colour"),
        (("[reference]", "[parity.fp8]\nmin_cosine = 0.9\n[reference]"), "fp8"),
        (("[reference]", "[parity.int8]\nmin_cosine = 1.5\n[reference]"), "parity.int8"),
        (("[reference]", "[parity.int8]\nmin_psnr_db = 9.0\n[reference]"), "min_psnr_db"),
        (('name = "tiny"', 'name = "../tiny"'), "name"),
        (("a" * 64, "zz"), "sha256"),
        (("schema = 1", "schema = = 1"), "TOML"),
    ],
)
def test_a_wrong_workload_is_told_by_its_key(
    tmp_path: Path, change: tuple[str, str], names: str
) -> None:
    folder = write(tmp_path / "tiny", GOOD.replace(*change))
    with pytest.raises(UsageError) as caught:
        specs.read_workload(folder)
    assert names in str(caught.value)
    assert "\n" not in caught.value.message.split("TOML:")[0]


def test_missing_and_changed_files_are_found(tmp_path: Path) -> None:
    folder = write(tmp_path / "tiny", GOOD)
    (folder / "reference.npz").write_bytes(b"other")
    problems = specs.read_workload(folder).problems()
    assert any("fp32.onnx: missing" in line for line in problems)
    assert any("reference.npz: is not the file" in line for line in problems)


def test_a_path_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = write(tmp_path / "tiny", GOOD.replace("models/fp32.onnx", "../../etc/passwd"))
    with pytest.raises(UsageError, match="outside"):
        specs.read_workload(folder).problems()


def test_user_folders_come_before_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "workloads").mkdir()
    write(tmp_path / "workloads" / "mnist_cnn", GOOD.replace('"tiny"', '"mnist_cnn"'))
    monkeypatch.setenv("EDGEBENCH_PATH", str(tmp_path))
    assert resources.workload_folders()["mnist_cnn"] == tmp_path / "workloads" / "mnist_cnn"
    monkeypatch.delenv("EDGEBENCH_PATH")
    assert resources.workload_folders()["mnist_cnn"].is_relative_to(resources._PACKAGE.parent)


def test_an_unknown_workload_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"known: .*mnist_cnn"):
        resources.open_workload("mnits_cnn")


@pytest.mark.parametrize("name", sorted(resources.workload_folders(built=True)))
def test_the_bundled_workloads_are_what_their_toml_says(name: str) -> None:
    workload = resources.open_workload(name)
    assert workload.problems() == []
    every = {
        f"{precision}.{fmt}"
        for fmt in ("onnx", "tflite")
        for precision in ("fp32", "fp16", "int8", "int8_dynamic")
    }
    shipped = set(workload.spec.recipe.get("ships", every))
    # Git holds a mere recipe of the large ones.
    wanted = shipped if workload.spec.reference else set()
    assert {Path(model.path).name for model in workload.spec.models} >= wanted

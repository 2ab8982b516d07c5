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
        f"models/{precision}.{fmt}"
        for fmt in ("onnx", "tflite")
        for precision in ("fp32", "fp16", "int8", "int8_dynamic")
    }
    ships = {f"models/{name}" for name in workload.spec.recipe.get("ships", ())} or every
    # What is too large for git is a recipe there, which has no file at all.
    built = workload.spec.reference is not None
    assert {model.path for model in workload.spec.models} == (ships if built else set())


FACT = """[[facts]]
key = "idle_w"
value = 2.5
source = "https://example.org/review"
year = 2023
"""
DEVICE = f"""
schema = 1
name = "board"
match = {{ compatible = ["maker,board"] }}
{FACT}
[[rails]]
label = "VDD_IN"
covers = ["module"]
total = true
source = "https://example.org/schematic"
"""


def device(folder: Path, text: str, name: str = "board") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def test_a_device_is_read(tmp_path: Path) -> None:
    spec = specs.read_device(device(tmp_path, DEVICE))
    fact = spec.fact("idle_w")
    assert fact is not None
    assert (fact.value, fact.year) == (2.5, 2023)
    assert spec.fact("price_usd") is None
    assert spec.rails[0].total


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (("schema = 1", "schema = 9"), "schema"),
        (('name = "board"', 'name = "other"'), "file's name"),
        (('compatible = ["maker,board"]', ""), "match is empty"),
        (("compatible", "compatable"), "compatable"),
        (('key = "idle_w"', 'key = "idle"'), "unit"),
        (("value = 2.5", "value = true"), "value"),
        (("https://example.org/review", "http://example.org"), "https"),
        (("https://example.org/schematic", "a friend"), "https"),
        (("year = 2023", "year = 23"), "year"),
        (("year = 2023", ""), "year"),
        (("[[rails]]", FACT + "[[rails]]"), "told twice"),
    ],
)
def test_a_wrong_device_is_told_by_its_key(
    tmp_path: Path, change: tuple[str, str], names: str
) -> None:
    with pytest.raises(UsageError) as caught:
        specs.read_device(device(tmp_path, DEVICE.replace(*change, 1)))
    assert names in str(caught.value)


def test_a_board_that_two_devices_claim_is_found(tmp_path: Path) -> None:
    one = specs.read_device(device(tmp_path, DEVICE))
    twin = DEVICE.replace('name = "board"', 'name = "twin"')
    two = specs.read_device(device(tmp_path, twin, "twin"))
    assert specs.shared_matches([one, two]) == {
        "twin": "match compatible 'maker,board' is board's too"
    }


def test_user_devices_come_before_the_bundled_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "devices").mkdir()
    mine = device(tmp_path / "devices", DEVICE.replace('"board"', '"rock-5b"'), "rock-5b")
    monkeypatch.setenv("EDGEBENCH_PATH", str(tmp_path))
    assert resources.device_files()["rock-5b"] == mine
    assert resources.open_device("rock-5b").match.compatible == ("maker,board",)
    with pytest.raises(UsageError, match=r"known: .*raspberry-pi-5"):
        resources.open_device("raspberry-pi-6")


def test_the_bundled_devices_are_in_order_and_claim_a_board_each() -> None:
    devices = resources.open_devices()
    assert {device.name for device in devices} >= {
        "raspberry-pi-4",
        "raspberry-pi-5",
        "raspberry-pi-zero-2-w",
        "jetson-orin-nano",
        "jetson-nano",
        "rock-5b",
        "coral-dev-board",
        "intel-n100",
    }
    assert specs.shared_matches(devices) == {}
    years = {fact.year for device in devices for fact in device.facts}
    assert years <= set(range(2019, 2027))
    for spec in devices:
        idle, load = spec.fact("idle_w"), spec.fact("load_w")
        assert (idle is None) == (load is None), f"{spec.name}: an envelope has two ends"

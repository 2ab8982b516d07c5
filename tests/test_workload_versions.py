"""A bundled workload, or recipe, whose files change has another version: results name it.

Enter a new version with ``python tests/test_workload_versions.py``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from edgebench.specs import read_toml, sha256_of

ROOT = Path(__file__).resolve().parent.parent / "workloads"
KNOWN = Path(__file__).with_name("workload_versions.json")
NAMES = sorted(path.parent.name for path in ROOT.glob("*/workload.toml"))


def digest_of(folder: Path) -> str:
    """One hash of all that a result depends on: every file, and what workload.toml says.

    Comments and the order of keys are no part of it.
    """
    files = {
        path.relative_to(folder).as_posix(): sha256_of(path)
        for path in folder.rglob("*")
        if path.is_file() and path.name != "workload.toml" and not path.name.startswith(".")
    }
    whole = [files, read_toml(folder / "workload.toml")]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()


def fault_of(folder: Path, known: dict[str, dict[str, str]]) -> str:
    """What is wrong with a workload's version, and what mends it; empty where nothing is."""
    name, version = folder.name, str(read_toml(folder / "workload.toml")["version"])
    versions = known.get(name, {})
    if any(int(one) > int(version) for one in versions):
        return f"{name}: version {version} is older than one that was entered"
    if version not in versions:
        return f"{name}: enter version {version}: python tests/{Path(__file__).name}"
    if versions[version] != digest_of(folder):
        return (
            f"workloads/{name} changed, and is version {version} still: raise `version` in its "
            f"workload.toml, then enter it: python tests/{Path(__file__).name} (or undo the "
            f"change; only where version {version} was never measured elsewhere, take its line "
            f"out of {KNOWN.name} and enter it anew)"
        )
    return ""


def enter(known: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The table with versions that it lacks; what was entered stays."""
    for name in NAMES:
        version = str(read_toml(ROOT / name / "workload.toml")["version"])
        known.setdefault(name, {}).setdefault(version, digest_of(ROOT / name))
    return known


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_workload_has_another_version(name: str) -> None:
    assert fault_of(ROOT / name, json.loads(KNOWN.read_text())) == ""


def test_the_table_names_no_workload_that_is_gone() -> None:
    assert sorted(json.loads(KNOWN.read_text())) == NAMES


def test_planted_changes_are_found(tmp_path: Path) -> None:
    known = json.loads(KNOWN.read_text())
    folder = tmp_path / "mnist_cnn"
    shutil.copytree(ROOT / "mnist_cnn", folder)
    toml = folder / "workload.toml"
    toml.write_text(f"# a comment\n{toml.read_text()}")
    assert fault_of(folder, known) == ""
    model = folder / "models" / "int8.tflite"
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    assert "raise `version`" in fault_of(folder, known)
    toml.write_text(toml.read_text().replace("version = 1\n", "version = 2\n"))
    assert "enter version 2" in fault_of(folder, known)
    assert fault_of(folder, {"mnist_cnn": {"2": digest_of(folder)}}) == ""
    assert "is older" in fault_of(folder, {"mnist_cnn": {"3": "0"}})
    recipe = ROOT / "mnist_cnn" / "workload.toml"
    shutil.rmtree(folder / "models")
    toml.write_text(recipe.read_text().split("[reference]")[0])
    entered = {"mnist_cnn": {"1": digest_of(folder)}}
    toml.write_text(toml.read_text().replace("epochs = 15", "epochs = 16"))
    assert "raise `version`" in fault_of(folder, entered)


if __name__ == "__main__":
    table = json.loads(KNOWN.read_text()) if KNOWN.exists() else {}
    KNOWN.write_text(json.dumps(enter(table), indent=1, sort_keys=True) + "\n")

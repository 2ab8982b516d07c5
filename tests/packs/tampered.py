"""A small workload, and packs of it that are tampered with."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MODEL = 'format = "{fmt}"\nprecision = "fp32"\nlayout = "NCHW"\nsize_byte = {size}'
TOML = """schema = 1
name = "{name}"
version = {version}
task = "classification"
summary = "Two by two"
labels = ["a", "b"]
source_sha256 = "{zeros}"
input = {{ shape = [2, 2, 1] }}
{files}"""
FILE = '{head}\npath = "{path}"\nsha256 = "{sha256}"\n{rest}\n'

Members = dict[str, bytes]


def tiny(
    parent: Path,
    name: str = "tiny",
    *,
    version: int = 1,
    weights: bytes = b"weights",
    fmt: str = "onnx",
) -> Path:
    """Write a workload's folder; its model is no model, which only a runtime would see."""
    folder = parent / name
    (folder / "models").mkdir(parents=True, exist_ok=True)
    files = ""
    for head, path, data, rest in (
        ("[reference]", "reference.npz", b"reference", "count = 1"),
        (
            "[[models]]",
            f"models/fp32.{fmt}",
            weights,
            MODEL.format(fmt=fmt, size=len(weights)),
        ),
    ):
        (folder / path).write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        files += FILE.format(head=head, path=path, sha256=sha256, rest=rest)
    words = {"name": name, "version": version, "files": files}
    (folder / "workload.toml").write_text(TOML.format(zeros="0" * 64, **words))
    return folder


def rebuilt(path: Path, change: Callable[[Members, dict[str, Any]], object]) -> None:
    """Write a pack anew with its members and its manifest changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    change(members, manifest)
    about = members.pop("manifest.json", json.dumps(manifest).encode())
    stored(path, ("manifest.json", about), *members.items())


def stored(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], packing: int = 0) -> None:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, data in members:
            archive.writestr(name, data)


def plus(path: Path, name: str | zipfile.ZipInfo, data: bytes = b"x", packing: int = 0) -> None:
    with zipfile.ZipFile(path, "a", packing) as archive:
        archive.writestr(name, data)


def twice(name: str) -> Callable[[Path], object]:
    """A second member of a name, which Python warns of."""

    def make(path: Path) -> None:
        with pytest.warns(UserWarning, match="Duplicate name"):
            plus(path, name)

    return make


def renamed(to: str) -> Callable[[Path], object]:
    """A member, named alike in the zip and in the manifest."""

    def change(members: Members, manifest: dict[str, Any]) -> None:
        file = manifest["folders"][0]["files"][1]
        members[f"workloads/tiny/{to}"] = members.pop(f"workloads/tiny/{file['path']}")
        file["path"] = to

    return lambda path: rebuilt(path, change)


def content(of: str, data: bytes) -> Callable[[Path], object]:
    """A file with other content, which the manifest agrees with."""

    def change(members: Members, manifest: dict[str, Any]) -> None:
        members[f"workloads/tiny/{of}"] = data
        for file in manifest["folders"][0]["files"]:
            if file["path"] == of:
                file |= {"size_byte": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    return lambda path: rebuilt(path, change)


def toml(before: str, after: str) -> Callable[[Path], object]:
    """Another line in workload.toml."""

    def make(path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            text = archive.read("workloads/tiny/workload.toml").decode()
        assert before in text
        content("workload.toml", text.replace(before, after).encode())(path)

    return make

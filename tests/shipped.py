"""Which bundled workloads ship a model file: one may ship a part of what its build makes."""

from __future__ import annotations

from edgebench import resources

_ALL = {"cifar10_cnn", "mnist_cnn"}
"""These ship every file."""


def shipping(*files: str) -> list[str]:
    """Names of the built workloads that have these below ``models/``: ``shipping("fp32.onnx")``."""
    folders = resources.workload_folders(built=True)
    found = [
        name
        for name, folder in sorted(folders.items())
        if all((folder / "models" / file).is_file() for file in files)
    ]
    assert set(found) >= _ALL
    return found

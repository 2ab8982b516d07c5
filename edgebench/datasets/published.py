"""The data sets that can be downloaded: addresses, sizes and checksums as published.

The addresses are not verified by a test: the tests have no network and use a server of their own.
Sizes and sha256 are those that TensorFlow Datasets publishes for the same files (checksums of
``mnist`` and ``cifar10``), so a file from any address is the right one or is not used. MNIST's own
address often refuses; the two others are the copies that TensorFlow Datasets and torchvision use.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from edgebench.datasets import folder, packed
from edgebench.datasets.download import RemoteFile, Report, fetch
from edgebench.errors import UsageError

_MNIST = (
    "https://yann.lecun.com/exdb/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
_SCRATCH = ".downloads"


class Published(NamedTuple):
    """A data set that others publish."""

    source: str
    splits: Mapping[str, tuple[RemoteFile, ...]]
    """Files by split; the first one is what the reader opens."""


def _mnist(name: str, sha256: str, size_byte: int) -> RemoteFile:
    return RemoteFile(name, tuple(base + name for base in _MNIST), sha256, size_byte)


_CIFAR10 = (
    RemoteFile(
        "cifar-10-binary.tar.gz",
        ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        170_052_171,
    ),
)
PUBLISHED: dict[str, Published] = {
    "mnist": Published(
        "MNIST (LeCun, Cortes, Burges)",
        {
            "test": (
                _mnist(
                    "t10k-images-idx3-ubyte.gz",
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                    1_648_877,
                ),
                _mnist(
                    "t10k-labels-idx1-ubyte.gz",
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                    4_542,
                ),
            ),
            "train": (
                _mnist(
                    "train-images-idx3-ubyte.gz",
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                    9_912_422,
                ),
                _mnist(
                    "train-labels-idx1-ubyte.gz",
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                    28_881,
                ),
            ),
        },
    ),
    "cifar10": Published(
        "CIFAR-10 (Krizhevsky 2009), binary version",
        {"test": _CIFAR10, "train": _CIFAR10},
    ),
}


def download(name: str, split: str, report: Report, *, replace: bool = False) -> folder.Dataset:
    """Download a data set and add it to the data folder.

    Args:
        name: One of `PUBLISHED`.
        split: ``test`` or ``train``.
        report: Told of the progress.
        replace: Whether it may take the place of another.

    Raises:
        UsageError: No such data set, no address answers, or there is no room.
    """
    if name not in PUBLISHED:
        raise UsageError(
            f"{name!r} cannot be downloaded (known: {', '.join(PUBLISHED)})",
            remedy=f"edgebench data add {name} PATH",
        )
    if not replace:
        folder.check_free(name)
    published = PUBLISHED[name]
    scratch = folder.home() / _SCRATCH
    try:
        scratch.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise folder.cannot_write(error) from None
    files = [fetch(file, scratch, report) for file in published.splits[split]]
    try:
        found = _reader(files[0], split)
        return folder.save(name, split, published.source, found, replace=replace)
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def _reader(path: Path, split: str) -> folder.Found:
    if path.name.endswith(".tar.gz"):
        return packed.from_cifar10_tar(path, split)
    return packed.from_idx(path)

"""OpenVINO's two files as one: ``model.xml`` (the graph) and ``model.bin`` (its weights), a zip."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

from edgebench.backends import zips
from edgebench.errors import ModelRefusedError

XML, BIN = "model.xml", "model.bin"


def pack(path: Path, xml: bytes, weights: bytes) -> None:
    """Write both files as one; the same bytes give the same file."""
    zips.write(path, ((XML, xml), (BIN, weights)))


def read(core: Any, path: Path) -> Any:  # noqa: ANN401 - the runtime's own Core and Model
    """A model of whatever format OpenVINO reads, and of a file that `pack` wrote.

    Raises:
        ModelRefusedError: It is a zip of something else.
    """
    if not zipfile.is_zipfile(path):
        return core.read_model(path)
    with tempfile.TemporaryDirectory(prefix="edgebench-") as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                # On the disk at once: in memory the weights would count as the model's peak.
                xml = archive.extract(XML, folder)
                archive.extract(BIN, folder)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise ModelRefusedError(f"{path.name} is no pair of OpenVINO files: {error}") from None
        # Weights are mapped from the file, which the kernel keeps for as long as they are.
        return core.read_model(xml)

"""A SavedModel as one file: its folder in a zip, uncompressed, so that one hash stands for all.

Reference: https://www.tensorflow.org/guide/saved_model#the_savedmodel_format_on_disk.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from edgebench.backends import zips
from edgebench.errors import ModelRefusedError

MODEL = "saved_model.pb"
_FINGERPRINT = "fingerprint.pb"


def pack(folder: Path, path: Path) -> None:
    """Write a SavedModel's folder as one file; the same bytes give the same file.

    The fingerprint stays behind: it holds a number drawn at random, and loading needs none.
    """
    files = [one for one in sorted(folder.rglob("*")) if one.is_file() and one.name != _FINGERPRINT]
    zips.write(path, ((one.relative_to(folder).as_posix(), one.read_bytes()) for one in files))


def unpack(path: Path, folder: Path) -> None:
    """Lay the SavedModel of a file into an empty folder.

    Raises:
        ModelRefusedError: It is something else, or not stored as `pack` does: a compressed one
            could grow without bounds.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
            size_byte = sum(member.file_size for member in members)
            if MODEL not in names or packed or size_byte > path.stat().st_size:
                raise ModelRefusedError(
                    f"{path.name} is no SavedModel in a zip (uncompressed, {MODEL} at its top)"
                )
            archive.extractall(folder)  # which keeps every name inside of the folder
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise ModelRefusedError(f"{path.name} is no SavedModel in a zip: {error}") from None

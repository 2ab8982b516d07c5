"""Which format a user's path is in, judged by its name and first bytes; and all that belongs to it.

Nothing is loaded here: a file that pretends is found out by its runtime, in a process of its own.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from edgebench.adopt import onnx_file, request
from edgebench.backends import ncnn_files, openvino_files, savedmodel_files
from edgebench.errors import ModelRefusedError, UsageError
from edgebench.specs import ModelFormat, sha256_of

_ZIP = b"PK\x03\x04"
_HEAD_BYTE = 64
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]+")
_HDF5 = b"\x89HDF"


class Kind(NamedTuple):
    """What a suffix stands for."""

    format: ModelFormat
    words: str
    magic: tuple[bytes, int] = (b"", 0)
    """Bytes, and where they stand; empty where the format has none."""
    partner: str = ""
    """Suffix of the file that must lie beside it."""


KINDS: dict[str, Kind] = {
    ".onnx": Kind("onnx", "ONNX"),
    ".tflite": Kind("tflite", "TensorFlow Lite", (b"TFL3", 4)),
    ".keras": Kind("savedmodel", "Keras", (_ZIP, 0)),
    ".pt2": Kind("torch", "torch.export", (_ZIP, 0)),
    ".pt": Kind("torch", "TorchScript", (_ZIP, 0)),
    ".xml": Kind("openvino", "OpenVINO", (b"<", 0), ".bin"),
    ".param": Kind("ncnn", "ncnn", (ncnn_files.MAGIC.encode(), 0), ".bin"),
    ".mnn": Kind("mnn", "MNN"),
    ".eim": Kind("eim", "Edge Impulse", (b"\x7fELF", 0)),
}
_TEXTS = frozenset({".xml", ".param"})
"""Suffixes whose files are text."""
_LATER = {
    ".h5": (
        "Keras' old HDF5 format",
        "load it and model.save('my.keras')",
    ),
    ".pb": ("a part of a SavedModel", "name its folder"),
    ".pth": ("weights of PyTorch without a network", "torch.export.save(..., 'my.pt2')"),
    ".ckpt": ("weights without a network", "export the network, to ONNX for example"),
    ".bin": ("weights without a network", "name the .xml or .param file beside it"),
}


class Found(NamedTuple):
    """A user's model as it lies on the disk."""

    path: Path
    format: ModelFormat
    suffix: str
    """Of the name; empty for a folder."""
    parts: tuple[Path, ...]
    """Every file of it."""
    sha256: str
    """Of all its files: the same model is the same on every device."""


def find(path: Path) -> Found:
    """What lies at a path.

    Raises:
        UsageError: Nothing does, or no model that is known here; the message says what was seen.
    """
    try:
        return _find(path.absolute())
    except OSError as error:
        raise UsageError(f"--model {path}: cannot be read: {error.strerror}") from None


def _find(path: Path) -> Found:
    request.check_name("--model", path)
    if path.is_dir():
        return _saved_model(path)
    if not path.exists():
        raise UsageError(f"--model {path}: there is no such file")
    suffix = path.suffix.lower()
    kind = KINDS.get(suffix)
    if kind is None:
        what, remedy = _LATER.get(suffix, ("", ""))
        words = f"is {what}" if what else "has no known suffix"
        known = f"known: {', '.join(KINDS)}, and the folder of a SavedModel"
        raise UsageError(f"--model {path}: {words}", remedy=remedy or known)
    if not path.is_file():
        raise UsageError(f"--model {path}: is no file")
    _check_head(path, suffix, kind)
    if kind.format == "eim" and not os.access(path, os.X_OK):
        raise UsageError(f"--model {path}: is not executable", remedy=f"chmod +x {path}")
    partner = path.with_suffix(kind.partner) if kind.partner else None
    if partner is not None and not partner.is_file():
        raise UsageError(
            f"--model {path}: its weights are missing", remedy=f"put {partner.name} beside it"
        )
    parts = [path, partner] if partner is not None else [path]
    parts += _outside(path) if kind.format == "onnx" else []
    return Found(path, kind.format, suffix, tuple(parts), _sha256(path, parts))


def _sha256(path: Path, parts: Sequence[Path]) -> str:
    if len(parts) == 1:
        return sha256_of(parts[0])
    digest = hashlib.sha256()
    for part in parts:
        # A pair may have any name, a SavedModel's files have those that they must have.
        name = part.relative_to(path).as_posix() if path.is_dir() else part.suffix
        digest.update(f"{name}\0{sha256_of(part)}\n".encode())
    return digest.hexdigest()


def _saved_model(folder: Path) -> Found:
    if not (folder / savedmodel_files.MODEL).is_file():
        raise UsageError(
            f"--model {folder}: is a folder without {savedmodel_files.MODEL}, so no SavedModel",
            remedy="name a model file, or the folder of a SavedModel",
        )
    parts = tuple(sorted(part for part in folder.rglob("*") if part.is_file()))
    for part in parts:
        request.check_name("--model", part)
        if not part.resolve().is_relative_to(folder.resolve()):
            raise UsageError(f"--model {folder}: {part.name} leads out of the folder")
    return Found(folder, "savedmodel", "", parts, _sha256(folder, parts))


def _check_head(path: Path, suffix: str, kind: Kind) -> None:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTE)
    if not head:
        raise UsageError(f"--model {path}: is empty")
    magic, at = kind.magic
    if magic and head[at : at + len(magic)] == magic:
        return
    if suffix not in _TEXTS and _TEXT.fullmatch(head):
        raise UsageError(f"--model {path}: is a text file, no {kind.words} model")
    if head.startswith(_HDF5):
        raise UsageError(f"--model {path}: is HDF5, no {kind.words} model")
    if magic and not (suffix in _TEXTS and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(magic)):
        raise UsageError(f"--model {path}: does not begin as {kind.words} files do")


def _outside(path: Path) -> Iterator[Path]:
    """The files in which an ONNX model keeps its weights.

    Raises:
        UsageError: One of them is missing, or lies outside the model's folder.
    """
    try:
        names = onnx_file.outside(path)
    except ModelRefusedError as error:
        raise UsageError(f"--model {path}: {error}") from None
    for name in names:
        part = path.parent / name
        if not _is_inside(part, path.parent):
            raise UsageError(
                f"--model {path}: its weights lie outside of its folder ({name[:80]!r})",
                remedy="keep them beside the model, or in it",
            )
        if not part.is_file():
            raise UsageError(
                f"--model {path}: its weights are missing", remedy=f"put {name} beside it"
            )
        yield part


def _is_inside(part: Path, folder: Path) -> bool:
    try:
        return part.resolve().is_relative_to(folder.resolve()) and part != folder
    except ValueError:  # a NUL
        return False


def slug(path: Path) -> str:
    """A workload's name for a model: ``My Net (2).onnx`` -> ``my_net_2``."""
    stem = path.name if path.is_dir() else path.stem
    plain = re.sub(r"[^a-z0-9.-]+", "_", stem.lower()).strip("_.-")
    return plain[:48].rstrip("_.-") or "model"


def lay(found: Found, folder: Path, name: str) -> Path:
    """Write a model's files as the one that a workload has.

    Args:
        found: The model.
        folder: Where.
        name: Of the file, without a suffix.

    Returns:
        The file: as it was, or several as one zip (`edgebench.backends.zips`).
    """
    if found.path.is_dir():
        target = folder / f"{name}.zip"
        savedmodel_files.pack(found.path, target)
    elif found.format == "ncnn":
        target = folder / f"{name}.ncnn"
        ncnn_files.pack(target, *(part.read_bytes() for part in found.parts))
    elif found.format == "openvino":
        target = folder / f"{name}.zip"
        openvino_files.pack(target, *(part.read_bytes() for part in found.parts))
    else:
        target = folder / f"{name}{found.suffix}"
        _copy(found.parts[0], target)
        if found.format == "eim":  # it is a program
            target.chmod(found.path.stat().st_mode & 0o755)
    return target


def _copy(source: Path, target: Path) -> None:
    """A copy without the source's rights, by blocks: models may be large."""
    with source.open("rb") as reading, target.open("wb") as writing:
        while block := reading.read(1 << 20):
            writing.write(block)

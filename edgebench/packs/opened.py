"""A pack that was opened and checked, unpacked nowhere yet: a stranger's file until it is."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgebench.errors import UsageError, plain
from edgebench.packs import contract
from edgebench.packs.contract import MANIFEST, Manifest, PackedFolder

_DAMAGE = (
    *(OSError, EOFError, ValueError, KeyError, RuntimeError, OverflowError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, struct.error, msgspec.MsgspecError),
)
"""What reading a damaged zip or manifest raises; `RuntimeError` covers encrypted members."""
_LARGEST_DIRECTORY_BYTE = 1 << 20
_END, _END_BYTE, _LONGEST_COMMENT_BYTE = b"PK\x05\x06", 22, 1 << 16
_LOCATOR, _LOCATOR_BYTE, _END64, _END64_BYTE = b"PK\x06\x07", 20, b"PK\x06\x06", 56
_CHUNK_BYTE = 1 << 20


class Opened(NamedTuple):
    """The zip and what it says of itself, which agree."""

    archive: zipfile.ZipFile
    manifest: Manifest


@contextlib.contextmanager
def open_pack(path: Path) -> Iterator[Opened]:
    """Open a pack and hold its directory against its manifest; contents are checked by `extract`.

    Raises:
        UsageError: It is no pack, or damaged, or hostile; also later, from what the block does.
    """
    try:
        if not path.is_file():
            raise ValueError("it is no file" if path.exists() else "it does not exist")
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive)
            _check_members(archive, manifest, path.stat().st_size)
            yield Opened(archive, manifest)
    except _DAMAGE as error:
        # Names and words in it come from a stranger's file: nothing may steer the terminal.
        words = plain(" ".join(str(error).split()))[:300] or type(error).__name__
        raise UsageError(
            f"{plain(path.name)} is no pack to unpack: {words}",
            remedy="make it again: edgebench workloads pack",
        ) from None


def _check_directory(path: Path) -> None:
    """Refuse a directory of more entries than could be read at once, before anything reads it.

    Format: APPNOTE.TXT 4.3.14 to 4.3.16. Python believes the 64-bit record where there is one: up
    to 3.13 the one before the locator, later the one that the locator names.
    """
    with path.open("rb") as file:
        size_byte = file.seek(0, 2)
        file.seek(max(0, size_byte - _END_BYTE - _LONGEST_COMMENT_BYTE))
        tail = file.read()
        at = tail.rfind(_END)
        if at < 0 or len(tail) - at < _END_BYTE:
            raise ValueError("it is no zip, or its end is missing")
        found_byte = [*struct.unpack_from("<I", tail, at + 12)]
        locator = tail[max(0, at - _LOCATOR_BYTE) : at]
        if locator.startswith(_LOCATOR) and len(locator) == _LOCATOR_BYTE:
            (named,) = struct.unpack_from("<Q", locator, 8)
            before = size_byte - len(tail) + at - _LOCATOR_BYTE - _END64_BYTE
            for place in (min(named, size_byte), max(0, before)):
                file.seek(place)
                record = file.read(_END64_BYTE)
                if len(record) == _END64_BYTE and record.startswith(_END64):
                    found_byte += struct.unpack_from("<Q", record, 40)
    if max(found_byte) > _LARGEST_DIRECTORY_BYTE:
        raise ValueError(f"its directory has {max(found_byte):,} byte")


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    infos = [info for info in archive.infolist() if info.filename == MANIFEST]
    if len(infos) != 1:
        raise ValueError(f"it has no {MANIFEST}" if not infos else f"it has two {MANIFEST}")
    _check_member(infos[0])
    if infos[0].file_size > contract.LARGEST_MANIFEST_BYTE:
        raise ValueError(f"its {MANIFEST} has {infos[0].file_size:,} byte")
    manifest = msgspec.json.decode(archive.read(infos[0]), type=Manifest)
    if not manifest.folders:
        raise ValueError("it holds nothing")
    for folder in manifest.folders:
        contract.check_names(folder)
    return manifest


def _check_member(info: zipfile.ZipInfo) -> None:
    """Refuse whatever `write` never writes."""
    name = repr(info.filename[:80])
    if info.flag_bits & 1:
        raise ValueError(f"{name} is encrypted")
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise ValueError(f"{name} is compressed, which no pack's member is")
    mode = info.external_attr >> 16
    if info.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
        raise ValueError(f"{name} is no plain file")


def _check_members(archive: zipfile.ZipFile, manifest: Manifest, size_byte: int) -> None:
    infos = archive.infolist()
    if len(infos) > contract.MOST_FILES:
        raise ValueError(f"it has {len(infos):,} members; at most {contract.MOST_FILES:,}")
    names = [info.filename for info in infos]
    if len({name.casefold() for name in names}) != len(names):
        raise ValueError("it has two members of one name")
    named = {MANIFEST, *manifest.members}
    if len(named) != len(manifest.members) + 1:
        raise ValueError(f"its {MANIFEST} names a file twice")
    if extra := [name for name in names if name not in named]:
        raise ValueError(f"{extra[0][:80]!r} is not named by its {MANIFEST}")
    if missing := sorted(named.difference(names)):
        raise ValueError(f"{missing[0]} is missing")
    for info in infos:
        _check_member(info)
    if sum(info.file_size for info in infos) > size_byte:
        raise ValueError("its members lie over one another")


def extract(opened: Opened, folder: PackedFolder, into: Path) -> None:
    """Write the files of one folder below ``into``; each is the one that the manifest names.

    Raises:
        ValueError: A file is another one.
        UsageError: The disk is full or read-only.
    """
    for file in folder.files:
        name = folder.member(file)
        with writing(into):
            found = _copied(opened.archive, name, into / file.path)
        if found != (file.size_byte, file.sha256):
            raise ValueError(f"{name} is not the file that its {MANIFEST} names (sha256)")


@contextlib.contextmanager
def writing(place: Path) -> Iterator[None]:
    """Whatever goes wrong with the disk that is written to is no fault of the pack."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"cannot write to {place}: {error.strerror}",
            remedy="make room, or choose folders with EDGEBENCH_DATA and EDGEBENCH_CACHE",
        ) from None


def _copied(archive: zipfile.ZipFile, name: str, target: Path) -> tuple[int, str]:
    """Copy a member; give its size and sha256."""
    digest, size_byte = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(name) as member, target.open("xb") as out:
        while chunk := member.read(_CHUNK_BYTE):
            digest.update(chunk)
            size_byte += len(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    return size_byte, digest.hexdigest()

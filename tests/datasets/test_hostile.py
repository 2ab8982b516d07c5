"""Files made to harm are refused in one line within a second, and write nothing anywhere."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import promptly
import pytest

from edgebench.datasets import folder, reading
from edgebench.errors import UsageError

LIMIT_S = 1.0
pillow = pytest.importorskip("PIL.Image", reason="image files need pillow")


def npy(shape: tuple[int, ...], data: bytes, descr: str = "'|u1'") -> bytes:
    """A .npy with a header that may lie."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def npz(path: Path, images: bytes, labels: bytes | None = None) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", images)
        archive.writestr("labels.npy", npy((1,), b"\0") if labels is None else labels)


def jpeg() -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    pillow.fromarray(noise).save(buffer, "JPEG")
    return buffer.getvalue()


def zipped(path: Path, *members: tuple[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)


def huge_png(path: Path) -> None:
    """A few hundred bytes that declare 60,000 x 60,000 pixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(9999))), (b"IEND", b"")):
        png += struct.pack(">I", len(data)) + kind + data
        png += struct.pack(">I", zlib.crc32(kind + data))
    zipped(path, ("cat/0.png", png))


def lying_zip(path: Path) -> None:
    """A member that declares 100 byte and unpacks to 100 MiB."""
    zipped(path, ("cat/0.png", bytes(100 << 20)))
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", 100 << 20), struct.pack("<I", 100)))


def encrypted_zip(path: Path) -> None:
    """A member whose flags say that it is encrypted."""
    zipped(path, ("cat/0.jpg", jpeg()))
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


def pickled(path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
            return Path.touch, (str(path.with_name("pwned")),)

    npz(path, npy((1,), pickle.dumps([Evil()]), "'|O'"))


def idx_bomb(path: Path) -> None:
    """Gzipped labels that declare 10 million images and images that declare 4096 x 4096 each."""
    count = 10_000_000
    with gzip.open(path.with_name("t10k-labels-idx1-ubyte.gz"), "wb", 1) as file:
        file.write(b"\0\0\x08\x01" + struct.pack(">I", count) + bytes(count))
    with gzip.open(path, "wb") as file:
        file.write(b"\0\0\x08\x03" + struct.pack(">III", count, 4096, 4096) + bytes(5000))


def alone_idx(path: Path) -> None:
    path.write_bytes(b"\0\0\x08\x03" + struct.pack(">III", 1, 1, 1) + b"\0")


def tar_bomb(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        info.size = 100 << 20
        archive.addfile(info, io.BytesIO(bytes(info.size)))


def tar_link(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)


def cut(path: Path) -> None:
    npz(path, npy((1, 2, 2), bytes(4)))
    path.write_bytes(path.read_bytes()[:-30])


def flipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("images.npy", npy((1, 8, 8), bytes(64)))
        archive.writestr("labels.npy", npy((1,), b"\0"))
    path.write_bytes(path.read_bytes().replace(bytes(64), bytes(63) + b"\1"))


DEEP = ("(" * 9000).encode()
HOSTILE: list[tuple[str, Callable[[Path], object], str]] = [
    ("climbing member", lambda p: zipped(p, ("../cat/0.jpg", jpeg())), "leads out"),
    ("absolute member", lambda p: zipped(p, ("/etc/cat/0.jpg", jpeg())), "leads out"),
    ("drive member", lambda p: zipped(p, ("C:/cat/0.jpg", jpeg())), "leads out"),
    ("backslash member", lambda p: zipped(p, ("..\\cat\\0.jpg", jpeg())), "leads out"),
    ("large member", lambda p: zipped(p, ("cat/0.png", bytes(40 << 20))), "too large"),
    ("bomb beside images", lambda p: zipped(p, ("notes", bytes(80 << 20))), "unpacks from"),
    ("lying size", lying_zip, "cannot be used"),
    ("encrypted", encrypted_zip, "is encrypted"),
    ("huge image", huge_png, "60000|exceeds limit"),
    ("truncated image", lambda p: zipped(p, ("cat/0.jpg", jpeg()[:900])), "truncated"),
    ("text as image", lambda p: zipped(p, ("cat/0.jpg", b"hello")), "is no JPEG"),
    ("script as image", lambda p: zipped(p, ("c/0.jpg", b"%!PS-Adobe-3.0 EPSF")), "is no JPEG"),
    ("no images", lambda p: zipped(p, ("cat/0.txt", b"hello")), "no images"),
    ("flat images", lambda p: zipped(p, ("0.jpg", jpeg())), "no images"),
    ("escape in name", lambda p: zipped(p, ("\x1b[2Jc/0.jpg", b"x")), r"\?\[2Jc/0.jpg is no"),
    ("text", lambda p: p.write_text("hello\n"), "it is no zip"),
    ("empty", lambda p: p.write_bytes(b""), "it is no zip"),
    ("half a zip", cut, "it is no zip"),
    ("flipped bit", flipped, "Bad CRC"),
    ("pickle", pickled, "pickles are never loaded"),
    ("huge shape", lambda p: npz(p, npy((10**9, 10**6, 10**6), b"")), "declares"),
    ("wrapping shape", lambda p: npz(p, npy((2**32, 2**32), b"")), "declares"),
    ("negative shape", lambda p: npz(p, npy((-1, -4), bytes(4))), "header of images"),
    ("too short", lambda p: npz(p, npy((2, 2, 2), bytes(7))), "declares"),
    ("npz bomb", lambda p: npz(p, npy((100, 1024, 1024), bytes(100 << 20))), "unpacks from"),
    ("no header", lambda p: npz(p, b"\x93NUMPY\x01\x00"), "cannot be used"),
    (
        "deep header",
        lambda p: npz(p, b"\x93NUMPY\x01\x00" + struct.pack("<H", len(DEEP)) + DEEP),
        "header of images",
    ),
    ("code as header", lambda p: npz(p, npy((1,), b"\0", "__import__('os')")), "header of images"),
    ("floats", lambda p: npz(p, npy((1, 2, 2), bytes(16), "'<f4'")), "not uint8"),
    (
        "float labels",
        lambda p: npz(p, npy((1, 2, 2), bytes(4)), npy((1,), bytes(4), "'<f4'")),
        "wh",
    ),
    (
        "negative label",
        lambda p: npz(p, npy((1, 2, 2), bytes(4)), npy((1,), b"\xff", "'|i1'")),
        "-1",
    ),
    ("labels too few", lambda p: npz(p, npy((2, 2, 2), bytes(8))), "2 images and 1 labels"),
    ("five channels", lambda p: npz(p, npy((1, 2, 2, 5), bytes(20))), "5 channels"),
    ("no pixels", lambda p: npz(p, npy((1, 0, 2), b"")), "2 x 0 pixels"),
    ("no images at all", lambda p: npz(p, npy((0, 2, 2), b""), npy((0,), b"")), "0 images"),
    ("other arrays", lambda p: zipped(p, ("a.npy", npy((1,), b"\0"))), "it has no x_test/y_test"),
    ("idx bomb", idx_bomb, "ends early"),
    ("idx without labels", alone_idx, "its labels are missing"),
    ("gzip of text", lambda p: p.write_bytes(gzip.compress(b"hello")), "it is no zip"),
    ("gzip bomb", lambda p: p.write_bytes(gzip.compress(bytes(50 << 20))), "it is no zip"),
    ("half a gzip", lambda p: p.write_bytes(gzip.compress(b"x" * 9999)[:12]), "cannot be used"),
    ("tar bomb", tar_bomb, "does not belong"),
    ("tar with a link", tar_link, "is not 10000 images"),
]


@pytest.mark.parametrize(
    ("make", "words"), [pytest.param(make, words, id=name) for name, make, words in HOSTILE]
)
def test_a_hostile_file_is_refused_at_once_and_leaves_nothing(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "in" / "t10k-images-idx3-ubyte.gz"  # no suffix is believed
    path.parent.mkdir()
    make(path)
    before = sorted(tmp_path.rglob("*"))
    with promptly.at_once(LIMIT_S), pytest.raises(UsageError, match=words) as caught:
        folder.save("x", "test", "x", reading.read("x", path, "test"))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert not folder.home().exists() or list(folder.home().iterdir()) == []


def test_a_device_file_or_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(UsageError, match="no file and no folder"):
            reading.read("x", path, "test")


def test_without_pillow_image_files_are_refused_with_the_pip_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped(tmp_path / "a.zip", ("cat/0.jpg", jpeg()))
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    with pytest.raises(UsageError, match=r"needs Pillow \(pip install 'edgebench\[device\]'\)"):
        reading.read("x", tmp_path / "a.zip", "test")

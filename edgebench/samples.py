"""Samples: an ordered series of nanoseconds, compact on disk and free of numpy to read; bits too.

On disk a series is uint64 little-endian, byte-shuffled (all lowest bytes first), deflated and
base64-coded: neighbouring latencies share their high bytes, so shuffling makes them compress to
about 3 bytes a sample.
"""

from __future__ import annotations

import base64
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

_WIDTH = 8
_MAX_BYTE = 1 << 27
"""No launch holds 2^24 samples; a record that claims more is damaged or hostile."""


class Samples:
    """An immutable series of durations in ns, in the order they were measured."""

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[int] = ()) -> None:
        self._values = array("Q", values)

    @classmethod
    def from_bytes(cls, data: bytes) -> Samples:
        """A series from native-endian uint64 bytes, without a Python integer per sample."""
        return cls(array("Q", data))

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[int]:
        return iter(self._values)

    def __getitem__(self, index: int) -> int:
        return self._values[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Samples) and self._values == other._values

    def __hash__(self) -> int:
        return hash(self._values.tobytes())

    def __repr__(self) -> str:
        return f"Samples(<{len(self)} values>)"

    def tobytes(self) -> bytes:
        """Native-endian uint64 bytes."""
        return self._values.tobytes()

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """The series as numpy sees it: ``numpy.asarray(samples, dtype=float)``."""
        import numpy as np  # noqa: PLC0415 - reading a record needs no numpy

        del copy  # the array module's buffer is always copied: a series is immutable
        return np.array(self._values, dtype=dtype or np.uint64)

    def encode(self) -> str:
        """The series as text for a journal line."""
        values = self._values
        if sys.byteorder == "big":
            values = array("Q", values)
            values.byteswap()
        raw = values.tobytes()
        shuffled = b"".join(raw[lane::_WIDTH] for lane in range(_WIDTH))
        return base64.b64encode(zlib.compress(shuffled, 6)).decode("ascii")

    @classmethod
    def decode(cls, text: str) -> Samples:
        """The series of a journal line.

        Raises:
            ValueError: The text is not such a series, or claims more than 1 GiB.
        """
        try:
            packed = base64.b64decode(text, validate=True)
            inflate = zlib.decompressobj()
            shuffled = inflate.decompress(packed, _MAX_BYTE)
        except (ValueError, zlib.error) as error:
            raise ValueError(f"not a sample series: {error}") from None
        if not inflate.eof or len(shuffled) % _WIDTH:
            raise ValueError("not a sample series: cut short or too long")
        raw = bytearray(len(shuffled))
        count = len(shuffled) // _WIDTH
        for lane in range(_WIDTH):
            raw[lane::_WIDTH] = shuffled[lane * count : (lane + 1) * count]
        values = array("Q", bytes(raw))
        if sys.byteorder == "big":
            values.byteswap()
        return cls(values)


def deflate_bits(answers: Iterable[bool]) -> bytes:
    """Yes and no in order, a bit each (the first one lowest), filled up with 0 to bytes, zlib."""
    digits = "".join("1" if answer else "0" for answer in answers)
    size = (len(digits) + 7) // 8
    return zlib.compress(int(digits[::-1] or "0", 2).to_bytes(size, "little"), 9)


def inflate_bits(packed: bytes, count: int) -> int:
    """What `deflate_bits` packed, as an integer whose bit i is answer i.

    Raises:
        ValueError: These are not ``count`` bits.
    """
    size = (count + 7) // 8
    if count < 0 or size > _MAX_BYTE:
        raise ValueError(f"{count} is no number of bits")
    try:
        inflate = zlib.decompressobj()
        raw = inflate.decompress(packed, size + 1)
    except zlib.error as error:
        raise ValueError(f"not a series of bits: {error}") from None
    bits = int.from_bytes(raw, "little")
    if len(raw) != size or not inflate.eof or inflate.unused_data or bits >> count:
        raise ValueError(f"not a series of {count} bits")
    return bits

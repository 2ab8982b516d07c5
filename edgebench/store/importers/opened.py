"""Another tool's files as importers read them: a stranger's, so bounded, checked, and traced.

A `Node` knows where it stands, so that each figure can say so; what it does not find, or finds of
another kind, is refused in one line that names the place.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edgebench.errors import UsageError, plain
from edgebench.protocols import ImportedRow

MAX_FILE_BYTE = 64 << 20
_DIGITS = 30
"""No count has more; longer ones would keep Python busy."""
_MAX_FILES = 10_000
_MAX_OBJECTS, _MAX_VALUES = 500_000, 5_000_000
"""Of a JSON file: so many are read in seconds; what has more would keep Python busy for minutes."""

_MARKS = {
    b"\x1f\x8b": "it is compressed: gunzip it first",
    b"PK\x03\x04": "it is an archive: unzip it first",
    b"\xff\xfe": "it is UTF-16, as PowerShell's > writes it: iconv -f utf-16 -t utf-8",
    b"\xfe\xff": "it is UTF-16: iconv -f utf-16 -t utf-8",
}
"""How files begin that users take for text, and what to do about it."""


class Opened:
    """The file or folder that the user named, and the hashes of what was read of it.

    Args:
        path: A file, or a folder whose files are read by their paths below it.

    Raises:
        UsageError: There is no such path.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise UsageError(f"{path} does not exist")
        self.path = path
        self.files: dict[str, str] = {}
        """sha256 of every file that was read, by its name."""

    @property
    def name(self) -> str:
        """Of the file that was named."""
        return self.path.name

    def below(self, file: str) -> list[str]:
        """Paths of all files of a name below the folder, sorted: ``a/b/spl.txt``.

        Raises:
            UsageError: There are more files than any result tree has.
        """
        found = []
        seen = 0
        for folder, _, names in os.walk(self.path):
            seen += len(names) + 1
            if seen > _MAX_FILES:
                raise UsageError(
                    f"{self.path} holds more than {_MAX_FILES:,} files",
                    remedy="name a folder below it: several may be named at once",
                )
            if file in names:
                found.append((Path(folder) / file).relative_to(self.path).as_posix())
        return sorted(found)

    def read(self, name: str = "") -> bytes:
        """A file's content; of the one that was named where no other is.

        Raises:
            UsageError: It is no regular file of the folder, too large, or cannot be read.
        """
        path = self.path / name if name else self.path
        shown = name or str(self.path.name or self.path)
        if path.is_dir():
            raise UsageError(f"{shown} is a folder", remedy="name the file in it")
        try:
            inside = path.resolve().is_relative_to(self.path.resolve())
            if not inside:
                raise UsageError(f"{shown} leads out of {self.path}")
            # Not blocking: a pipe that nobody writes would be waited for.
            handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            with os.fdopen(handle, "rb") as file:
                told = os.fstat(file.fileno())
                if not stat.S_ISREG(told.st_mode):
                    raise UsageError(f"{shown} is no file")
                data = file.read(MAX_FILE_BYTE + 1)
        except (OSError, ValueError) as error:
            words = getattr(error, "strerror", None) or error
            raise UsageError(f"cannot read {shown}: {words}") from None
        if len(data) > MAX_FILE_BYTE:
            raise UsageError(f"{shown} is larger than {MAX_FILE_BYTE >> 20} MiB")
        self.files[shown] = hashlib.sha256(data).hexdigest()
        return data

    def text(self, name: str = "") -> str:
        """A file as text, each line ended by a line feed.

        Raises:
            UsageError: As `read`; or it is not UTF-8.
        """
        data = self.read(name)
        try:
            words = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            remedy = next((words for mark, words in _MARKS.items() if data.startswith(mark)), "")
            raise UsageError(f"{name or self.name} is no text in UTF-8", remedy=remedy) from None
        return words.replace("\r\n", "\n")

    def json(self, name: str = "") -> Node:
        """A file as JSON: no NaN, no key twice, no endless number, not deeper than Python's stack.

        Raises:
            UsageError: As `text`; or it is no such JSON.
        """
        shown = name or self.name
        text = self.text(name)
        if text.count("{") > _MAX_OBJECTS or text.count(",") > _MAX_VALUES:
            raise UsageError(f"{shown} holds more values than a benchmark has")
        try:
            value = json.loads(
                text,
                object_pairs_hook=_once,
                parse_constant=_no_constant,
                parse_float=_finite,
                parse_int=_whole,
            )
        except RecursionError:
            raise UsageError(f"{shown} is nested too deeply") from None
        except ValueError as error:
            raise UsageError(f"{shown} is no JSON: {error}") from None
        return Node(value, shown)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (twice, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        raise ValueError(f"it has {plain(twice[:80])!r} twice")
    return found


def _no_constant(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits[:_DIGITS]} is beyond every number")
    return value


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits")
    return int(digits)


class Node:
    """A value of a JSON file, and where it stands: ``results.json: benchmarks[0].stats``."""

    def __init__(self, value: Any, file: str, path: str = "") -> None:  # noqa: ANN401 - JSON
        self.value = value
        self._file = file
        self._path = path

    @property
    def place(self) -> str:
        """File and path within it."""
        return f"{self._file}: {self._path}" if self._path else self._file

    def find(self, *keys: str) -> Node | None:
        """What lies below, key by key; None where there is nothing, or null."""
        node = self
        for key in keys:
            if not isinstance(node.value, dict) or node.value.get(key) is None:
                return None
            node = Node(node.value[key], self._file, f"{node._path}.{key}".lstrip("."))
        return node

    def get(self, *keys: str) -> Node:
        """What lies below, key by key.

        Raises:
            UsageError: There is nothing, or null.
        """
        node = self.find(*keys)
        if node is None:
            raise UsageError(f"{self.place} has no {'.'.join(keys)!r}")
        return node

    def each(self) -> Iterator[Node]:
        """The members of a list.

        Raises:
            UsageError: It is none.
        """
        if not isinstance(self.value, list):
            raise self._unlike("list")
        for index, value in enumerate(self.value):
            yield Node(value, self._file, f"{self._path}[{index}]")

    def items(self) -> Iterator[tuple[str, Node]]:
        """Keys and members of an object.

        Raises:
            UsageError: It is none.
        """
        if not isinstance(self.value, dict):
            raise self._unlike("object")
        for key, value in self.value.items():
            yield key, Node(value, self._file, f"{self._path}.{key}".lstrip("."))

    def number(self) -> float:
        """As a number; a text of digits is one, as some tools write them.

        Raises:
            UsageError: It is none.
        """
        value = self.value
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                raise self._unlike("number") from None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._unlike("number")
        if not math.isfinite(value):
            raise self._unlike("number")
        return float(value)

    def count(self) -> int:
        """As a whole number from 0 on.

        Raises:
            UsageError: It is none.
        """
        value = self.number()
        if value < 0 or value != int(value):
            raise self._unlike("count")
        return int(value)

    def text(self) -> str:
        """As a text.

        Raises:
            UsageError: It is none.
        """
        if not isinstance(self.value, str):
            raise self._unlike("text")
        return self.value

    def _unlike(self, kind: str) -> UsageError:
        return UsageError(f"{self.place} is no {kind}: {plain(repr(self.value)[:60])}")


class Cells:
    """A row in the making: a column's value never without its origin."""

    def __init__(self) -> None:
        self._values: dict[str, str | int | float] = {}
        self._origin: dict[str, str] = {}

    def put(self, column: str, value: str | float, origin: str) -> None:
        """A value of a column, in its unit, and where it stands."""
        self._values[column] = value
        self._origin[column] = origin

    def row(self) -> ImportedRow:
        """The row."""
        return ImportedRow(values=self._values, origin=self._origin)

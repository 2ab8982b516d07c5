"""``--labels``: the names of a model's classes, in the order of its outputs."""

from __future__ import annotations

import json
from pathlib import Path

from edgebench.errors import UsageError, plain

_LARGEST_BYTE = 4 << 20


def read(path: Path) -> tuple[str, ...]:
    """A class a line, or a JSON list of them.

    Raises:
        UsageError: It cannot be read, or names no classes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTE + 1)
    except OSError as error:
        raise UsageError(f"--labels {path}: cannot be read: {error.strerror}") from None
    try:
        text = data.decode("utf-8-sig")
        listed = json.loads(text) if text.lstrip().startswith("[") else text.splitlines()
    except (UnicodeDecodeError, ValueError, RecursionError):
        listed = None
    whole = isinstance(listed, list) and all(isinstance(one, str) for one in listed)
    if not whole or not listed or len(data) > _LARGEST_BYTE:
        raise UsageError(
            f"--labels {path}: names no classes", remedy="write one a line, or a JSON list"
        )
    names = tuple(plain(one.strip()) for one in listed)
    while names and not names[-1]:
        names = names[:-1]
    if not all(names):
        raise UsageError(f"--labels {path}: has an empty line among its classes")
    return names

"""Files of a run that hold a record a line: a bad line costs itself and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from edgebench.errors import StoreError

_T = TypeVar("_T")


def read_lines(
    path: Path, decode: Callable[[bytes], _T], lost: str
) -> tuple[tuple[_T, ...], tuple[str, ...]]:
    """``(found, damage)``; nothing of either where there is no such file.

    Args:
        path: The file.
        decode: Of a line; raises `StoreError` for one that cannot be read.
        lost: What a bad line costs, or what mends it, in words.
    """
    found: list[_T] = []
    damage: list[str] = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    found.append(decode(line))
                except StoreError as error:
                    damage.append(f"{path}:{number}: {error}; {lost}")
    except FileNotFoundError:
        return (), ()
    except OSError as error:
        damage.append(f"{path}: {error.strerror}")
    return tuple(found), tuple(damage)

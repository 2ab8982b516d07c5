"""What a user says of a model beside its path."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from edgebench.adopt.shapes import Layout
from edgebench.errors import UsageError


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Options of `edgebench run --model` and `edgebench workloads new`."""

    model: Path
    shapes: tuple[str, ...] = ()
    """``3x224x224`` or ``NAME:3x224x224``."""
    layout: Layout | None = None
    labels: Path | None = None
    images: Path | None = None
    mean: tuple[float, ...] = ()
    """Of pixels from 0 to 255, as ``std``; empty where the usual ones hold."""
    std: tuple[float, ...] = ()


def check(request: Request) -> None:
    """Refuse numbers that no input can be made with, and names that cannot be written down.

    Raises:
        UsageError: In one line that says how to mend it.
    """
    for option, path in (("--labels", request.labels), ("--images", request.images)):
        if path is not None:
            check_name(option, path)
    for option, numbers in (("--mean", request.mean), ("--std", request.std)):
        if not all(map(math.isfinite, numbers)) or (option == "--std" and 0 in numbers):
            raise UsageError(f"{option}: must be finite, and a --std not 0")
    if bool(request.mean) != bool(request.std):
        raise UsageError(
            "--mean and --std belong together",
            remedy="give both, on the scale of pixels: 0 to 255",
        )
    if len(request.mean) != len(request.std):
        raise UsageError("--mean and --std: give as many numbers to both, one a channel")


def check_name(option: str, path: Path) -> None:
    """Refuse a name that no text file can hold: a run writes down what it measured.

    Raises:
        UsageError: Its bytes are no UTF-8.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{option} {str(path)!a}: its name is no Unicode", remedy="rename it"
        ) from None

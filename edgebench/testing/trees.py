"""Planted machines: the /proc and /sys files of ten devices, unpacked into a folder.

Each is a file ``trees/<name>.toml``, composed from documented facts (their sources stand in it)
and no machine's dump. Its tables:

``truth``
    What the machine is, in the words of `edgebench.machine.DeviceFacts`.
``files``
    Relative path to content; a table stands for a folder. ``cpu{0-3}`` in a path stands for four
    files, and ``{}`` in their content for the number. A whole number is written as the kernel
    writes one, with an end of line. A list is the parts of a text, where
    ``{ each = "0-3", text = "..." }`` is written once for each number. A path that ends in ``/``
    is an empty folder.
``links``
    Symbolic links, both paths relative to the root, written as in ``files``; one whose target is
    missing dangles, as below a folder that a container engine masks.
``modes``
    File modes in octal, where they matter. Who plants a file owns it, so 0400 can be read by him,
    as on the device by root; 0000 cannot, save by root.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - 3.10 only
    import tomli as tomllib

_FOLDER = Path(__file__).with_name("trees")
_SPAN = re.compile(r"\{([0-9]+)-([0-9]+)\}")


def names() -> tuple[str, ...]:
    """The planted machines there are."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def truth(name: str) -> dict[str, Any]:
    """What a planted machine is: fields of `DeviceFacts`, as JSON would hold them."""
    told: dict[str, Any] = _read(name)["truth"]
    return told


def plant(name: str, folder: Path) -> Path:
    """Unpack a planted machine.

    Args:
        name: One of `names()`.
        folder: Made where it is missing; files that lie there are overwritten.

    Returns:
        The folder, which stands for ``/`` wherever a ``root`` is asked for.

    Raises:
        KeyError: There is no such machine.
    """
    tree = _read(name)
    for relative, content in _files(tree["files"]):
        path = folder / relative
        if relative.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # one that may not be written can still be replaced
        path.write_text(content, encoding="utf-8")
    for link, target in _files(tree.get("links", {})):
        path = folder / link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(os.path.relpath(folder / target, path.parent))
    for relative, mode in tree.get("modes", {}).items():
        (folder / relative).chmod(int(mode, 8))
    return folder


def _read(name: str) -> dict[str, Any]:
    if name not in names():
        raise KeyError(f"no planted machine named {name!r} (known: {', '.join(names())})")
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def _files(table: dict[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every path of a table and its content; tables in it are folders."""
    for name, value in table.items():
        pattern = f"{above}{name}"
        if isinstance(value, dict):
            yield from _files(value, f"{pattern}/")
            continue
        for path, number in _spans(pattern):
            yield path, _text(value).replace("{}", number) if number else _text(value)


def _spans(pattern: str) -> Iterator[tuple[str, str]]:
    """Every path that a pattern stands for, and the number of its last span."""
    parts = _SPAN.split(pattern)
    spans = [_numbers(f"{a}-{b}") for a, b in zip(parts[1::3], parts[2::3], strict=True)]
    for chosen in itertools.product(*spans):
        path = parts[0] + "".join(f"{n}{part}" for n, part in zip(chosen, parts[3::3], strict=True))
        yield path, str(chosen[-1]) if chosen else ""


def _numbers(span: str) -> range:
    first, _, last = span.partition("-")
    return range(int(first), int(last or first) + 1)


def _text(content: int | str | list[Any]) -> str:
    if isinstance(content, int):
        return f"{content}\n"
    if isinstance(content, str):
        return content
    return "".join(
        part
        if isinstance(part, str)
        else "".join(part["text"].replace("{}", str(n)) for n in _numbers(part["each"]))
        for part in content
    )

"""Inputs that a file itself declares, so that ``--shape`` is checked before anything is started."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edgebench.adopt import openvino_xml, shapes
from edgebench.adopt.files import Found
from edgebench.adopt.request import Request
from edgebench.adopt.shapes import Sizes
from edgebench.backends import model_files
from edgebench.backends.model_files import Declared
from edgebench.errors import ModelRefusedError, UsageError

_NUMBER = re.compile(r"\d{1,9}")


def inputs(found: Found) -> tuple[Declared, ...]:
    """The inputs of a model's file with its batch; none where the format keeps them to itself.

    Raises:
        UsageError: The file is damaged.
    """
    try:
        if found.format in ("onnx", "tflite"):
            return model_files.inputs(found.path)
        if found.format == "openvino":
            return tuple(openvino_xml.inputs(found.path.read_text("utf-8", "replace")))
        if found.format == "ncnn":
            return tuple(_ncnn(found.path.read_text("utf-8", "replace")))
    except ModelRefusedError as error:
        raise UsageError(f"--model {found.path}: {error}") from None
    return ()


def given(found: Found, request: Request) -> dict[str, Sizes]:
    """`Settings.shapes`: one sample of each input that the user gave a shape.

    Raises:
        UsageError: A shape does not fit the file.
    """
    told = {one.name: len(one.shape) for one in inputs(found)}
    return shapes.of_inputs(shapes.parse(request.shapes), told)


def check(found: Found, request: Request) -> None:
    """Refuse sizes that are open and not told, and told ones that are another.

    Raises:
        UsageError: It says what ``--shape`` must hold.
    """
    sizes = given(found, request)
    for one in inputs(found):
        rest, mine = one.shape[1:], sizes.get(one.name)
        if mine is None and None in rest:
            example = "x".join(str(size or 224) for size in rest)
            raise UsageError(
                f"--model {found.path}: input {one.name} has the open shape {_words(one)}",
                remedy=f"say its sizes, such as --shape {one.name}:{example}",
            )
        if mine is None:
            continue
        fits = len(mine) == len(rest) and all(
            theirs in (None, own) for theirs, own in zip(rest, mine, strict=True)
        )
        if not fits and found.format != "ncnn":
            told = "x".join(map(str, mine))
            raise UsageError(
                f"--shape {one.name}:{told}: the input is {_words(one)} in {found.path.name}"
            )


def _words(one: Declared) -> str:
    return "x".join("?" if size is None else str(size) for size in one.shape)


def _ncnn(text: str) -> Iterator[Declared]:
    """An Input layer's blob; ncnn takes any size and no batch, its own sizes are a default."""
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["Input"] and len(words) >= 5:  # noqa: PLR2004 - kind, name, 0, 1, blob
            told = dict(word.split("=", 1) for word in words[5:] if "=" in word)
            sizes = (told.get(key, "0") for key in ("2", "1", "0"))
            fixed = (int(size) if _NUMBER.fullmatch(size) else 0 for size in sizes)
            yield Declared(words[4], (1, *(size or None for size in fixed)))

"""What a user's model takes, from what a runtime declares of it: images or not, in which layout."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from edgebench.errors import UsageError
from edgebench.protocols import Tensor
from edgebench.specs import InputSpec

Layout = Literal["NCHW", "NHWC"]
LAYOUTS: tuple[Layout, ...] = ("NCHW", "NHWC")
CHANNELS = (1, 3, 4)
"""Of what is taken for an image."""
_SHAPE = re.compile(r"(?:(?P<name>.+):)?(?P<sizes>\d{1,9}(?:x\d{1,9})*)")
_IMAGE_AXES = 3
_DType = Literal["float32", "float16", "uint8", "int8", "int32", "int64", "bool"]
_DTYPES: tuple[_DType, ...] = ("float32", "float16", "uint8", "int8", "int32", "int64", "bool")
LARGEST = 1 << 28
"""Numbers in one input: beyond that it is a mistake, or malice."""

Sizes = tuple[int, ...]


def parse(given: Sequence[str]) -> dict[str, Sizes]:
    """``--shape`` by the input's name, as typed; of one without a name, the name is empty.

    Raises:
        UsageError: One cannot be read.
    """
    found: dict[str, Sizes] = {}
    for text in given:
        match = _SHAPE.fullmatch(text.strip())
        sizes = tuple(int(n) for n in match["sizes"].split("x")) if match else (0,)
        if match is None or 0 in sizes:
            raise UsageError(
                f"--shape {text}: is no shape", remedy="say 3x224x224, or NAME:3x224x224"
            )
        if math.prod(sizes) > LARGEST:
            raise UsageError(f"--shape {text}: is {math.prod(sizes):,} numbers, too many")
        found[match["name"] or ""] = sizes
    return found


def of_inputs(given: Mapping[str, Sizes], declared: Mapping[str, int]) -> dict[str, Sizes]:
    """One sample of each input that a shape was given for: `Settings.shapes`.

    Args:
        given: What `parse` gave.
        declared: Axes by the name of an input, the batch among them; empty where they are not
            known yet, and then a shape without a name stands for ``""``.

    Raises:
        UsageError: A name that no input has, a shape without a name where there are several
            inputs, or more than one sample.
    """
    found = {}
    for name, sizes in given.items():
        known = name or (next(iter(declared)) if len(declared) == 1 else "")
        if declared and known not in declared:
            words = f"has no input {name!r}" if name else "has several inputs"
            raise UsageError(
                f"--shape: the model {words}",
                remedy=f"say NAME:{'x'.join(map(str, sizes))}, inputs: {', '.join(declared)}",
            )
        found[known] = _sample(sizes, declared.get(known))
    return found


def _sample(sizes: Sizes, axes: int | None) -> Sizes:
    """A shape without its batch, which is there where it has as many axes as the file says."""
    batched = len(sizes) == (axes if axes is not None else _IMAGE_AXES + 1)
    if not batched:
        return sizes
    if sizes[0] != 1:
        raise UsageError(
            f"--shape {'x'.join(map(str, sizes))}: is {sizes[0]} samples",
            remedy="give the shape of one, and --batch for more",
        )
    return sizes[1:]


def layout_of(tensors: Sequence[Tensor], told: Layout | None, usual: Layout) -> Layout:
    """The layout of a model's images.

    Args:
        tensors: Its inputs, with a batch of 1.
        told: ``--layout``.
        usual: Of its format, for a model without images.

    Raises:
        UsageError: It cannot be told from the shapes, or they contradict each other.
    """
    each = {one.name: tensor_layouts(one) for one in tensors}
    if told is not None:
        known = [layout for found in each.values() for layout in found]
        if known and told not in known:
            raise UsageError(
                f"--layout {told}: by its shape the model is {known[0]}", remedy="leave it out"
            )
        return told
    unclear = [name for name, found in each.items() if len(found) > 1]
    clear = {found[0] for found in each.values() if len(found) == 1}
    if len(clear) == 1:
        return clear.pop()
    if clear or unclear:
        which = unclear[0] if unclear else next(name for name in each if each[name])
        sizes = "x".join(str(n) for one in tensors if one.name == which for n in one.shape)
        raise UsageError(
            f"whether input {which} ({sizes}) has its channels first or last cannot be told",
            remedy="say --layout NCHW or --layout NHWC",
        )
    return usual


def tensor_layouts(tensor: Tensor) -> list[Layout]:
    """What an input can be as an image; empty where it is none."""
    if len(tensor.shape) != _IMAGE_AXES + 1:
        return []
    if tensor.layout in LAYOUTS:
        return [one for one in LAYOUTS if one == tensor.layout]
    places: dict[Layout, int] = {"NCHW": 1, "NHWC": 3}
    return [layout for layout, axis in places.items() if tensor.shape[axis] in CHANNELS]


def spec_of(tensor: Tensor, layout: Layout, *, told: bool) -> InputSpec:
    """An input as a workload has it.

    Args:
        tensor: As the runtime declares it, with a batch of 1.
        layout: Of the model's images.
        told: Whether the user said so: then it is an image of any number of channels.

    Raises:
        UsageError: Its type is not one that inputs can be made of.
    """
    dtype = next((one for one in _DTYPES if one == tensor.dtype), None)
    if dtype is None:
        raise UsageError(
            f"input {tensor.name} takes {tensor.dtype}", remedy=f"known: {', '.join(_DTYPES)}"
        )
    sample = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
    image = len(tensor.shape) == _IMAGE_AXES + 1 and (told or bool(tensor_layouts(tensor)))
    if image and (tensor.layout or layout) == "NCHW":
        sample = (*sample[1:], sample[0])
    return InputSpec(name=tensor.name, shape=sample, dtype=dtype, image=image)

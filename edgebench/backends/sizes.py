"""The sizes that a session's tensors get: the file's own, the batch, and those that are told.

A size that a file leaves open has a name or none (a string, None, -1, 0); any other is fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Settings, Tensor, plain_name

Size = int | str | None
_IMAGE_RANK = 4


class Declared(NamedTuple):
    """An input as a file declares it."""

    name: str
    sizes: Sequence[Size] | None
    """None where not even their number is told."""


def resolve(declared: Sequence[Declared], settings: Settings) -> list[tuple[int, ...]]:
    """The shape of every input for ``settings.batch`` samples.

    ``settings.shapes`` holds one sample of an input, without a batch or with one. A converted
    file's names may be others: then the order counts, as far as the sizes fit.

    Raises:
        ModelRefusedError: A size stays open, or the file has another one than is told for that
            name, or it does not take that batch.
    """
    told = _told([one.name for one in declared], settings)
    named = {plain_name(name) for name in settings.shapes}
    batch_names = {one.sizes[0] for one in declared if one.sizes and _name(one.sizes[0])}
    shapes = []
    for one in declared:
        sizes = _fitted(one, told.get(one.name), settings.batch)
        if sizes is None and one.name in told and plain_name(one.name) in named:
            raise ModelRefusedError(
                f"{one.name} is {_words(one.sizes)} in the file, not {told[one.name]}"
            )
        whole = list(one.sizes or ()) if sizes is None else list(sizes)
        first = whole[:1] and not _is_fixed(whole[0])
        filled = [
            settings.batch if (not i and first) or (_name(size) and size in batch_names) else size
            for i, size in enumerate(whole)
        ]
        shape = tuple(size for size in filled if isinstance(size, int) and size > 0)
        if len(shape) != len(filled) or (one.sizes is None and sizes is None):
            raise open_shape(one.name, _words(one.sizes))
        check_batch(one.name, shape, settings)
        shapes.append(shape)
    return shapes


def any_batch(declared: Sequence[Declared], settings: Settings) -> list[Declared]:
    """The inputs for a runtime that can set a batch also where the file has one.

    Inputs that begin with different sizes have no batch in common: one may be a state.
    """
    ranked = [one.sizes for one in declared if one.sizes is not None]
    firsts = {sizes[0] if sizes else None for sizes in ranked}
    images = any(len(sizes) == _IMAGE_RANK for sizes in ranked)
    if len(firsts) != 1 or not all(ranked) or (settings.batch == 1 and not images):
        return list(declared)
    return [
        one if one.sizes is None else Declared(one.name, [None, *one.sizes[1:]]) for one in declared
    ]


def open_shape(name: str, words: str) -> ModelRefusedError:
    """What an input is refused with whose sizes nobody has told."""
    return ModelRefusedError(
        f"input {name} has the open shape {words}", remedy=f"say its sizes with --shape for {name}"
    )


def check_batch(name: str, shape: Sequence[int], settings: Settings) -> None:
    """The first size is the batch; but one sample may be a tensor that has none.

    Raises:
        ModelRefusedError: It is another one.
    """
    batch = settings.batch
    if tuple(shape[:1]) != (batch,) and (batch != 1 or len(shape) == _IMAGE_RANK):
        raise ModelRefusedError(
            f"{name} is {tuple(shape)}: the model does not take a batch of {batch}"
        )


def check_outputs(outputs: Iterable[tuple[str, Sequence[Size]]], settings: Settings) -> None:
    """See that outputs have one shape, whatever the data.

    Raises:
        ModelRefusedError: One has not (what a NonMaxSuppression finds), or it has another batch.
    """
    for name, sizes in outputs:
        if not all(_is_fixed(size) for size in sizes):
            raise ModelRefusedError(
                f"output {name} is {_words(sizes)}: its shape depends on the data, which cannot "
                "be measured"
            )
        if settings.batch != 1:
            check_batch(name, [int(size or 0) for size in sizes], settings)


def tried(
    run: Callable[[Feeds], Sequence[NDArray[Any]]], inputs: Sequence[Tensor]
) -> list[tuple[Size, ...]]:
    """Shapes of the outputs as two unlike inputs make them; a size that differs stays open."""
    first = run({one.name: np.zeros(one.shape, one.dtype) for one in inputs})
    second = run({one.name: _ramp(one) for one in inputs})
    return [
        tuple(a if a == b else None for a, b in zip(one.shape, other.shape, strict=True))
        for one, other in zip(first, second, strict=True)
    ]


def _ramp(tensor: Tensor) -> NDArray[Any]:
    """Many values of an input's range: 0 to 1, of pixels larger ones, of an index 0 and 1."""
    places, dtype = np.arange(np.prod(tensor.shape)), np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return (places % 97 / 97).reshape(tensor.shape).astype(dtype)
    pixels = dtype.name in {"uint8", "int8"}
    return (places % (97 if pixels else 2)).reshape(tensor.shape).astype(dtype)


def _told(names: Sequence[str], settings: Settings) -> dict[str, tuple[int, ...]]:
    """Shapes by the file's names; those under other names in their order."""
    plain = {plain_name(name): name for name in names}
    found = {
        plain[plain_name(name)]: shape
        for name, shape in settings.shapes.items()
        if plain_name(name) in plain
    }
    spare = [shape for name, shape in settings.shapes.items() if plain_name(name) not in plain]
    free = [name for name in names if name not in found]
    return found | (dict(zip(free, spare, strict=True)) if len(free) == len(spare) else {})


def _fitted(one: Declared, told: tuple[int, ...] | None, batch: int) -> Sequence[Size] | None:
    """The sizes that are told as a whole shape; None where there are none that fit the file."""
    if told is None:
        return None
    if one.sizes is None:
        return (batch, *told)
    first = one.sizes[0] if one.sizes and _is_fixed(one.sizes[0]) else batch
    for whole in ((first, *told), told):
        if len(whole) == len(one.sizes) and all(
            not _is_fixed(size) or size == wanted
            for size, wanted in zip(one.sizes, whole, strict=True)
        ):
            return whole
    return None


def _is_fixed(size: Size) -> bool:
    return isinstance(size, int) and size > 0


def _name(size: Size) -> bool:
    return isinstance(size, str) and bool(size)


def _words(sizes: Sequence[Size] | None) -> str:
    if sizes is None:
        return "of any rank"
    return f"[{', '.join('?' if size in {None, '', -1} else str(size) for size in sizes)}]"

"""A workload's inputs and outputs, and a model's: which is which, batched how, in what layout.

Converters rename (``in0``, ``serving_default_x:0``), reorder and transpose. So a tensor is found by
its name where both sides know it, else by a shape that no other has, else by its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError
from edgebench.protocols import Session, Tensor, plain_name
from edgebench.specs import InputSpec
from edgebench.wire import Described, LaunchRequest

_IMAGE_RANK = 4
_SMALL_INTEGER, _INT8, _UINT8 = 9, 127, 255
"""Largest of random inputs: of an index, of what is quantised, of pixels."""

Array = NDArray[Any]
Shape = tuple[int, ...]


class Reference(NamedTuple):
    """A workload's inputs, in the order of its file, and the right outputs: rows are samples."""

    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]


def load(path: Path) -> Reference:
    """``reference.npz``, in the types that it has; no pickles.

    Raises:
        ModelRefusedError: The reference itself is unfit: no model may be blamed for that.
    """
    with np.load(path, allow_pickle=False) as archive:
        found = Reference(*(_numbered(archive, kind) for kind in ("inputs", "outputs")))
    counts = [[len(one) if one.ndim else 0 for one in kind] for kind in found]
    if not all(counts) or len({*counts[0], *counts[1]}) != 1 or not counts[0][0]:
        ins, outs = (" and ".join(map(str, kind)) or "no" for kind in counts)
        raise ModelRefusedError(f"{path.name} has {ins} inputs and {outs} outputs: not a reference")
    if not all(_finite(one) for one in (*found.inputs, *found.outputs)):
        raise ModelRefusedError(f"{path.name} holds NaN or infinity: not a reference")
    return found


def save(path: Path, reference: Reference) -> None:
    """Write what `load` reads."""
    named: dict[str, Array] = {}
    for kind, arrays in zip(("inputs", "outputs"), reference, strict=True):
        named |= {f"{kind}_{i}" if i else kind: array for i, array in enumerate(arrays)}
    np.savez(path, **named)  # type: ignore[arg-type] # its one flag, numpy thinks


def _numbered(archive: Any, kind: str) -> tuple[Array, ...]:  # noqa: ANN401 - an NpzFile
    found: list[Array] = []
    while (key := f"{kind}_{len(found)}" if found else kind) in archive.files:
        found.append(archive[key])
    return tuple(found)


def _finite(array: Array) -> bool:
    if array.dtype.kind == "f":
        return bool(np.isfinite(array).all())
    if array.dtype.kind not in "iub":
        raise ModelRefusedError(f"a reference holds numbers, not {array.dtype}")
    return True


def random(session: Session, request: LaunchRequest) -> tuple[Array, ...]:
    """Seeded inputs for ``request.ring`` inferences of one sample, by what the session declares.

    The same shapes and types give the same inputs: two models can be held against each other.
    """
    rng = np.random.default_rng(0)
    made = []
    for number, tensor in enumerate(session.inputs):
        sample = sample_shape(tensor, request.case.batch)
        image = number >= len(request.inputs) or request.inputs[number].image
        if _channels_first(tensor, request.model_layout) and image:
            sample = (*sample[1:], sample[0])
        made.append(_drawn(rng, (request.ring, *sample), np.dtype(tensor.dtype)))
    return tuple(made)


def _drawn(rng: np.random.Generator, shape: Shape, dtype: np.dtype[Any]) -> Array:
    if dtype.kind == "f":
        return rng.random(shape, dtype=np.float32).astype(dtype)
    if dtype.kind == "b":
        return rng.random(shape, dtype=np.float32) < 0.5  # noqa: PLR2004 - as often as not
    largest = {"uint8": _UINT8, "int8": _INT8}.get(dtype.name, _SMALL_INTEGER)
    return rng.integers(0, largest, shape, dtype, endpoint=True)


def describe(session: Session, path: Path) -> None:
    """Write what a session declares, for whoever has only its file (`edgebench.wire.Described`)."""
    told = Described(inputs=session.inputs, outputs=session.outputs)
    path.write_bytes(msgspec.json.encode(told))


def sample_shape(tensor: Tensor, batch: int) -> Shape:
    """Of one sample: the first size is the batch, but for a tensor that has none.

    Raises:
        ModelRefusedError: It has none, and more than one sample is asked for.
    """
    if batched(tensor.shape, batch):
        return tensor.shape[1:]
    if batch != 1:
        raise ModelRefusedError(
            f"{tensor.name} is {tensor.shape}: the model does not take a batch of {batch}"
        )
    return tensor.shape


def batched(shape: Shape, batch: int) -> bool:
    """Whether the first size is the batch."""
    return shape[:1] == (batch,)


def _channels_first(tensor: Tensor, layout: str) -> bool:
    """Whether it is an image (n, c, h, w)."""
    return len(tensor.shape) == _IMAGE_RANK and (tensor.layout or layout) == "NCHW"


class Plug(NamedTuple):
    """A model's input and the place of the array it takes."""

    tensor: Tensor
    place: int
    channels_first: bool
    """Whether rows (n, h, w, c) are transposed for it."""


def plugs(
    session: Session, arrays: Sequence[Array], layout: str, batch: int, specs: Sequence[InputSpec]
) -> list[Plug]:
    """Which of a workload's arrays each of the session's inputs takes.

    Args:
        session: Open.
        arrays: Inputs (n, ...), in the workload's order.
        layout: Of the model's file.
        batch: Of the session.
        specs: Of the arrays, in their order; none: each array of rank 4 is an image.

    Raises:
        ModelRefusedError: Another number of inputs, or other shapes or types.
    """
    tensors = session.inputs
    if len(tensors) != len(arrays):
        raise ModelRefusedError(f"the model has {len(tensors)} inputs, the workload {len(arrays)}")
    samples = [sample_shape(tensor, batch) for tensor in tensors]
    turned = [
        [
            _is_image(array, specs, i) and _channels_first(tensor, layout)
            for i, array in enumerate(arrays)
        ]
        for tensor in tensors
    ]

    def fits(mine: int, theirs: int) -> bool:
        shape = arrays[theirs].shape[1:]
        laid = (*shape[2:], *shape[:2]) if turned[mine][theirs] else shape
        return laid == samples[mine] and castable(arrays[theirs].dtype, tensors[mine].dtype)

    names = [spec.name for spec in specs] if len(specs) == len(arrays) else []
    chosen = pair([tensor.name for tensor in tensors], names, len(arrays), fits)
    found = [
        Plug(tensor, i, turned[k][i])
        for k, (tensor, i) in enumerate(zip(tensors, chosen, strict=True))
    ]
    for plug, sample in zip(found, samples, strict=True):
        _check(plug, sample, arrays[plug.place], alone=len(tensors) == 1)
    return found


def _is_image(array: Array, specs: Sequence[InputSpec], index: int) -> bool:
    return array.ndim == _IMAGE_RANK and (index >= len(specs) or specs[index].image)


def _check(plug: Plug, sample: Shape, array: Array, *, alone: bool) -> None:
    """Refuse an array that its input cannot take, in one line."""
    shape = array.shape[1:]
    laid = (*shape[2:], *shape[:2]) if plug.channels_first else shape
    whose = "the model's input" if alone else f"the model's input {plug.tensor.name}"
    if laid != sample:
        raise ModelRefusedError(f"{whose} is {plug.tensor.shape}, not {laid}")
    if not castable(array.dtype, plug.tensor.dtype):
        raise ModelRefusedError(
            f"{whose} takes {plug.tensor.dtype}, the workload has {array.dtype}: only integers "
            "can be given to it"
        )


def castable(ours: np.dtype[Any], theirs: str) -> bool:
    """Whether values keep their meaning: floats are none where a model takes integers."""
    return ours.kind != "f" or np.dtype(theirs).kind == "f"


def typed(values: NDArray[np.float32], dtype: str) -> Array:
    """Values in an input's type; of integers the nearest one there is, never cut off."""
    kind = np.dtype(dtype)
    if kind.kind in "iu":
        values = np.clip(np.rint(values), np.iinfo(kind).min, np.iinfo(kind).max)
    return values.astype(kind)


def image_dtype(request: LaunchRequest) -> str:
    """Of the workload's first input, which an image becomes."""
    return request.inputs[0].dtype if request.inputs else "float32"


def told_first(session: Session, names: Sequence[str]) -> int:
    """The place among a session's outputs of the one that the workload names first."""
    wanted = plain_name(names[0]) if names else ""
    plain = [plain_name(tensor.name) for tensor in session.outputs]
    return plain.index(wanted) if wanted in plain else 0


def pair(
    mine: Sequence[str], names: Sequence[str], count: int, fits: Callable[[int, int], bool]
) -> list[int]:
    """For each of a model's tensors the place of the workload's: by name, shape, place.

    Args:
        mine: Names in the model.
        names: The workload's; empty where it tells none.
        count: How many the workload has, at least as many as the model.
        fits: Whether the model's i-th tensor could be the workload's k-th.
    """
    found: dict[int, int] = {}
    free = list(range(count))
    for number, name in enumerate(mine):
        same = (k for k in free if k < len(names) and plain_name(name) == plain_name(names[k]))
        wanted = next(same, None)
        if wanted is not None:
            found[number] = wanted
            free.remove(wanted)
    for number in range(len(mine)):
        able = [k for k in free if fits(number, k)] if number not in found else []
        rivals = [i for i in range(len(mine)) if i not in found and able and fits(i, able[0])]
        if len(able) == 1 and len(rivals) == 1:
            found[number] = able[0]
            free.remove(able[0])
    for number in range(len(mine)):
        if number not in found:
            found[number] = next((k for k in free if fits(number, k)), free[0])
            free.remove(found[number])
    return [found[number] for number in range(len(mine))]


def in_order(
    session: Session,
    outputs: Sequence[Array],
    reference: Sequence[Array],
    names: Sequence[str],
    layout: str,
) -> tuple[Array, ...]:
    """Outputs of a session (n, ...) in the order and layout of a reference's.

    Args:
        session: Whose outputs they are.
        outputs: Of every output, in its order.
        reference: The outputs of any samples of the workload, for their shapes.
        names: Of the reference's outputs.
        layout: Of the model's file.

    Raises:
        ModelRefusedError: It has fewer outputs than the reference.
    """
    if len(outputs) < len(reference):
        raise ModelRefusedError(
            f"the model has {len(outputs)} outputs, the reference {len(reference)}"
        )
    tensors = session.outputs

    def fits(theirs: int, mine: int) -> bool:
        wanted = reference[theirs].shape[1:]
        return wanted == _turned(outputs[mine], tensors[mine], layout, wanted).shape[1:]

    listed = list(names) if len(names) == len(reference) else []
    wanted_names = listed or [""] * len(reference)
    chosen = pair(wanted_names, [tensor.name for tensor in tensors], len(outputs), fits)
    return tuple(
        _turned(outputs[k], tensors[k], layout, reference[i].shape[1:])
        for i, k in enumerate(chosen)
    )


def _turned(array: Array, tensor: Tensor, layout: str, wanted: Shape | None = None) -> Array:
    """An output that is an image (n, h, w, c), unless only another way has the wanted shape."""
    ways = [array]
    if array.ndim == len(tensor.shape) == _IMAGE_RANK:
        ways.insert(not _channels_first(tensor, layout), array.transpose(0, 2, 3, 1))
    if wanted is None:
        return ways[0]
    if exact := [one for one in ways if one.shape[1:] == wanted]:
        return exact[0]
    # Converters drop and add sizes of 1.
    alike = [one for one in ways if _long(one.shape[1:]) == _long(wanted)]
    return alike[0].reshape(len(array), *wanted) if alike else ways[0]


def _long(shape: Shape) -> list[int]:
    return [size for size in shape if size != 1]


def as_reference(session: Session, outputs: Sequence[Array], layout: str) -> tuple[Array, ...]:
    """A session's own outputs as a reference holds them: images (n, h, w, c), halves as float32."""
    laid = [_turned(array, t, layout) for array, t in zip(outputs, session.outputs, strict=True)]
    return tuple(one.astype(np.float32) if one.dtype.kind == "f" else one for one in laid)

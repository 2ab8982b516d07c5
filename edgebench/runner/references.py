"""Inputs for model files that belong to no workload, and whether two models agree on them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from edgebench.errors import UsageError
from edgebench.runner import launcher
from edgebench.runner.contenders import Contender

AGAINST_A = "parity is against A's outputs for random inputs, not against a reference"
_SHORT_S = 0.01
_IMAGE_RANK = 4
_Shapes = tuple[tuple[int, ...], ...]


def prepare(
    sides: tuple[Contender, Contender], folder: Path, limits: launcher.Limits
) -> tuple[tuple[Contender, Contender], str]:
    """Sides with inputs to run on, and what their parity means; empty where it means the usual.

    Each file is run once on random inputs of its own shape. Where both are files and take the same
    inputs (as NCHW and NHWC, if need be), A's outputs become the reference of both.

    Raises:
        UsageError: A file cannot be run, in the runtime's own words.
    """
    made = [with_reference(side, folder / f"{i}.npz", limits) for i, side in enumerate(sides)]
    a, b = made
    if a.file is None and b.file is None:
        return (a, b), ""
    alone = "parity is against each model's own outputs for random inputs: it tells nothing"
    if a.reference is None or b.reference is None:
        return (a, b), alone
    (a_in, a_out), (b_in, b_out) = (_shapes(one) for one in (a.reference, b.reference))
    if a_in == b_in and a_out == b_out:
        return (a, msgspec.structs.replace(b, reference=a.reference)), AGAINST_A
    # One image as NCHW and as NHWC; outputs that are images differ likewise.
    for side, (first, outs), other in (
        (a, (a_in, a_out), (b_in, b_out)),
        (b, (b_in, b_out), (a_in, a_out)),
    ):
        if (_last(first), _last(outs)) == other or (_last(first), outs) == other:
            common = _as_nhwc(a.reference, folder / "common.npz", is_nchw=side is a)
            layouts = ("NCHW", "NHWC") if side is a else ("NHWC", "NCHW")
            a, b = (
                msgspec.structs.replace(one, reference=common, layout=layout)
                for one, layout in zip((a, b), layouts, strict=True)
            )
            return (a, b), AGAINST_A
    return (a, b), alone


def with_reference(side: Contender, path: Path, limits: launcher.Limits) -> Contender:
    """A file with inputs to run on; a case of a workload has its own.

    Raises:
        UsageError: The file cannot be run, in the runtime's own words.
    """
    if side.file is None:
        return side
    side = msgspec.structs.replace(side, reference=path)
    request = msgspec.structs.replace(
        side.request("reference", 0, 0), free_inputs=True, warmup_s=0.0, measure_s=_SHORT_S
    )
    record = launcher.launch(request, limits, path.with_suffix(".log"), side.python)
    if record.status != "ok":
        raise UsageError(f"{side.words}: {record.reason}")
    return side


def _shapes(path: Path) -> tuple[_Shapes, _Shapes]:
    """Of a reference's inputs and outputs."""
    with np.load(path, allow_pickle=False) as archive:
        keys = sorted(archive.files)
        ins, outs = ([k for k in keys if k.startswith(kind)] for kind in ("inputs", "outputs"))
        return tuple(archive[k].shape for k in ins), tuple(archive[k].shape for k in outs)


def _last(shapes: _Shapes) -> _Shapes:
    """Shapes with the channels of images (n, c, h, w) last."""
    return tuple((s[0], *s[2:], s[1]) if len(s) == _IMAGE_RANK else s for s in shapes)


def _as_nhwc(reference: Path, path: Path, *, is_nchw: bool) -> Path:
    """A's reference with its images as (n, h, w, c)."""
    with np.load(reference, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    if is_nchw:
        arrays = {
            key: one.transpose(0, 2, 3, 1) if one.ndim == _IMAGE_RANK else one
            for key, one in arrays.items()
        }
    np.savez(path, **arrays)
    return path

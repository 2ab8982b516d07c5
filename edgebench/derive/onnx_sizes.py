"""The ONNX file as converters get it: every size of its inputs fixed but that of the batch.

Most converters need to know them, and each asks in a way of its own; with a copy none has to ask.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from edgebench.backends import model_files
from edgebench.derive import contract
from edgebench.derive.contract import Job
from edgebench.errors import ModelRefusedError

_MOST = 1 << 31
"""Sizes from here on are none: old exporters write -1 for an open one."""
_Sizes = tuple[int | None, ...]


def settled(job: Job) -> Job:
    """The job with its inputs as the file has them, and open sizes fixed in a copy of that.

    Raises:
        ModelRefusedError: The workload says otherwise than the file.
    """
    declared, job = _named(job, job.source)
    inputs = job.inputs
    sizes = {
        one.name: _sizes(job, one.name, found.shape)
        for one, found in zip(inputs, declared, strict=True)
    }
    alone = tuple(one.name for one in inputs if sizes[one.name] == job.sizes_of(one))
    job = msgspec.structs.replace(job, alone=alone)
    if any(found.shape[1:] != sizes[found.name][1:] or _odd(found.shape) for found in declared):
        job = msgspec.structs.replace(job, source=str(_copy(job, sizes)))
    return job


def named(job: Job) -> Job:
    """The job as of the file that was made: its inputs by the names there, channels first.

    Raises:
        ModelRefusedError: The file has another number of inputs.
    """
    _, made = _named(job, job.target)
    return msgspec.structs.replace(made, layout="NCHW")


def _named(job: Job, path: str) -> tuple[tuple[model_files.Declared, ...], Job]:
    declared = model_files.inputs(Path(path))
    names = [one.name for one in declared]
    if len(names) != len(job.inputs):
        raise ModelRefusedError(
            f"the file takes {len(names)} inputs, the workload says {len(job.inputs)}"
        )
    by_name = {one.name: one for one in job.inputs}
    if set(by_name) == set(names):
        inputs = tuple(by_name[name] for name in names)
    else:  # other names than in the workload's other files: the order tells
        pairs = zip(job.inputs, names, strict=True)
        inputs = tuple(msgspec.structs.replace(one, name=name) for one, name in pairs)
    return declared, msgspec.structs.replace(job, inputs=inputs)


def _odd(shape: _Sizes) -> bool:
    return any(size is not None and not 0 < size < _MOST for size in shape)


def _sizes(job: Job, name: str, found: _Sizes) -> _Sizes:
    """An input's shape, its batch open where the file leaves it so."""
    one = next(one for one in job.inputs if one.name == name)
    sample = job.sizes_of(one)
    told: _Sizes = tuple(size if size is not None and 0 < size < _MOST else None for size in found)
    whole: _Sizes = sample if len(told) == len(sample) else (*told[:1], *sample)
    agree = len(whole) == len(told) and all(
        a in (None, b) for a, b in zip(told, whole, strict=True)
    )
    if not agree:
        raise ModelRefusedError(f"the file's input {name} is {found}, the workload says {sample}")
    return whole


def _copy(job: Job, sizes: dict[str, _Sizes]) -> Path:
    try:
        import onnx  # noqa: PLC0415 - files without open sizes need none

        from edgebench.derive.onnx_graph import forget_sizes  # noqa: PLC0415
    except ImportError:
        raise ModelRefusedError(
            "to fix the sizes that the file leaves open, onnx is needed: "
            "pip install 'edgebench[convert]'"
        ) from None
    model = onnx.load(job.source)
    for value in model.graph.input:
        if value.name not in sizes:
            continue
        dims = value.type.tensor_type.shape.dim
        for dim, size in zip(dims, sizes[value.name], strict=True):
            dim.Clear()
            if size is None:
                dim.dim_param = "batch"
            else:
                dim.dim_value = size
    told = {value.name: _told(value) for value in model.graph.output}
    forget_sizes(model.graph)
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    _remind(model.graph.output, told)
    path = contract.scratch(job) / "settled.onnx"
    onnx.save(model, path)
    return path


def _told(value: Any) -> _Sizes:  # noqa: ANN401 - a ValueInfoProto; onnx may be missing
    return tuple(dim.dim_value or None for dim in value.type.tensor_type.shape.dim)


def _remind(outputs: Iterable[Any], told: Mapping[str, _Sizes]) -> None:
    """Of what the file said of outputs that follow from nothing: runtimes want to know the axes."""
    for value in outputs:
        kind = value.type.tensor_type
        if kind.HasField("shape") or not told[value.name]:
            continue
        for place, size in enumerate(told[value.name]):
            dim = kind.shape.dim.add()
            if size is not None and 0 < size < _MOST:
                dim.dim_value = size
            else:
                dim.dim_param = f"{value.name}_{place}" if place else "batch"

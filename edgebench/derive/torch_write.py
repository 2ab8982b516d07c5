"""From an ONNX file to a file that loads with torch alone; runs in the converter's process.

Reference: https://docs.pytorch.org/docs/stable/export.html and .../quantization.html (fx graph
mode; torch means to move it to another package, which cannot write what it quantised yet).
"""

from __future__ import annotations

import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch.ao.quantization import get_default_qconfig_mapping
from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

from edgebench.backends.onnxruntime_ import OnnxRuntime
from edgebench.backends.torch_files import EXTRA, Signature, first_line
from edgebench.derive import calibration, contract
from edgebench.derive.contract import Job
from edgebench.derive.torch_import import Importer
from edgebench.derive.torch_operators import MAKERS
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Settings

_CACHE = "TORCHINDUCTOR_CACHE_DIR"
_OF_THIS_MACHINE = (".debug_pkl", "/.data/serialization_id")
_DATE = (1980, 1, 1, 0, 0, 0)
_SCHEME = "x86"
"""torch's defaults for x86: weights per channel, activations in 7 bits. The file runs anywhere."""
_PROBES = 2
"""Inputs that are tried: above 1, because an exporter takes a batch of 1 to be fixed."""
_CHUNK = 32
_MAX_FLOAT_ERROR, _MAX_INT8_ERROR = 1e-4, 0.5
"""Norm of a difference by the norm of the answer: a wrong conversion is far above either. How good
int8 is, parity and accuracy tell."""


def write(job: Job) -> None:
    """Write ``job.target``.

    Raises:
        ModelRefusedError: An operator is not known, torch cannot, or the result is wrong.
    """
    os.environ[_CACHE] = str(contract.scratch(job))  # else it makes a folder of its own in /tmp
    warnings.simplefilter("ignore")  # torch's deprecations; this process can do nothing about them
    model = onnx.load(job.source)
    module, signature = Importer(model, MAKERS).run(), _signature(model)
    quantised = job.precision == "int8"
    images = calibration.inputs(job) if quantised else _drawn(signature)
    probes = images[: signature.batch or _PROBES]
    wanted = _reference(job, signature, probes)
    _check(module(torch.from_numpy(probes)), wanted, _MAX_FLOAT_ERROR)
    try:
        if quantised:
            module = _quantised(module, images, signature)
            _check(module(torch.from_numpy(probes)), wanted, _MAX_INT8_ERROR)
        _save(module, probes, signature, Path(job.target), script=quantised)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        raise ModelRefusedError(f"torch says: {first_line(error)}") from error


def _signature(model: onnx.ModelProto) -> Signature:
    """Raises: ModelRefusedError: The model has more than one input, or one that is no image."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    dims = inputs[0].type.tensor_type.shape.dim if len(inputs) == 1 else []
    shape = [dim.dim_value for dim in dims]  # 0 where it is open
    if len(shape) != 4 or 0 in shape[1:]:  # noqa: PLR2004 - NCHW
        raise ModelRefusedError(f"the model has {len(inputs)} inputs, the first {shape}: no image")
    return Signature(
        input_name=inputs[0].name,
        batch=shape[0] or None,
        sample_shape=(shape[1], shape[2], shape[3]),
        output_names=tuple(value.name for value in model.graph.output),
    )


def _drawn(signature: Signature) -> NDArray[np.float32]:
    """Random inputs, the same every time."""
    shape = (signature.batch or _PROBES, *signature.sample_shape)
    return np.random.default_rng(0).random(shape, np.float32)


def _reference(job: Job, signature: Signature, probes: NDArray[np.float32]) -> list[NDArray[Any]]:
    """What ONNX Runtime answers: ONNX's own reference pads MaxPool wrong, and is slow."""
    session = OnnxRuntime().open(Path(job.source), Settings(batch=len(probes)))
    session.bind([{signature.input_name: probes}])
    session.stage(0)
    session.invoke()
    answers = session.read()
    session.close()
    return [answers[name] for name in signature.output_names]


def _check(made: Any, wanted: Any, most: float) -> None:  # noqa: ANN401 - a tensor or several
    """Raises: ModelRefusedError: Answers are further from ONNX Runtime's than they may be."""
    ours = made if isinstance(made, tuple) else (made,)
    for answer, reference in zip(ours, wanted, strict=True):
        there = answer.numpy().astype(np.float64)
        error = np.linalg.norm(there - reference) / max(float(np.linalg.norm(reference)), 1e-30)
        if there.shape != reference.shape or not error <= most:
            raise ModelRefusedError(
                f"the result answers {error:.2g} of its size beside ONNX Runtime's "
                f"({there.shape} for {reference.shape}), at most {most:g} is right"
            )


def _quantised(
    module: torch.fx.GraphModule, images: NDArray[np.float32], signature: Signature
) -> Any:  # noqa: ANN401 - a GraphModule
    """Static int8, by torch's quantisation of fx graphs; the images decide the scales."""
    example = (torch.from_numpy(images[:1]),)
    prepared = prepare_fx(module, get_default_qconfig_mapping(_SCHEME), example)
    step = signature.batch or _CHUNK
    for first in range(0, len(images) - len(images) % step or step, step):
        prepared(torch.from_numpy(images[first : first + step]))
    return convert_fx(prepared)


def _save(
    module: Any,  # noqa: ANN401 - a GraphModule
    probes: NDArray[np.float32],
    signature: Signature,
    target: Path,
    *,
    script: bool,
) -> None:
    example = torch.zeros(probes.shape)  # lies in the file
    extra = {EXTRA: msgspec.json.encode(signature).decode()}
    if script:
        whole = target.with_suffix(".whole")
        torch.jit.save(torch.jit.trace(module, example), str(whole), _extra_files=extra)
        _strip(whole, target)
        return
    shapes = None
    if signature.batch is None:
        shapes = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(module, (example,), dynamic_shapes=shapes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # of this machine, as in `_strip`
    with target.open("wb") as file:
        torch.export.save(program, file, extra_files=extra)


def _strip(whole: Path, target: Path) -> None:
    """Leave out where each line of code lay on this machine: the same source, the same bytes."""
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(target, "w") as made:
        for name in source.namelist():
            if not name.endswith(_OF_THIS_MACHINE):
                inner = name.partition("/")[2]  # the folder has the file's own name
                made.writestr(zipfile.ZipInfo(f"model/{inner}", _DATE), source.read(name))
    whole.unlink()

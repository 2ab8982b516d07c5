"""From an ONNX file to a file that loads with torch alone; runs in the converter's process.

Reference: https://docs.pytorch.org/docs/stable/export.html and .../quantization.html (fx graph
mode; torch means to move it to another package, which cannot write what it quantised yet).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
import warnings
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from edgebench.backends import zips
from edgebench.backends.torch_files import EXTRA, Signature, first_line
from edgebench.derive import contract, onnx_check
from edgebench.derive.contract import Job
from edgebench.derive.feeds import Feeds
from edgebench.derive.onnx_graph import Graph
from edgebench.derive.torch_import import Importer
from edgebench.derive.torch_operators import MAKERS
from edgebench.errors import ModelRefusedError

_CACHE = "TORCHINDUCTOR_CACHE_DIR"
_OF_THIS_MACHINE = (".debug_pkl", "/.data/serialization_id")
_SCHEME = "x86"
"""torch's defaults for x86: weights per channel, activations in 7 bits. The file runs anywhere."""
_CHUNK = 32


def write(job: Job) -> None:
    """Write ``job.target``.

    Raises:
        ModelRefusedError: An operator is not known, torch cannot, or the result is wrong.
    """
    os.environ[_CACHE] = str(contract.scratch(job))  # else it makes a folder of its own in /tmp
    warnings.simplefilter("ignore")  # torch's deprecations; this process can do nothing about them
    _share_no_bars()
    graph = Graph(onnx.load(job.source), job.images)
    signature = _signature(graph)
    module = Importer(graph, MAKERS).run()
    quantised = job.precision == "int8"
    samples = Feeds(job) if quantised else None
    count = signature.batch or onnx_check.PROBES
    drawn = samples.rows(0, count) if samples else onnx_check.drawn(graph.inputs)
    (probes,) = drawn.values()
    wanted = onnx_check.reference(Path(job.source), graph.outputs, drawn)
    onnx_check.hold(_answers(module, probes, signature), wanted, onnx_check.MAX_FLOAT_ERROR)
    try:
        if samples:
            module = _quantised(module, samples, signature)
            onnx_check.hold(_answers(module, probes, signature), wanted, onnx_check.MAX_INT8_ERROR)
        _save(module, probes, signature, Path(job.target), script=quantised)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        raise ModelRefusedError(f"torch says: {first_line(error)}") from error


def _share_no_bars() -> None:
    """Where tqdm is installed torch draws with it, and its lock is a semaphore of processes."""
    with contextlib.suppress(ImportError):
        importlib.import_module("tqdm").tqdm.set_lock(threading.RLock())


def _signature(graph: Graph) -> Signature:
    shapes = [one.shape for one in graph.inputs]
    if len(shapes) != 1 or not graph.inputs[0].image:
        raise ModelRefusedError(f"a torch file of edgebench takes one image, not {shapes}")
    batch, channels, height, width = shapes[0]
    return Signature(
        input_name=graph.inputs[0].name,
        batch=batch,
        sample_shape=(channels or 0, height or 0, width or 0),
        output_names=graph.outputs,
    )


def _answers(
    module: Any,  # noqa: ANN401 - a GraphModule
    probes: NDArray[np.float32],
    signature: Signature,
) -> dict[str, NDArray[Any]]:
    made = module(torch.from_numpy(probes))
    tensors = made if isinstance(made, tuple) else (made,)
    return {name: one.numpy() for name, one in zip(signature.output_names, tensors, strict=True)}


def _quantised(module: torch.fx.GraphModule, samples: Feeds, signature: Signature) -> Any:  # noqa: ANN401 - a GraphModule
    """Static int8, by torch's quantisation of fx graphs; the images decide the scales."""
    # torch means to drop both; its float files must not fall with them.
    from torch.ao.quantization import get_default_qconfig_mapping  # noqa: PLC0415
    from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx  # noqa: PLC0415

    name, count = signature.input_name, len(samples)
    example = (torch.from_numpy(samples.rows(0, 1)[name]),)
    prepared = prepare_fx(module, get_default_qconfig_mapping(_SCHEME), example)
    step = signature.batch or _CHUNK
    for first in range(0, count - count % step or step, step):
        prepared(torch.from_numpy(samples.rows(first, step)[name]))
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
    with zipfile.ZipFile(whole) as source:
        kept = [name for name in source.namelist() if not name.endswith(_OF_THIS_MACHINE)]
        # The folder has the file's own name.
        inner = {name: f"model/{name.partition('/')[2]}" for name in kept}
        zips.write(target, ((inner[name], source.read(name)) for name in kept))
    whole.unlink()

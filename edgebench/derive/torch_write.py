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
from collections.abc import Mapping, Sequence
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
from edgebench.derive.onnx_graph import Graph, imported
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
    imported(onnx.load(job.source), job.images, lambda graph: _write(graph, job))


def _write(graph: Graph, job: Job) -> None:
    module = Importer(graph, MAKERS).run()
    samples = Feeds(job) if job.precision == "int8" else None
    if samples:
        _one_image(graph)
    count = graph.inputs[0].sizes(onnx_check.PROBES)[0] if graph.inputs[0].shape else 1
    probes = samples.rows(0, count) if samples else onnx_check.drawn(graph.inputs)
    wanted = onnx_check.reference(Path(job.source), graph.outputs, probes)
    onnx_check.hold(_answers(module, probes, graph), wanted, onnx_check.MAX_FLOAT_ERROR)
    try:
        if samples:
            module = _quantised(module, samples, _one_image(graph))
            onnx_check.hold(_answers(module, probes, graph), wanted, onnx_check.LIMITS["int8"])
            _save_script(module, _one_image(graph), count, Path(job.target))
        else:
            _save(module, graph, Path(job.target))
        _load(job, graph, samples)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        raise ModelRefusedError(f"torch says: {first_line(error)}") from error


def _load(job: Job, graph: Graph, samples: Feeds | None) -> None:
    """Read the file back and compute one sample: what is written is not all that torch can run."""
    if samples:
        module, given = torch.jit.load(job.target), samples.rows(0, graph.inputs[0].sizes(1)[0])
    else:
        module, given = torch.export.load(job.target).module(), onnx_check.drawn(graph.inputs)
    module(*(torch.from_numpy(given[one.name]) for one in graph.inputs))


def _share_no_bars() -> None:
    """Where tqdm is installed torch draws with it, and its lock is a semaphore of processes."""
    with contextlib.suppress(ImportError):
        importlib.import_module("tqdm").tqdm.set_lock(threading.RLock())


def _is_one_image(graph: Graph) -> bool:
    return len(graph.inputs) == 1 and graph.inputs[0].image


def _one_image(graph: Graph) -> Signature:
    """What a file tells of itself, where it takes one image.

    Raises:
        ModelRefusedError: It takes something else.
    """
    if not _is_one_image(graph):
        shapes = [one.shape for one in graph.inputs]
        raise ModelRefusedError(f"int8 of torch takes one image here, not {shapes}")
    batch, channels, height, width = graph.inputs[0].shape
    return Signature(
        input_name=graph.inputs[0].name,
        batch=batch,
        sample_shape=(channels or 0, height or 0, width or 0),
        output_names=graph.outputs,
    )


def _answers(
    module: Any,  # noqa: ANN401 - a GraphModule
    probes: Mapping[str, NDArray[Any]],
    graph: Graph,
) -> dict[str, NDArray[Any]]:
    made = module(*(torch.from_numpy(probes[one.name]) for one in graph.inputs))
    tensors = made if isinstance(made, tuple) else (made,)
    return {name: one.numpy() for name, one in zip(graph.outputs, tensors, strict=True)}


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


def _save_script(
    module: Any,  # noqa: ANN401 - a GraphModule
    signature: Signature,
    count: int,
    target: Path,
) -> None:
    whole, example = target.with_suffix(".whole"), torch.zeros((count, *signature.sample_shape))
    torch.jit.save(torch.jit.trace(module, example), str(whole), _extra_files=_extra(signature))
    _strip(whole, target)


def _save(module: torch.fx.GraphModule, graph: Graph, target: Path) -> None:
    """A program; one that takes more than an image tells its inputs and outputs itself."""
    extra = _extra(_one_image(graph)) if _is_one_image(graph) else {}
    if not extra:
        _name_outputs(module, graph.outputs)
    shapes = [one.sizes(onnx_check.PROBES) for one in graph.inputs]
    kinds = [torch.from_numpy(np.zeros(0, one.dtype)).dtype for one in graph.inputs]
    examples = [torch.zeros(shape, dtype=kind) for shape, kind in zip(shapes, kinds, strict=True)]
    batch = torch.export.Dim("batch") if graph.open_batch else None
    dynamic = tuple({0: batch} if None in one.shape else None for one in graph.inputs)
    program = torch.export.export(
        module, tuple(examples), dynamic_shapes=dynamic if graph.open_batch else None
    )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # of this machine, as in `_strip`
    with target.open("wb") as file:
        torch.export.save(program, file, extra_files=extra)


def _extra(signature: Signature) -> dict[str, str]:
    return {EXTRA: msgspec.json.encode(signature).decode()}


def _name_outputs(module: torch.fx.GraphModule, names: Sequence[str]) -> None:
    """Let the module answer with a dictionary."""
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    made = output.args[0] if isinstance(output.args[0], tuple) else (output.args[0],)
    output.args = (dict(zip(names, made, strict=True)),)
    module.recompile()


def _strip(whole: Path, target: Path) -> None:
    """Leave out where each line of code lay on this machine: the same source, the same bytes."""
    with zipfile.ZipFile(whole) as source:
        kept = [name for name in source.namelist() if not name.endswith(_OF_THIS_MACHINE)]
        # The folder has the file's own name.
        inner = {name: f"model/{name.partition('/')[2]}" for name in kept}
        zips.write(target, ((inner[name], source.read(name)) for name in kept))
    whole.unlink()

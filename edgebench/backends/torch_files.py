"""torch's two kinds of file, and what edgebench writes beside the model into either.

Float models are programs of ``torch.export`` (.pt2), which torch itself names as what is to be kept
and which can be compiled. Quantised operators hold their weights in objects that ``torch.export``
cannot write, so int8 models are TorchScript. Both load with torch alone, and take any batch. A
program that somebody else wrote tells its inputs itself, TorchScript does not.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch

from edgebench.errors import ModelRefusedError

EXTRA = "edgebench.json"
_PROGRAM_MARK = "/archive_format"
"""Ends the name of a file that an archive of ``torch.export`` has and TorchScript has not."""


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """Names and shapes, as the model that the file was made from declares them."""

    input_name: str
    batch: int | None
    """None where any is taken."""
    sample_shape: tuple[int, int, int]
    """Channels, height, width."""
    output_names: tuple[str, ...]


class Input(NamedTuple):
    """One input of a module."""

    name: str
    sizes: tuple[int | None, ...]
    """With the batch; None where any is taken."""
    dtype: str = "float32"


class File(NamedTuple):
    """What a file holds."""

    module: Any
    inputs: tuple[Input, ...]
    output_names: tuple[str, ...]
    quantised: bool


def read(path: Path) -> File:
    """A file that `edgebench.derive.torch_` wrote, or another program of ``torch.export``.

    Raises:
        ModelRefusedError: It is something else, or torch cannot read it.
    """
    extra = {EXTRA: ""}
    try:
        with zipfile.ZipFile(path) as archive:
            program = any(name.endswith(_PROGRAM_MARK) for name in archive.namelist())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TorchScript is deprecated is known, see above
            if program:
                with path.open("rb") as file:
                    loaded = torch.export.load(file, extra_files=extra)
                module = _plain(loaded.module())
            else:
                module = torch.jit.load(str(path), map_location="cpu", _extra_files=extra)
        if extra[EXTRA]:
            told = msgspec.json.decode(extra[EXTRA], type=Signature)
            one = Input(told.input_name, (told.batch, *told.sample_shape))
            return File(module, (one,), told.output_names, not program)
        if program:
            return File(module, _inputs(loaded), _output_names(loaded), quantised=False)
    except (OSError, RuntimeError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ModelRefusedError(f"torch cannot read {path.name}: {first_line(error)}") from error
    raise ModelRefusedError(
        f"torch cannot read {path.name}: TorchScript does not tell its inputs",
        remedy="use torch.export",
    )


def _inputs(program: Any) -> tuple[Input, ...]:  # noqa: ANN401 - an ExportedProgram
    """Its inputs by the names of the function's arguments."""
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    values = {name: nodes[name].meta.get("val") for name in program.graph_signature.user_inputs}
    if odd := [name for name, value in values.items() if not isinstance(value, torch.Tensor)]:
        raise ValueError(f"its input {odd[0]} is no tensor")
    return tuple(
        Input(
            str(name),
            tuple(size if isinstance(size, int) else None for size in value.shape),
            str(value.dtype).removeprefix("torch."),
        )
        for name, value in values.items()
    )


def _output_names(program: Any) -> tuple[str, ...]:  # noqa: ANN401 - as above
    """Keys where it answers with a dictionary, else what torch calls its last operators."""
    made, spec = program.graph_signature.user_outputs, program.call_spec.out_spec
    keys = spec.context if spec.type is dict else made
    return tuple(map(str, keys if len(keys) == len(made) else made))


def _plain(module: Any) -> Any:  # noqa: ANN401 - a GraphModule
    """Inputs as plain arguments: shapes are checked here once, not by guards in every call."""
    for node in list(module.graph.nodes):
        if node.op == "call_module" and not node.users:
            module.graph.erase_node(node)
    module.graph.set_codegen(torch.fx.graph.CodeGen())
    module.recompile()
    return module.requires_grad_(requires_grad=False)


def first_line(error: Exception) -> str:
    """What an error of torch says, without its traces."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = 2 if lines and lines[0].endswith(":") else 1
    return " ".join(lines[:told]) or type(error).__name__

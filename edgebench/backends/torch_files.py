"""torch's two kinds of file, and what edgebench writes beside the model into either.

Float models are programs of ``torch.export`` (.pt2), which torch itself names as what is to be kept
and which can be compiled. Quantised operators hold their weights in objects that ``torch.export``
cannot write, so int8 models are TorchScript. Both load with torch alone, and take any batch.
"""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

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


def read(path: Path) -> tuple[Any, Signature, bool]:
    """``(module, signature, quantised)`` of a file that `edgebench.derive.torch_` wrote.

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
                    module = _plain(torch.export.load(file, extra_files=extra).module())
            else:
                module = torch.jit.load(str(path), map_location="cpu", _extra_files=extra)
        return module, msgspec.json.decode(extra[EXTRA], type=Signature), not program
    except (OSError, RuntimeError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ModelRefusedError(f"torch cannot read {path.name}: {first_line(error)}") from error


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

"""ncnn's files by pnnx, the runtime's own converter; int8 by `edgebench.derive.ncnn_int8`.

Reference: https://github.com/Tencent/ncnn/wiki/use-ncnn-with-pytorch-or-onnx. The wheel of pnnx
holds a program that needs nothing else; its Python package imports torch and is left alone.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from types import MappingProxyType

from edgebench.backends import ncnn_files
from edgebench.derive import contract
from edgebench.derive.contract import Job
from edgebench.errors import ModelRefusedError
from edgebench.records import Precision
from edgebench.specs import ModelFormat

_CALLS = "pnnx/pnnx"
_HALF: tuple[Precision, ...] = ("fp16",)
_ERRORS = 3
"""onnxruntime's level of messages."""


class Ncnn:
    """The format ``ncnn``."""

    format: ModelFormat = "ncnn"
    sources: tuple[ModelFormat, ...] = ("onnx",)
    precisions: tuple[Precision, ...] = ("fp32", "fp16", "bf16", "int8")
    suffix = "ncnn.zip"
    calibrated: tuple[Precision, ...] = ("int8",)
    tools: Mapping[str, str] = MappingProxyType(
        # Without --no-deps pip would bring torch, which nothing here uses.
        {
            "pnnx": "--no-deps pnnx",
            "ncnn": "'edgebench[ncnn]'",
            "onnxruntime": "'edgebench[onnxruntime]'",
        }
    )

    def settings(self, precision: Precision) -> Mapping[str, str]:
        """How weights are stored; bf16 is made from float32 when the runtime loads it."""
        graph = {"graph": "folded"}
        if precision == "int8":
            weights = {"weights": "int8 by output channel, absmax"}
            return {**graph, **weights, "activations": "int8, absmax"}
        return {**graph, "weights": "float16" if precision in _HALF else "float32"}

    def convert(self, job: Job) -> None:
        """Write the pair of files as one zip.

        Raises:
            ModelRefusedError: pnnx failed, or a layer cannot be quantised.
        """
        param, weights = self._pnnx(job)
        if job.precision == "int8":
            # Imported here: it needs the runtime itself, and only int8 does.
            from edgebench.derive import ncnn_int8  # noqa: PLC0415

            param, weights = ncnn_int8.quantise(param, weights, job)
        _load(param, weights, contract.scratch(job))
        ncnn_files.pack(Path(job.target), param, weights)

    def _pnnx(self, job: Job) -> tuple[bytes, bytes]:
        """``(param, bin)`` by the converter's program; its other outputs stay in the scratch."""
        folder = contract.scratch(job)
        # A file of its own: it writes its outputs beside the input, and names them after it.
        copy = _folded(Path(job.source), folder / "model.onnx")
        sizes = _sizes(job)
        program = str(distribution("pnnx").locate_file(_CALLS))
        shape = f"inputshape=[1,{','.join(map(str, sizes))}]"
        half = f"fp16={int(job.precision in _HALF)}"
        done = subprocess.run(
            [program, copy.name, shape, half],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        files = folder / "model.ncnn.param", folder / "model.ncnn.bin"
        if done.returncode or not all(path.is_file() for path in files):
            told = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise ModelRefusedError(f"pnnx ended with {done.returncode} and said: {told}")
        channels, height, width = sizes
        param = ncnn_files.with_input_shape(files[0].read_bytes(), (height, width, channels))
        return param, files[1].read_bytes()


def _load(param: bytes, weights: bytes, folder: Path) -> None:
    """Let the runtime read the layers: pnnx writes down what it knows no layer for as it is.

    Raises:
        ModelRefusedError: It does not know one, or their weights do not fit.
    """
    import ncnn  # noqa: PLC0415 - the parent asks this module for names and versions only

    net = ncnn.Net()
    refused = net.load_param_mem(param.decode())
    if not refused:
        ncnn_files.read_layers(param, weights)  # as the backend does
        path = folder / "made.bin"
        path.write_bytes(weights)
        if net.load_model(str(path)):
            raise ModelRefusedError("ncnn cannot load the weights that pnnx made")
    if refused:
        kinds = sorted(
            {line.split()[0] for line in param.decode().splitlines()[2:] if line.strip()}
        )
        raise ModelRefusedError(
            f"ncnn cannot read what pnnx made: one of {', '.join(kinds)} is no layer of its"
        )


def _folded(source: Path, target: Path) -> Path:
    """The model with padding, scales and offsets put into the convolutions beside them.

    pnnx leaves what tf2onnx makes of batch normalisation as layers of their own, and padding of
    one side only as a layer that ncnn does not have.
    """
    # Imported here: the parent asks this module for names and versions only.
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    options.log_severity_level = _ERRORS
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    return target


def _sizes(job: Job) -> tuple[int, ...]:
    """Channels, height and width of the one image."""
    if len(job.inputs) != 1 or job.inputs[0].name not in job.images:
        told = ", ".join(f"{one.name} {job.sizes_of(one)}" for one in job.inputs)
        raise ModelRefusedError(f"ncnn is given one image channels first here, not {told}")
    return job.sizes_of(job.inputs[0])

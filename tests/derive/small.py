"""Small models that converters are tried on, and the workloads around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edgebench.derive.calibration import Images
from edgebench.specs import (
    FileSpec,
    InputSpec,
    ModelFormat,
    ModelSpec,
    Workload,
    WorkloadSpec,
    sha256_of,
)

IMAGE = InputSpec(name="image", shape=(16, 12, 3))
EXTRA = InputSpec(name="extra", shape=(5,), image=False)
ONE = """g (float[N,3,H,W] image) => (float[] masks) {
    a = Conv<pads=[1,1,1,1], kernel_shape=[3,3]>(image, w) masks = Relu(a) }"""
TWO = """g (float[N,3,H,W] image, float[N,5] extra) => (float[] masks, float[] score) {
    a = Conv<pads=[1,1,1,1], kernel_shape=[3,3]>(image, w) masks = Relu(a)
    p = GlobalAveragePool(masks) f = Flatten(p) c = Concat<axis=1>(f, extra) score = Sigmoid(c) }"""


def onnx_file(path: Path, body: str, **more: tuple[int, ...]) -> Path:
    """A model whose images are open beside the batch, with a weight ``w`` (4, 3, 3, 3) and more."""
    import onnx  # it may be missing

    model: Any = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{body}')
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    random = np.random.default_rng(0)
    for name, shape in {"w": (4, 3, 3, 3), **more}.items():
        weight = random.normal(size=shape).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(weight, name))
    onnx.save(model, path)
    return path


def workload_of(
    path: Path, *inputs: InputSpec, fmt: ModelFormat = "onnx", reference: Path | None = None
) -> Workload:
    """A user's model as a workload."""
    model = ModelSpec(
        path=path.name,
        format=fmt,
        precision="fp32",
        layout="NHWC" if fmt in ("tflite", "savedmodel") else "NCHW",
        sha256=sha256_of(path),
        size_byte=path.stat().st_size,
    )
    answers = (
        FileSpec(path=reference.name, sha256=sha256_of(reference), count=2) if reference else None
    )
    spec = WorkloadSpec(
        schema=1,
        name="small",
        version=1,
        task="other",
        input=inputs[0],
        more_inputs=inputs[1:],
        reference=answers,
        models=(model,),
    )
    return Workload(folder=path.parent, spec=spec)


def samples(path: Path, *inputs: InputSpec) -> Images:
    """What such a model is calibrated on: its inputs as they are."""
    random = np.random.default_rng(2)
    arrays = {
        f"inputs_{place}" if place else "inputs": random.random((4, *one.shape), np.float32)
        for place, one in enumerate(inputs)
    }
    np.savez(path, **arrays)  # type: ignore[arg-type] # its options are no arrays
    return Images(path=path, sha256=sha256_of(path), words="4 random samples")


def derived_from(workload: Workload) -> dict[tuple[str, str], Path]:
    """Where each derived model lies."""
    return {
        (one.format, one.precision): Path(msgspec.structs.asdict(one)["path"])
        for one in workload.derived
    }

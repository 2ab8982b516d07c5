"""Small models with several inputs and outputs, integers, open sizes: as ONNX and for ncnn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench.backends import ncnn_files
from edgebench.backends.ncnn_files import Layer

Shape = Sequence[int | str]
WEIGHTS = np.random.default_rng(1).normal(size=(4, 3, 3, 3)).astype(np.float32)
MATRIX = np.random.default_rng(2).normal(size=(5, 4)).astype(np.float32)


def two(path: Path, batch: int | str = "N", size: int | str = 8) -> Path:
    """An image and a vector in; scores (batch, 4) and features (batch, 4, size, size) out."""
    onnx = imported()
    make = onnx.helper.make_node
    nodes = [
        make("Conv", ["image", "w"], ["made"], pads=[1, 1, 1, 1]),
        make("Relu", ["made"], ["features"]),
        make("GlobalAveragePool", ["features"], ["mean"]),
        make("Flatten", ["mean"], ["flat"]),
        make("MatMul", ["vector", "v"], ["product"]),
        make("Add", ["flat", "product"], ["scores"]),
    ]
    ins = {"image": (batch, 3, size, size), "vector": (batch, 5)}
    outs = {"scores": (batch, 4), "features": (batch, 4, size, size)}
    return save(path, nodes, ins, outs, {"w": WEIGHTS, "v": MATRIX})


def features(images: NDArray[Any]) -> NDArray[Any]:
    """The features of images (n, h, w, c), so too, in numpy."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    made: NDArray[Any] = np.einsum("nhwcij,ocij->nhwo", windows, WEIGHTS)
    made[made < 0] = 0
    return made


def pixels(path: Path) -> Path:
    """A uint8 image in; class numbers (batch,) and scores (batch, 4) out."""
    onnx = imported()
    make = onnx.helper.make_node
    nodes = [
        make("Cast", ["image"], ["float"], to=onnx.TensorProto.FLOAT),
        make("Conv", ["float", "w"], ["made"], pads=[1, 1, 1, 1]),
        make("GlobalAveragePool", ["made"], ["mean"]),
        make("Flatten", ["mean"], ["scores"]),
        make("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
    ]
    ins = {"image": ("N", 3, 8, 8)}
    outs = {"label": ("N",), "scores": ("N", 4)}
    return save(path, nodes, ins, outs, {"w": WEIGHTS}, {"image": "UINT8", "label": "INT64"})


def state(path: Path) -> Path:
    """A vector in, and a state whose first size is no batch, as recurrent models have."""
    onnx = imported()
    make = onnx.helper.make_node
    nodes = [
        make("MatMul", ["vector", "v"], ["product"]),
        make("Add", ["product", "before"], ["after"]),
        make("ReduceMean", ["after"], ["scores"], axes=[0], keepdims=0),
    ]
    ins, outs = {"vector": (1, 5), "before": (2, 1, 4)}, {"scores": (1, 4), "after": (2, 1, 4)}
    return save(path, nodes, ins, outs, {"v": MATRIX})


def found(path: Path) -> Path:
    """As many outputs as a vector has values above a half."""
    onnx = imported()
    make = onnx.helper.make_node
    nodes = [
        make("Greater", ["vector", "half"], ["above"]),
        make("NonZero", ["above"], ["found"]),
    ]
    half = np.array(0.5, np.float32)
    outs = {"found": (2, "many")}
    return save(path, nodes, {"vector": (1, 5)}, outs, {"half": half}, {"found": "INT64"})


def imported() -> Any:  # noqa: ANN401 - a module without types
    """The package that writes ONNX files."""
    return pytest.importorskip("onnx", reason="needs onnx")


def save(  # noqa: PLR0917 - what a model is made of
    path: Path,
    nodes: Sequence[Any],
    ins: Mapping[str, Shape],
    outs: Mapping[str, Shape],
    weights: dict[str, Any],
    types: dict[str, str] | None = None,
) -> Path:
    """Write a checked model of opset 13."""
    onnx = imported()

    def value(name: str, shape: Shape) -> object:
        kind = getattr(onnx.TensorProto, (types or {}).get(name, "FLOAT"))
        return onnx.helper.make_tensor_value_info(name, kind, shape)

    graph = onnx.helper.make_graph(
        nodes,
        "graph",
        [value(*one) for one in ins.items()],
        [value(*one) for one in outs.items()],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opset = onnx.helper.make_opsetid("", 13)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def as_mnn(source: Path) -> Path:
    """The same model by MNN's converter, in a process of its own: it prints as it likes."""
    pytest.importorskip("MNN", reason="needs MNN")
    target = source.with_suffix(".mnn")
    words = ["mnnconvert", "-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(target)]
    code = f"import _tools; _tools.mnnconvert({[*words, '--bizCode', 'test']!r})"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)
    return target


def as_openvino(source: Path) -> Path:
    """OpenVINO's own two files of the same model, as one."""
    openvino = pytest.importorskip("openvino", reason="needs openvino")
    from edgebench.backends import openvino_files

    xml = source.with_suffix(".xml")
    openvino.save_model(openvino.Core().read_model(source), xml, compress_to_fp16=False)
    target = source.with_suffix(".zip")
    openvino_files.pack(target, xml.read_bytes(), xml.with_suffix(".bin").read_bytes())
    return target


def ncnn(path: Path, size: int | None = 8, inputs: int = 1) -> Path:
    """`two` without its vector, as ncnn's files: a layer that makes features comes first."""
    sizes = {} if size is None else {0: str(size), 1: str(size), 2: "3"}
    layers = [
        Layer(kind="Input", name=f"in{i}", bottoms=[], tops=[f"in{i}"], parameters=dict(sizes))
        for i in range(inputs)
    ]
    padded = {0: "4", 1: "3", 4: "1", 5: "0", 6: "108", 9: "1"}
    layers += [
        _layer("Convolution", ["in0"], ["made"], padded),
        _layer("Split", ["made"], ["out1", "kept"], {}),
        _layer("Pooling", ["kept"], ["mean"], {0: "1", 4: "1"}),
        _layer("InnerProduct", ["mean"], ["out0"], {0: "5", 1: "0", 2: "20"}),
    ]
    layers[inputs].weight = WEIGHTS.reshape(-1)
    layers[-1].weight = MATRIX.reshape(-1)
    blobs = len({name for layer in layers for name in layer.tops})
    ncnn_files.pack(path, *ncnn_files.write_layers(layers, blobs))
    return path


def _layer(kind: str, bottoms: list[str], tops: list[str], parameters: dict[int, str]) -> Layer:
    return Layer(kind=kind, name=tops[0], bottoms=bottoms, tops=tops, parameters=parameters)

"""What onnxruntime gets otherwise than asked without a word, and that a row tells it all the same.

See test_traps.py. Networks are made here, quantised by onnxruntime's own tool.
"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from edgebench import resources
from edgebench.backends import onnxruntime_
from edgebench.errors import ModelRefusedError, UsageError
from edgebench.plugins import probe_backend
from edgebench.protocols import Settings
from edgebench.records import Case, Manifest, Record
from edgebench.report import rows
from edgebench.report.rows import Row
from edgebench.runner import plan
from edgebench.runner.config import RunConfig
from edgebench.specs import Workload, read_workload, sha256_of

Measure = Callable[..., Row]
CPU = ["CPUExecutionProvider"]
CHANNELS, SIZE = 8, 12


class Kernels(NamedTuple):
    """What onnxruntime makes of a file."""

    kinds: Counter[str]
    weights: set[str]
    """numpy's names of their types."""


@pytest.fixture
def optimised(tmp_path: Path) -> Callable[[Path], Kernels]:
    """Opens a file with onnxruntime's own call, which must say nothing; what it then runs."""
    onnx: Any = pytest.importorskip("onnx", reason="needs edgebench[build]")

    def kernels(model: Path) -> Kernels:
        options = onnxruntime.SessionOptions()
        options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
        options.log_severity_level = 3  # it warns that such a file is for this machine only
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            onnxruntime.InferenceSession(str(model), options, providers=CPU)
        graph = onnx.load(options.optimized_model_filepath).graph
        arrays = (onnx.numpy_helper.to_array(one) for one in graph.initializer)
        return Kernels(
            Counter(node.op_type for node in graph.node),
            {array.dtype.name for array in arrays if array.ndim > 1},
        )

    return kernels


def test_fp16_files_are_computed_in_fp32_and_the_row_falls_back(
    row_of: Measure, optimised: Callable[[Path], Kernels]
) -> None:
    workload = resources.open_workload("mnist_cnn")
    ran = optimised(workload.file("models/fp16.onnx"))
    row = row_of(workload, "onnxruntime", "fp16")
    assert row["status"] == "ok"
    if ran.weights == {"float32"}:  # no CPU kernel: widened, with Casts around
        assert ran.kinds["Cast"]
        assert (row["effective_precision"], row["fallback"]) == ("fp32", "precision")
    else:  # the wheels for Arm have some
        assert "float16" in ran.weights
        assert row["effective_precision"] in {"fp16", "fp32"}
        assert row["fallback"] == (None if row["effective_precision"] == "fp16" else "precision")


class Network:
    """An ONNX model in the making: every convolution but the first costs the same."""

    def __init__(self) -> None:
        self.onnx: Any = pytest.importorskip("onnx", reason="needs edgebench[build]")
        self.rng = np.random.default_rng(1)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, kind: str, output: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401 - the operator's own
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, *shape: int) -> str:
        values = self.rng.normal(0, 1.5 / np.prod(shape[1:]) ** 0.5, shape).astype(np.float32)
        self.weights.append(self.onnx.numpy_helper.from_array(values, name))
        return name

    def convolve(self, source: str, name: str, channels: int = CHANNELS) -> str:
        filters = self.constant(f"{name}_w", CHANNELS, channels, 3, 3)
        summed = self.add(
            "Conv", f"{name}_c", source, filters, self.constant(f"{name}_b", CHANNELS), pads=[1] * 4
        )
        return self.add("Relu", name, summed)

    def save(self, path: Path) -> Path:
        tensor, kind = self.onnx.helper.make_tensor_value_info, self.onnx.TensorProto.FLOAT
        graph = self.onnx.helper.make_graph(
            self.nodes,
            "network",
            [tensor("input", kind, ["batch", 1, SIZE, SIZE])],
            [tensor("logits", kind, ["batch", 10])],
            self.weights,
        )
        opset = self.onnx.helper.make_opsetid("", 17)
        model = self.onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8)
        self.onnx.save(model, str(path))
        return path


def network(path: Path, *, forked: bool, tail: int) -> Path:
    """A stem (whose output two convolutions read, if forked), ``tail`` convolutions, 10 classes."""
    made = Network()
    last = made.convolve("input", "stem", 1)
    if forked:  # as residual and inception blocks do
        sides = [made.convolve(last, f"side{number}") for number in range(2)]
        last = made.add("Add", "sum", *sides)
    for number in range(tail):
        last = made.convolve(last, f"tail{number}")
    flat = made.add("Flatten", "flat", made.add("GlobalAveragePool", "pooled", last))
    made.add("Gemm", "logits", flat, made.constant("dense", CHANNELS, 10))
    return made.save(path)


def quantise(source: Path, target: Path, activations: str) -> None:
    """Static QDQ by onnxruntime's tool: int8 weights, activations as named."""
    from onnxruntime import quantization

    class Images(quantization.CalibrationDataReader):  # type: ignore[misc] # it has no types
        left: Iterator[NDArray[np.float32]] = iter(images())

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            image = next(self.left, None)
            return None if image is None else {"input": image[np.newaxis]}

    quantization.quantize_static(
        str(source),
        str(target),
        Images(),
        quant_format=quantization.QuantFormat.QDQ,
        activation_type=getattr(quantization.QuantType, activations),
        weight_type=quantization.QuantType.QInt8,
    )


def images() -> NDArray[np.float32]:
    return np.random.default_rng(2).random((32, 1, SIZE, SIZE), dtype=np.float32)


TOML = """
schema = 1
name = "made"
version = 1
task = "classification"
labels = ["0"]
source_sha256 = "{source}"
input = {{ shape = [{size}, {size}, 1] }}
preprocess = {{ resize = [{size}, {size}], mean = [0.0], std = [255.0] }}
reference = {{ path = "reference.npz", sha256 = "{source}", count = 32 }}
[[models]]
path = "int8.onnx"
format = "onnx"
precision = "int8"
layout = "NCHW"
sha256 = "{model}"
size_byte = 1
"""


class Wish(NamedTuple):
    """A quantised network; see `network`."""

    activations: str
    forked: bool
    tail: int

    def workload(self, folder: Path) -> Workload:
        """A workload of it, the reference computed by onnxruntime in fp32."""
        logging.getLogger().setLevel(logging.ERROR)  # the tool recommends another of its own tools
        source = network(folder / "fp32.onnx", forked=self.forked, tail=self.tail)
        quantise(source, folder / "int8.onnx", self.activations)
        (outputs,) = onnxruntime.InferenceSession(str(source), providers=CPU).run(
            None, {"input": images()}
        )
        np.savez(folder / "reference.npz", inputs=images().transpose(0, 2, 3, 1), outputs=outputs)
        hashes = {"source": sha256_of(source), "model": sha256_of(folder / "int8.onnx")}
        (folder / "workload.toml").write_text(TOML.format(size=SIZE, **hashes))
        return read_workload(folder)


@pytest.mark.parametrize(
    ("wish", "fallback"),
    [
        (Wish("QInt8", forked=True, tail=0), "precision"),
        (Wish("QInt8", forked=True, tail=6), "partial_precision"),
        (Wish("QInt8", forked=True, tail=40), None),  # 5 %: in the column, and no more than that
        (Wish("QInt8", forked=False, tail=2), None),
        (Wish("QUInt8", forked=True, tail=2), None),
    ],
)
def test_int8_activations_that_two_convolutions_read_leave_them_in_float_and_the_row_tells(
    row_of: Measure,
    optimised: Callable[[Path], Kernels],
    tmp_path: Path,
    wish: Wish,
    fallback: str | None,
) -> None:
    made = wish.workload(tmp_path)
    ran = optimised(made.file("int8.onnx"))
    left = wish.activations == "QInt8" and wish.forked  # the stem and both of its readers
    assert ran.kinds["Conv"] + ran.kinds["FusedConv"] == 3 * left
    assert ran.kinds["QLinearConv"] == 1 + 2 * wish.forked + wish.tail - 3 * left
    row = row_of(made, "onnxruntime", "int8")
    assert (row["status"], row["fallback"]) == ("ok", fallback)
    stem, dense = 9 * SIZE**2 * CHANNELS, 10 * CHANNELS
    each = stem * CHANNELS
    whole = stem + each * (2 * wish.forked + wish.tail) + dense
    apart = (stem + 2 * each) * left
    share = max(apart, whole - apart) / whole
    assert row["effective_precision"] == ("fp32" if fallback == "precision" else "int8")
    assert row["precision_ratio"] == pytest.approx(share, rel=1e-6)
    partial = f"only {share:.0%} of multiplications ran in int8" in str(row["caveats"])
    assert partial == (fallback == "partial_precision")


def test_a_provider_that_no_wheel_here_has_is_refused_before_anything_is_measured() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        session = onnxruntime.InferenceSession(
            str(resources.open_workload("mnist_cnn").file("models/fp32.onnx")),
            providers=["XnnpackExecutionProvider", *CPU],
        )
    assert session.get_providers() == CPU  # the trap: a warning at most
    assert len(told) <= 1
    config = RunConfig(accelerators=("xnnpack",))
    probes = {"onnxruntime": probe_backend("onnxruntime")}
    with pytest.raises(UsageError, match="nothing here runs on 'xnnpack'"):
        plan.build(config, {"mnist_cnn": resources.open_workload("mnist_cnn")}, probes)


def test_a_provider_that_is_listed_and_cannot_start_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As CUDA's is in a wheel for GPUs without its libraries: a line in the log, then the CPU."""
    listed = ["CUDAExecutionProvider", *CPU]
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA's provider is here, and may start")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: listed)
    model = resources.open_workload("mnist_cnn").file("models/fp32.onnx")
    with (
        pytest.warns(UserWarning, match="not in available provider names"),
        pytest.raises(ModelRefusedError, match="could not start CUDAExecutionProvider"),
    ):
        onnxruntime_.OnnxRuntime().open(model, Settings(accelerator="cuda"))


def test_a_provider_that_starts_and_takes_no_operator_is_a_fallback(
    ask: Callable[..., Any],
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Azure's is in every wheel and computes nothing of a plain network."""
    azure = "AzureExecutionProvider"
    assert azure in onnxruntime.get_available_providers()
    assert "azure" not in probe_backend("onnxruntime").accelerators  # it would send inputs away
    monkeypatch.setattr(onnxruntime_, "_CLOUD", "")
    effective = ask("onnxruntime", "fp32.onnx", accelerator="azure").effective
    assert (effective.accelerator, effective.accelerator_ops_ratio) == ("cpu", 0.0)
    one = case(accelerator="azure")
    (row,) = rows.of_records(manifest(one), [record(one, effective=effective)])
    assert row["fallback"] == "accelerator"


def test_options_of_a_provider_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    real = onnxruntime.InferenceSession

    def watched(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - passed on as they are
        asked.append(named["provider_options"])
        return real(*arguments, **named)

    monkeypatch.setattr(onnxruntime, "InferenceSession", watched)
    model = resources.open_workload("mnist_cnn").file("models/fp32.onnx")
    options = {"provider.device_id": "1", "session.set_denormal_as_zero": "1"}
    session = onnxruntime_.OnnxRuntime().open(model, Settings(options=options))
    session.close()
    assert asked == [[{"device_id": "1"}]]


def test_what_cannot_be_an_option_is_refused() -> None:
    """A session keeps any entry: its name would stand on figures that it has no part in."""
    model = resources.open_workload("mnist_cnn").file("models/fp32.onnx")
    plain = onnxruntime.SessionOptions()
    plain.add_session_config_entry("intra_op_num_threads", "many")
    assert onnxruntime.InferenceSession(str(model), plain, providers=CPU)
    with pytest.raises(ModelRefusedError, match="no option 'intra_op_num_threads'"):
        onnxruntime_.OnnxRuntime().open(model, Settings(options={"intra_op_num_threads": "many"}))

"""Models of every format become workloads, and their runtimes say what they take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgebench import plugins
from edgebench.adopt import shapes, take
from edgebench.adopt.describe import Runtimes
from edgebench.adopt.request import Request
from edgebench.derive import cache
from edgebench.errors import UsageError
from edgebench.protocols import Probe, Tensor
from edgebench.runner import launcher
from edgebench.runner.config import BackendConfig
from edgebench.specs import Workload, read_workload

sys.path.insert(0, str(Path(__file__).parent))
import models

FAULTY = "edgebench.testing:FaultyBackend"


def runtimes(
    names: Sequence[str] = (), backends: Mapping[str, BackendConfig] = MappingProxyType({})
) -> Runtimes:
    probes = {name: plugins.probe_backend(name) for name in names}
    limits = launcher.Limits(timeout_s=60.0, measure_s=0.0)
    return Runtimes(probes, launcher.probe, backends, limits)


def taken(path: Path, **said: Any) -> Workload:  # noqa: ANN401 - any of a Request
    (workload,) = take.take_all([Request(model=path, **said)], runtimes())
    assert workload.problems() == []
    return workload


def reference(workload: Workload) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(workload.reference_path) as archive:
        return dict(archive)


def test_an_onnx_file_is_a_workload_that_is_found_again(tmp_path: Path) -> None:
    path = models.classifier(tmp_path / "My Net.onnx")
    workload = taken(path)
    spec = workload.spec
    assert (spec.name, spec.task, spec.outputs) == ("my_net", "other", ("out",))
    assert spec.weights == "unknown"
    assert spec.input.shape == (16, 16, 3)
    assert spec.preprocess is not None
    assert spec.preprocess.std == (255.0, 255.0, 255.0)
    assert [(m.path, m.layout) for m in spec.models] == [("models/fp32.onnx", "NCHW")]
    arrays = reference(workload)
    assert arrays["inputs"].shape == (16, 16, 16, 3)
    assert arrays["outputs"].shape == (16, models.CLASSES)
    assert "onnxruntime" in spec.summary
    assert workload.folder.parent == cache.home() / "models"
    said: list[str] = []
    (again,) = take.take_all([Request(model=path)], runtimes(), say=said.append)
    assert again.folder == workload.folder
    assert said == []


def test_the_reference_is_what_the_network_computes(tmp_path: Path) -> None:
    arrays = reference(taken(models.classifier(tmp_path / "net.onnx")))
    padded = np.pad(arrays["inputs"], ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    maps = np.einsum("nhwcij,kcij->nhwk", windows, models.filters())
    np.testing.assert_allclose(arrays["outputs"], maps.mean(axis=(1, 2)), atol=1e-5)


@pytest.mark.parametrize(
    ("sizes", "said", "shape"),
    [
        (("n", 3, "h", "w"), {"shapes": ("x:3x20x24",)}, (20, 24, 3)),
        (("n", 3, "h", "w"), {"shapes": ("1x3x20x24",)}, (20, 24, 3)),
        ((1, 3, 16, 16), {}, (16, 16, 3)),
        (("n", 3, 16, 3), {"layout": "NCHW"}, (16, 3, 3)),
    ],
)
def test_open_sizes_and_layouts_are_told(
    tmp_path: Path, sizes: models.Sizes, said: dict[str, Any], shape: tuple[int, ...]
) -> None:
    assert taken(models.classifier(tmp_path / "a.onnx", sizes), **said).spec.input.shape == shape


def test_channels_last_and_bytes_are_read_from_the_model(tmp_path: Path) -> None:
    last = taken(models.classifier(tmp_path / "last.onnx", ("n", 16, 16, 3), last=True))
    assert last.spec.input.shape == (16, 16, 3)
    assert last.spec.models[0].layout == "NHWC"
    small = taken(models.classifier(tmp_path / "bytes.onnx", kind=models.UINT8))
    assert small.spec.input.dtype == "uint8"
    assert small.spec.std == (1.0, 1.0, 1.0)
    assert reference(small)["inputs"].dtype == np.uint8
    assert reference(small)["inputs"].max() > 200


def test_several_inputs_and_outputs_are_all_there(tmp_path: Path) -> None:
    workload = taken(models.two_inputs(tmp_path / "two.onnx"))
    image, bias = workload.spec.inputs
    assert (image.image, image.shape) == (True, (16, 16, 3))
    assert (bias.image, bias.shape) == (False, (models.CLASSES,))
    assert workload.spec.preprocess is None
    arrays = reference(workload)
    assert arrays["inputs_1"].shape == (16, models.CLASSES)
    assert arrays["outputs_1"].shape == (16, 16, 16, models.CLASSES)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_tflite_file_bears_its_own_precision(
    model_path: Callable[..., Path], precision: str
) -> None:
    workload = taken(model_path(f"{precision}.tflite"))
    assert [m.precision for m in workload.spec.models] == [precision]
    assert workload.spec.input.shape == (28, 28, 1)


def test_weights_beside_the_file_are_taken_along(tmp_path: Path) -> None:
    inside = taken(models.classifier(tmp_path / "inside.onnx"))
    apart = taken(models.classifier(tmp_path / "apart.onnx", outside="apart.bin"))
    assert len(list((apart.folder / "models").iterdir())) == 1
    np.testing.assert_array_equal(reference(apart)["outputs"], reference(inside)["outputs"])


def test_two_models_of_one_stem_have_names_of_their_own(
    tmp_path: Path, model_path: Callable[..., Path]
) -> None:
    (tmp_path / "deep").mkdir()
    paths = [models.classifier(tmp_path / "net.onnx"), tmp_path / "net.tflite"]
    paths[1].write_bytes(model_path("fp32.tflite").read_bytes())
    paths.append(models.classifier(tmp_path / "deep" / "net.onnx", ("n", 3, 8, 8)))
    wanted = [Request(model=path) for path in (*paths, paths[0])]
    names = [one.spec.name for one in take.take_all(wanted, runtimes())]
    assert names[:2] == ["net", "net-tflite"]
    assert len(set(names)) == len(names) == 3
    (other,) = take.take_all(wanted[:1], runtimes(), reserved=("net",))
    assert other.spec.name == "net-onnx"


def test_a_shape_that_is_named_is_for_the_model_that_has_the_input(
    tmp_path: Path, model_path: Callable[..., Path]
) -> None:
    paths = models.classifier(tmp_path / "a.onnx", ("n", 3, "h", "w")), model_path("fp32.tflite")
    wanted = [Request(model=path, shapes=("x:3x20x24",)) for path in paths]
    first, second = take.take_all(wanted, runtimes())
    assert first.spec.input.shape == (20, 24, 3)
    assert second.spec.input.shape == (28, 28, 1)
    wrong = [Request(model=path, shapes=("y:3x20x24",)) for path in paths]
    with pytest.raises(UsageError, match="has no input 'y'"):
        take.take_all(wrong, runtimes())


def test_a_shape_for_an_input_that_a_runtime_does_not_tell_of_is_refused(
    derived: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "net.mnn"
    path.write_bytes(derived("mnist_cnn", "mnn", "fp32").path.read_bytes())
    with pytest.raises(UsageError, match=r"net\.mnn: has no input 'y' for --shape \(its inputs: "):
        taken(path, shapes=("y:1x28x28",))


def pictures(folder: Path, count: int) -> Path:
    """``count`` images, one colour each, some of them of another size."""
    folder.mkdir(parents=True)
    for index in range(count):
        side = 16 if index % 2 else 40
        colour = (index * 5 % 256, index * 11 % 256, index * 17 % 256)
        Image.new("RGB", (side, side), colour).save(folder / f"{index}.png")
    return folder


def test_a_flat_folder_calibrates_and_is_the_reference(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "images", 20)
    workload = taken(models.classifier(tmp_path / "net.onnx"), images=folder)
    spec = workload.spec
    assert (spec.samples, spec.task, spec.labels) == (None, "other", ())
    assert spec.calibration is not None
    assert spec.calibration.count == 20
    inputs = reference(workload)["inputs"]
    assert inputs.shape[0] == 16
    flat = inputs.reshape(16, -1, 3)
    assert (flat == flat[:, :1]).all(), "each image has one colour, whatever its size was"


def test_labelled_images_judge_and_do_not_calibrate(tmp_path: Path) -> None:
    for index in range(models.CLASSES):
        pictures(tmp_path / "images" / str(index), 10)
    workload = taken(models.classifier(tmp_path / "net.onnx"), images=tmp_path / "images")
    spec = workload.spec
    assert spec.samples is not None
    assert spec.calibration is not None
    assert (spec.samples.count, spec.calibration.count) == (60, 20)
    with np.load(workload.file(spec.samples.path)) as archive:
        assert archive["images"].shape == (60, 16, 16, 3)
        assert set(archive["labels"]) == set(range(models.CLASSES))


def test_few_labelled_images_serve_both_and_it_is_said(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"class {i}\n" for i in range(models.CLASSES)))
    pictures(tmp_path / "images" / "class 3", 4)
    path = models.classifier(tmp_path / "net.onnx")
    workload = taken(path, images=tmp_path / "images", labels=labels)
    assert workload.spec.labels[3] == "class 3"
    assert "judged on those that calibrate" in workload.spec.summary
    assert workload.spec.samples is not None
    with np.load(workload.file(workload.spec.samples.path)) as archive:
        assert set(archive["labels"]) == {3}


@pytest.mark.parametrize(
    ("sizes", "said", "words"),
    [
        (("n", 3, "h", "w"), {}, r"open shape \?x3x\?x\? \(say its sizes, such as --shape x:3x"),
        (("n", 3, 16, 16), {"shapes": ("3x20x20",)}, r"the input is \?x3x16x16 in net\.onnx"),
        (("n", 3, 16, 16), {"shapes": ("y:3x16x16",)}, "has no input 'y'"),
        (("n", 3, 16, 16), {"shapes": ("3by16",)}, "is no shape"),
        (("n", 3, 16, 16), {"shapes": ("x:2x3x16x16",)}, "is 2 samples"),
        (("n", 3, 16, 16), {"shapes": ("x:99999x99999x9",)}, "too many"),
        (("n", 3, 16, 3), {}, "channels first or last cannot be told"),
        (("n", 3, 16, 16), {"layout": "NHWC"}, "--layout NHWC: by its shape the model is NCHW"),
        (("n", 3, 16, 16), {"mean": (1.0, 2.0), "std": (1.0, 2.0)}, "give one number, or 3"),
        (("n", 3, 16, 16), {"mean": (1.0,)}, "belong together"),
        (("n", 3, 16, 16), {"mean": (0.0,), "std": (0.0,)}, "must be finite"),
        (("n", 3, 16, 16), {"labels": Path(__file__).parent / "nowhere.txt"}, "cannot be read"),
        (("n", 3, 16, 16), {"labels": Path(models.__file__)}, "--labels"),
        (("n", 3, 16, 16), {"images": Path(__file__).parent}, "holds no images"),
    ],
)
def test_what_cannot_be_is_one_line(
    tmp_path: Path, sizes: models.Sizes, said: dict[str, Any], words: str
) -> None:
    path = models.classifier(tmp_path / "net.onnx", sizes)
    with pytest.raises(UsageError, match=words) as caught:
        take.take_all([Request(model=path, **said)], runtimes())
    assert "\n" not in str(caught.value)
    assert list((cache.home() / "models").glob("*")) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [("segv", "crashed: killed by SIGSEGV"), ("raise", "planted failure"), ("exit", "exit code 7")],
)
def test_a_runtime_that_fails_for_a_model_is_one_line(
    tmp_path: Path, fault: str, words: str
) -> None:
    path = models.classifier(tmp_path / "net.onnx")
    options = {"fault": fault, "at": "open"}
    there = runtimes([FAULTY], {FAULTY: BackendConfig(options=options)})
    absent = {name: Probe(name=name, available=False) for name in plugins.names(plugins.BACKENDS)}
    there = there._replace(probes={**absent, **there.probes})
    with pytest.raises(UsageError, match=words) as caught:
        take.take_all([Request(model=path)], there)
    assert "\n" not in str(caught.value)
    assert list((cache.home() / "models").iterdir()) == []


def test_the_next_runtime_is_asked_where_the_first_one_refuses(tmp_path: Path) -> None:
    path = models.classifier(tmp_path / "net.onnx")
    broken = {"onnxruntime": BackendConfig(options={"nonsense": "1"})}
    (workload,) = take.take_all([Request(model=path)], runtimes(backends=broken))
    assert "openvino" in workload.spec.summary
    assert "onnxruntime" in taken(path).spec.summary, "whole again, and asked again"


def test_a_model_that_no_runtime_reads_names_what_to_install(tmp_path: Path) -> None:
    names = plugins.names(plugins.BACKENDS)
    absent = {name: Probe(name=name, available=False) for name in names}
    with pytest.raises(UsageError, match=r"pip install 'edgebench\[onnxruntime\]'"):
        take.take_all(
            [Request(model=models.classifier(tmp_path / "net.onnx"))],
            runtimes()._replace(probes=absent),
        )


@pytest.mark.parametrize("fmt", ["mnn", "ncnn"])
def test_a_converters_file_can_be_taken_in(
    derived: Callable[..., Any], tmp_path: Path, fmt: str
) -> None:
    made = derived("mnist_cnn", fmt, "fp32").path
    path = tmp_path / f"net.{fmt}"
    if fmt == "ncnn":
        from edgebench.backends import ncnn_files

        path = path.with_suffix(".param")
        for part, content in zip(
            (path, path.with_suffix(".bin")), ncnn_files.unpack(made), strict=True
        ):
            part.write_bytes(content)
    else:
        path.write_bytes(made.read_bytes())
    workload = taken(path)
    assert workload.spec.input.shape == (28, 28, 1)
    assert workload.spec.models[0].format == fmt


def test_openvinos_own_pair_can_be_taken_in(
    model_path: Callable[..., Path], tmp_path: Path
) -> None:
    openvino = pytest.importorskip("openvino")
    graph = openvino.Core().read_model(model_path("fp32.onnx"))
    openvino.save_model(graph, tmp_path / "net.xml", compress_to_fp16=False)
    workload = taken(tmp_path / "net.xml")
    assert workload.spec.input.shape == (28, 28, 1)
    assert [(m.format, m.precision) for m in workload.spec.models] == [("openvino", "fp32")]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own
def test_a_saved_model_and_a_keras_file_can_be_taken_in(tmp_path: Path) -> None:
    if not (probe := plugins.probe_backend("tensorflow")).available:
        pytest.skip(f"{probe.reason}: {probe.remedy}")
    from edgebench.backends.tensorflow_quiet import quiet

    with quiet():
        import tensorflow as tf
    import keras

    layers = [keras.Input((16, 16, 3)), keras.layers.Conv2D(4, 3), keras.layers.Flatten()]
    network = keras.Sequential([*layers, keras.layers.Dense(5)])
    network.save(tmp_path / "net.keras")
    tf.saved_model.save(network, str(tmp_path / "saved"))
    for path in (tmp_path / "net.keras", tmp_path / "saved"):
        workload = taken(path)
        assert workload.spec.input.shape == (16, 16, 3)
        assert workload.spec.models[0].format == "savedmodel"
        arrays = reference(workload)
        np.testing.assert_allclose(arrays["outputs"], network(arrays["inputs"]), atol=1e-4)


def test_a_program_of_torch_can_be_taken_in(tmp_path: Path) -> None:
    if not (probe := plugins.probe_backend("torch")).available:
        pytest.skip(f"{probe.reason}: {probe.remedy}")
    import torch

    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten()).eval()
    example = (torch.zeros(1, 3, 8, 8),)
    torch.export.save(torch.export.export(network, example), tmp_path / "net.pt2")
    workload = taken(tmp_path / "net.pt2")
    assert workload.spec.input.shape == (8, 8, 3)
    assert workload.spec.models[0].format == "torch"


def test_what_is_written_is_read_back_to_the_same(tmp_path: Path) -> None:
    workload = taken(models.two_inputs(tmp_path / 'ein "Netz" \x7f.onnx'))
    assert read_workload(workload.folder).spec == workload.spec
    assert workload.spec.summary.startswith('ein "Netz" ?.onnx; ')


@pytest.mark.parametrize(
    ("shape", "layouts"),
    [
        ((1, 3, 224, 224), ["NCHW"]),
        ((1, 224, 224, 3), ["NHWC"]),
        ((1, 1, 28, 28), ["NCHW"]),
        ((1, 3, 16, 3), ["NCHW", "NHWC"]),
        ((1, 64, 56, 56), []),
        ((1, 10), []),
    ],
)
def test_a_layout_is_guessed_where_only_one_can_be(
    shape: tuple[int, ...], layouts: list[str]
) -> None:
    assert shapes.tensor_layouts(Tensor(name="x", shape=shape, dtype="float32")) == layouts

"""Several inputs and outputs, and open sizes, in the files of TensorFlow and of torch."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
import many_tensors

from edgebench import plugins
from edgebench.backends import savedmodel_files
from edgebench.errors import ModelRefusedError
from edgebench.measure import passes, tensors
from edgebench.protocols import Settings
from edgebench.specs import InputSpec
from edgebench.testing import check_backend

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
SPECS = (
    InputSpec(name="image", shape=(8, 8, 3)),
    InputSpec(name="vector", shape=(5,), image=False),
)
NAMES = ("scores", "features")
Make = Callable[[Path, int | None], Path]


def saved_model(folder: Path, size: int | None) -> Path:
    """`many_tensors.two` by TensorFlow: images (n, h, w, c), its inputs in another order."""
    tf: Any = pytest.importorskip("tensorflow", reason="needs tensorflow")
    with contextlib.suppress(RuntimeError):  # threads are set before its first operator, or not
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    kernel = many_tensors.WEIGHTS.transpose(2, 3, 1, 0)

    def run(vector: object, image: object) -> dict[str, object]:
        features = tf.nn.relu(tf.nn.conv2d(image, kernel, 1, "SAME"))
        scores = tf.reduce_mean(features, [1, 2]) + tf.matmul(vector, many_tensors.MATRIX)
        return {"scores": scores, "features": features}

    module = tf.Module()
    specs = [
        tf.TensorSpec([None, 5], tf.float32, name="vector"),
        tf.TensorSpec([None, size, size, 3], tf.float32, name="image"),
    ]
    module.run = tf.function(run, input_signature=specs)
    tf.saved_model.save(module, str(folder / "saved"), signatures=module.run)
    path = folder / "model.zip"
    savedmodel_files.pack(folder / "saved", path)
    return path


def tflite(folder: Path, size: int | None) -> Path:
    saved_model(folder, size)
    tf: Any = pytest.importorskip("tensorflow", reason="needs tensorflow")
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / "saved"))
    path = folder / "model.tflite"
    path.write_bytes(converter.convert())
    return path


def program(folder: Path, size: int | None) -> Path:
    """The same by torch.export, as a user may: nothing of edgebench's is in the file."""
    torch: Any = pytest.importorskip("torch", reason="needs torch")

    class Two(torch.nn.Module):  # type: ignore[misc] # a class without types
        def __init__(self) -> None:
            super().__init__()
            self.kernel = torch.nn.Parameter(torch.from_numpy(many_tensors.WEIGHTS.copy()))
            self.matrix = torch.nn.Parameter(torch.from_numpy(many_tensors.MATRIX.copy()))

        def forward(self, image: Any, vector: Any) -> dict[str, object]:  # noqa: ANN401 - tensors
            features = torch.nn.functional.conv2d(image, self.kernel, padding=1).relu()
            return {"scores": features.mean((2, 3)) + vector @ self.matrix, "features": features}

    batch, any_size = torch.export.Dim("batch"), torch.export.Dim("size", min=4)
    image = {0: batch} if size else {0: batch, 2: any_size, 3: any_size}
    given = torch.zeros(2, 3, 8, 8), torch.zeros(2, 5)
    made = torch.export.export(Two(), given, dynamic_shapes={"image": image, "vector": {0: batch}})
    path = folder / "model.pt2"
    torch.export.save(made, path)
    return path


READERS: list[tuple[str, Make, str]] = [
    ("tensorflow", saved_model, "NHWC"),
    ("litert", tflite, "NHWC"),
    ("openvino", tflite, "NHWC"),
    ("torch", program, "NCHW"),
]


def backend_of(name: str) -> Any:  # noqa: ANN401 - a Backend
    probe = plugins.probe_backend(name)
    if not probe.available:
        pytest.skip(f"{probe.reason}: {probe.remedy}")
    return plugins.open_backend(name)


def drawn(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(3)
    images = rng.random((4, size, size, 3), dtype=np.float32)
    return images, rng.normal(size=(4, 5)).astype(np.float32)


def right(arrays: tuple[NDArray[Any], NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Scores, and features as (n, h, w, c), in numpy."""
    features = many_tensors.features(arrays[0])
    return features.mean((1, 2)) + arrays[1] @ many_tensors.MATRIX, features


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("name", "make", "layout"), READERS)
def test_two_inputs_and_two_outputs_keep_the_contract_and_are_right(
    name: str, make: Make, layout: str, batch: int, tmp_path: Path
) -> None:
    backend, path, settings = backend_of(name), make(tmp_path, 8), Settings(batch=batch)
    arrays = drawn(8)
    wanted = right(arrays)
    session = backend.open(path, settings)
    ring = list(passes.feeds(session, arrays, layout, batch, SPECS))
    made = passes.run_all(session, arrays, layout, batch, SPECS)
    found = tensors.in_order(session, made, wanted, NAMES, layout)
    session.close()
    assert passes.compare(found, wanted).max_abs_error < 1e-3
    check_backend(backend, path, ring, settings)


@pytest.mark.parametrize(("name", "make", "layout"), READERS)
def test_open_sizes_are_those_that_are_told_or_refused_in_a_line(
    name: str, make: Make, layout: str, tmp_path: Path
) -> None:
    backend, path = backend_of(name), make(tmp_path, None)
    with pytest.raises(ModelRefusedError, match=r"image\S* has the open shape .*--shape"):
        backend.open(path, Settings())
    arrays = drawn(6)
    sizes = (3, 6, 6) if layout == "NCHW" else (6, 6, 3)
    session = backend.open(path, Settings(shapes={"image": sizes, "vector": (5,)}))
    made = passes.run_all(session, arrays, layout, 1, SPECS)
    found = tensors.in_order(session, made, right(arrays), NAMES, layout)
    session.close()
    assert passes.compare(found, right(arrays)).max_abs_error < 1e-3


def test_torch_takes_integers_and_computes_floats_in_another_type(tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch", reason="needs torch")

    class Looked(torch.nn.Module):  # type: ignore[misc] # a class without types
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(10, 4)
            self.last = torch.nn.Linear(4, 3)

        def forward(self, index: Any) -> tuple[Any, Any]:  # noqa: ANN401 - tensors
            made = self.last(self.table(index).mean(1))
            return made, made.argmax(1)

    torch.manual_seed(1)
    path = tmp_path / "model.pt2"
    example = (torch.zeros(1, 5, dtype=torch.int64),)
    torch.export.save(torch.export.export(Looked(), example), path)
    index = np.random.default_rng(1).integers(0, 10, (4, 5))
    plain, half = (
        backend_of("torch").open(path, Settings(precision=precision))
        for precision in ("fp32", "bf16")
    )
    assert [t.dtype for t in (*half.inputs, *half.outputs)] == ["int64", "float32", "int64"]
    exact, near = (passes.run_all(session, index, "", 1) for session in (plain, half))
    parity = passes.compare(near, exact)
    assert 0.99 < parity.cosine < 1.0
    assert parity.equal_ratio is not None
    assert half.effective().precision == "bf16"
    for session in (plain, half):
        session.close()

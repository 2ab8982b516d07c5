"""The stages from an image file to an answer: the same on both libraries, in order, all counted."""

from __future__ import annotations

import hashlib
import importlib
from array import array
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench import plugins, resources, wire
from edgebench.errors import ModelRefusedError
from edgebench.measure import answers, e2e, loop, methods, passes, pipeline
from edgebench.protocols import Session, Settings
from edgebench.records import Case
from edgebench.report.columns import STAGES
from edgebench.samples import Samples
from edgebench.specs import PreprocessSpec
from edgebench.testing import NullSession

SCENE = resources.scene_file().read_bytes()
LIBRARIES: dict[str, Callable[[], pipeline.Library]] = {
    "opencv": lambda: pipeline.OpenCV(1),
    "pillow": pipeline.Pillow,
}
GREY_LEVELS = 2.0
"""Between the two libraries: each rounds colours and interpolates in its own fixed point."""
COVERED = PreprocessSpec(
    resize=(256, 256),
    crop="center",
    mean=(123.7, 116.3, 103.5),
    std=(58.4, 57.1, 57.4),
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")


@pytest.fixture
def request_for(case: Callable[..., Case]) -> Callable[..., wire.LaunchRequest]:
    """Makes requests for an fp32 workload of region e2e; no file but the image is read."""

    def make(name: str = "cifar10_cnn", **changes: object) -> wire.LaunchRequest:
        spec = resources.open_workload(name).spec
        backend = str(changes.pop("backend", "onnxruntime"))
        sha256 = hashlib.sha256(SCENE).hexdigest()
        batch = changes.pop("batch", 1)
        one = case(workload=name, backend=backend, region="e2e", image_sha256=sha256, batch=batch)
        fields: dict[str, object] = {
            "parent_pid": 0,
            "run_id": "r",
            "case_id": one.case_id,
            "launch": 0,
            "started_at_utc": "2026-01-01T00:00:00Z",
            "case": one,
            "model_path": "",
            "model_layout": "NHWC",
            "model_sha256": "",
            "reference_path": "",
            "preprocess": spec.preprocess,
            "labels": spec.labels,
            "image_path": str(resources.scene_file()),
            "warmup_s": 0.0,
            "warmup_max_s": 1.0,
            "measure_s": 0.0,
        }
        return wire.LaunchRequest(**{**fields, **changes})  # type: ignore[arg-type]

    return make


def through(made: pipeline.Pipeline, last: str) -> object:
    """What the stage ``last`` makes of the scene."""
    value: object = SCENE
    for name, step in made.steps.items():
        value = step(value)
        if name == last:
            break
    return value


def null_session(shape: str, batch: int = 1) -> NullSession:
    return NullSession(Settings(batch=batch, options={"shape": shape}))


@pytest.mark.parametrize(
    ("name", "changes", "shape"),
    [
        ("mnist_cnn", {}, "28,28,1"),
        ("cifar10_cnn", {}, "32,32,3"),
        ("cifar10_cnn", {"preprocess": COVERED}, "224,224,3"),
    ],
    ids=["grey", "colour", "covered and cropped"],
)
def test_both_libraries_make_the_same_input(
    request_for: Callable[..., wire.LaunchRequest],
    name: str,
    changes: dict[str, object],
    shape: str,
) -> None:
    request = request_for(name, **changes)
    made = {}
    for library, images in LIBRARIES.items():
        built = pipeline.build(request, null_session(shape), images())
        assert built.words.startswith(library)
        feeds = through(built, "normalise")
        assert isinstance(feeds, dict)
        made[library] = feeds["input"]
    assert request.preprocess is not None
    apart = np.abs(made["opencv"] - made["pillow"]) * np.asarray(request.preprocess.std)
    assert float(apart.max()) <= GREY_LEVELS
    assert float(made["opencv"].std()) > 0.1


@pytest.mark.parametrize("images", LIBRARIES.values(), ids=LIBRARIES)
def test_resampling_takes_the_neighbours_of_half_pixel_centres(
    images: Callable[[], pipeline.Library], tmp_path: Path
) -> None:
    from PIL import Image

    ramp = np.arange(40, dtype=np.uint8)[np.newaxis, :, np.newaxis] * np.ones((40, 1, 3), np.uint8)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    library = images()
    small = library.resize(library.decode((tmp_path / "ramp.png").read_bytes()), 10, 10)
    # Output i lies at 4 i + 1.5 between two inputs: no average over all four of them.
    expected = 4 * np.arange(10) + 1.5
    found = library.pixels(small, gray=False)[5, :, 0].astype(float)
    assert np.abs(found - expected).max() <= 0.5


@pytest.mark.parametrize("images", LIBRARIES.values(), ids=LIBRARIES)
def test_the_middle_of_a_covering_image_is_cut_out(
    request_for: Callable[..., wire.LaunchRequest], images: Callable[[], pipeline.Library]
) -> None:
    library = images()
    built = pipeline.build(request_for(preprocess=COVERED), null_session("224,224,3"), library)
    assert list(built.steps) == list(STAGES)
    (resized,) = built.steps["resize"](built.steps["decode"](SCENE))
    assert library.size(resized) == (256, 341)  # 960 x 1280, its shorter side 256
    (cropped,) = built.steps["crop"]([resized])
    pixels = library.pixels(resized, gray=False)[16:240, 58:282]
    assert np.array_equal(library.pixels(cropped, gray=False), pixels)


def test_normalising_is_what_the_accuracy_pass_does(
    request_for: Callable[..., wire.LaunchRequest],
) -> None:
    library = pipeline.Pillow()
    request = request_for(preprocess=COVERED, model_layout="NHWC")
    built = pipeline.build(request, null_session("224,224,3"), library)
    cropped = through(built, "crop")
    assert isinstance(cropped, list)
    pixels = library.pixels(cropped[0], gray=False)
    feeds = built.steps["normalise"](cropped)
    expected = passes.normalise(pixels[np.newaxis], COVERED.mean, COVERED.std)
    assert np.array_equal(feeds["input"], expected)


def test_every_nanosecond_of_a_pass_belongs_to_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]

    def clock() -> int:
        now[0] += 2
        return now[0]

    def takes(time_ns: int) -> Callable[[list[int]], list[int]]:
        def step(value: list[int]) -> list[int]:
            now[0] += time_ns
            return [*value, time_ns]

        return step

    monkeypatch.setattr(loop, "perf_counter_ns", clock)
    stamps = array("q", bytes(8 * 4 * 2))
    loop.staged([takes(10), takes(20), takes(30)], [], 2, stamps)
    one, other = np.asarray(stamps).reshape(2, 4)
    assert np.diff(one).tolist() == np.diff(other).tolist() == [12, 22, 32]
    assert other[0] - one[-1] == 2


SHIPPED = ("onnxruntime", "litert", "openvino", "opencv-dnn")
"""Backends that read a format which workloads ship; the others' models are derived."""


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ["mnist_cnn", "cifar10_cnn"])
@pytest.mark.parametrize("images", LIBRARIES)
def test_all_backends_give_one_answer_stage_by_stage(
    request_for: Callable[..., wire.LaunchRequest],
    monkeypatch: pytest.MonkeyPatch,
    images: str,
    name: str,
    batch: int,
) -> None:
    monkeypatch.setattr(pipeline, "library", lambda _: LIBRARIES[images]())
    workload = resources.open_workload(name)
    found: list[answers.Answer] = []
    for backend_name in SHIPPED:
        backend = plugins.open_backend(backend_name)
        model = workload.model(backend.formats[0], "fp32")
        assert model is not None
        session = backend.open(workload.file(model.path), Settings(batch=batch))
        request = request_for(name, backend=backend_name, model_layout=model.layout, batch=batch)
        inputs, _ = passes.load_reference(workload.file("reference.npz"))
        session.bind(passes.ring(session, inputs, model.layout, batch, 4))
        fields = e2e.measure(context(request, session))
        made = through(pipeline.build(request, session, LIBRARIES[images]()), "postprocess")
        session.close()
        assert isinstance(made, list)
        assert len(made) == batch
        found += made
        _holds_together(fields)
    first = found[0]
    assert sum(chance for _, chance in first) <= 1.0 + 1e-6
    assert {label for label, _ in first} <= set(workload.spec.labels)
    for other in found[1:]:
        assert [label for label, _ in other][:2] == [label for label, _ in first][:2]
        assert [c for _, c in other] == pytest.approx([c for _, c in first], abs=1e-4)


def context(request: wire.LaunchRequest, session: Session) -> methods.Context:
    return methods.Context(
        request=request,
        session=session,
        open_session=lambda batch, slots=None: session,  # noqa: ARG005 - an Opener
        close_session=lambda _: None,
        ring=4,
        expected_ns=1,
        alive=lambda: None,
    )


def _holds_together(fields: methods.Fields) -> None:
    """At least five images, each stage stamped in each, all of them adding up to the latency."""
    latency, stages = fields["latency_ns"], fields["stage_ns"]
    assert isinstance(latency, Samples)
    assert isinstance(stages, dict)
    assert len(latency) == fields["inferences"]
    assert len(latency) >= 5
    assert list(stages) == [stage for stage in STAGES if stage != "crop"]
    total = np.sum([np.asarray(series) for series in stages.values()], axis=0)
    assert np.array_equal(total, np.asarray(latency))
    window_ns = fields["window_ns"]
    assert isinstance(window_ns, int)
    assert window_ns >= int(total.sum())
    assert np.median(np.asarray(stages["decode"])) > 1e6  # a million pixels are not free


def test_a_session_that_is_not_fed_is_found(
    request_for: Callable[..., wire.LaunchRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    workload = resources.open_workload("cifar10_cnn")
    session = plugins.open_backend("onnxruntime").open(
        workload.file("models/fp32.onnx"), Settings()
    )
    inputs, _ = passes.load_reference(workload.file("reference.npz"))
    session.bind(passes.ring(session, inputs, "NCHW", 1, 4))
    session.stage(0)
    monkeypatch.setattr(session, "feed", lambda _: None)
    with pytest.raises(ModelRefusedError, match="its ring"):
        e2e.measure(context(request_for(model_layout="NCHW"), session))
    session.close()


def test_another_image_than_planned_is_refused(
    request_for: Callable[..., wire.LaunchRequest], tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(SCENE + b"\0")
    request = request_for(image_path=str(tmp_path / "a.jpg"))
    with pytest.raises(ModelRefusedError, match="planned with"):
        e2e.measure(context(request, null_session("32,32,3")))


def test_preprocessing_that_misses_the_input_is_refused(
    request_for: Callable[..., wire.LaunchRequest],
) -> None:
    with pytest.raises(ModelRefusedError, match="takes"):
        pipeline.build(request_for("mnist_cnn"), null_session("32,32,3"), pipeline.Pillow())


def test_pillow_steps_in_for_opencv_and_nothing_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    really = importlib.import_module
    missing = {"cv2"}

    def importing(name: str) -> ModuleType:
        if name.split(".", maxsplit=1)[0] in missing:
            raise ImportError(name)
        return really(name)

    assert pipeline.library(1).words.startswith("opencv")
    monkeypatch.setattr(importlib, "import_module", importing)
    assert pipeline.library(1).words.startswith("pillow")
    missing.add("PIL")
    with pytest.raises(ModelRefusedError, match="pip install pillow"):
        pipeline.library(1)


def test_the_likeliest_classes_come_first() -> None:
    logits: NDArray[np.float32] = np.array([[0.0, 3.0, 1.0, 2.0, -1.0, -2.0]], np.float32)
    (soft,) = answers.likeliest(logits, list("abcde"), softmax=True)
    assert [label for label, _ in soft] == ["b", "d", "c", "a", "e"]
    assert soft[0][1] == pytest.approx(np.exp(3) / np.exp(logits).sum())
    (plain,) = answers.likeliest(-logits, list("abcde"), softmax=False)
    assert plain[0] == ("5", 2.0)  # a class without a label is told by its number

"""Which of a model's tensors is which of the workload's, and what is told of several outputs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench import resources, wire
from edgebench.errors import ModelRefusedError, WireError
from edgebench.measure import passes, tensors
from edgebench.protocols import Feeds, Settings, Tensor
from edgebench.records import Case
from edgebench.runner import requests
from edgebench.specs import InputSpec
from edgebench.testing import NullSession
from edgebench.wire import LaunchRequest

IMAGE = InputSpec(name="image", shape=(4, 6, 3))
VECTOR = InputSpec(name="vector", shape=(5,), image=False)
Declared = tuple[str, tuple[int, ...]]
INDEX = InputSpec(name="index", shape=(5,), dtype="int64", image=False)


class Echo(NullSession):
    """A session of any inputs; each output is the input of the same place, flattened or not."""

    def __init__(self, ins: list[Tensor], outs: list[Tensor] | None = None) -> None:
        super().__init__(Settings(batch=ins[0].shape[0]))
        self.inputs: tuple[Tensor, ...] = tuple(ins)  # type: ignore[assignment] # one there
        outs = ins if outs is None else outs
        self.outputs: tuple[Tensor, ...] = tuple(outs)  # type: ignore[assignment] # as above
        self.given: Feeds = {}

    def bind(self, ring: Sequence[Feeds]) -> None:
        self.given = ring[0]

    def read(self) -> dict[str, NDArray[Any]]:
        pairs = zip(self.outputs, self.given.values(), strict=True)
        return {tensor.name: array.reshape(tensor.shape) for tensor, array in pairs}


def tensor(name: str, *shape: int, dtype: str = "float32", layout: str = "") -> Tensor:
    return Tensor(name=name, shape=shape, dtype=dtype, layout=layout)


def arrays(*specs: InputSpec, count: int = 4) -> tuple[NDArray[Any], ...]:
    rng = np.random.default_rng(1)
    return tuple((rng.random((count, *one.shape)) * 9).astype(one.dtype) for one in specs)


def request_for(path: Path, layout: str = "", **changes: object) -> LaunchRequest:
    case = Case(
        workload="a",
        workload_version=1,
        source_sha256="0" * 64,
        backend="null",
        format="onnx",
        precision="fp32",
    )
    fields: dict[str, Any] = {
        "parent_pid": os.getpid(),
        "run_id": "r",
        "case_id": case.case_id,
        "launch": 0,
        "started_at_utc": "now",
        "case": case,
        "model_path": "model",
        "model_layout": layout,
        "model_sha256": "0" * 64,
        "reference_path": str(path),
        "warmup_s": 0.0,
        "warmup_max_s": 0.0,
        "measure_s": 0.0,
    }
    return LaunchRequest(**fields | changes)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("vector", (1, 5)), ("image", (1, 3, 4, 6))),  # by name, in another order
        (("serving_default_vector:0", (1, 5)), ("image:0", (1, 3, 4, 6))),  # as TensorFlow calls
        (("in0", (1, 5)), ("in1", (1, 3, 4, 6))),  # by shape
    ],
)
def test_inputs_are_found_by_name_or_shape(first: Declared, second: Declared) -> None:
    session = Echo([tensor(name, *shape) for name, shape in (first, second)])
    image, vector = arrays(IMAGE, VECTOR)
    (feed, *_) = passes.feeds(session, (image, vector), "NCHW", 1, (IMAGE, VECTOR))
    np.testing.assert_array_equal(feed[first[0]], vector[:1])
    np.testing.assert_array_equal(feed[second[0]], image[:1].transpose(0, 3, 1, 2))


def test_inputs_of_one_shape_are_told_apart_by_type_then_by_place() -> None:
    vector, index, other = arrays(VECTOR, INDEX, VECTOR)
    specs = (VECTOR, INDEX, InputSpec(name="other", shape=(5,), image=False))
    ins = [tensor("a", 1, 5, dtype="int64"), tensor("b", 1, 5), tensor("c", 1, 5)]
    (feed, *_) = passes.feeds(Echo(ins), (vector, index, other), "", 1, specs)
    assert feed["a"].dtype == np.int64
    np.testing.assert_array_equal(feed["a"], index[:1])
    np.testing.assert_array_equal(feed["b"], vector[:1])
    np.testing.assert_array_equal(feed["c"], other[:1])


def test_what_is_no_image_is_not_transposed() -> None:
    cube = InputSpec(name="cube", shape=(4, 6, 3), image=False)
    (feed, *_) = passes.feeds(Echo([tensor("cube", 1, 4, 6, 3)]), arrays(cube), "NCHW", 1, (cube,))
    np.testing.assert_array_equal(feed["cube"], arrays(cube)[0][:1])


def test_a_tensor_without_a_batch_takes_one_sample_and_no_more() -> None:
    state = InputSpec(name="state", shape=(2, 1, 4), image=False)
    given = arrays(VECTOR, state)
    session = Echo([tensor("vector", 1, 5), tensor("state", 2, 1, 4)])
    vectors, states = passes.run_all(session, given, "", 1, (VECTOR, state))
    np.testing.assert_array_equal(vectors, given[0])
    np.testing.assert_array_equal(states, given[1])
    session = Echo([tensor("vector", 3, 5), tensor("state", 2, 1, 4)])
    with pytest.raises(ModelRefusedError, match=r"state is .* does not take a batch of 3"):
        passes.run_all(session, given, "", 3, (VECTOR, state))


def test_what_an_input_cannot_take_is_refused_in_a_line() -> None:
    vector = arrays(VECTOR)
    with pytest.raises(ModelRefusedError, match="has 2 inputs, the workload 1"):
        next(passes.feeds(Echo([tensor("a", 1, 5), tensor("b", 1, 5)]), vector, "", 1))
    with pytest.raises(ModelRefusedError, match="takes uint8, the workload has float32"):
        next(passes.feeds(Echo([tensor("a", 1, 5, dtype="uint8")]), vector, "", 1))
    with pytest.raises(ModelRefusedError, match=r"input is \(1, 7\), not \(5,\)"):
        next(passes.feeds(Echo([tensor("a", 1, 7)]), vector, "", 1))
    pixels = InputSpec(name="a", shape=(5,), dtype="uint8", image=False)
    (feed, *_) = passes.feeds(Echo([tensor("a", 1, 5)]), arrays(pixels), "", 1, (pixels,))
    assert feed["a"].dtype == np.float32


def test_outputs_come_in_the_order_and_layout_of_the_reference(tmp_path: Path) -> None:
    """As a detector's do that a converter has renamed and reordered."""
    image, vector = arrays(IMAGE, VECTOR)
    outs = [tensor("out0", 1, 5), tensor("out1", 1, 3, 4, 6)]
    session = Echo([tensor("vector", 1, 5), tensor("image", 1, 3, 4, 6)], outs)
    request = request_for(tmp_path, "NCHW", inputs=(IMAGE, VECTOR), outputs=("pixels", "rest"))
    found = passes.answers(session, request, (image, vector), (image, vector))
    parity = passes.compare(found, (image, vector))
    assert parity.cosine == pytest.approx(1.0)
    assert parity.max_abs_error == 0.0
    assert (parity.top1_ratio, parity.equal_ratio) == (None, None)
    flat = vector.reshape(4, 1, 5)  # a size of 1 that a converter dropped
    _, last = passes.answers(session, request, (image, vector), (image, flat))
    np.testing.assert_array_equal(last, flat)
    with pytest.raises(ModelRefusedError, match="has 2 outputs, the reference 3"):
        passes.answers(session, request, (image, vector), (image, vector, vector))


def test_outputs_of_one_shape_are_found_by_name() -> None:
    one, other = arrays(VECTOR, VECTOR)
    outs = [tensor("second", 1, 5), tensor("first", 1, 5)]
    session = Echo(outs)
    names = ("first", "second")
    found = tensors.in_order(session, (one, other + 1), (one, other), names, "")
    np.testing.assert_array_equal(found[0], other + 1)
    np.testing.assert_array_equal(found[1], one)


def test_the_worst_output_speaks_and_integers_are_right_or_wrong() -> None:
    rng = np.random.default_rng(1)
    maps = rng.normal(size=(4, 6, 6, 3)).astype(np.float32)
    labels = maps.argmax(axis=3)
    wrong = labels.copy()
    wrong[0, 0, :3] += 1
    parity = passes.compare((maps, -maps, wrong), (maps, maps, labels))
    assert parity.cosine == pytest.approx(-1.0)
    assert parity.equal_ratio == pytest.approx(1 - 3 / labels.size)
    assert parity.top1_ratio is None
    alone = passes.compare(wrong, labels)
    assert alone.equal_ratio == parity.equal_ratio
    assert 0.9 < alone.cosine < 1.0


def test_zeros_that_are_right_are_right() -> None:
    zeros = np.zeros((2, 3, 3, 1), np.float32)
    assert passes.compare(zeros, zeros).cosine == 1.0
    assert passes.compare(zeros + 1, zeros).cosine < 0.001


def test_what_is_faint_is_not_judged_by_how_it_was_rounded() -> None:
    faint = np.abs(np.random.default_rng(1).normal(0, 4e-7, (2, 9, 9, 1)))
    rounded = np.round(faint, 7)
    assert passes.compare(rounded, faint).cosine > 0.9999
    assert passes.compare(rounded * 1e6, faint * 1e6).cosine < 0.9999
    assert passes.compare(rounded + 0.01, faint).cosine < 0.1


def test_a_reference_of_several_arrays_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "reference.npz"
    made = tensors.Reference(arrays(IMAGE, INDEX), arrays(VECTOR))
    tensors.save(path, made)
    found = passes.load_reference(path)
    assert [one.dtype.name for one in found.inputs] == ["float32", "int64"]
    for one, other in zip((*found.inputs, *found.outputs), (*made[0], *made[1]), strict=True):
        np.testing.assert_array_equal(one, other)
    tensors.save(path, tensors.Reference(arrays(IMAGE, count=4), arrays(VECTOR, count=3)))
    with pytest.raises(ModelRefusedError, match="4 inputs and 3 outputs"):
        passes.load_reference(path)
    np.savez(path, inputs=np.array([{}], object), outputs=np.zeros(1))
    with pytest.raises(ValueError, match="pickle"):
        passes.load_reference(path)


def test_random_inputs_have_each_type_s_range_and_tell_what_is_declared(tmp_path: Path) -> None:
    kinds = ("float32", "float16", "uint8", "int8", "int32", "int64", "bool")
    ins = [tensor(kind, 1, 500, dtype=kind) for kind in kinds]
    ins.append(tensor("image", 1, 3, 4, 6))
    request = request_for(tmp_path / "a.npz", "NCHW", free_inputs=True)
    passes.make_reference(Echo(ins), request)
    with np.load(tmp_path / "a.npz") as archive:
        made = [archive[f"inputs_{i}" if i else "inputs"] for i in range(len(ins))]
        outputs = [archive[f"outputs_{i}" if i else "outputs"] for i in range(len(ins))]
    assert [one.dtype.name for one in made[:-1]] == list(kinds)
    largest = [1, 1, 255, 127, 9, 9, True]
    assert all(one.min() >= 0 for one in made)
    assert [bool(one.max() <= top) for one, top in zip(made, largest, strict=False)] == [True] * 7
    assert [bool(one.max() > top * 0.9) for one, top in zip(made, largest, strict=False)] == (
        [True] * 7
    )
    assert made[-1].shape == outputs[-1].shape == (request.ring, 4, 6, 3)
    np.testing.assert_array_equal(made[-1], outputs[-1])
    told = wire.read_described(request.reference_path)
    assert told.inputs == told.outputs == tuple(ins)
    passes.make_reference(Echo(ins), request_for(tmp_path / "b.npz", "NCHW", free_inputs=True))
    with np.load(tmp_path / "b.npz") as archive:
        np.testing.assert_array_equal(archive["inputs_2"], made[2])
    with pytest.raises(WireError, match=r"c\.json does not tell"):
        wire.read_described(tmp_path / "c.npz")


def test_a_request_tells_the_shapes_that_a_file_of_its_layout_has() -> None:
    specs = (IMAGE, VECTOR)
    assert requests.shapes_of(specs, "NCHW") == {"image": (3, 4, 6), "vector": (5,)}
    assert requests.shapes_of(specs, "NHWC") == {"image": (4, 6, 3), "vector": (5,)}
    workload = resources.open_workload("mnist_cnn")
    assert requests.shapes_of(workload.spec.inputs, "NCHW") == {"input": (1, 28, 28)}

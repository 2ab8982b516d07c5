"""What an input's open sizes become: told, the batch, or refused with the input's name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench.backends import sizes
from edgebench.backends.sizes import Declared
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Settings, Tensor


def resolved(*declared: Declared, **settings: Any) -> list[tuple[int, ...]]:  # noqa: ANN401 - any of Settings
    return sizes.resolve(declared, Settings(**settings))


def test_the_first_open_size_is_the_batch_and_so_is_its_name_elsewhere() -> None:
    vector, state = Declared("vector", ("N", 5)), Declared("state", (2, "N", 4))
    assert resolved(vector, batch=3) == [(3, 5)]
    assert resolved(Declared("scalar", ()), Declared("vector", (-1, 5))) == [(), (1, 5)]
    assert resolved(vector, state) == [(1, 5), (2, 1, 4)]


@pytest.mark.parametrize("told", [(3, 4, 6), (1, 3, 4, 6)])
def test_open_sizes_are_told_with_or_without_a_batch(told: tuple[int, ...]) -> None:
    image = Declared("image", (None, 3, None, "w"))
    assert resolved(image, shapes={"image": told}) == [(1, 3, 4, 6)]
    assert resolved(image, shapes={"serving_default_image:0": told}) == [(1, 3, 4, 6)]
    assert resolved(image, shapes={"x": told}) == [(1, 3, 4, 6)]
    assert resolved(Declared("image", None), shapes={"image": told})[0][-3:] == (3, 4, 6)


def test_several_inputs_are_told_by_name_whatever_their_order() -> None:
    image, vector = Declared("image", (None, 3, None, None)), Declared("vector", (None, None))
    told = {"vector": (5,), "image": (3, 4, 6)}
    assert resolved(image, vector, batch=2, shapes=told) == [(2, 3, 4, 6), (2, 5)]


@pytest.mark.parametrize(
    ("declared", "settings", "words"),
    [
        (Declared("a", (None, None)), {}, r"input a has the open shape \[\?, \?\].*--shape"),
        (Declared("a", ("N", 3, 0, 0)), {}, r"open shape \[N, 3, 0, 0\]"),
        (Declared("a", None), {}, "of any rank"),
        (Declared("a", (1, 3, 4, 6)), {"shapes": {"a": (3, 5, 6)}}, r"a is .*, not \(3, 5, 6\)"),
        (Declared("a", (None, None)), {"shapes": {"a": (1, 2, 3)}}, r"a is .*, not \(1, 2, 3\)"),
        (Declared("a", (1, 5)), {"batch": 4}, "does not take a batch of 4"),
        (Declared("a", (4, 3, 8, 8)), {}, "does not take a batch of 1"),
    ],
)
def test_what_stays_open_or_does_not_fit_is_refused(
    declared: Declared, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelRefusedError, match=words):
        resolved(declared, **settings)


def test_another_runtime_s_names_are_no_fault_where_the_file_fixes_its_sizes() -> None:
    assert resolved(Declared("in0", (1, 3, 4, 6)), shapes={"image": (4, 6, 3)}) == [(1, 3, 4, 6)]


def test_a_batch_is_set_where_all_inputs_begin_alike() -> None:
    vector, state = Declared("vector", (1, 5)), Declared("state", (2, 1, 4))
    two = Settings(batch=2)
    assert sizes.any_batch([vector, vector], two) == [Declared("vector", [None, 5])] * 2
    assert sizes.any_batch([vector, state], two) == [vector, state]
    assert sizes.any_batch([state], Settings()) == [state]
    image = Declared("image", (4, 3, 8, 8))
    assert sizes.any_batch([image], Settings()) == [Declared("image", [None, 3, 8, 8])]


def test_shapes_that_differ_between_two_inputs_are_open() -> None:
    def run(inputs: Feeds) -> list[NDArray[Any]]:
        (array,) = inputs.values()
        return [array, array[array > 0.001]]

    told = sizes.tried(run, [Tensor(name="a", shape=(1, 50), dtype="float32")])
    assert told == [(1, 50), (None,)]
    with pytest.raises(ModelRefusedError, match=r"output b is \[\?\].* depends on the data"):
        sizes.check_outputs(zip("ab", told, strict=True), Settings())
    with pytest.raises(ModelRefusedError, match="batch of 2"):
        sizes.check_outputs([("a", (1, 50))], Settings(batch=2))


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8", "int8", "int32", "int64", "bool"])
def test_inputs_of_every_type_tell_whether_a_shape_depends_on_the_data(dtype: str) -> None:
    seen: list[NDArray[Any]] = []

    def run(inputs: Feeds) -> list[NDArray[Any]]:
        seen.append(inputs["a"])
        return [np.flatnonzero(inputs["a"])]

    assert sizes.tried(run, [Tensor(name="a", shape=(1, 3, 50), dtype=dtype)]) == [(None,)]
    assert [one.dtype.name for one in seen] == [dtype, dtype]
    assert [one.shape for one in seen] == [(1, 3, 50)] * 2
    if dtype in {"int32", "int64"}:
        assert seen[1].max() == 1  # an index may know no larger one

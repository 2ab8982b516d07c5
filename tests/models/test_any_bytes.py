"""Whatever bytes a model file has, what reads them in our own process answers in its own words."""

from __future__ import annotations

import struct
import sys
import tempfile
from pathlib import Path

import promptly
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.adopt import declared, files, onnx_file, precisions
from edgebench.backends import model_files
from edgebench.errors import EdgebenchError

sys.path.insert(0, str(Path(__file__).parent))
import broken

LIMIT_S = 2.0
XML = b"""<?xml version="1.0"?><net name="n" version="11"><layers>
<layer id="0" name="x" type="Parameter" version="opset1"><data shape="1,3,8,8" element_type="f32"/>
<output><port id="0" precision="FP32"><dim>1</dim><dim>3</dim><dim>8</dim><dim>8</dim></port>
</output>
</layer><layer id="1" name="w" type="Const" version="opset1">
<data element_type="f16" shape="8,3" offset="0" size="48"/></layer></layers><edges/></net>"""
SMALL = broken.model(
    broken.node("Add", "x w", "y"),
    *broken.VECTOR,
    broken.tensor("w", [1, 4], broken.ONES),
    broken.external("v", [1, 4], "v.bin", 16),
)
FILES = {
    "small.onnx": SMALL,
    "mnist.onnx": broken.bundled("int8.onnx"),
    "mnist.tflite": broken.bundled("int8.tflite"),
    "net.xml": XML,
    "net.param": broken.PARAM,
}


def read(path: Path) -> None:
    """All that is read of a file before a runtime sees it, in a process of its own."""
    found = files.find(path)
    declared.inputs(found)
    with tempfile.TemporaryDirectory() as folder:
        laid = files.lay(found, Path(folder), "model")
        precisions.of(laid, found.format)
    if found.format == "onnx":
        onnx_file.whole(path)
    if found.format in {"onnx", "tflite"}:
        model_files.inputs(path)


def judge(name: str, data: bytes) -> None:
    """The file is read, or refused by an error that edgebench knows; soon."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        for partner in (path.with_suffix(".bin"), path.with_name("v.bin")):
            partner.write_bytes(bytes(64))
        told = "read"
        with promptly.at_once(LIMIT_S):
            try:
                read(path)
            except EdgebenchError as error:
                told = str(error)
        assert told


def knotted(count: int, axes: int) -> bytes:
    """A TFLite file of many tensors that all are one, with so many sizes, and letters."""
    model, graphs, graph, tensors = 64, 128, 160, 224
    inputs = tensors + 4 + 4 * count
    tensor = inputs + 4 + 4 * count
    shape = tensor + 64
    data = bytearray(shape + 4 + 4 * axes)
    struct.pack_into("<I4s", data, 0, model, b"TFL3")
    struct.pack_into("<10H", data, 8, 20, 36, *range(4, 36, 4))  # the vtable of every table

    def table(place: int, *targets: int) -> None:
        struct.pack_into("<i", data, place, place - 8)
        for index, target in enumerate(targets):
            field = place + 4 + 4 * index
            struct.pack_into("<I", data, field, target - field)

    table(model, shape, shape, graphs, shape, graphs)  # of its buffers there is one
    struct.pack_into("<II", data, graphs, 1, graph - graphs - 4)
    table(graph, tensors, inputs)
    struct.pack_into("<I", data, tensors, count)
    for index in range(count):
        place = tensors + 4 + 4 * index
        struct.pack_into("<I", data, place, tensor - place)
    struct.pack_into("<I", data, inputs, count)
    kind, buffer = tensor + 8, tensor + 12  # fields that lead nowhere: both are 0
    table(tensor, shape, kind, buffer, shape, shape, shape, shape, shape)
    struct.pack_into("<I", data, shape, axes)
    return bytes(data)


@pytest.mark.parametrize(("count", "axes"), [(100_000, 100_000), (10_000, 64)])
def test_tensors_that_share_one_shape_do_not_keep_it_busy(count: int, axes: int) -> None:
    judge("knotted.tflite", knotted(count, axes))


@pytest.mark.parametrize("name", FILES)
def test_the_files_that_are_changed_below_can_be_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    for partner in (path.with_suffix(".bin"), tmp_path / "v.bin"):
        partner.write_bytes(bytes(64))
    read(path)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_with_some_bytes_changed_is_read_or_refused(name: str, data: st.DataObject) -> None:
    whole = bytearray(FILES[name])
    # Ends and beginnings hold the structure, the middle weights.
    last = len(whole) - 1
    place = st.integers(0, min(3000, last)) | st.integers(max(0, last - 20_000), last)
    for at in data.draw(st.lists(place, min_size=1, max_size=8)):
        whole[at] = data.draw(st.sampled_from((0, 1, 4, 0x7F, 0x80, 0xFF)) | st.integers(0, 255))
    judge(name, bytes(whole))


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_a_file_that_is_cut_or_goes_on_is_read_or_refused(name: str, data: st.DataObject) -> None:
    whole = FILES[name]
    size = data.draw(st.integers(0, len(whole)))
    judge(name, whole[:size] + data.draw(st.binary(max_size=50)))

"""Whatever bytes a model file has, what reads them in our own process answers in its own words."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

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
        start = time.monotonic()
        try:
            read(path)
        except EdgebenchError as error:
            told = str(error)
        else:
            told = "read"
        assert time.monotonic() - start < LIMIT_S
        assert told


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

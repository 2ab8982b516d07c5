"""OpenVINO's XML is read to the tag, and in time that grows with its length alone."""

from __future__ import annotations

import promptly
import pytest

from edgebench.adopt import openvino_xml

GRAPH = """<?xml version="1.0"?>
<net name="n" version="11">
  <layers>
    <layer id="0" name="p" type="Parameter" version="opset1">
      <data shape="1,3,?,20..40" element_type="f32" />
      <output><port id="0" precision="FP32" names="a&amp;b,c"><dim>1</dim></port></output>
    </layer>
    <layer id="1" name="loop" type="TensorIterator" version="opset1">
      <body><layers><layer id="0" name="inner" type="Parameter" version="opset1">
        <data shape="1,2" element_type="f32"/></layer></layers></body>
    </layer>
    <layer id="2" name="bare" type="Parameter"><data shape="1,7" element_type="f32"/></layer>
    <layer id="3" name="w" type="Const"><data element_type="f16" offset="0" size="400"/></layer>
    <layer id="4" name="b" type="Const"><data element_type="f32" offset="0" size="40"/></layer>
  </layers>
</net>"""


def test_inputs_have_the_names_that_the_runtime_gives_them() -> None:
    found = [(one.name, one.shape) for one in openvino_xml.inputs(GRAPH)]
    assert found == [("a&b", (1, 3, None, None)), ("bare", (1, 7))]


def test_the_type_of_most_weights_is_the_precision() -> None:
    assert openvino_xml.precision(GRAPH) == "fp16"
    assert openvino_xml.precision(GRAPH.replace('"Const"', '"FakeQuantize"', 1)) == "int8"
    assert openvino_xml.precision("<net/>") == "fp32"


@pytest.mark.parametrize(
    "part",
    [
        '<layer name="a" type="Parameter"',
        'name="a" ',
        '<data element_type="f32"',
        '<data element_type="f32" size="',
        '<layer name="a" type="Parameter"><data shape="',
        "<layer type=",
        "a",
        '="',
    ],
)
def test_no_text_keeps_it_busy(part: str) -> None:
    hostile = "<layer " + part * (400_000 // len(part))
    with promptly.at_once(5.0):
        assert list(openvino_xml.inputs(hostile)) == []
        assert openvino_xml.precision(hostile) == "fp32"

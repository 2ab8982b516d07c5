"""The int8 writer for ncnn: plain, grouped and depthwise layers, and what it refuses."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgebench.backends import ncnn_files
from edgebench.backends.ncnn_files import Layer
from edgebench.derive.contract import Job
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Settings
from edgebench.specs import InputSpec

pytest.importorskip("ncnn", reason="needs ncnn")
SHAPE = (8, 8, 4)
"""Height, width, channels."""
GROUPS = [1, 2, 4]


def layers(groups: int) -> list[Layer]:
    """A 3x3 convolution of 4 to 4 channels in some groups, then 16 outputs of a dense layer."""
    random = np.random.default_rng(groups)
    kind = "Convolution" if groups == 1 else "ConvolutionDepthWise"
    count = 4 * (4 // groups) * 9
    grouped = {} if groups == 1 else {7: str(groups)}
    convolution = {0: "4", 1: "3", 4: "1", 5: "1", 6: str(count), **grouped}
    return [
        Layer(
            kind="Input",
            name="in",
            bottoms=[],
            tops=["in0"],
            parameters={0: "8", 1: "8", 2: "4"},
        ),
        Layer(
            kind=kind,
            name="conv",
            bottoms=["in0"],
            tops=["a"],
            parameters=convolution,
            tag=0,
            weight=random.normal(size=count).astype(np.float32),
            bias=random.normal(size=4).astype(np.float32),
        ),
        Layer(
            kind="InnerProduct",
            name="dense",
            bottoms=["a"],
            tops=["out0"],
            parameters={0: "16", 1: "0", 2: str(16 * 256)},
            tag=0,
            weight=random.normal(size=16 * 256).astype(np.float32),
        ),
    ]


def job(tmp_path: Path) -> tuple[Job, NDArray[np.uint8]]:
    images = np.random.default_rng(9).integers(0, 256, (8, *SHAPE)).astype(np.uint8)
    np.savez(tmp_path / "images.npz", images=images)
    made = Job(
        parent_pid=0,
        converter="",
        source="",
        precision="int8",
        inputs=(InputSpec(name="in0", shape=SHAPE),),
        calibration=str(tmp_path / "images.npz"),
        mean=(127.5,),
        std=(127.5,),
    )
    return made, images


@pytest.mark.parametrize("groups", GROUPS)
def test_int8_is_close_to_float32_in_plain_grouped_and_depthwise_layers(
    groups: int, tmp_path: Path
) -> None:
    from edgebench.backends.ncnn_ import Ncnn
    from edgebench.derive import ncnn_int8

    plain = ncnn_files.write_layers(layers(groups), 3)
    task, images = job(tmp_path)
    small = ncnn_int8.quantise(*plain, task)
    assert len(small[1]) < 0.4 * len(plain[1])
    read = ncnn_files.read_layers(*small)
    assert [layer.tag for layer in read[1:]] == [ncnn_files.INT8, ncnn_files.INT8]
    assert read[1].scales is not None
    assert len(read[1].scales) == (4 if groups == 1 else groups) + 1
    answers = []
    for number, files in enumerate((plain, small)):
        path = tmp_path / f"{number}.zip"
        ncnn_files.pack(path, *files)
        session = Ncnn().open(path, Settings(precision="int8" if number else "fp32"))
        scaled = ((images.astype(np.float32) - 127.5) / 127.5).transpose(0, 3, 1, 2)
        rows = []
        for image in scaled:
            session.bind([{"in0": image[np.newaxis]}])
            session.stage(0)
            session.invoke()
            rows.append(session.read()["out0"].ravel())
        assert session.effective().precision == ("int8" if number else "fp32")
        session.close()
        answers.append(np.concatenate(rows))
    exact, rounded = answers
    cosine = exact @ rounded / np.linalg.norm(exact) / np.linalg.norm(rounded)
    assert 0.999 < cosine < 1 - 1e-9


def test_weights_survive_the_round_trip_within_half_a_step(tmp_path: Path) -> None:
    from edgebench.derive import ncnn_int8

    before = layers(1)
    after = ncnn_files.read_layers(
        *ncnn_int8.quantise(*ncnn_files.write_layers(before, 3), job(tmp_path)[0])
    )
    for old, new in zip(before[1:], after[1:], strict=True):
        assert old.weight is not None
        assert new.weight is not None
        assert new.scales is not None
        scales = new.scales[:-1, np.newaxis]
        restored = new.weight.reshape(len(scales), -1) / scales
        assert np.abs(restored - old.weight.reshape(restored.shape)).max() <= 0.501 / scales.min()


def test_a_channel_of_zeros_is_no_division_by_zero(tmp_path: Path) -> None:
    from edgebench.derive import ncnn_int8

    dead = layers(1)
    assert dead[1].weight is not None
    dead[1].weight = np.zeros_like(dead[1].weight)
    made = ncnn_files.read_layers(
        *ncnn_int8.quantise(*ncnn_files.write_layers(dead, 3), job(tmp_path)[0])
    )
    assert made[1].scales is not None
    assert np.isfinite(made[1].scales).all()


def test_layers_with_weights_of_an_unknown_kind_are_refused(tmp_path: Path) -> None:
    from edgebench.derive import ncnn_int8

    strange = layers(1)
    strange[1].kind = "Deconvolution"
    with pytest.raises(ModelRefusedError, match="Deconvolution"):
        ncnn_int8.quantise(*ncnn_files.write_layers(strange, 3), job(tmp_path)[0])


def test_a_model_without_multiplications_is_refused(tmp_path: Path) -> None:
    from edgebench.derive import ncnn_int8

    with pytest.raises(ModelRefusedError, match="no convolution"):
        ncnn_int8.quantise(*ncnn_files.write_layers(layers(1)[:1], 1), job(tmp_path)[0])


def test_weights_with_an_unknown_tag_are_refused() -> None:
    param, weights = ncnn_files.write_layers(layers(1), 3)
    with pytest.raises(ModelRefusedError, match="unknown tag"):
        ncnn_files.read_layers(param, struct.pack("<I", 77) + weights[4:])

"""Which workloads are judged, and what is said where there is nothing to judge on."""

from __future__ import annotations

from pathlib import Path

import handmade
import numpy as np
import pytest

from edgebench.errors import UsageError
from edgebench.runner import labelled
from edgebench.specs import Workload, read_workload

SAMPLES = {"images": np.zeros((2, 4, 4, 3), np.uint8), "masks": np.zeros((2, 4, 4), np.uint8)}


def segmenter(folder: Path, *lines: str) -> dict[str, Workload]:
    made = handmade.segmenter(folder, SAMPLES)
    toml = made / "workload.toml"
    toml.write_text(toml.read_text().replace("version = 1", "\n".join(["version = 1", *lines]), 1))
    return {"pixels": read_workload(made)}


def test_a_segmenter_is_judged_on_its_own_samples(tmp_path: Path) -> None:
    found = labelled.choose("samples", segmenter(tmp_path))
    assert found["pixels"].path.endswith("samples.npz")
    assert found["pixels"].source == "by hand"
    assert labelled.choose("none", segmenter(tmp_path / "2")) == {}


@pytest.mark.parametrize("choice", ["samples", "full"])
def test_random_weights_are_judged_on_nothing(
    tmp_path: Path, choice: labelled.AccuracyChoice
) -> None:
    assert labelled.choose(choice, segmenter(tmp_path, 'weights = "random"')) == {}


def test_a_full_data_set_for_masks_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no full data set for segmentation") as caught:
        labelled.choose("full", segmenter(tmp_path))
    assert "--accuracy samples" in caught.value.remedy

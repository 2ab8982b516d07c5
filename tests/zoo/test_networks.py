"""The exported topology is the trained one, less dropout and softmax."""

from __future__ import annotations

import numpy as np
import pytest

from edgebench.errors import UsageError

keras = pytest.importorskip("keras", reason="needs keras, which the build extra brings")
pytest.importorskip("tensorflow", reason="needs tensorflow, which the build extra brings")

from edgebench.zoo import networks  # noqa: E402

SHAPES = {"mnist_cnn": (28, 28, 1), "cifar10_cnn": (32, 32, 3)}
# By hand: MNIST 26*26*32*9 + 11*11*64*288 + 3*3*64*576 + 576*64 + 640; CIFAR-10 likewise.
MACS = {"mnist_cnn": 2_794_240, "cifar10_cnn": 10_585_344}
PARAMETERS = {"mnist_cnn": 93_322, "cifar10_cnn": 356_810}


@pytest.mark.parametrize("name", SHAPES)
def test_sizes(name: str) -> None:
    model = networks.inference_model(name, SHAPES[name], None)
    assert networks.count_macs(model) == MACS[name]
    assert sum(weight.size for weight in networks.weights_of(model)) == PARAMETERS[name]


@pytest.mark.parametrize("name", SHAPES)
def test_softmax_of_the_exported_logits_is_what_was_trained(name: str) -> None:
    trained = networks.training_model(name, SHAPES[name], 0.5)
    exported = networks.inference_model(name, SHAPES[name], 1)
    exported.set_weights(networks.weights_of(trained))
    inputs = np.random.default_rng(0).random((1, *SHAPES[name]), dtype=np.float32)
    logits = np.asarray(exported(inputs), dtype=np.float64)
    expected = np.asarray(trained(inputs, training=False))
    got = np.exp(logits) / np.exp(logits).sum()
    assert np.allclose(got, expected, atol=1e-6)


def test_the_weights_name_depends_on_every_weight_and_their_order() -> None:
    weights = [np.zeros((2, 2), np.float32), np.ones(3, np.float32)]
    changed = [weights[0], np.array([1, 1, 1.0000001], np.float32)]
    names = {networks.source_sha256(w) for w in (weights, weights[::-1], changed)}
    assert len(names) == 3
    assert networks.source_sha256(weights) == networks.source_sha256([w.copy() for w in weights])


def test_an_unknown_workload_is_refused() -> None:
    with pytest.raises(UsageError, match="no network for the workload 'lenet'"):
        networks.inference_model("lenet", (28, 28, 1), None)

"""What the tests of a plug-in are, at the least."""

from __future__ import annotations

from edgebench_numpy import NumpyBackend

from edgebench.testing import bundled, check_backend


def test_the_contract_on_every_bundled_network() -> None:
    for workload in ("mnist_cnn", "cifar10_cnn"):
        check_backend(NumpyBackend(), *bundled(NumpyBackend(), workload=workload))

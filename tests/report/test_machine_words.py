"""A machine's parts are told where figures are: in words, and on the report's page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgebench.host.identify import identify
from edgebench.machine import Accelerator, CpuCluster
from edgebench.records import Manifest
from edgebench.report import machine_words
from edgebench.report.sections.environment import machine
from edgebench.testing import trees


def test_clusters_caches_and_accelerators_are_told_with_their_units() -> None:
    part = CpuCluster(model="Cortex-A76", cpus=4, max_mhz=2400.0)
    assert machine_words.cluster(part) == "4 x Cortex-A76, up to 2400 MHz"
    assert machine_words.cluster(CpuCluster(cpus=2), "x86_64") == "2 x x86_64"
    sizes = {"L1d": 65536, "L3": 3 << 20, "L4": 1572864}
    assert machine_words.caches(sizes) == "L1d 64 KiB, L3 3 MiB, L4 1.5 MiB"
    assert machine_words.caches({}) == ""
    npu = Accelerator(kind="npu", name="Rockchip NPU", where="platform fdab0000.npu")
    assert machine_words.accelerator(npu) == "npu: Rockchip NPU (platform fdab0000.npu, no driver)"


@pytest.mark.parametrize("name", trees.names())
def test_the_page_tells_every_machine_without_a_word_of_python(
    name: str, tmp_path: Path, manifest: Callable[..., Manifest]
) -> None:
    facts = identify(root=trees.plant(name, tmp_path))
    grid = machine(manifest(facts=facts).facts, {})
    told = {row[0].text: row[1].text for row in grid.rows}
    assert not [words for words in told.values() if "{" in words or "'" in words or "()" in words]
    assert told["cpu clusters"].startswith(f"{facts.cpu_clusters[0].cpus} x ")
    assert ("gpu: " in told.get("accelerators", "")) == bool(facts.accelerators)
    assert told["caches"].startswith("L1d ")

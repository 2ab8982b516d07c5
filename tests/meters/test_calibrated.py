"""The calibrated model as a meter: through the sampler, and where there is no model."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edgebench import power_model, sampling
from edgebench.meters.calibrated import EXCLUDES, Calibrated
from edgebench.meters.sampler import Sampler
from edgebench.power_model import ClusterModel, PowerModel
from edgebench.testing import write_tree

POLICY = "sys/devices/system/cpu/cpufreq/policy0"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine of one CPU that never sleeps and has a model of up to 1 GHz."""
    root = write_tree(
        tmp_path / "root",
        {
            "etc/machine-id": "00112233445566778899aabbccddeeff\n",
            "proc/stat": "cpu0 0 0 0 0 0 0 0\n",
            f"{POLICY}/affected_cpus": "0\n",
            f"{POLICY}/scaling_cur_freq": "1000000\n",
        },
    )
    power_model.write(
        PowerModel(
            device="board",
            device_id="unit",
            machine=power_model.machine_key(root),
            made_at_utc="2026-01-01T00:00:00Z",
            meter="planted",
            covers=("board",),
            excludes=("power supply",),
            idle_w=2.0,
            error_ratio=0.05,
            loads=9,
            clusters=(
                ClusterModel(cpus=(0,), linear_w=1.0, busy_max=1.0, min_ghz=0.5, max_ghz=1.0),
            ),
        )
    )
    return root


def _sampled(root: Path, khz: int) -> sampling.Taken:
    """What a sampler takes from it in half a second, the CPU at work for half of it."""
    write_tree(root, {f"{POLICY}/scaling_cur_freq": f"{khz}\n"})
    sampler = Sampler()
    wanted = (sampling.Wanted(name="calibrated"),)
    sampler.obey(sampling.Open(parent_pid=os.getpid(), meters=wanted, root=str(root), rate_hz=5.0))
    sampler.obey(sampling.Begin(meters=("calibrated",)))
    begin = time.perf_counter()
    while (passed := time.perf_counter() - begin) < 0.5:
        fresh = root / "proc/fresh"
        fresh.write_text(f"cpu0 {int(50 * passed)} 0 0 0 0 0 0\n")
        fresh.replace(root / "proc/stat")
        time.sleep(0.01)
    taken = sampler.obey(sampling.Halt())
    assert isinstance(taken, sampling.Taken)
    return taken


def test_its_channel_says_what_it_is_and_what_it_does_not_see(root: Path) -> None:
    meter = Calibrated()
    assert not meter.channels
    assert meter.probe(root).available
    (channel,) = meter.channels
    assert channel.tier == "model_calibrated"
    assert channel.covers == ("board",)
    assert channel.excludes == (*EXCLUDES, "power supply")
    assert channel.fit_error_ratio == 0.05
    meter.close()
    assert not meter.channels


def test_beyond_its_fit_it_gives_no_reading_and_says_so(root: Path) -> None:
    taken = _sampled(root, 3_000_000)
    assert taken.lost == {}
    assert any("3.00 GHz, fitted from 0.50 to 1.00" in words for words in taken.caveats)
    assert taken.series[0].failed_reads > 0


def test_a_reading_is_the_power_since_the_one_before(root: Path) -> None:
    meter = Calibrated()
    meter.probe(root)
    reading = meter.read()[0]
    assert reading is not None
    assert reading[1] == 2_000_000  # idle: the planted books stand still


def test_within_its_fit_the_sampler_takes_what_the_model_says(root: Path) -> None:
    taken = _sampled(root, 1_000_000)
    assert taken.caveats == ()
    (series,) = taken.series
    # All of them together: a busy machine plants late what belongs to the reading before.
    lasted_ns = np.diff(series.t_ns)
    power_uw = np.average(list(series.value)[1:], weights=lasted_ns)
    assert power_uw / 1e6 == pytest.approx(2.0 + 0.5, rel=0.1)


def test_books_that_vanish_are_no_reading(root: Path) -> None:
    meter = Calibrated()
    meter.probe(root)
    (root / "proc/stat").unlink()
    assert meter.read() == (None,)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"etc/machine-id": "another\n"}, "no model was fitted on this unit"),
        ({"etc/machine-id": ""}, "no id that tells it from others"),
        ({f"{POLICY}/affected_cpus": "0 1\n"}, "the CPUs are not those"),
    ],
)
def test_without_a_model_of_this_very_unit_it_says_so(
    root: Path, files: dict[str, str], told: str
) -> None:
    write_tree(root, files)
    found = Calibrated().probe(root)
    assert not found.available
    assert told in found.reason
    assert "edgebench devices calibrate" in found.remedy


def test_the_newest_model_of_a_unit_counts_and_damaged_ones_are_nobodys(root: Path) -> None:
    folder = power_model.folder()
    old = power_model.read(folder / "unit.toml")
    power_model.write(
        msgspec.structs.replace(old, device_id="renamed", made_at_utc="2026-02-01T00:00:00Z")
    )
    (folder / "broken.toml").write_text("schema = ")
    assert Calibrated().probe(root).version == "2026-02-01T00:00:00Z"

"""Units of a kind of device: how unlike they are, and whether chance explains it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edgebench.analysis import units
from edgebench.cli.main import cli
from edgebench.report import gather, rows
from edgebench.report import units as words
from edgebench.testing.fleet import Cell, Device, write

METRIC = "latency_p50_ms"


def _fleet(folder: Path, latencies_ms: dict[str, float], kind: str = "pi") -> None:
    for seed, (unit, latency_ms) in enumerate(latencies_ms.items(), 1):
        cells = (Cell(latency_ms=latency_ms),)
        write(folder, Device(name=kind, unit=unit, cells=cells), seed=1000 * len(kind) + seed)


def _rows(folder: Path) -> list[rows.Row]:
    return gather.read([folder])[0]


def test_units_that_differ_by_more_than_their_intervals_are_told(tmp_path: Path) -> None:
    _fleet(tmp_path, {"pi-a": 10.0, "pi-b": 10.1, "pi-c": 11.5})
    (one,) = units.of_rows(_rows(tmp_path), METRIC)
    assert one.beyond
    assert (one.spread.units, one.spread.largest_unit) == (3, "pi-c")
    (line,) = words.lines(_rows(tmp_path))
    assert line.startswith("pi: 3 units differ by 1")
    assert line.endswith("on pi-c), more than their own intervals")


def test_units_that_are_alike_are_said_to_be(tmp_path: Path) -> None:
    _fleet(tmp_path, {"pi-a": 10.0, "pi-b": 10.0})
    (one,) = units.of_rows(_rows(tmp_path), METRIC)
    assert not one.beyond
    (line,) = words.lines(_rows(tmp_path))
    assert line.endswith("no more than their own intervals")


def test_one_unit_has_no_spread(tmp_path: Path) -> None:
    _fleet(tmp_path, {"pi-a": 10.0})
    _fleet(tmp_path, {"j": 20.0}, kind="jetson")
    assert words.lines(_rows(tmp_path)) == []


@pytest.mark.parametrize("change", [{"device_setup": "quota of 1 CPUs"}, {"threads": 4}])
def test_what_ran_otherwise_is_not_held_against_it(
    tmp_path: Path, change: dict[str, object]
) -> None:
    _fleet(tmp_path, {"pi-a": 10.0, "pi-b": 20.0})
    first, second = _rows(tmp_path)
    assert units.of_rows([first, second], METRIC) != []
    assert units.of_rows([first, {**second, **change}], METRIC) == []


@pytest.mark.parametrize("change", [{"status": "failed"}, {"validity": "invalid"}])
def test_what_does_not_count_is_passed_over(tmp_path: Path, change: dict[str, object]) -> None:
    _fleet(tmp_path, {"pi-a": 10.0, "pi-b": 20.0})
    first, second = _rows(tmp_path)
    assert units.of_rows([first, {**second, **change}], METRIC) == []


def test_many_units_are_not_unlike_for_being_many() -> None:
    rng = np.random.default_rng(1)
    unlike = 0
    for _ in range(200):
        found: list[dict[str, object]] = []
        for unit in range(10):
            logs = rng.normal(0, 0.03, 6)
            half = 2.5706 * logs.std(ddof=1) / np.sqrt(6)
            value = float(np.exp(logs.mean()))
            found.append(
                {
                    "device": "pi",
                    "device_id": f"pi-{unit}",
                    "workload": "w",
                    "status": "ok",
                    "launches": 6,
                    METRIC: value,
                    "latency_p50_lo_ms": value * float(np.exp(-half)),
                    "latency_p50_hi_ms": value * float(np.exp(half)),
                }
            )
        unlike += units.of_rows(found, METRIC)[0].beyond
    assert unlike <= 20


def test_the_report_tells_it_below_its_table(tmp_path: Path) -> None:
    _fleet(tmp_path, {"pi-a\x1b[2J": 10.0, "pi-b": 11.5})
    done = CliRunner().invoke(cli, ["report", str(tmp_path)])
    assert "pi: 2 units differ by" in done.stderr
    assert "\x1b" not in done.output
    assert "units differ" not in CliRunner().invoke(cli, ["report", str(tmp_path), "--json"]).output

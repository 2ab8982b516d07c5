"""A unit's power model: kept and read back the same, and silent beyond what it was fitted to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebench import power_model
from edgebench.errors import UsageError
from edgebench.power_model import Activity, ClusterModel, PowerModel

MODEL = PowerModel(
    device="board",
    device_id="unit",
    machine="0" * 16,
    made_at_utc="2026-01-01T00:00:00Z",
    meter="csv",
    covers=("device",),
    idle_w=2.0,
    error_ratio=0.05,
    loads=12,
    clusters=(
        ClusterModel(cpus=(0, 1), linear_w=0.5, cubic_w=0.25, busy_max=2, min_ghz=0.6, max_ghz=2.4),
    ),
)


def seen(busy: float, ghz: float) -> Activity:
    return Activity(
        busy=busy, busy_ghz=busy * ghz, busy_ghz3=busy * ghz**3, min_ghz=ghz, max_ghz=ghz
    )


def test_power_is_idle_and_what_each_busy_cpu_adds() -> None:
    assert MODEL.power_w([seen(1.5, 2.0)]) == pytest.approx(2.0 + 1.5 * (0.5 * 2 + 0.25 * 8))
    assert MODEL.power_w([seen(0, 0.6)]) == 2.0


@pytest.mark.parametrize(
    ("busy", "ghz", "told"),
    [
        (2.0, 2.4, ""),
        (2.1, 2.42, ""),
        (0.01, 3.0, ""),
        (2.3, 2.4, "CPUs 0, 1: 2.30 busy, fitted up to 2.00"),
        (1.0, 2.6, "CPUs 0, 1: 2.60 to 2.60 GHz, fitted from 0.60 to 2.40"),
        (1.0, 0.4, "CPUs 0, 1: 0.40 to 0.40 GHz, fitted from 0.60 to 2.40"),
    ],
)
def test_what_it_was_not_fitted_to_is_named(busy: float, ghz: float, told: str) -> None:
    assert power_model.beyond(MODEL, [seen(busy, ghz)]) == told


words = st.text(st.characters(codec="utf-8"), max_size=20)
figures = st.floats(0, 1e6)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.tuples(words, words), figures, figures, figures | st.none())
def test_a_model_is_read_back_as_it_was_written(
    tmp_path: Path, texts: tuple[str, str], idle_w: float, linear_w: float, ghz: float | None
) -> None:
    cluster = ClusterModel(cpus=(0, 3), linear_w=linear_w, busy_max=2.0, min_ghz=ghz, max_ghz=ghz)
    model = PowerModel(
        device="board",
        device_id="unit",
        machine="0" * 16,
        made_at_utc="2026-01-01T00:00:00Z",
        meter=texts[0],
        covers=texts,
        idle_w=idle_w,
        error_ratio=0.01,
        loads=5,
        clusters=(cluster, cluster),
    )
    path = tmp_path / "unit.toml"
    path.write_text(power_model.dumps(model), encoding="utf-8")
    assert power_model.read(path) == model


def test_a_damaged_model_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "unit.toml"
    path.write_text(power_model.dumps(MODEL).replace("idle_w = 2.0", 'idle_w = "much"'))
    with pytest.raises(UsageError, match="idle_w"):
        power_model.read(path)

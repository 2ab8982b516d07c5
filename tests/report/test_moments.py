"""When a sustained inference began, and what was seen of the machine meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edgebench
from edgebench.machine import Environment, Look
from edgebench.records import Case, Manifest, Minute, Record
from edgebench.report import moments
from edgebench.runner.journal import Journal
from edgebench.samples import Samples

S = 1_000_000_000


def minute(inferences: int, *, window_s: float = 60.0) -> Minute:
    """A minute of so many inferences."""
    return Minute(
        inferences=inferences,
        window_ns=int(window_s * S),
        p50_ns=1,
        environment=Environment(),
    )


@pytest.fixture
def of(case: Callable[..., Case], record: Callable[..., Record]) -> Callable[..., list[float]]:
    """Seconds of a launch's latencies."""

    def seconds(latency_ns: list[int], **about: object) -> list[float]:
        made = {"latency_ns": Samples(latency_ns), **about}
        return [float(second) for second in moments.seconds(record(case(), **made))]

    return seconds


def test_each_minute_is_placed_by_its_own_count_and_window(of: Callable[..., list[float]]) -> None:
    told = of([10 * S] * 5, minutes=(minute(3), minute(2, window_s=40.0)))
    assert told == pytest.approx([0, 20, 40, 60, 80])


def test_within_a_minute_an_inference_lies_by_the_latencies_before_it(
    of: Callable[..., list[float]],
) -> None:
    told = of([10 * S, 30 * S, 20 * S], minutes=(minute(3),))
    assert told == pytest.approx([0, 10, 40])


def test_latencies_that_were_thinned_out_lie_where_they_were_measured(
    of: Callable[..., list[float]],
) -> None:
    # 0, 3, 6 of the first seven, 9 of the next five.
    told = of([S] * 4, minutes=(minute(7), minute(5)), counts={"kept_every": 3})
    assert told == pytest.approx([0, 20, 40, 60])


@pytest.mark.parametrize("minutes", [(), (minute(2),), (minute(9),)])
def test_a_time_that_cannot_be_told_is_not_guessed(
    of: Callable[..., list[float]], minutes: tuple[Minute, ...]
) -> None:
    assert np.isnan(of([S] * 5, minutes=minutes)).all()


def test_looks_are_placed_in_their_run_and_in_their_launch(
    tmp_path: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    seen = (
        Look(t_ns=70 * S, stage="warmup", hottest_degc=40.0),
        Look(t_ns=72 * S, stage="measure", cpu_mhz=(900.0, 1500.0), slowed_by=("a", "b")),
    )
    journal = Journal.create(tmp_path, manifest(case()))
    journal.append(record(case(), started_at_utc="2026-01-01T00:00:00Z", looks=seen))
    journal.append(record(case(), launch=1, started_at_utc="2026-01-01T00:03:00Z", looks=seen))
    found = edgebench.load_looks(tmp_path)
    assert found["minute"].tolist() == pytest.approx([0, 2 / 60, 3, 3 + 2 / 60])
    assert found["second"].tolist() == [-2, 0, -2, 0]
    last = found.iloc[-1]
    assert (last["launch"], last["stage"], last["slowed_by"]) == (1, "measure", "a, b")
    assert last["fastest_mhz"] == 1500
    assert np.isnan(last["hottest_degc"])


def test_runs_that_nobody_looked_at_have_no_looks(
    tmp_path: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    Journal.create(tmp_path, manifest(case())).append(record(case()))
    found = edgebench.load_looks(tmp_path)
    assert found.empty
    assert "slowed_by" in found.columns

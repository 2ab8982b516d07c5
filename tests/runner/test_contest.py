"""Live pairs of workers: what they leave behind, and how each way to fail is told."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from edgebench.records import Case, Manifest
from edgebench.resources import open_workload
from edgebench.runner import launcher, turns
from edgebench.runner.contenders import Contender
from edgebench.runner.contest import FILE, Contest, Outcome
from edgebench.runner.journal import Journal
from edgebench.runner.turns import Goal
from edgebench.store.read import read_run
from edgebench.units import BYTE_PER_MIB

NULL = "edgebench.testing:NullBackend"
FAULTY = "edgebench.testing:FaultyBackend"
MARK = secrets.token_hex(8)
LIMITS = launcher.Limits(timeout_s=20.0, measure_s=0.05)
ROUNDS = 20
IN_A_TURN = "100"
"""Calls of invoke after which a model of 5 ms is past its warm-up and has turns."""

Contests = Callable[..., Contest]


@pytest.fixture(autouse=True)
def _nothing_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("EDGEBENCH_TEST", MARK)
    yield
    deadline = time.monotonic() + 20  # of a busy machine
    while (left := workers()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def workers() -> list[int]:
    """Workers of these tests alone: they carry a mark in their environment."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        if "edgebench.measure.worker" in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            with contextlib.suppress(psutil.Error):
                if process.environ().get("EDGEBENCH_TEST") == MARK:
                    found.append(process.info["pid"])
    return found


def side(make_case: Callable[..., Case], backend: str, **options: str) -> Contender:
    workload = open_workload("mnist_cnn")
    case = make_case(backend=backend, options=options)
    return Contender(words=case.label, case=case, workload=workload)


@pytest.fixture
def contest(
    manifest: Callable[..., Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Contests:
    """Makes contests of two backends, 2 launches of 20 rounds of 10 inferences unless told."""
    monkeypatch.setattr(turns, "rounds", lambda *_: ROUNDS)
    shape = turns.Shape(inferences=5, dropped=5, turn_ns=0)
    monkeypatch.setattr(turns, "shape", lambda _: shape)

    def make(
        a: Contender, b: Contender, *, limits: launcher.Limits = LIMITS, launches: int = 2
    ) -> Contest:
        made = manifest(*{one.case.case_id: one.case for one in (a, b)}.values())
        return Contest(
            run_id=made.run_id,
            sides=(a, b),
            goal=Goal(min_launches=launches, max_launches=launches, target_ratio=0.5),
            seed=1,
            store=Journal.create(tmp_path, made),
            limits=limits,
        )

    return make


def stored(contest: Contest, tmp_path: Path) -> tuple[Outcome, list[tuple[int, str]]]:
    run = read_run(tmp_path / contest.outcome.run_id)
    outcome = msgspec.json.decode((run.folder / FILE).read_bytes(), type=Outcome)
    return outcome, sorted((record.launch, record.status) for record in run.records)


def test_a_planted_difference_is_measured_and_stored(
    contest: Contests, case: Callable[..., Case], tmp_path: Path
) -> None:
    sides = side(case, NULL, busy_us="1000"), side(case, NULL, busy_us="10000")
    one = contest(*sides)
    told: list[tuple[int, int]] = []
    outcome = one.run(lambda launches, wanted: told.append((len(launches), wanted)))
    assert told == [(1, 2), (2, 2)]
    assert outcome.mode == "turns"
    for launch in outcome.launches:
        assert launch.log_ratio > 0.5  # ten times as long; a gate may share its machine
        assert len(launch.a_ns) == len(launch.b_ns) == len(launch.first) == ROUNDS
        assert all(ratio is not None and ratio < 0.2 for ratio in launch.idle_cpu_ratio)
    again, records = stored(one, tmp_path)
    assert again == outcome
    assert records == [(0, "ok"), (0, "ok"), (1, "ok"), (1, "ok")]
    for record in one.records:
        assert len(record.latency_ns) == record.inferences
        assert record.parity is not None
        assert record.effective is not None
        assert record.window_ns is not None
        assert record.window_ns >= sum(record.latency_ns)


def test_a_case_against_itself_has_a_launch_of_its_own_for_each_side(
    contest: Contests, case: Callable[..., Case], tmp_path: Path
) -> None:
    one = contest(side(case, NULL, busy_us="1000"), side(case, NULL, busy_us="1000"))
    one.run(lambda *_: None)
    assert stored(one, tmp_path)[1] == [(0, "ok"), (1, "ok"), (2, "ok"), (3, "ok")]


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ("kill", "crashed", "SIGKILL"),
        ("segv", "crashed", "SIGSEGV"),
        ("raise", "failed", "planted failure"),
        ("exit", "failed", "exit code 7"),
        ("garbage", "failed", "cannot be read"),
        ("orphan_segv", "crashed", "SIGSEGV"),
    ],
)
def test_a_worker_lost_in_its_turn_is_named_and_its_partner_kept(
    contest: Contests, case: Callable[..., Case], fault: str, status: str, words: str
) -> None:
    good, bad = (
        side(case, NULL, busy_us="5000"),
        side(case, FAULTY, busy_us="5000", fault=fault, at=IN_A_TURN),
    )
    one = contest(good, bad)
    outcome = one.run(lambda *_: None)
    assert outcome.launches == ()
    assert one.failed is not None
    assert (one.failed.status, one.failed.stage) == (status, "measure")
    assert words in one.failed.reason
    kept = {record.case_id: record for record in one.records}
    assert kept[good.case.case_id].status == "ok"
    assert len(kept[good.case.case_id].latency_ns) > 10


def test_a_worker_that_hangs_in_its_turn_is_timed_out(
    contest: Contests, case: Callable[..., Case]
) -> None:
    bad = side(case, FAULTY, busy_us="5000", fault="hang", at=IN_A_TURN)
    limits = launcher.Limits(timeout_s=4.0, measure_s=0.05)
    one = contest(side(case, NULL, busy_us="5000"), bad, limits=limits)
    start = time.monotonic()
    one.run(lambda *_: None)
    assert one.failed is not None
    assert (one.failed.status, one.failed.stage) == ("timeout", "measure")
    assert time.monotonic() - start < 120, "it hangs for an hour"


def test_a_model_that_does_not_load_ends_it_before_any_turn(
    contest: Contests, case: Callable[..., Case]
) -> None:
    one = contest(side(case, NULL), side(case, FAULTY, fault="refuse", at="open"))
    one.run(lambda *_: None)
    assert one.failed is not None
    assert (one.failed.stage, one.failed.reason) == ("load", "planted refusal")
    assert [record.status for record in one.records] == ["failed"]


def test_two_that_do_not_fit_together_alternate_as_whole_launches(
    contest: Contests, case: Callable[..., Case], tmp_path: Path
) -> None:
    sides = side(case, NULL, busy_us="1000"), side(case, NULL, busy_us="10000")
    alone = worker_mib()
    limits = launcher.Limits(
        timeout_s=20.0, measure_s=0.05, memory_byte=int(1.5 * alone * BYTE_PER_MIB)
    )
    one = contest(*sides, limits=limits)
    outcome = one.run(lambda *_: None, enough=lambda: len(one.outcome.launches) >= 2)
    assert outcome.mode == "abba"
    assert "both models together take" in outcome.why_abba
    assert outcome.goal.min_launches == 12
    assert [launch.first for launch in outcome.launches] == ["b", "a"]
    assert outcome.launches[0].log_ratio > 0.5
    assert one.failed is None
    assert stored(one, tmp_path)[0] == outcome


def worker_mib() -> float:
    """Resident memory of a null worker."""
    code = "import numpy, psutil, edgebench.testing, edgebench.measure.worker as w; "
    code += "print(psutil.Process().memory_info().rss / (1 << 20))"
    return float(subprocess.check_output([sys.executable, "-c", code]))


PARENT = """
import sys
from edgebench.cli.main import main
sys.argv = ["edgebench", "ab", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_both_workers_die_with_their_parent(tmp_path: Path, number: signal.Signals) -> None:
    words = [f"mnist_cnn/{NULL}/fp32/busy_us={us}" for us in (2000, 2100)]
    run = [sys.executable, "-c", PARENT, *words, "-o", str(tmp_path / "out")]
    parent = subprocess.Popen(
        run, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(os.environ)
    )
    deadline = time.monotonic() + 60
    while len(pair := workers()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(pair) == 2, "there was never a live pair"
    parent.send_signal(number)
    out, _ = parent.communicate(timeout=60)
    assert parent.returncode == (130 if number == signal.SIGTERM else -9)
    assert b"Traceback" not in out  # the fixture above sees to it that no worker is left

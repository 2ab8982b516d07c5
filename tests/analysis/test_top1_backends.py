"""The acceptance script for top-1 across backends can fail: planted runs, one fault each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from edgebench.records import Accuracy, Case, Effective, Manifest, Precision, Record
from edgebench.runner.journal import Journal
from edgebench.samples import deflate_bits

SCRIPT = Path(__file__).resolve().parents[1] / "acceptance" / "top1_backends.py"


class Planted(NamedTuple):
    """A cell and its answers."""

    backend: str
    precision: Precision
    wrong: tuple[int, ...]
    """Images that it has wrong."""
    ran: str = ""
    samples: int = 10_000


GOOD = (
    Planted("onnxruntime", "fp32", (*range(100),)),
    Planted("litert", "fp32", (*range(105),)),
    Planted("onnxruntime", "int8", (*range(200),)),
    Planted("onnxruntime", "fp16", (*range(5000),), ran="fp32"),
)


@pytest.fixture
def judged(
    tmp_path: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> Callable[..., tuple[int, str]]:
    """Stores a run of both workloads as planted and judges it: exit code and words."""

    def made(planted: tuple[Planted, ...]) -> Iterator[tuple[Case, Record]]:
        for workload in ("mnist_cnn", "cifar10_cnn"):
            for one in planted:
                wrong = set(one.wrong)
                hits = [index not in wrong for index in range(one.samples)]
                accuracy = Accuracy(
                    samples=one.samples, correct=sum(hits), source="x", hits=deflate_bits(hits)
                )
                cell = case(workload=workload, backend=one.backend, precision=one.precision)
                ran = Effective(precision=one.ran or one.precision)
                yield cell, record(cell, accuracy=accuracy, effective=ran)

    def judge(*planted: Planted) -> tuple[int, str]:
        cells = list(made(planted))
        journal = Journal.create(tmp_path, manifest(*(cell for cell, _ in cells)))
        for _, launch in cells:
            journal.append(launch)
        done = subprocess.run(
            [sys.executable, str(SCRIPT), "--run", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return judge


def test_it_passes_at_its_limits_and_judges_no_other_precision(
    judged: Callable[..., tuple[int, str]],
) -> None:
    code, words = judged(*GOOD)
    assert code == 0, words
    assert "FAIL" not in words
    assert "fp16 (ran fp32)" in words
    assert "loses +0.05 points" in words
    assert "lost 100, won 0" in words


@pytest.mark.parametrize(
    ("planted", "words"),
    [
        ((*GOOD, Planted("mnn", "fp32", (*range(106),))), "fp32 over 3 backends: spread 0.060"),
        ((*GOOD, Planted("litert", "int8", (*range(206),))), "most lost 1.01 points (litert int8)"),
        (GOOD[:1] + GOOD[2:], "fp32 over 1 backends"),
        (GOOD[:2], "0 int8 cells"),
        ((*GOOD, Planted("mnn", "int8", (), samples=9999)), "fewer images in mnn"),
        ((GOOD[0], *GOOD[2:], Planted("mnn", "fp32", (), ran="bf16")), "fp32 over 1 backends"),
    ],
    ids=["fp32 apart", "int8 lossy", "one backend", "no int8", "fewer images", "not fp32"],
)
def test_each_fault_fails(
    judged: Callable[..., tuple[int, str]], planted: tuple[Planted, ...], words: str
) -> None:
    code, told = judged(*planted)
    assert code == 1, told
    assert [one for one in told.splitlines() if one.startswith("FAIL") and words in one], told

"""`report --html` with a question, as a user meets it: the page answers, mistakes are one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

LIMIT = ("--max", "power_w=5")


def run(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench.cli.main", "report", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two boards with meters of two tiers."""
    root = tmp_path_factory.mktemp("asking")
    cells = (Cell(latency_ms=10.0, power_w=4.0),)
    fleet.write_all(
        root / "edgebench-results",
        [
            Device(name="raspberry-pi-5", cells=cells),
            Device(name="orange-pi-5", cells=cells, tier="wall_measured"),
        ],
    )
    return root


def test_the_page_answers_the_question_that_is_stated(folder: Path) -> None:
    run("--html", "page.html", *LIMIT, "--allow-tier", "wall_measured", cwd=folder)
    text = (folder / "page.html").read_text(encoding="utf-8")
    assert "power at most 5 W" in text
    assert '<strong class="take">orange-pi-5 onnxruntime fp32</strong>' in text


def test_a_question_without_a_page_is_one_line_that_says_what_to_do(folder: Path) -> None:
    done = run(*LIMIT, cwd=folder, code=2)
    [line] = done.stderr.splitlines()
    assert "add --html FILE, or ask: edgebench recommend" in line


def test_a_workload_is_no_question_of_a_table_but_rows_can_be_kept(folder: Path) -> None:
    [line] = run("-w", "mnist_cnn", cwd=folder, code=2).stderr.splitlines()
    assert line.endswith("(to keep rows: --only workload=mnist_cnn)")
    assert "mnist_cnn" in run("--only", "workload=mnist_cnn", cwd=folder).stdout


@pytest.mark.parametrize(
    ("mistake", "mends"),
    [
        (LIMIT, "--allow-tier"),
        (("-w", "nosuch"), "of: mnist_cnn"),
        (("--max", "latency=5"), "did you mean"),
        (("--price", "nosuch=5"), "one of"),
        (("--max", "power_w"), "write it like"),
    ],
)
def test_what_cannot_be_answered_is_one_line_and_no_page(
    folder: Path, mistake: tuple[str, ...], mends: str
) -> None:
    done = run("--html", "none.html", *mistake, cwd=folder, code=2)
    assert len(done.stderr.splitlines()) == 1
    assert mends in done.stderr
    assert not (folder / "none.html").exists()


def test_a_page_that_cannot_be_written_is_told_before_anything_is_read(folder: Path) -> None:
    done = run("nowhere", "--html", "no/such/page.html", cwd=folder, code=2)
    [line] = done.stderr.splitlines()
    assert "cannot write no/such/page.html: no folder" in line

"""`edgebench run` with a budget, a target, --require-valid and --verbose, on fake backends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

import edgebench
from edgebench.cli.params import Duration, Ratio

NULL = "edgebench.testing:NullBackend"
FAULTY = "edgebench.testing:FaultyBackend"


def run(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench.cli.main", "run", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def short(tmp_path: Path) -> tuple[str, ...]:
    """Options for a run of one short cell on the null backend."""
    config = tmp_path / "null.toml"
    config.write_text(f'[backends."{NULL}"]\noptions = {{ busy_us = "500" }}\n')
    return ("-w", "mnist_cnn", "-b", NULL, "-p", "fp32", "--config", str(config))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("10m", 600), ("1h30m", 5400), ("1h2m3s", 3723), ("90", 90), ("0.5m", 30)],
)
def test_a_time_is_written_as_people_do(text: str, seconds: float) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "m", "1x", "5m1h", "-3", "1e3", "nan", "1h30"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a time"):
        Duration().convert(text, None, None)


def test_a_share_is_a_percentage_or_a_number() -> None:
    assert [Ratio().convert(text, None, None) for text in ("1%", "0.01", " 2.5 % ")] == [
        0.01,
        0.01,
        0.025,
    ]


def test_a_budget_is_kept_stored_and_told(tmp_path: Path, short: tuple[str, ...]) -> None:
    done = run(*short, "--budget", "1m", "--target", "90%", cwd=tmp_path)
    assert "(target reached)" in done.stderr
    assert "a budget of 1 min 00 s" in done.stderr
    (folder,) = (tmp_path / "edgebench-results").iterdir()
    manifest = json.loads((folder / "run.json").read_text())
    assert manifest["ended"] == "target reached"
    assert manifest["method"]["budget_s"] == 60
    assert manifest["method"]["target_ratio"] == 0.9
    again = run("--resume", str(folder), cwd=tmp_path)
    assert "0 launches" in again.stderr
    refused = run("--resume", str(folder), "--seed", "1", cwd=tmp_path, code=2)
    assert "without --seed" in refused.stderr


def test_a_runtime_that_is_there_and_broken_is_told_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacks = "libGL.so.1: cannot open shared object file"
    (tmp_path / "onnxruntime.py").write_text(f"raise ImportError({lacks!r}, name='onnxruntime')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    told = run("-w", "mnist_cnn", "--dry-run", cwd=tmp_path).stderr
    assert f"left out: backend onnxruntime: {lacks}\n" in told
    named = run("-w", "mnist_cnn", "-b", "onnxruntime", cwd=tmp_path, code=2)
    assert lacks in named.stderr


def test_a_run_of_everything_says_what_its_aim_holds(tmp_path: Path) -> None:
    default = run("--dry-run", cwd=tmp_path)
    assert ", beyond 2 launches only as far as 50 s hold them" in default.stderr
    assert "beyond" not in run("-w", "mnist_cnn", "--dry-run", cwd=tmp_path).stderr


def test_a_run_that_leaves_out_a_block_says_so_on_the_terminal_and_in_its_manifest(
    tmp_path: Path, short: tuple[str, ...]
) -> None:
    run(*short, cwd=tmp_path)
    (folder,) = (tmp_path / "edgebench-results").iterdir()
    manifest = json.loads((folder / "run.json").read_text())
    manifest["method"]["aim_s"] = 0.1  # as if two launches had taken as long as an aim
    (folder / "run.json").write_text(json.dumps(manifest))
    results = folder / "results.jsonl"
    results.write_text("".join(results.read_text().splitlines(keepends=True)[:2]))
    done = run("--resume", str(folder), cwd=tmp_path)
    told = "2 of 3 launches: 0.1 s hold no more"
    assert f"({told}; --standard measures longer)" in done.stderr
    assert json.loads((folder / "run.json").read_text())["ended"] == told


def test_a_budget_that_holds_nothing_leaves_rows_that_say_so(
    tmp_path: Path, short: tuple[str, ...]
) -> None:
    done = run(*short, "--budget", "0.1", "--json", cwd=tmp_path)
    (row,) = json.loads(done.stdout)
    assert row["status"] == "skipped"
    assert "the run ended before it" in row["reason"]
    assert "(budget spent)" in done.stderr
    (folder,) = (tmp_path / "edgebench-results").iterdir()
    more = run("--resume", str(folder), "--budget", "20", "--json", cwd=tmp_path)
    (row,) = json.loads(more.stdout)
    assert (row["status"], row["launches"] >= 1) == ("ok", True)


def test_more_budget_for_a_run_without_one_is_refused(
    tmp_path: Path, short: tuple[str, ...]
) -> None:
    run(*short, cwd=tmp_path)
    (folder,) = (tmp_path / "edgebench-results").iterdir()
    done = run("--resume", str(folder), "--budget", "9s", cwd=tmp_path, code=2)
    assert "began without a budget" in done.stderr


def test_invalid_cells_fail_a_run_only_where_valid_ones_are_required(
    tmp_path: Path, short: tuple[str, ...]
) -> None:
    run(*short, cwd=tmp_path)  # the null backend's answers are wrong, so the cell is invalid
    assert edgebench.load(tmp_path / "edgebench-results")["validity"].tolist() == ["invalid"]
    done = run(*short, "--require-valid", cwd=tmp_path, code=3)
    assert "is invalid:\n  parity: cosine" in done.stderr


def test_verbose_tells_median_words_and_what_was_printed(tmp_path: Path) -> None:
    config = tmp_path / "noise.toml"
    config.write_text(f'[backends."{FAULTY}"]\noptions = {{ fault = "noise", busy_us = "500" }}\n')
    options = ("-w", "mnist_cnn", "-b", FAULTY, "-p", "fp32", "--config", str(config))
    done = run(*options, "--verbose", cwd=tmp_path)
    assert re.search(r"median 0\.\d+ ms of \d+", done.stderr)
    assert "ran fp32: null" in done.stderr
    assert "| planted noise" in done.stderr
    assert "lines before that in" in done.stderr
    assert "planted noise" not in run(*options, cwd=tmp_path).stderr

"""`recommend` as a user meets it: an answer, an exit code for scripts, one-line mistakes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device


def run(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench.cli.main", "recommend", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three boards in ``edgebench-results``; one workload more in ``other``."""
    root = tmp_path_factory.mktemp("choosing")
    fleet.write_all(
        root / "edgebench-results",
        [
            Device(name="raspberry-pi-5", cells=(Cell(latency_ms=10.0, top1_ratio=0.98),)),
            Device(name="orange-pi-5", cells=(Cell(latency_ms=40.0, top1_ratio=0.98),)),
            Device(name="mystery-board", cells=(Cell(latency_ms=5.0, reason="no kernel"),)),
        ],
    )
    other = Device(name="orange-pi-5", cells=(Cell(latency_ms=60.0),))
    fleet.write(root / "other", other, workload="cifar10_cnn", seed=9)
    return root


def test_without_a_limit_the_fastest_is_taken_and_exit_is_0(folder: Path) -> None:
    done = run(cwd=folder)
    assert "take raspberry-pi-5 onnxruntime fp32: latency_p50_ms" in done.stdout
    assert "mystery-board onnxruntime fp32: failed: launch 0, load: no kernel" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stderr == ""


def test_where_nothing_keeps_the_limits_that_is_said_first_and_exit_is_1(folder: Path) -> None:
    done = run("--max", "latency_p99_ms=1", cwd=folder, code=1)
    assert done.stdout.splitlines()[1].startswith("nothing keeps every limit")
    done = run("edgebench-results", "other", "--max", "latency_p99_ms=50", cwd=folder, code=1)
    assert "take raspberry-pi-5" in done.stdout


@pytest.mark.parametrize("other", [("--markdown",), ("--csv", "-")])
def test_two_forms_do_not_share_stdout(folder: Path, other: tuple[str, ...]) -> None:
    done = run("--json", *other, cwd=folder, code=2)
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)


def test_a_reader_that_has_gone_is_no_limit_that_is_broken(folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "edgebench.cli.main", "recommend"]
    with os.fdopen(write, "w") as gone:
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, cwd=folder, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_json_is_all_of_stdout_and_keeps_the_exit_code(folder: Path) -> None:
    done = run("--max", "latency_p99_ms=20", "--json", cwd=folder)
    (answer,) = json.loads(done.stdout)["answers"]
    assert answer["best"] == "raspberry-pi-5 onnxruntime fp32"
    broken = {one["name"]: one["breaks"] for one in answer["candidates"]}
    (limit,) = broken["orange-pi-5 onnxruntime fp32"]
    assert limit["sure"]
    assert limit["excess"] == pytest.approx(limit["figure"]["value"] - 20)
    run("--max", "latency_p99_ms=1", "--json", cwd=folder, code=1)


def test_csv_and_markdown(folder: Path) -> None:
    done = run("--csv", "out.csv", "--markdown", cwd=folder)
    assert done.stdout.startswith("### `mnist_cnn`")
    assert "3 rows in out.csv" in done.stderr
    with (folder / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [one["verdict"] for one in rows] == ["take", "ranked", "rejected"]
    (header, *_) = run("--csv", "-", cwd=folder).stdout.splitlines()
    assert header.startswith("question,rank,verdict,candidate")
    assert "cannot write" in run("--csv", "no/such/out.csv", cwd=folder, code=2).stderr
    # Before minutes go into reading: what is not there is not even looked for.
    assert "it is a folder" in run("absent", "--csv", ".", cwd=folder, code=2).stderr


def test_a_stated_price_goes_before_the_published_one(folder: Path) -> None:
    done = run("--max", "price_usd=70", "--price", "raspberry-pi-5=60", cwd=folder)
    assert "take raspberry-pi-5" in done.stdout
    done = run("--max", "price_usd=70", cwd=folder)
    assert "take orange-pi-5" in done.stdout


def test_one_workload_of_several_can_be_asked_for(folder: Path) -> None:
    both = run("edgebench-results", "other", cwd=folder)
    assert "one device for all 2: orange-pi-5" in " ".join(both.stdout.split())
    done = run("edgebench-results", "other", "-w", "cifar10_cnn", cwd=folder)
    assert "mnist_cnn" not in done.stdout


def test_the_front_and_the_costs_stand_beside_the_answer(folder: Path) -> None:
    need = ("--cameras", "4", "--fps", "2", "--years", "5", "--hours", "8", "--kwh-usd", "0.3")
    done = run("--pareto", "price_usd,latency_p50_ms", *need, cwd=folder)
    assert "4 cameras at 2 frames/s for 5 years, 8 h a day" in done.stdout
    assert "on the front" in done.stdout
    assert done.stdout.splitlines()[1].startswith("take orange-pi-5")  # the front's first figure
    done = run("--max", "cost_devices=1", *need, "--utilisation", "50%", "--json", cwd=folder)
    (answer,) = json.loads(done.stdout)["answers"]
    assert answer["cost"]["need"]["utilisation_ratio"] == 0.5
    assert answer["front"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--max", "latency_p99_ms"), "is no limit"),
        (("--max", "latncy_p99_ms=3"), "no figure is named 'latncy_p99_ms' (did you mean"),
        (("--min", "backend=3"), "backend is no number"),
        (("--minimise", "load_ms", "--maximise", "throughput_ips"), "rank by one figure"),
        (("-w", "nothing"), "there are no results of workload 'nothing'"),
        (("--price", "80"), "'80' is no price"),
        (("--price", "raspberry-pi-5=-1"), "no price"),
        (("--cameras", "40"), "add --cameras 40 --fps 10"),
        (("--cost",), "add --cameras 40 --fps 10"),
        (("--cameras", "0", "--fps", "10"), "cameras: 0 is not from 1"),
        (("--pareto", "latency_p50_ms"), "no objectives of a front"),
        (("--min", "cost_devices=1"), "cost_devices is of a need"),
        (("--allow-tier", "walls"), "no tier of power is named 'walls'"),
        (("no-such-folder",), "no-such-folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    folder: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = run(*arguments, cwd=folder, code=2)
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""

"""`compare` and `baseline` as a user and a CI job meet them: words, exit codes, one-line errors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebench.records import Case, Manifest, Record
from edgebench.runner.journal import Journal
from edgebench.samples import Samples
from edgebench.testing import fleet


def run(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def folder(
    tmp_path: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> Path:
    """Results folders: ``old``, ``slow`` (fp32 takes 10 % longer), ``other`` (another preset)."""
    fp32, int8 = case(), case(precision="int8")
    runs = {"old": (1000, {}), "slow": (1100, {}), "other": (1000, {"preset": "standard"})}
    for number, (name, (level, changes)) in enumerate(runs.items()):
        run_id = f"2026010{number + 1}T000000Z-00000{number}"
        store = Journal.create(tmp_path / name, manifest(fp32, int8, run_id=run_id, **changes))
        for launch in range(4):
            for one, us in ((fp32, level), (int8, 500)):
                latency = Samples([us * 1000 + 700 * launch + i % 7 for i in range(100)])
                store.append(record(one, run_id=run_id, launch=launch, latency_ns=latency))
    return tmp_path


def test_two_runs_end_in_a_table_and_exit_0(folder: Path) -> None:
    done = run("compare", "old", "slow", cwd=folder)
    assert max(map(len, done.stdout.splitlines())) <= 80
    (slower,) = (line for line in done.stdout.splitlines() if "slower" in line)
    assert "mnist_cnn/onnxruntime/fp32" in slower
    assert "1.100" in slower
    assert "same" in done.stdout
    assert "different times" in done.stderr


def test_a_broken_limit_is_exit_1_and_named_and_none_is_exit_0(folder: Path) -> None:
    done = run("compare", "old", "slow", "--fail", "latency_p50_ms:+5%", cwd=folder, code=1)
    assert "limit broken: mnist_cnn/onnxruntime/fp32: latency_p50_ms:+5%" in done.stderr
    done = run("compare", "old", "slow", "--fail", "latency_p50_ms:+20%", cwd=folder)
    assert "no limit is surely broken" in done.stderr
    run("compare", "slow", "old", "--fail", "latency_p50_ms:+5%", cwd=folder)


def test_a_ci_job_saves_commits_and_compares_a_baseline(folder: Path) -> None:
    done = run("baseline", "save", "main", "old", cwd=folder)
    assert "2 cells in edgebench-baselines/main.json" in done.stderr
    assert run("baseline", "list", cwd=folder).stdout.startswith("main ")
    limit = ("--fail", "latency_p50_ms:+5%")
    done = run("compare", "--baseline", "main", "slow", *limit, "--json", cwd=folder, code=1)
    found = json.loads(done.stdout)
    assert [row["verdict"] for row in found["rows"]] == ["slower", "same"]
    assert [one["limit"] for one in found["broken"]] == ["latency_p50_ms:+5%"]
    run("baseline", "remove", "main", cwd=folder)
    assert not list((folder / "edgebench-baselines").iterdir())


def test_a_hungrier_device_breaks_a_limit_of_energy(tmp_path: Path) -> None:
    for place, power_w in (("old", 6.0), ("new", 7.0)):
        fleet.write(tmp_path / place, fleet.Device(name="pi", cells=(fleet.Cell(power_w=power_w),)))
    done = run("compare", "old", "new", "--metric", "energy_net_mj", cwd=tmp_path)
    assert "more" in done.stdout
    limit = ("--fail", "energy_net_mj:+10%")
    done = run("compare", "old", "new", *limit, cwd=tmp_path, code=1)
    assert "limit broken: mnist_cnn/onnxruntime/fp32: energy_net_mj:+10%" in done.stderr
    run("compare", "new", "old", *limit, cwd=tmp_path)


def test_pairs_are_csv_on_stdout_or_in_a_file(folder: Path) -> None:
    metrics = ("--metric", "latency_p50_ms,rss_peak_mib")
    lines = run("compare", "old", "slow", *metrics, "--csv", "-", cwd=folder).stdout.splitlines()
    assert lines[0].startswith("metric,case,workload,")
    assert len(lines) == 1 + 2 * 2
    run("compare", "old", "slow", "--csv", "pairs.csv", cwd=folder)
    assert len((folder / "pairs.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("old",), "takes two runs, not 1"),
        (("old", "absent"), "absent does not exist"),
        (("old", "slow", "--fail", "latency_p50:+5%"), "'latency_p50' cannot be compared"),
        (("old", "slow", "--fail", "latency_p50_ms:5"), "is no limit"),
        (("old", "slow", "--metric", "model_size_mib"), "cannot be compared (one of"),
        (("old", "--baseline", "absent"), "there is no baseline 'absent'"),
        (("old", "slow", "--baseline", "x"), "name one run"),
        (("old", "slow", "--csv", "no/such/folder.csv"), "cannot write"),
    ],
)
def test_a_mistake_is_one_line_and_exit_2(
    folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = run("compare", *arguments, cwd=folder, code=2)
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("other", "limit", "words"),
    [
        ("other", "latency_p50_ms:+5%", "not comparable: other preset: quick -> standard"),
        ("slow", "top1_ratio:-1%", "can't tell: not measured in A"),
    ],
)
def test_a_gate_that_checks_nothing_is_not_passed(
    folder: Path, other: str, limit: str, words: str
) -> None:
    done = run("compare", "old", other, "--fail", limit, cwd=folder, code=2)
    assert (
        done.stderr.splitlines()[-1] == f"edgebench: {limit} could be checked on no cell: {words}"
    )


def test_runs_without_a_cell_in_common_are_refused(
    folder: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    alien = [case(workload="a"), case(workload="b")]
    store = Journal.create(folder / "alien", manifest(*alien))
    for one in alien:
        store.append(record(one))
    assert "no cell in common" in run("compare", "old", "alien", cwd=folder, code=2).stderr


def test_a_run_without_a_good_cell_is_no_baseline(
    folder: Path, case: Callable[..., Case], manifest: Callable[..., Manifest]
) -> None:
    Journal.create(folder / "empty", manifest(case()))
    assert (
        "no cell of empty is ok" in run("baseline", "save", "x", "empty", cwd=folder, code=2).stderr
    )
    assert "no name" in run("baseline", "save", "../x", "old", cwd=folder, code=2).stderr

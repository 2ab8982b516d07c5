"""`edgebench run` with a meter: mJ per inference in its rows; without one, a line and no figure."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.runner.power import NO_SENSOR
from edgebench.store.read import read_run

NULL = "edgebench.testing:NullBackend"
FAKE = "edgebench.testing:FakeMeter"
CELL = ("-w", "mnist_cnn", "-b", NULL, "-p", "fp32", "--accuracy", "none")


def edgebench(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture
def busy(tmp_path: Path) -> tuple[str, ...]:
    """Options for a run of one cell that takes 500 us an inference."""
    config = tmp_path / "null.toml"
    config.write_text(f'[backends."{NULL}"]\noptions = {{ busy_us = "500" }}\n')
    return (*CELL, "--config", str(config))


def test_a_meter_gives_energy_an_inference_in_json_csv_and_beneath_the_table(
    tmp_path: Path, busy: tuple[str, ...]
) -> None:
    window = ("--power-window", "1.2", "--power-rate", "50")
    done = edgebench("run", *busy, "--meter", FAKE, *window, "--json", cwd=tmp_path)
    assert f"power: {FAKE} (board_measured: wave)" in done.stderr
    (row,) = json.loads(done.stdout)
    assert row["power_w"] == pytest.approx(3.0)
    assert row["energy_gross_lo_mj"] <= row["energy_gross_mj"] <= row["energy_gross_hi_mj"]
    assert abs(row["energy_net_mj"]) < 1e-6
    assert row["power_samples"] >= 10
    (folder,) = (tmp_path / "edgebench-results").iterdir()
    stored = read_run(folder)
    passes = [record.power for record in stored.records if record.power is not None]
    each_ms = [(one.end_ns - one.start_ns) / 1e6 / one.inferences for one in passes]
    assert min(each_ms) >= 0.5
    assert row["energy_gross_mj"] == pytest.approx(3 * sum(each_ms) / 3)
    assert stored.manifest.method["power_s"] == 1.2
    report = edgebench("report", "--csv", "-", cwd=tmp_path)
    (read,) = csv.DictReader(io.StringIO(report.stdout))
    assert float(read["energy_gross_mj"]) == pytest.approx(row["energy_gross_mj"])
    table = edgebench("report", cwd=tmp_path)
    assert "gross" in table.stdout
    assert f"energy is board_measured, by {FAKE}: wave" in table.stderr


def test_a_named_meter_that_cannot_be_read_ends_the_run_before_it_begins(
    tmp_path: Path, busy: tuple[str, ...]
) -> None:
    done = edgebench("run", *busy, "--meter", "no-such-meter", cwd=tmp_path, code=2)
    assert "no-such-meter" in done.stderr
    assert not list(tmp_path.glob("edgebench-results/*"))


def test_a_quick_run_looks_for_no_meter_and_says_nothing_of_power(
    tmp_path: Path, busy: tuple[str, ...]
) -> None:
    done = edgebench("run", *busy, "--json", cwd=tmp_path)
    assert NO_SENSOR not in done.stderr
    (row,) = json.loads(done.stdout)
    names = [name for name in row if name.startswith(("energy_", "power_"))]
    assert names
    assert [name for name in names if row[name] is not None] == []


def test_a_dry_run_tells_what_a_power_pass_would_take(tmp_path: Path) -> None:
    plain = edgebench("run", *CELL, "--dry-run", cwd=tmp_path).stderr
    asked = edgebench("run", *CELL, "--standard", "--dry-run", cwd=tmp_path).stderr
    none = edgebench("run", *CELL, "--standard", "--meter", "none", "--dry-run", cwd=tmp_path)
    more = "2 min 00 s more where power can be measured"
    assert [more in text for text in (plain, asked, none.stderr)] == [False, True, False]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--power-offset", "3"), "--power-offset is of a log (add --power-csv FILE)"),
        (("--power-columns", "1,2"), "--power-columns is of a log (add --power-csv FILE)"),
        (("--power-covers", "board"), "add --power-csv FILE or --power-command CMD"),
        (("--meter", "none", "--power-command", "yes 1"), "excludes --power-command CMD"),
        (("--meter", "none", "--power-window", "5"), "excludes --power-window S"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    done = edgebench("run", *CELL, *options, cwd=tmp_path, code=2)
    (line,) = done.stderr.splitlines()
    assert words in line


def test_a_program_beside_the_user_measures(tmp_path: Path, busy: tuple[str, ...]) -> None:
    program = tmp_path / "watts.py"
    lines = "import time\nwhile True:\n print(3.2, flush=True)\n time.sleep(0.02)\n"
    program.write_text(f"#!{sys.executable}\n{lines}")
    program.chmod(0o755)
    window = ("--power-window", "1.2", "--power-rate", "50")
    done = edgebench("run", *busy, "--power-command", "./watts.py", *window, "--json", cwd=tmp_path)
    (row,) = json.loads(done.stdout)
    assert row["power_w"] == pytest.approx(3.2)

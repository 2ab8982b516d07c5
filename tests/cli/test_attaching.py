"""`edgebench attach`, and a run that was told of a log: an external meter's readings come later."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgebench.analysis import energy
from edgebench.cli import power_log
from edgebench.metering import Power, Series
from edgebench.meters.command import external_channel
from edgebench.plugins import names
from edgebench.records import Case, Manifest, Record
from edgebench.runner.config import RunConfig
from edgebench.runner.journal import Journal
from edgebench.samples import Samples
from edgebench.store import attached
from edgebench.store.read import read_all, read_run

UTC_NS = 1_795_342_500 * 10**9
NS = 10**9
BOOTED_NS = 5 * NS
LAUNCHES = 3
POWER_S, EVERY_S = 30, 100


def run(*arguments: str, cwd: Path, code: int = 0) -> str:
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def power_of(launch: int) -> Power:
    """Windows of a launch: 10 s idle, then 30 s of work, every 100 s."""
    begin_ns = BOOTED_NS + launch * EVERY_S * NS
    held = Series(
        meter="csv",
        channel=external_channel("wall"),
        t_ns=Samples(),
        value=Samples(),
        failed_reads=400,
    )
    return Power(
        idle_start_ns=begin_ns,
        idle_end_ns=begin_ns + 10 * NS,
        start_ns=begin_ns + 20 * NS,
        end_ns=begin_ns + (20 + POWER_S) * NS,
        inferences=1000,
        utc_offset_ns=UTC_NS - BOOTED_NS,
        series=(held,),
    )


@pytest.fixture
def folder(
    tmp_path: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> Path:
    one = case()
    store = Journal.create(tmp_path, manifest(one, preset="standard"))
    for launch in range(LAUNCHES):
        store.append(record(one, launch=launch, power=power_of(launch)))
    return store.folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_log(tmp_path / "power.csv")


def write_log(path: Path, *, shift_s: float = 0.0, seconds: int = 400) -> Path:
    """2 W, and 5 W where a launch works, every half second."""
    times = np.arange(-10, seconds, 0.5)
    works = (times >= 0) & (times % EVERY_S >= 20) & (times % EVERY_S < 20 + POWER_S)
    pairs = zip(times, np.where(works, 5.0, 2.0), strict=True)
    rows = "".join(f"{UTC_NS / NS + t - shift_s:.1f},{watt}\n" for t, watt in pairs)
    path.write_text(f"time,power_w\n{rows}")
    return path


def series_of(folder: Path) -> list[tuple[Series, ...]]:
    return [one.power.series for one in read_run(folder).records if one.power is not None]


def test_every_launch_has_its_part_of_the_log(folder: Path, log: Path) -> None:
    said = run("attach", str(folder), "--power-csv", str(log), cwd=folder.parent)
    assert "attached to 3 of 3 power passes" in said
    for launch, (series,) in enumerate(series_of(folder)):
        assert (series.meter, series.channel.tier) == ("csv", "wall_measured")
        power = power_of(launch)
        assert series.t_ns[0] <= (power.idle_start_ns or 0) < power.end_ns <= series.t_ns[-1]
        works = [w for t, w in zip(series.t_ns, series.value, strict=True) if t > power.start_ns]
        assert works[0] == 5_000_000


def test_the_records_of_the_run_stay_as_they_are(folder: Path, log: Path) -> None:
    before = (folder / "results.jsonl").read_bytes()
    run("attach", str(folder), "--power-csv", str(log), cwd=folder.parent)
    assert (folder / "results.jsonl").read_bytes() == before


def test_attaching_twice_is_attaching_once(folder: Path, log: Path) -> None:
    contents = []
    for _ in range(2):
        run("attach", str(folder), "--power-csv", str(log), cwd=folder.parent)
        contents.append((folder / attached.FILE).read_bytes())
    assert contents[0] == contents[1]


def test_a_second_attempt_takes_the_place_of_the_whole_first(folder: Path, log: Path) -> None:
    run("attach", str(folder), "--power-csv", str(log), cwd=folder.parent)
    late = ("--power-csv", str(log), "--power-offset", str(-EVERY_S))
    said = run("attach", str(folder), *late, cwd=folder.parent)
    assert "3 of 3" in said
    write_log(log, seconds=150)
    said = run("attach", str(folder), "--power-csv", str(log), cwd=folder.parent)
    assert "2 of 3" in said
    assert len(attached.read(folder)[0]) == 2


def test_wall_and_board_can_both_be_attached(folder: Path, log: Path) -> None:
    rows = log.read_text().splitlines()[1:]
    log.write_text("".join(f"{row},{float(row.split(',')[1]) - 0.5}\n" for row in rows))
    for covers, column in (("wall", "2"), ("board", "3")):
        more = ("--power-covers", covers, "--power-columns", f"1,{column}")
        run("attach", str(folder), "--power-csv", str(log), *more, cwd=folder.parent)
    tiers = [{one.channel.tier for one in series} for series in series_of(folder)]
    assert tiers == [{"wall_measured", "board_measured"}] * LAUNCHES


def test_where_a_meter_stands_can_be_put_right(folder: Path, log: Path) -> None:
    for covers in ("wall", "board"):
        arguments = ("--power-csv", str(log), "--power-covers", covers)
        run("attach", str(folder), *arguments, cwd=folder.parent)
    tiers = [{one.channel.tier for one in series if len(one.t_ns)} for series in series_of(folder)]
    assert tiers == [{"board_measured"}] * LAUNCHES


def test_of_two_copies_of_a_run_the_one_with_the_log_counts(
    folder: Path, log: Path, tmp_path: Path
) -> None:
    for name in ("earlier", "later"):
        shutil.copytree(folder, tmp_path / "copies" / name)
    for name in ("later", "earlier"):
        copy = tmp_path / "copies" / name
        run("attach", str(copy), "--power-csv", str(log), cwd=tmp_path)
        (found,), _ = read_all([tmp_path / "copies"])
        assert found.folder == copy
        (copy / attached.FILE).unlink()


def test_logs_of_wall_and_board_are_both_kept_and_never_added_up(folder: Path, log: Path) -> None:
    for covers in ("wall", "board"):
        mine = log.with_name(f"{covers}.csv")
        mine.write_bytes(log.read_bytes())
        arguments = ("--power-csv", str(mine), "--power-covers", covers)
        run("attach", str(folder), *arguments, cwd=folder.parent)
    tiers = [{one.channel.tier for one in series} for series in series_of(folder)]
    assert tiers == [{"wall_measured", "board_measured"}] * LAUNCHES
    powers = [record.power for record in read_run(folder).records if record.power is not None]
    found = [energy.of_meter(power, "csv") for power in powers]
    assert {(one.tier, one.channels) for one in found} == {("wall_measured", ("wall",))}


def test_a_clock_that_is_behind_is_put_right_by_its_offset(folder: Path, tmp_path: Path) -> None:
    log = write_log(tmp_path / "late.csv", shift_s=3600)
    said = run("attach", str(folder), "--power-csv", str(log), cwd=folder.parent, code=2)
    assert "the log is of 2026-11-22T09:14:50Z to" in said
    assert "the run of 2026-11-22T10:15:20Z to" in said
    given = ("--power-csv", str(log), "--power-offset", "3600")
    run("attach", str(folder), *given, cwd=folder.parent)
    assert [len(series) for series in series_of(folder)] == [1] * LAUNCHES


def test_a_log_that_does_not_rise_with_the_work_is_doubted(folder: Path, log: Path) -> None:
    assert "beware" not in run("attach", str(folder), "--power-csv", str(log), cwd=folder.parent)
    turned = ("--power-csv", str(log), "--power-offset", "-25")  # work where the idle window is
    said = run("attach", str(folder), *turned, cwd=folder.parent)
    assert "is --power-offset right?" in said


def test_a_run_that_was_told_of_a_log_has_it_at_its_end_or_says_how_to_get_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = read_run(folder).records
    config = RunConfig(power_csv=str(tmp_path / "late.csv"))
    assert power_log.after_run(config, folder, records) == records
    said = " ".join(capsys.readouterr().err.split())
    assert f"edgebench attach {folder} --power-csv" in said
    write_log(tmp_path / "late.csv")
    merged = power_log.after_run(config, folder, records)
    assert [one.power for one in merged] == [one.power for one in read_run(folder).records]
    assert all(one.power is not None and len(one.power.series[0].t_ns) > 0 for one in merged)
    assert "3 of 3 power passes" in " ".join(capsys.readouterr().err.split())


def test_the_command_that_attaches_later_says_all_that_the_run_was_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = RunConfig(
        power_csv=str(tmp_path / "my log.csv"),
        power_csv_offset_s=-7200.25,
        power_covers="board",
        power_csv_columns=("when", "Power W"),
    )
    power_log.after_run(config, folder, read_run(folder).records)
    said = capsys.readouterr().err.splitlines()[-1]
    log = f"--power-csv '{tmp_path}/my log.csv' --power-offset -7200.25"
    more = "--power-covers board --power-columns 'when,Power W'"
    assert said == f"  edgebench attach {folder} {log} {more}"


def test_rows_that_are_no_readings_are_named(folder: Path, log: Path) -> None:
    lines = log.read_text().splitlines()
    for number in range(3, 13):
        lines[number] = "oops"
    log.write_text("\n".join(lines) + "\n")
    said = run("attach", str(folder), "--power-csv", str(log), cwd=folder.parent)
    assert "power.csv:4: 1 column(s) only" in said
    assert "... and 6 more such lines" in said  # ten words, and the gap that they leave


def test_a_damaged_line_costs_its_launch_and_is_named(folder: Path, log: Path) -> None:
    run("attach", str(folder), "--power-csv", str(log), cwd=folder.parent)
    path = folder / attached.FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1].replace(b"wall", b"wool", 1) + lines[2][:50])
    stored = read_run(folder)
    assert len(stored.damage) == 2
    assert all("attach the power log again" in line for line in stored.damage)
    assert [len(one[0].t_ns) > 0 for one in series_of(folder)] == [True, False, False]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--power-csv is missing"),
        (("--power-csv", "nowhere.csv"), "nowhere.csv: No such file"),
        (("--power-csv", "power.csv", "--power-columns", "time"), "TIME,WATTS"),
        (("--power-csv", "power.csv", "--power-columns", "time,amps"), "no columns of time"),
    ],
)
def test_what_cannot_be_attached_is_one_line(
    folder: Path, log: Path, arguments: tuple[str, ...], words: str
) -> None:
    assert words in run("attach", str(folder), *arguments, cwd=log.parent, code=2)
    assert not (folder / attached.FILE).exists()


def test_a_run_without_a_power_pass_says_how_to_get_one(
    tmp_path: Path,
    log: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    store = Journal.create(tmp_path, manifest(case()))
    store.append(record(case()))
    said = run("attach", str(store.folder), "--power-csv", str(log), cwd=tmp_path, code=2)
    assert "no launch has a power pass" in said
    assert "--power-csv FILE" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--power-csv", "nowhere/power.csv"), "there is no folder nowhere"),
        (("--power-csv", "bad.csv"), "may both be the power"),
        (("--power-command", "no-such-program"), "'no-such-program' is no program"),
        (("--power-command", "echo 'half"), "No closing quotation"),
        (("--power-csv", "later.csv", "--power-offset", "nan"), "must be a number"),
    ],
)
def test_a_run_refuses_before_it_measures(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "bad.csv").write_text("time,a_w,b_w\n1795342500,1,2\n")
    assert words in run("run", *arguments, cwd=tmp_path, code=2)
    assert not (tmp_path / "edgebench-results").exists()


def test_what_a_run_was_told_of_its_log_is_in_its_configuration(tmp_path: Path) -> None:
    given = ("--power-csv", "later.csv", "--power-offset", "1.5", "--power-covers", "board")
    command = [sys.executable, "-m", "edgebench.cli.main", "run", *given, "--dump-config"]
    told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    assert 'power_csv = "later.csv"' in told
    assert "power_csv_offset_s = 1.5" in told
    assert 'power_covers = "board"' in told


def test_meters_of_boards_and_benches_are_registered() -> None:
    assert {"command", "csv", "jetson", "nvml", "rpi-pmic"} <= set(names("edgebench.meters"))

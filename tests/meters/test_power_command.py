"""A program that prints watts: real processes, begun, read and ended."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.errors import EdgebenchError
from edgebench.meters import command
from edgebench.meters.command import Command, parse_power_uw
from edgebench.protocols import Meter

ROOT = Path("/")
STEADY = "import time\nwhile True:\n print(4.25, flush=True)\n time.sleep(0.05)"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine takes its time to start a program; `probe` goes on as soon as it has."""
    monkeypatch.setattr(command, "_FIRST_LINE_S", 20.0)
    monkeypatch.setattr(command, "_WORDS_S", 20.0)


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """And to end one, where that is what the program does: `probe` goes on as soon as it has."""
    monkeypatch.setattr(command, "_STAYS_S", 20.0)


def python(source: str) -> str:
    """A command line that runs some Python."""
    return shlex.join([sys.executable, "-c", source])


def wait_for(what: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").split()[2] != "Z"
    except OSError:
        return False


def test_each_line_is_a_reading_with_the_time_it_came() -> None:
    meter = Command(python(STEADY))
    assert isinstance(meter, Meter)
    before_ns = time.perf_counter_ns()
    assert meter.probe(ROOT).available
    (first,) = meter.read()
    assert first is not None
    assert first[1] == 4_250_000
    assert before_ns < first[0] <= time.perf_counter_ns()
    wait_for(lambda: meter.read() != (first,))
    meter.close()
    assert meter.channels == ()


def test_where_it_stands_decides_the_tier() -> None:
    tiers = []
    for covers in ("wall", "board"):
        meter = Command(python(STEADY), covers=covers)
        assert meter.probe(ROOT).available
        tiers.append(meter.channels[0].tier)
        meter.close()
    assert tiers == ["wall_measured", "board_measured"]


def test_the_program_ends_when_told_and_what_it_started_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    inner = python(
        f"import os, time; open({str(pids)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(60)"
    )
    meter = Command(f"sh -c {shlex.quote(f'{inner} & {inner} & echo 1; wait')}")
    assert meter.probe(ROOT).available
    wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    meter.close()
    wait_for(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))


def test_a_program_that_does_not_listen_is_killed() -> None:
    source = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STEADY
    meter = Command(python(source))
    assert meter.probe(ROOT).available
    meter.close()  # waits for its end
    assert meter.read() == ()


def test_one_that_dies_is_reported_with_its_code_and_last_words(tmp_path: Path) -> None:
    end = tmp_path / "end"
    source = (
        "import os, sys, time\nprint(3, flush=True)\n"
        f"while not os.path.exists({str(end)!r}): time.sleep(0.01)\n"
        "sys.exit('no meter on USB')"
    )
    meter = Command(python(source))
    assert meter.probe(ROOT).available
    end.touch()
    wait_for(lambda: meter.trouble != "")
    with pytest.raises(EdgebenchError) as error:
        meter.read()
    assert str(error.value) == "the power command ended (exit code 1): no meter on USB"
    meter.close()


@pytest.mark.usefixtures("ends")
def test_one_that_ends_at_once_is_not_available() -> None:
    probe = Command(python("raise SystemExit('permission denied')")).probe(ROOT)
    assert not probe.available
    assert probe.reason == "the power command ended (exit code 1): permission denied"


@pytest.mark.usefixtures("ends")
def test_its_last_words_are_heard_however_late_they_come() -> None:
    source = (
        "import os, sys, time; os.close(1)\n"
        "print('busy', file=sys.stderr, flush=True)\n"
        "time.sleep(0.02); sys.exit('permission denied')"
    )
    for _ in range(20):  # each time, two threads and the program's end run against each other
        probe = Command(python(source)).probe(ROOT)
        assert probe.reason == "the power command ended (exit code 1): permission denied"


@pytest.mark.usefixtures("ends")
def test_one_that_prints_a_number_and_ends_is_told_before_anything_is_measured() -> None:
    probe = Command("echo 3.2").probe(ROOT)
    assert (probe.available, probe.reason) == (False, "the power command ended (exit code 0)")
    assert "until it is stopped" in probe.remedy


@pytest.mark.parametrize("here", [True, False])
def test_a_program_is_found_and_runs_where_its_user_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, here: bool
) -> None:
    program = tmp_path / "watts.sh"
    program.write_text("#!/bin/sh\nwhile :; do cat here.txt; sleep 0.05; done\n")
    program.chmod(0o755)
    (tmp_path / "here.txt").write_text("3.2\n")
    if here:
        monkeypatch.chdir(tmp_path)
    meter = Command("./watts.sh", folder="" if here else str(tmp_path))
    assert meter.probe(ROOT).available
    assert [reading and reading[1] for reading in meter.read()] == [3_200_000]
    meter.close()


@pytest.mark.usefixtures("ends")
def test_a_signal_is_named() -> None:
    meter = Command(python("import os; os.kill(os.getpid(), 11)"))
    assert "killed by SIGSEGV" in meter.probe(ROOT).reason


def test_a_line_that_is_no_number_is_no_reading_and_is_named() -> None:
    meter = Command(python("import time; print('4,2 W', flush=True); time.sleep(60)"))
    probe = meter.probe(ROOT)
    assert not probe.available
    assert probe.reason == "the power command's line 1 is no power in W: '4,2 W'"


def test_a_meter_that_takes_long_to_start_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_FIRST_LINE_S", 0.2)
    start = time.monotonic()
    meter = Command(python("import time; time.sleep(60)"))
    assert meter.probe(ROOT).available
    assert time.monotonic() - start < 50.0, "it sleeps for a minute"
    assert meter.read() == (None,)
    meter.close()


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("", "no program was named"),
        ("no-such-program --fast", "'no-such-program' is no program"),
        ("echo 'half", '"echo \'half": No closing quotation'),
    ],
)
def test_what_cannot_be_started_says_why(command: str, reason: str) -> None:
    probe = Command(command).probe(ROOT)
    assert (probe.available, probe.reason) == (False, reason)
    assert probe.remedy


def test_the_program_dies_with_a_reader_that_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    quiet = python(
        f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    )
    reader = (
        "import time\nfrom pathlib import Path\nfrom edgebench.meters.command import Command\n"
        f"Command({quiet!r}).probe(Path('/'))\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", reader])
    wait_for(lambda: pid.exists() and bool(pid.read_text()), 20.0)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for(lambda: not alive(int(pid.read_text())))


@given(st.binary(max_size=20))
def test_any_line_is_a_power_or_nothing(line: bytes) -> None:
    power_uw = parse_power_uw(line)
    assert power_uw is None or 0 <= power_uw < 1 << 63


@given(st.floats(0, 1e6))
def test_a_number_is_read_to_the_microwatt(watt: float) -> None:
    assert parse_power_uw(f"  {watt!r}\r\n".encode()) == pytest.approx(1e6 * watt, rel=1e-9, abs=1)

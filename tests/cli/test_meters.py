"""`edgebench meters` and the meters of `edgebench doctor`, on planted machines and on this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from edgebench.cli import doctor_, meters_
from edgebench.cli.main import cli
from edgebench.metering import Channel, Quantity
from edgebench.testing import write_tree

ZONE = "sys/class/powercap/intel-rapl:0"
N100 = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Intel(R) N100\nflags\t\t: fpu avx2\n",
    f"{ZONE}/name": "package-0\n",
    f"{ZONE}/energy_uj": "7500000\n",
    f"{ZONE}/max_energy_range_uj": "262143328850\n",
}
VM = {"proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu avx2 hypervisor\n"}
METER = """
import time
from edgebench.metering import Channel
from edgebench.protocols import Probe

class Meter:
    name, channels = "mine", ()
    def probe(self, root):
        told = dict(quantity="power_uw", covers=("device",), tier="wall_measured")
        self.channels = (Channel(name="in", **told), Channel(name="fan", counted=False, **told))
        return Probe(name="mine", available=True, version="7")
    def read(self):
        {body}
    def close(self):
        self.channels = ()
"""


def told(*words: str) -> str:
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    return done.output


def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edgebench.cli.main", *words],
        env={**os.environ, "PYTHONPATH": str(cwd)},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_meter_that_can_be_read_is_told_with_its_channels(tmp_path: Path) -> None:
    root = str(write_tree(tmp_path, N100))
    listed = told("meters", "list", "--root", root)
    assert "partial_measured: package-0" in listed
    assert max(map(len, listed.splitlines())) <= 80
    shown = " ".join(told("meters", "show", "rapl", "--root", root).split())
    assert "covers cpu" in shown
    assert "reading 7.500 J since some moment" in shown
    assert "wraps at 262,143 J" in shown
    (mine,) = [
        one
        for one in json.loads(told("meters", "list", "--json", "--root", root))
        if one["readings"]
    ]
    assert mine["readings"][0]["value"] == 7_500_000
    assert mine["readings"][0]["channel"]["tier"] == "partial_measured"


def test_a_meter_that_cannot_be_read_says_why_and_never_0(tmp_path: Path) -> None:
    root = str(write_tree(tmp_path, VM))
    assert "a virtual machine" in " ".join(told("meters", "list", "--root", root).split())
    shown = told("meters", "show", "rapl", "--root", root)
    assert "cannot" in shown
    assert "remedy" in shown
    assert "reading" not in shown
    asked = json.loads(told("meters", "show", "rapl", "--json", "--root", root))
    assert (asked["available"], asked["readings"]) == (False, [])


def test_doctor_looks_at_a_planted_machine_and_lists_the_meters_it_asked(tmp_path: Path) -> None:
    root = str(write_tree(tmp_path, VM))
    words = told("doctor", "--root", root)
    assert max(map(len, words.splitlines())) <= 80
    assert "no power meter can be read (looked for:" in words
    assert "Backends" not in words  # what is installed here is no matter of theirs
    assert "Python" not in words
    write_tree(tmp_path, {**N100, "proc/sys/kernel/perf_event_paranoid": "4\n"})
    asked = json.loads(told("doctor", "--json", "--root", root))
    assert [one["what"] for one in asked["unmeasured"]] == ["kernel.perf_event_paranoid is 4"]
    assert asked["device"]["cpu_model"] == "Intel(R) N100"
    assert {one["name"] for one in asked["meters"] if one["available"]} >= {"rapl"}


def test_doctor_writes_nothing_below_the_root_that_it_looks_at(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "machine", N100)
    for path in (*root.rglob("*"), root):
        os.utime(path, ns=(0, 1_000_000_000))

    def state() -> dict[str, tuple[int, int, bytes]]:
        found = {str(path): (path, path.lstat()) for path in (*root.rglob("*"), root)}
        return {
            name: (one.st_mtime_ns, one.st_mode, path.read_bytes() if path.is_file() else b"")
            for name, (path, one) in found.items()
        }

    before = state()
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"XDG_CACHE_HOME": str(home), "XDG_DATA_HOME": str(home), "TMPDIR": str(home)}
    command = [sys.executable, "-m", "edgebench.cli.main", "doctor", "--root", str(root)]
    subprocess.run(command, env=environment, cwd=home, capture_output=True, check=True)
    assert state() == before
    assert list(home.rglob("*")) == []


def test_a_meter_of_ones_own_is_read_before_it_is_packaged(tmp_path: Path) -> None:
    body = "now = time.perf_counter_ns(); return ((now, 2_500_000), None)"
    (tmp_path / "mine.py").write_text(METER.format(body=body))
    asked = run("meters", "read", "mine:Meter", "--seconds", "0.3", cwd=tmp_path)
    assert asked.returncode == 0, asked.stderr
    first, second = asked.stdout.splitlines()
    assert first.split()[1:] == ["in", "2.500", "W", "wall_measured"]
    assert second.split()[1:] == ["fan", "-", "wall_measured", "(within)"]
    shown = run("meters", "show", "mine:Meter", cwd=tmp_path).stdout
    assert "not readable just now" in shown


def test_a_meter_that_raises_costs_a_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(METER.format(body="raise OSError('it came loose')"))
    shown = run("meters", "show", "mine:Meter", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "OSError: it came loose" in shown.stdout
    asked = run("meters", "read", "mine:Meter", cwd=tmp_path)
    assert asked.returncode == 2
    assert "it came loose" in asked.stderr
    assert "Traceback" not in asked.stderr


def test_an_unknown_meter_is_a_line_with_those_that_are_known(tmp_path: Path) -> None:
    for verb in ("show", "read"):
        asked = run("meters", verb, "nope", cwd=tmp_path)
        assert asked.returncode == 2
        assert "no meter named 'nope' (known: " in asked.stderr


def channel(quantity: Quantity, wrap_uj: int | None = None) -> Channel:
    return Channel(
        name="x", tier="board_measured", quantity=quantity, covers=("board",), wrap_uj=wrap_uj
    )


@pytest.mark.parametrize(
    ("one", "readings", "power_w"),
    [
        (channel("power_uw"), [(0, 2_000_000), (10**9, 4_000_000)], 3.0),
        (channel("power_uw"), [(0, 2_000_000), None, (10**9, 2_000_000)], 2.0),
        (channel("energy_uj"), [(0, 5), (2 * 10**9, 3_000_005)], 1.5),
        (channel("energy_uj", 1_000_000), [(0, 900_000), (10**9, 400_000)], 0.5),
        (channel("energy_uj"), [(0, 900_000), (10**9, 400_000)], None),
        (channel("power_uw"), [(0, 2_000_000), None], None),
        (channel("power_uw"), [None, None], None),
    ],
)
def test_mean_power_is_that_of_the_readings_there_are(
    one: Channel, readings: list[tuple[int, int] | None], power_w: float | None
) -> None:
    found = meters_.watts(one, readings)
    assert found == (None if power_w is None else pytest.approx(power_w))


def test_reading_takes_as_long_as_it_was_told(tmp_path: Path) -> None:
    body = "return ((time.perf_counter_ns(), 1), (time.perf_counter_ns(), 1))"
    (tmp_path / "mine.py").write_text(METER.format(body=body))
    start = time.monotonic()
    asked = run("meters", "read", "mine:Meter", "--seconds", "1.5", "--json", cwd=tmp_path)
    assert time.monotonic() - start >= 1.5
    assert [one["power_w"] for one in json.loads(asked.stdout)] == [pytest.approx(1e-6)] * 2


def test_no_meter_at_all_is_told_too() -> None:
    (spoiler,) = doctor_._no_meter([])
    assert "no meter is installed" in spoiler.what

"""`edgebench devices add` and `show` of this machine, as a user meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.descriptors import read_device
from edgebench.testing import write_tree


def run(*arguments: str, path: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run `edgebench devices` as a process of its own; ``path`` is EDGEBENCH_PATH."""
    done = subprocess.run(
        [sys.executable, "-m", "edgebench.cli.main", "devices", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "EDGEBENCH_PATH": str(path)},
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def machine(root: Path, compatible: str = "maker,board", mib: int = 7800) -> Path:
    """A planted Arm board of four cores."""
    cores = "".join(
        f"processor\t: {number}\nFeatures\t: asimd asimddp\n"
        "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\n"
        for number in range(4)
    )
    cpus = "sys/devices/system/cpu"
    clocks = {f"{cpus}/cpu{n}/cpufreq/cpuinfo_max_freq": "2400000\n" for n in range(4)}
    files = {
        "proc/device-tree/compatible": f"{compatible}\0chip,big\0",
        "proc/device-tree/model": "Maker Board Rev 2\0",
        "proc/cpuinfo": cores,
        "proc/meminfo": f"MemTotal: {mib * 1024} kB\n",
        f"{cpus}/online": "0-3\n",
    }
    return write_tree(root, {**files, **clocks})


@pytest.fixture
def board(tmp_path: Path) -> Path:
    return machine(tmp_path / "root")


def test_a_machine_is_added_verified_and_then_recognised(tmp_path: Path, board: Path) -> None:
    mine = tmp_path / "mine"
    done = run("add", "--root", str(board), path=mine)
    path = Path(done.stdout.strip())
    assert path == mine / "devices" / "maker-board-rev-2.toml"
    assert "devices verify maker-board-rev-2" in done.stderr
    spec = read_device(path)
    assert spec.match.compatible == ("maker,board",)
    assert {"cpu", "cpu_mhz", "mem_mib", "isa", "board"} <= {fact.key for fact in spec.facts}
    assert all(fact.source.startswith("detected by edgebench 0.") for fact in spec.facts)
    assert "maker-board-rev-2: ok" in run("verify", path=mine).stdout
    told = json.loads(run("show", "--root", str(board), "--json", path=mine).stdout)
    assert told["device"]["name"] == told["here"]["device"] == "maker-board-rev-2"
    assert all(one["same"] for one in told["held"])


def test_a_machine_is_added_once(tmp_path: Path, board: Path) -> None:
    run("add", "mine", "--root", str(board), path=tmp_path)
    before = (tmp_path / "devices" / "mine.toml").read_bytes()
    again = run("add", "other", "--root", str(board), path=tmp_path, code=2)
    assert "mine fits this machine already, by compatible 'maker,board'" in again.stderr
    assert again.stderr.count("\n") == 1
    assert (tmp_path / "devices" / "mine.toml").read_bytes() == before
    assert list((tmp_path / "devices").iterdir()) == [tmp_path / "devices" / "mine.toml"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rock-5b", "there is a device rock-5b already"),
        ("My Board", "'My Board' is no device name"),
        ("../board", "'../board' is no device name"),
    ],
)
def test_a_name_that_is_taken_or_none_is_refused(
    tmp_path: Path, board: Path, name: str, words: str
) -> None:
    done = run("add", name, "--root", str(board), path=tmp_path / "mine", code=2)
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "mine").exists()


def test_a_known_board_and_a_nameless_machine_are_not_added(tmp_path: Path) -> None:
    known = machine(tmp_path / "pi", compatible="raspberrypi,5-model-b")
    done = run("add", "--root", str(known), path=tmp_path, code=2)
    assert "raspberry-pi-5 fits this machine already" in done.stderr
    (tmp_path / "empty").mkdir()
    done = run("add", "--root", str(tmp_path / "empty"), path=tmp_path, code=2)
    assert "names no board and no processor" in done.stderr


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path, board: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("add", "--root", str(board), path=tmp_path / "file", code=2)
    assert "cannot write" in done.stderr
    assert "EDGEBENCH_PATH=FOLDER" in done.stderr
    assert done.stderr.count("\n") == 1


def test_this_machine_is_shown_beside_what_its_descriptor_tells(tmp_path: Path) -> None:
    root = machine(tmp_path, compatible="nvidia,p3450-0000", mib=1980)
    told = run("show", "--root", str(root), path=tmp_path).stdout
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert "this machine: Maker Board Rev 2" in lines
    assert "fits jetson-nano" in lines
    assert lines[lines.index("cpu 4 x Cortex-A76") + 1] == "DIFFERS: 4 x Cortex-A57 is told"
    assert lines[lines.index("cpu_mhz 2400 MHz") + 1] == "DIFFERS: 1430 MHz is told"
    assert lines[lines.index("mem_mib 1980 MiB") + 1].startswith("DIFFERS: 4096 MiB is told")
    besides = lines[lines.index("what jetson-nano tells besides") :]
    assert any(line.startswith("gpu Maxwell") for line in besides)
    assert "rail POM_5V_IN feeds module, the whole module" in besides


def test_a_machine_that_no_device_fits_is_told_how_to_add_it(tmp_path: Path, board: Path) -> None:
    told = run("show", "--root", str(board), path=tmp_path).stdout
    assert "no device fits: edgebench devices add" in told
    assert "match compatible  maker,board" in told
    assert "DIFFERS" not in told


def test_this_very_machine_is_shown_without_a_root(tmp_path: Path) -> None:
    shown = run("show", path=tmp_path).stdout
    assert shown == run("show", "--here", path=tmp_path).stdout
    assert shown.startswith("this machine: ")


def test_a_name_and_this_machine_are_two_things(tmp_path: Path) -> None:
    done = run("show", "rock-5b", "--here", path=tmp_path, code=2)
    assert "give a name, or --here, or --root FOLDER" in done.stderr


def test_devices_are_listed_in_80_columns_with_watts_and_price(tmp_path: Path) -> None:
    lines = run("list", path=tmp_path).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if line.endswith("...")]
    pi = next(line for line in lines if line.startswith("raspberry-pi-5 "))
    assert pi.split() == ["raspberry-pi-5", "2.8-9.7", "W", "80", "USD", "Raspberry", "Pi", "5"]
    told = json.loads(run("list", "--json", path=tmp_path).stdout)
    assert [one["name"] for one in told] == [line.split()[0] for line in lines]
    assert all(fact["source"] for one in told for fact in one["facts"])


def test_facts_keep_to_80_columns_but_for_their_addresses(tmp_path: Path) -> None:
    lines = run("show", "rock-5b", path=tmp_path).stdout.splitlines()
    assert [line for line in lines if len(line) > 80 and "https://" not in line] == []
    assert any(line.split()[:3] == ["load_w", "17", "W"] or "USD (" in line for line in lines)

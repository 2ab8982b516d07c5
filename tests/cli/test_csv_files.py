"""CSV files are written whole or not at all, by every command that writes one."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

EARLIER = "what an earlier one wrote\n"
SMALLEST_BYTE = 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Results in ``edgebench-results`` and in ``other``, and a file that is there already."""
    for name, latency_ms in (("edgebench-results", 10.0), ("other", 12.0)):
        fleet.write(tmp_path / name, Device(name="pi", cells=(Cell(latency_ms=latency_ms),)))
    (tmp_path / "out.csv").write_text(EARLIER)
    return tmp_path


def run(folder: Path, *arguments: str, most_byte: int | None = None) -> tuple[int, str]:
    """Exit code and stderr; with a limit no file can become longer, as where a disk is full."""

    def little() -> None:
        if most_byte is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_byte, most_byte))

    done = subprocess.run(
        [sys.executable, "-B", "-m", "edgebench.cli.main", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
        preexec_fn=little,
    )
    return done.returncode, done.stderr


COMMANDS = (("report",), ("recommend",), ("compare", "edgebench-results", "other"))


@pytest.mark.parametrize("command", COMMANDS, ids=[name for name, *_ in COMMANDS])
def test_a_disk_that_ends_leaves_the_earlier_file(folder: Path, command: tuple[str, ...]) -> None:
    code, told = run(folder, *command, "--csv", "out.csv", most_byte=SMALLEST_BYTE)
    assert (code, told.splitlines()[-1]) == (2, "edgebench: cannot write out.csv: File too large")
    assert "Traceback" not in told
    assert (folder / "out.csv").read_text() == EARLIER
    assert sorted(path.name for path in folder.iterdir()) == [
        "edgebench-results",
        "other",
        "out.csv",
    ]
    assert run(folder, *command, "--csv", "out.csv")[0] == 0
    assert "mnist_cnn" in (folder / "out.csv").read_text()


@pytest.mark.parametrize("command", COMMANDS, ids=[name for name, *_ in COMMANDS])
def test_a_target_that_is_a_folder_is_told_before_anything_is_read(
    folder: Path, command: tuple[str, ...]
) -> None:
    code, told = run(folder, command[0], "absent", "--csv", "other")
    assert code == 2
    assert told == "edgebench: cannot write other: it is a folder (name a file in it)\n"

"""The acceptance tests of the statistics can fail: a method known to be wrong gets a FAIL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "acceptance"


@pytest.mark.parametrize(
    ("script", "plant", "words"),
    [
        ("false_alarms", ("pooled-mann-whitney", "--runs", "10"), "FAIL  A/A told apart"),
        ("power", ("ranges", "--runs", "40"), "FAIL  +3 % found"),
        ("coverage", ("pooled", "--runs", "40"), "FAIL  median's interval"),
        ("warmup", ("mser5",), "FAIL  flat left whole"),
        ("choice_properties", ("--examples", "60"), "FAIL  keeps every limit"),
    ],
)
def test_a_planted_fault_fails(script: str, plant: tuple[str, ...], words: str) -> None:
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), "--plant", *plant]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert words in done.stdout

"""The README's chapter on choosing prints what its commands say, to the letter."""

from __future__ import annotations

from pathlib import Path

import pytest
from readme_choice import READMES, ROOT, answer, plant, told

COMMANDS = told((ROOT / "README.md").read_text(encoding="utf-8"))


def test_every_readme_prints_the_same_commands() -> None:
    assert len(COMMANDS) >= 2
    for readme in READMES:
        assert told(readme.read_text(encoding="utf-8")) == COMMANDS, readme.name


@pytest.mark.parametrize("command", COMMANDS)
def test_what_the_readme_prints_is_what_the_command_says(command: str, tmp_path: Path) -> None:
    """Where words have changed: ``python tests/readme_choice.py``."""
    plant(tmp_path)
    assert answer(command, tmp_path) == COMMANDS[command]


def test_a_line_that_is_not_said_is_noticed(tmp_path: Path) -> None:
    plant(tmp_path)
    command, said = next(iter(COMMANDS.items()))
    assert answer(command, tmp_path) != said.replace("take raspberry-pi", "take banana-pi")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--min latency_p99_ms=5", "latency_p99_ms >= 5 keeps the worse ones: did you mean --max?"),
        ("--max top1_ratio=0.96", "top1_ratio <= 0.96 keeps the worse ones: did you mean --min?"),
        ("--minimise throughput_ips", "did you mean --maximise throughput_ips?"),
        ("--maximise latency_p50_ms", "did you mean --minimise latency_p50_ms?"),
        ("--min cpu_mhz=1000 --maximise npu_tops --max latency_p50_ms=60", ""),
    ],
)
def test_who_asks_for_the_worse_is_asked_back(words: str, said: str, tmp_path: Path) -> None:
    plant(tmp_path)
    told = answer(f"edgebench recommend pi4 pi5 orin {words}", tmp_path)
    assert said in told
    assert ("did you mean" in told) == bool(said)

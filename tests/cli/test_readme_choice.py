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

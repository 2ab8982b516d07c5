"""Ctrl-C in a command that has nothing to keep: one line, exit 130."""

from __future__ import annotations

import signal

import click
import pytest

from edgebench.cli import main


def test_it_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> None:
        raise click.exceptions.Abort

    monkeypatch.setattr(main.cli, "main", interrupted)
    monkeypatch.setattr(main, "_open_streams", lambda: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == main.EXIT_INTERRUPTED
    assert capsys.readouterr().err == "edgebench: interrupted\n"

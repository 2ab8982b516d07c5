"""The command line in a process of its own: its turn, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edgebench import spawn
from edgebench.errors import UsageError
from edgebench.runner import journal


def test_it_waits_by_the_lock_and_not_by_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    held, free = threading.Event(), threading.Event()
    ran: list[Sequence[str]] = []
    told: list[str] = []
    plain = spawn.command

    def counted(words: Sequence[str]) -> tuple[int, str]:
        ran.append(words)
        return plain(words)

    def hold() -> None:
        with journal.one_run_at_a_time():
            held.set()
            free.wait(60)

    monkeypatch.setattr(spawn, "command", counted)
    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)

    def tell() -> None:
        told.append("waits")
        threading.Timer(3.0, free.set).start()  # some looks at the lock later

    words = ["run", "-w", "mnist_cnn", "-b", "onnxruntime", "-p", "fp32", "-o", os.devnull]
    code, said = spawn.in_turn(words, 60.0, tell)
    holder.join()
    assert (code, len(ran), told) == (spawn.USAGE, 2, ["waits"])
    assert "cannot write" in said  # of its own run, once it had its turn


KILLED = """
import sys
from edgebench import spawn
print("ready", flush=True)
spawn.command(["run", "-w", "mnist_cnn", "-b", "onnxruntime", "-o", sys.argv[1], "--thorough"])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_a_process_that_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        wait_until(_is_held, 60)
        parent.send_signal(number)
        parent.wait(60)
        wait_until(lambda: not _is_held(), 60)


def _is_held() -> bool:
    try:
        with journal.one_run_at_a_time():
            return False
    except UsageError:
        return True


def wait_until(what: Callable[[], bool], most_s: float) -> None:
    """Wait for it."""
    end = time.monotonic() + most_s
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.2)

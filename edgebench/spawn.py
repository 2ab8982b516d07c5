"""The command line in a process of its own: it waits its turn and ends with this process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from edgebench.errors import EdgebenchError

USAGE = 2
"""Exit code of a user's mistake."""
_BUSY = "another edgebench run is under way"
"""As the command line says it, see ``edgebench.runner.journal``."""
_LOOK_S = 1.0
_BOUND = """
import sys
from edgebench.host import process
process.die_with_parent(int(sys.argv.pop(1)))
from edgebench.cli.main import main
main()
"""
"""The command line, ended by the kernel where this process is killed and can end nothing."""


def options(given: Mapping[str, Any]) -> Iterator[str]:
    """``threads=2`` as ``--threads 2``."""
    for name, value in given.items():
        if value is None or value is False:
            continue
        yield f"--{name.replace('_', '-')}"
        if value is not True:
            many = isinstance(value, (list, tuple))
            yield ",".join(map(str, value)) if many else str(value)


def in_turn(words: Sequence[str], wait_s: float, tell: Callable[[], None]) -> tuple[int, str]:
    """``(exit code, what it said)``; where another run holds the device, wait for it.

    Args:
        words: Of the command line.
        wait_s: How long at the most.
        tell: Called once, before it waits.
    """
    start = time.monotonic()
    told = False
    while True:
        code, said = command(words)
        if code != USAGE or _BUSY not in said or time.monotonic() - start > wait_s:
            return code, said
        if not told:
            tell()
            told = True
        while time.monotonic() - start <= wait_s and _is_busy():
            time.sleep(_LOOK_S)


def _is_busy() -> bool:
    """Whether a run holds this device; a command each second would disturb what it measures."""
    from edgebench.runner import journal  # noqa: PLC0415 - costs nothing where unused

    try:
        with journal.one_run_at_a_time():
            return False
    except EdgebenchError:
        return True


def command(words: Sequence[str]) -> tuple[int, str]:
    """``(exit code, what it said)`` of the command line."""
    start = ["-c", _BOUND, str(os.getpid())] if sys.platform == "linux" else ["-m", "edgebench"]
    with subprocess.Popen(
        [sys.executable, *start, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as child:
        try:
            _, said = child.communicate()
        except BaseException:  # Ctrl-C, a time-out of another plug-in: it clears its workers away
            child.terminate()
            raise
    return child.returncode, said.decode(errors="replace")

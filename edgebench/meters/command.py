"""An external meter behind a program that prints the power in W, a number a line.

Read: the program's standard output, each line stamped when it arrives; it should write a line as
soon as it has one (``stdbuf -oL``, ``print(..., flush=True)``). It runs without a shell from
`probe` to `close`; whoever may start it may read it. Any meter that has a Python package or a
command of its own becomes one that edgebench reads: a power supply, a smart plug, a USB tester.
"""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Literal

from edgebench.errors import EdgebenchError
from edgebench.metering import Channel
from edgebench.protocols import Probe, Readings

_FIRST_LINE_S = 0.8
"""So long `probe` waits for a first number: some meters take longer, and that is no fault."""
_STAYS_S = 0.2
"""After its first number: a program that prints one and ends has ended by then."""
_END_S = 0.5
_WORDS_S = 0.5
"""After its end: its last words may still be on the way."""
_WORDS = 200
_REMEDY = "it is to print watts, a number a line, until it is stopped: try it in a shell"
_DIES_WITH_PARENT = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)\n"  # PR_SET_PDEATHSIG, SIGKILL
    "if os.getppid() != int(sys.argv[1]): sys.exit(1)\n"
    "os.execvp(sys.argv[2], sys.argv[2:])"
)
"""A meter's program must not outlive a reader that was killed."""
_MOST_W = 1e9


class Command:
    """A program that prints watts for as long as it runs.

    Args:
        command: As it would be typed; split like a shell does, but run without one.
        covers: What the meter stands at: the plug, or the board's own input.
        folder: Where the program runs, for a sampler works in a folder of its own; empty: here.
    """

    name = "command"

    def __init__(
        self, command: str = "", covers: Literal["wall", "board"] = "wall", folder: str = ""
    ) -> None:
        self.command = command
        self._covers = covers
        self._folder = Path(folder).absolute()
        self._child: subprocess.Popen[bytes] | None = None
        self._readers: list[threading.Thread] = []
        self._latest: tuple[int, int] | None = None
        self._came = threading.Event()
        self._words = ""
        self._bad = ""

    def probe(self, root: Path) -> Probe:
        """Start the program; ``root`` does not matter to it."""
        del root
        self.close()
        if not self.command:
            return self._not("no program was named", "edgebench run --power-command CMD")
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            return self._not(f"{self.command!r}: {error}", "quote it as for a shell")
        if not words or shutil.which(self._place(words[0])) is None:
            what = words[0] if words else self.command
            return self._not(f"{what!r} is no program", "name one in PATH or with its folder")
        self._start(words)
        if self._came.wait(_FIRST_LINE_S) and self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_STAYS_S)
        if trouble := self.trouble:
            self.close()
            return self._not(trouble, _REMEDY)
        return Probe(name=self.name, available=True)

    def _place(self, program: str) -> str:
        """A program with a folder lies where the user sees it; any other in PATH."""
        return str(self._folder / program) if os.sep in program else program

    def _not(self, reason: str, remedy: str) -> Probe:
        return Probe(name=self.name, available=False, reason=reason, remedy=remedy)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """One, as long as the program was started."""
        return (external_channel(self._covers),) if self._child is not None else ()

    @property
    def trouble(self) -> str:
        """What is wrong with the program: it ended, or its last line was no number; else empty."""
        code = self._child.poll() if self._child is not None else None
        if code is None:
            return self._bad
        for reader in self._readers:
            reader.join(_WORDS_S)
        how = f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        words = self._words or self._bad
        return f"the power command ended ({how}){f': {words}' if words else ''}"

    def read(self) -> Readings:
        """The latest number in uW, with the time it arrived; the same again until a new one comes.

        None before the first, and after a line that was no power.

        Raises:
            EdgebenchError: The program has ended, and how: no reading will ever come again.
        """
        if self._child is None:
            return ()
        if self._child.poll() is not None:
            raise EdgebenchError(self.trouble)
        return (self._latest,)

    def close(self) -> None:
        """End the program and what it started: first told, then killed."""
        child, self._child = self._child, None
        if child is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(_END_S)
        for reader in self._readers:
            reader.join(_END_S)
        self._readers, self._latest, self._words, self._bad = [], None, "", ""
        self._came.clear()

    def _start(self, words: list[str]) -> None:
        born = threading.Event()
        keeper = threading.Thread(target=self._keep, args=(words, born), daemon=True)
        keeper.start()
        self._readers.append(keeper)
        born.wait()

    def _keep(self, words: list[str], born: threading.Event) -> None:
        """Start the program and stamp each line as it comes.

        The kernel takes a parent's death for that of the thread that started the child: this one
        lives as long as the program does.
        """
        try:
            self._child = child = subprocess.Popen(
                [sys.executable, "-ISc", _DIES_WITH_PARENT, str(os.getpid()), *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                cwd=self._folder,
            )
            listener = threading.Thread(target=self._listen, args=(child.stderr,), daemon=True)
            listener.start()
            self._readers.append(listener)
        finally:
            born.set()
        # Not `with child`: that closes stderr too, under the hands of who reads it.
        with child.stdout or contextlib.nullcontext(()) as stdout:
            for number, line in enumerate(stdout, 1):
                t_ns = time.perf_counter_ns()
                power_uw = parse_power_uw(line)
                self._latest = None if power_uw is None else (t_ns, power_uw)
                self._bad = "" if power_uw is not None else _bad_line(number, line)
                self._came.set()
        self._came.set()
        child.wait()

    def _listen(self, stderr: IO[bytes]) -> None:
        """Keep its last words."""
        with stderr:
            for line in stderr:
                self._words = _plain(line) or self._words


def parse_power_uw(line: bytes) -> int | None:
    """A line that holds one number of watts, as uW; None for anything else or below 0."""
    try:
        watt = float(line.decode("ascii"))
    except ValueError:
        return None
    return round(1e6 * watt) if math.isfinite(watt) and 0 <= watt < _MOST_W else None


def external_channel(covers: Literal["wall", "board"]) -> Channel:
    """What an external meter reads: the whole device, or the board without its power supply."""
    wall = covers == "wall"
    return Channel(
        name=covers,
        tier="wall_measured" if wall else "board_measured",
        quantity="power_uw",
        covers=("device",) if wall else ("board",),
        excludes=() if wall else ("power supply",),
    )


def _bad_line(number: int, line: bytes) -> str:
    return f"the power command's line {number} is no power in W: {_plain(line)!r}"


def _plain(line: bytes) -> str:
    text = line.decode("utf-8", "replace").strip()[:_WORDS]
    return "".join(c if c.isprintable() else "?" for c in text)

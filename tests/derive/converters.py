"""Converters that fail in every way a converter can; the child imports them by name."""

# ruff: noqa: ARG002 - they take the job that every converter takes

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from edgebench.derive.contract import Job
from edgebench.errors import ModelRefusedError
from edgebench.records import Precision
from edgebench.specs import ModelFormat


class Plain:
    """Copies its source."""

    format: ModelFormat = "mnn"
    sources: tuple[ModelFormat, ...] = ("onnx",)
    precisions: tuple[Precision, ...] = ("fp32", "int8")
    suffix = "copy"
    calibrated: tuple[Precision, ...] = ("int8",)
    tools: Mapping[str, str] = {"numpy": "numpy"}

    def settings(self, precision: Precision) -> Mapping[str, str]:
        return {"precision": precision}

    def convert(self, job: Job) -> None:
        Path(job.target).write_bytes(Path(job.source).read_bytes())


class Crashes(Plain):
    """Dies as some libraries do."""

    def convert(self, job: Job) -> None:
        sys.stderr.write("about to crash\n")
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGSEGV)


class Aborts(Plain):
    """Calls abort(3)."""

    def convert(self, job: Job) -> None:
        os.abort()


class Hangs(Plain):
    """Never ends, and has a child that does not either."""

    def convert(self, job: Job) -> None:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        time.sleep(600)


class Refuses(Plain):
    """Says no."""

    def convert(self, job: Job) -> None:
        raise ModelRefusedError("the planted refusal")


class Silent(Plain):
    """Ends well without a file."""

    def convert(self, job: Job) -> None:
        """Nothing."""


class CallsHome(Plain):
    """Asks for an internet socket through Python."""

    def convert(self, job: Job) -> None:
        socket.create_connection(("127.0.0.1", 9), timeout=1)


class CallsHomeInC(Plain):
    """Asks the C library, as a compiled converter would."""

    def convert(self, job: Job) -> None:
        ctypes.CDLL(None).socket(socket.AF_INET6, socket.SOCK_DGRAM, 0)


class InstallsPackages(Plain):
    """Calls pip through a shell, as MNN's own scripts do."""

    def convert(self, job: Job) -> None:
        os.system("pip install something")  # noqa: S605, S607 - what must not work


class LetsAChildCallHome(Plain):
    """Starts a program that asks for a socket, and tells what became of it."""

    def convert(self, job: Job) -> None:
        code = "import socket; socket.socket(socket.AF_INET)"
        done = subprocess.run([sys.executable, "-c", code], check=False)
        raise ModelRefusedError(f"the program ended with {done.returncode}")


class UsesALocalSocket(Plain):
    """Talks within the machine, which is no network."""

    def convert(self, job: Job) -> None:
        one, other = socket.socketpair()
        one.sendall(b"x")
        assert other.recv(1) == b"x"
        super().convert(job)


class LeavesFiles(Plain):
    """Writes into its home, its folder and the place for temporary files."""

    def convert(self, job: Job) -> None:
        (Path.home() / "left").write_text("x", encoding="utf-8")
        Path("left-here").write_text("x", encoding="utf-8")
        tempfile.mkstemp()
        super().convert(job)


class FromTFLite(Plain):
    """Copies another format."""

    format: ModelFormat = "onnx"
    sources: tuple[ModelFormat, ...] = ("tflite",)
    precisions: tuple[Precision, ...] = ("fp32",)
    calibrated: tuple[Precision, ...] = ()

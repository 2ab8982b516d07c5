"""An Edge Impulse ``.eim`` at work: its process, its socket, its shared memory.

What is known of the protocol comes from the vendor's own programs, both in public: the executable's
side (``source/eim.cpp`` of edgeimpulse/example-standalone-inferencing-linux) and a client's
(``runner.py`` of edgeimpulse/linux-sdk-python). ``MODEL.eim SOCKET`` listens on an AF_UNIX stream
for one client; a request is a JSON object, a reply is one followed by a NUL, and both carry ``id``.

Nothing is left behind, whatever dies: the kernel ends the executable with the thread that started
it, and socket and shared memory lose their names as soon as both sides hold them.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import signal
import socket
import stat
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgebench.errors import ModelRefusedError

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_SHM = Path("/dev/shm")  # noqa: S108 - where Linux keeps what shm_open(3) makes
_PATH_BYTE = 107
"""Longest path of a socket (unix(7)), its NUL left out."""
_POLL_S = 0.002
_LEAVE_S = 2.0
"""How long it may take to end by itself once it is asked to."""
_CHUNK_BYTE = 1 << 16
_REPLY_BYTE = 4 << 20
"""A classification takes a few hundred bytes."""
_LOG_BYTE = 1 << 15
_WORDS = 300
_ELF_HEAD_BYTE, _ELF_MACHINE = 20, 18
_MACHINES = {3: "x86", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"}
"""``e_machine`` of elf(5)."""


class Answer(msgspec.Struct, frozen=True):
    """A reply: of ``hello`` everything but ``result`` and ``timing``, of ``classify`` those."""

    id: int | None = None
    success: bool = False
    error: Any = None
    result: dict[str, Any] = {}
    timing: dict[str, Any] = {}
    model_parameters: dict[str, Any] = {}
    project: dict[str, Any] = {}
    inferencing_engine: Any = None
    features_shm: dict[str, Any] | None = None


class EimProcess:
    """One executable, started and connected.

    Args:
        model: The ``.eim``.
        timeout_s: Longest wait for its socket, and for any answer.

    Raises:
        ModelRefusedError: It cannot be started, or it does not listen; in one line.
    """

    def __init__(self, model: Path, timeout_s: float) -> None:
        _check_file(model)
        self._timeout_s = timeout_s
        self._maps: list[mmap.mmap] = []
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._folder = tempfile.TemporaryDirectory(prefix="edgebench-eim-", dir=_own_folder())
        path = str(Path(self._folder.name) / "s")
        path = path if _fits(path) else os.path.relpath(path)
        self._process: subprocess.Popen[bytes] | None = None
        # The kernel keeps the time-outs: a time-out of Python's would cost a poll(2) a call.
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._process = _start(model, path, self._log.fileno())
            self._connect(path)
            self._folder.cleanup()
        except BaseException:
            self.close()
            raise
        limit = struct.pack("ll", int(timeout_s), int(timeout_s % 1 * 1e6))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.socket.setsockopt(socket.SOL_SOCKET, option, limit)
        self._buffer = bytearray(_CHUNK_BYTE)
        self._decoder = msgspec.json.Decoder(Answer)
        self._length = 0

    @property
    def pid(self) -> int:
        """Of the executable."""
        if self._process is None:
            raise ModelRefusedError("the session is closed")
        return self._process.pid

    def _connect(self, path: str) -> None:
        deadline = time.monotonic() + self._timeout_s
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                raise ModelRefusedError(f"{self._ended()} before it listened")
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                self.socket.connect(path)
                return
            time.sleep(_POLL_S)
        raise ModelRefusedError(f"it made no socket within {self._timeout_s:g} s: {self._said()}")

    def exchange(self, request: bytes) -> None:
        """Send a request and receive its reply, unread: this is what an inference is timed by.

        Raises:
            ModelRefusedError: It ended, or fell silent.
        """
        try:
            self.socket.sendall(request)
            count = self.socket.recv_into(self._buffer)
            self._length = count
            if not count or self._buffer[count - 1]:
                self._receive_rest()
        except BlockingIOError:
            raise self._silent() from None
        except OSError as error:
            raise ModelRefusedError(f"{self._ended()}: {error.strerror or error}") from None

    def _receive_rest(self) -> None:
        """A reply that came in pieces, or will not come at all."""
        deadline = time.monotonic() + self._timeout_s
        while not self._length or self._buffer[self._length - 1]:
            if self._length == len(self._buffer):
                if self._length >= _REPLY_BYTE:
                    raise ModelRefusedError(f"its reply is longer than {_REPLY_BYTE >> 20} MiB")
                self._buffer += bytes(self._length)
            with memoryview(self._buffer) as view, view[self._length :] as free:
                count = self.socket.recv_into(free)
            if not count:
                part = f" in the middle of a reply ({self._length} bytes)" if self._length else ""
                raise ModelRefusedError(self._ended() + part)
            self._length += count
            if time.monotonic() > deadline:
                raise self._silent()

    def _silent(self) -> ModelRefusedError:
        return ModelRefusedError(f"no answer within {self._timeout_s:g} s: {self._said()}")

    def answer(self, number: int) -> Answer:
        """The last reply, read.

        Args:
            number: The ``id`` that it must have.

        Raises:
            ModelRefusedError: It is no reply, another request's, or says what went wrong.
        """
        text = bytes(self._buffer[: self._length]).rstrip(b"\0\n")
        try:
            answer = self._decoder.decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise ModelRefusedError(
                f"its reply is not what the protocol says: {text[:80]!r}"
            ) from None
        if not answer.success:
            told = " ".join(str(answer.error or "it gives no reason").split())
            raise ModelRefusedError(f"it answers: {told[:_WORDS]}")
        if answer.id != number:
            raise ModelRefusedError(f"it answers request {answer.id}, asked was {number}")
        return answer

    def share(self, name: str, elements: int) -> NDArray[np.float32]:
        """The float32 features that it reads from shared memory; the name goes away.

        Raises:
            ModelRefusedError: There is no such shared memory of ours, or it is too small.
        """
        path = _SHM / name.lstrip("/")
        if path.parent != _SHM or not elements:
            raise ModelRefusedError(f"it offers {elements} numbers of shared memory {name[:80]!r}")
        try:
            number = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise ModelRefusedError(f"its shared memory {name[:80]!r}: {error}") from None
        try:
            found = os.fstat(number)
            if not stat.S_ISREG(found.st_mode) or found.st_size < 4 * elements:
                raise ModelRefusedError(
                    f"its shared memory has {found.st_size} bytes, {elements} numbers need "
                    f"{4 * elements}"
                )
            self._maps.append(mmap.mmap(number, 4 * elements))
        finally:
            os.close(number)
        path.unlink(missing_ok=True)
        return np.frombuffer(self._maps[-1], np.float32)

    def _ended(self) -> str:
        """What became of it, and its last words."""
        if self._process is None:
            return "the session is closed"
        code = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(_LEAVE_S)
        if code is None:
            return f"the .eim closed its socket: {self._said()}"
        how = f"exit code {code}" if code >= 0 else _signal(-code)
        return f"the .eim ended with {how}: {self._said()}"

    def _said(self) -> str:
        """The last line of its stdout and stderr."""
        lines = self._tail().decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:_WORDS] if lines else "it said nothing"

    def _tail(self) -> bytes:
        size = os.fstat(self._log.fileno()).st_size
        return os.pread(self._log.fileno(), _LOG_BYTE, max(0, size - _LOG_BYTE))

    def close(self) -> None:
        """Hang up, see it end, take its log over into our own stderr."""
        self.socket.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGINT)  # as the vendor's runner does
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_LEAVE_S)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        self._folder.cleanup()
        self._maps.clear()  # unmapped with the last array that looks at it
        if not self._log.closed:
            with contextlib.suppress(OSError):
                os.write(2, self._tail())
            self._log.close()


def _signal(number: int) -> str:
    """``SIGSEGV`` of 11; real-time signals have no names."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _own_folder() -> str | None:
    """A worker stands in an empty folder of its own, cleared away even if it is killed."""
    here = Path.cwd()
    return str(here) if here.name.startswith("edgebench-worker-") else None


def _fits(path: str) -> bool:
    return len(os.fsencode(path)) <= _PATH_BYTE


def _check_file(model: Path) -> None:
    if not model.is_file():
        raise ModelRefusedError(f"{model} is no file")
    if not os.access(model, os.X_OK):
        raise ModelRefusedError(f"{model.name} is not executable", remedy=f"chmod +x {model}")


def _start(model: Path, path: str, log: int) -> subprocess.Popen[bytes]:
    if not _fits(path):
        raise ModelRefusedError(f"{path} is too long for a socket", remedy="a shorter TMPDIR")
    parent = os.getpid()

    def die_with_us() -> None:
        os.setpgid(0, 0)
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    command = [str(model.absolute()), path]
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_us,  # noqa: PLW1509 - two system calls, no lock in them
        )
    except OSError as error:
        raise ModelRefusedError(
            f"{model.name} cannot be started: {_reason(model, error)}"
        ) from None


def _reason(model: Path, error: OSError) -> str:
    """Why execve(2) refused a file, with the machine that it was built for."""
    with model.open("rb") as file:
        head = file.read(_ELF_HEAD_BYTE)
    if head[:4] == b"\x7fELF" and len(head) == _ELF_HEAD_BYTE:
        order: Any = "big" if head[5] == 2 else "little"  # noqa: PLR2004 - EI_DATA of elf(5)
        number = int.from_bytes(head[_ELF_MACHINE:], order)
        built_for = _MACHINES.get(number, f"machine {number}")
        if built_for != platform.machine():
            return f"it is built for {built_for}, this machine is {platform.machine()}"
    return str(error.strerror or error)

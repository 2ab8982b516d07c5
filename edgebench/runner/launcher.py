"""Starting workers: one fresh process a launch, watched, timed out, and cleared away whole."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec
import psutil

from edgebench import wire
from edgebench.errors import UsageError, WireError
from edgebench.host.cpu import ROOT, cgroup_folders, read_text
from edgebench.machine import Stage
from edgebench.protocols import Probe
from edgebench.records import SCHEMA_VERSION, Record, Status
from edgebench.runner import leftovers, surroundings
from edgebench.runner.lookout import Lookout
from edgebench.units import BYTE_PER_MIB

_TICK_S = 1.0
_LOG_BYTE = 64 * 1024
_GRACE_S = 0.5
_PROBE_TIMEOUT_S = 180.0
_START_FACTOR = 3.0
"""A framework is imported then; TensorFlow's took 69 s from a cold disk."""

_Left = Callable[[], float]
_Check = Callable[[int], None]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long each stage may take, and how much memory the worker."""

    timeout_s: float
    measure_s: float
    memory_byte: int | None = None
    idle_s: float = 0.0
    power_s: float = 0.0

    def holding(self, request: wire.LaunchRequest) -> Limits:
        """With the time that a launch's own power pass takes, however slow its meters are."""
        settle_s, idle_s, power_s = request.settle_s, request.idle_s or 0.0, request.power_s or 0.0
        return msgspec.structs.replace(self, idle_s=settle_s + idle_s, power_s=settle_s + power_s)

    def of(self, stage: Stage) -> float:
        """Seconds that a stage may take.

        Checking takes longest; it begins anew with every chunk (``edgebench.measure.accuracy``).
        """
        longer = {
            "start": _START_FACTOR * self.timeout_s,
            "measure": self.timeout_s + 2 * self.measure_s,
            "check": 10 * self.timeout_s,
            "idle": self.timeout_s + self.idle_s,
            "power": self.timeout_s + 2 * self.power_s,
        }
        return longer.get(stage, self.timeout_s)


def probe(names: Sequence[str], python: str | None = None) -> tuple[Probe, ...]:
    """Ask an interpreter which of these backends it can use; no framework enters this process.

    A backend that takes its process down while it is imported is found out and not available.

    Raises:
        UsageError: The interpreter cannot be started, has no edgebench, or an unlike one.
    """
    probed, cause = _ask(names, python)
    if probed is None and not names:
        raise UsageError(
            f"{python or sys.executable} cannot run workers: {cause}",
            remedy="install this edgebench in that environment" if python else "",
        )
    if probed is None and len(names) == 1:
        probe((), python)  # the interpreter itself is sound, or this raises
        return (Probe(name=names[0], available=False, reason=f"importing it failed: {cause}"),)
    if probed is None:
        return tuple(answer for name in names for answer in probe([name], python))
    if probed.schema_version != SCHEMA_VERSION:
        raise UsageError(
            f"{python} has an edgebench of schema {probed.schema_version}, this one has "
            f"{SCHEMA_VERSION}",
            remedy="install the same version in both",
        )
    return tuple(_elsewhere(one, python) for one in probed.probes) if python else probed.probes


def _elsewhere(probe: Probe, python: str) -> Probe:
    """What mends a backend of another interpreter is done there."""
    if not probe.remedy.startswith("pip "):
        return probe
    return msgspec.structs.replace(probe, remedy=f"{python} -m {probe.remedy}")


def _ask(names: Sequence[str], python: str | None) -> tuple[wire.Probed | None, str]:
    """A worker's answer to a `ProbeRequest`, or None and why there is none."""
    worker = Worker(python, 1)
    reply: wire.Reply | None = None
    cause = ""
    try:
        worker.ask(wire.ProbeRequest(parent_pid=os.getpid(), backends=tuple(names)))
        deadline = time.monotonic() + _PROBE_TIMEOUT_S
        reply = next(worker.replies(lambda: deadline - time.monotonic(), None), None)
    except TimeoutError:
        cause = f"no answer for {_PROBE_TIMEOUT_S:g} s"
    except (WireError, OSError) as error:
        cause = str(error)
    finally:
        worker.end()
    if isinstance(reply, wire.Probed):
        return reply, ""
    return None, cause or why_ended(worker, oom=False)[1]


def launch(
    request: wire.LaunchRequest,
    limits: Limits,
    log: Path,
    python: str | None = None,
    heard: Callable[[wire.Reply], None] | None = None,
    *,
    entered: Callable[[Stage], None] | None = None,
) -> Record:
    """Measure one case in a fresh process and return its record, whatever becomes of it.

    ``heard`` is given whatever else the worker tells before its record, ``entered`` its stages.
    """
    limits = limits.holding(request)
    watch, lookout = Watch(limits, heard, entered), Lookout()

    def tick(pid: int) -> None:
        watch.check_memory(pid)
        lookout.glance(watch.stage)

    try:
        worker = Worker(python, request.case.threads)
    except (OSError, UsageError) as error:  # no memory, no handles, no room: this launch only
        return lost(request, "start", "failed", f"a worker cannot be started: {error}")
    kills_before = oom_kills()
    record: Record | None = None
    status: Status = "failed"
    reason = ""
    try:
        worker.ask(request)
        for reply in worker.replies(watch.left, tick):
            if isinstance(reply, wire.Done):
                record = reply.record
                break
            watch.hear(reply)
            lookout.glance(watch.stage)
    except TimeoutError:
        status, reason = "timeout", f"no answer for {limits.of(watch.stage):g} s"
    except MemoryError as error:
        reason = str(error)
    except (WireError, OSError) as error:
        reason = f"the worker's answer cannot be read: {error}"
    finally:
        worker.end()
    worker.save_log(log)
    if record is not None:
        return msgspec.structs.replace(record, looks=tuple(lookout.looks))
    if not reason or (worker.ended_itself and worker.returncode):
        status, reason = why_ended(worker, oom=oom_kills() > kills_before)
    return lost(request, watch.stage, status, reason)


class Watch:
    """Which stage a worker is in, since when, and how large it may grow."""

    def __init__(
        self,
        limits: Limits,
        heard: Callable[[wire.Reply], None] | None = None,
        entered: Callable[[Stage], None] | None = None,
    ) -> None:
        self._limits = limits
        self._heard = heard
        self._entered = entered
        self.stage: Stage = "start"
        self._since = time.monotonic()

    def enter(self, stage: Stage) -> None:
        """A stage begins, or begins anew."""
        self.stage = stage
        self._since = time.monotonic()

    def hear(self, reply: wire.Reply) -> None:
        """A stage that the worker tells of begins; whatever else it tells is passed on."""
        if isinstance(reply, wire.Progress):
            self.enter(reply.stage)
            if self._entered is not None:
                self._entered(reply.stage)
        elif self._heard is not None:
            self._heard(reply)

    def left(self) -> float:
        """Seconds until the present stage times out."""
        return self._since + self._limits.of(self.stage) - time.monotonic()

    def check_memory(self, pid: int) -> None:
        """Address-space limits break GPU runtimes, so resident memory is looked at instead."""
        if (limit := self._limits.memory_byte) is None:
            return
        with contextlib.suppress(psutil.Error):
            worker = psutil.Process(pid)
            all_of_it = (worker, *worker.children(recursive=True))  # a runtime may be a program
            if (rss := sum(one.memory_info().rss for one in all_of_it)) > limit:
                raise MemoryError(
                    f"stopped at the memory limit: {rss // BYTE_PER_MIB} MiB resident, "
                    f"{limit // BYTE_PER_MIB} MiB allowed"
                )


class Worker:
    """One worker process in a session and process group of its own."""

    def __init__(self, python: str | None, threads: int) -> None:
        self._folder = leftovers.folder()
        self._head, self._tail = bytearray(), bytearray()
        self.ended_itself = False
        """Whether it ended before it was ended: then its exit status tells why."""
        # Replies have a pipe of their own: stdout belongs to whatever wants to print.
        reading, writing = os.pipe()
        command = [python or sys.executable, "-m", "edgebench.measure.worker", str(writing)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(writing,),
                env=surroundings.environment(threads, Path(self._folder.name)),
                cwd=self._folder.name,  # `-m` puts it first on sys.path: nothing may lie there
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            os.close(reading)
            self._folder.cleanup()
            raise UsageError(f"cannot start {command[0]!r}: {error}") from None
        finally:
            os.close(writing)
        self._replies = os.fdopen(reading, "rb")

    def ask(self, request: wire.Request, *, more: bool = False) -> None:
        """Send a request; a worker that is already dead is found out by `replies`.

        Args:
            request: The one request, or one of a conversation.
            more: Another one will follow.
        """
        stdin = self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            if stdin is not None:
                stdin.write(wire.pack(request))
                stdin.flush() if more else stdin.close()

    def replies(self, left: _Left, every_tick: _Check | None) -> Iterator[wire.Reply]:
        """Replies as they come, until the worker closes its pipe.

        Raises:
            TimeoutError: ``left()`` ran out.
            WireError: The worker sent garbage.
        """
        reader = wire.FrameReader()
        with selectors.DefaultSelector() as selector:
            for stream in (self._replies, self._process.stdout):
                if stream is not None:
                    selector.register(stream, selectors.EVENT_READ)
            ended = False
            while selector.get_map():
                if left() <= 0:
                    raise TimeoutError
                events = selector.select(0 if ended else min(_TICK_S, max(0.0, left())))
                for key, _ in events:
                    yield from self._take(selector, key, reader)
                if every_tick is not None:
                    every_tick(self._process.pid)
                if ended and not events:
                    break  # a child it left behind holds the pipes open; nothing more will come
                ended = not events and self._has_ended()  # its last words may have come since
        if reader.rest:
            raise WireError("it ended in the middle of a frame")

    def _take(
        self,
        selector: selectors.BaseSelector,
        key: selectors.SelectorKey,
        reader: wire.FrameReader,
    ) -> Iterator[wire.Reply]:
        """What one pipe has to give: replies, or words for the log."""
        data = os.read(key.fd, 1 << 16)
        if not data:
            selector.unregister(key.fileobj)
        elif key.fileobj is self._replies:
            yield from reader.feed(data)
        else:
            self._keep_log(data)

    def _keep_log(self, data: bytes) -> None:
        """The first and the last 32 KiB: how it began, and its last words."""
        room = max(0, _LOG_BYTE // 2 - len(self._head))
        self._head += data[:room]
        self._tail = (self._tail + data[room:])[-_LOG_BYTE // 2 :]

    def _has_ended(self) -> bool:
        """Whether the process is over; its exit status stays for `end` to collect."""
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, flags) is not None

    def end(self) -> None:
        """Kill the whole process group and collect the exit status.

        What a runtime moved into a session of its own is beyond reach; its children are not.
        """
        deadline = time.monotonic() + _GRACE_S  # one that is just ending keeps its exit status
        while not self._has_ended() and time.monotonic() < deadline:
            time.sleep(_GRACE_S / 50)
        self.ended_itself = self._has_ended()
        # Before the exit status is collected: until then the group's number cannot be another's.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._replies):
            _close(stream)
        with contextlib.suppress(OSError):
            self._folder.cleanup()

    @property
    def pid(self) -> int:
        """Its process, and the process group of what it starts."""
        return self._process.pid

    @property
    def returncode(self) -> int:
        """As `subprocess.Popen.returncode`: negative for a signal."""
        return self._process.returncode

    def last_words(self) -> str:
        """The last line that the worker wrote to stderr."""
        log = bytes(self._tail or self._head)
        lines = log.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip()[:300] if lines else "it said nothing"

    def save_log(self, path: Path) -> None:
        """Keep stderr where there is any; a log that cannot be written costs no result."""
        if self._head:
            with contextlib.suppress(OSError):
                path.write_bytes(self._head + self._tail)


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()


def why_ended(worker: Worker, *, oom: bool) -> tuple[Status, str]:
    """Why a worker ended without a record."""
    code = worker.returncode
    if code >= 0:
        return "failed", f"the worker ended with exit code {code}: {worker.last_words()}"
    if oom and -code == signal.SIGKILL:
        return "oom", "the kernel killed the worker for want of memory (oom_kill)"
    return "crashed", f"killed by {signal.Signals(-code).name}"


def oom_kills(root: Path = ROOT) -> int:
    """The kernel's count of processes killed for memory, ours and our cgroup's (cgroup-v2.rst)."""
    total = 0
    ours = (folder / "memory.events" for folder in cgroup_folders(root)[:1])
    for path in (*ours, root / "proc/vmstat"):
        for line in (read_text(path) or "").splitlines():
            key, _, value = line.partition(" ")
            if key == "oom_kill" and value.isdigit():
                total += int(value)
    return total


def lost(request: wire.LaunchRequest, stage: Stage, status: Status, reason: str) -> Record:
    """The record of a launch whose worker could not give one."""
    return Record(
        run_id=request.run_id,
        case_id=request.case_id,
        launch=request.launch,
        attempt=request.attempt,
        started_at_utc=request.started_at_utc,
        model_sha256=request.model_sha256,
        status=status,
        stage=stage,
        reason=reason,
    )

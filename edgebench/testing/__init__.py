"""Parts for testing edgebench and its plug-ins: fakes for faults and machines, and contracts.

Product code: third parties test their backends with `check_backend`, and try their own runners
with the null and faulty backends (``-b edgebench.testing:NullBackend``).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edgebench import plugins
from edgebench.errors import ModelRefusedError
from edgebench.protocols import Feeds, Probe, Session, Settings, Tensor
from edgebench.records import PRECISIONS, Effective
from edgebench.testing.contract import Bundled, bundled, check_backend
from edgebench.testing.meter_contract import check_meter
from edgebench.testing.meters import FakeMeter, Wave

__all__ = [
    "Bundled",
    "FakeClock",
    "FakeMeter",
    "FaultyBackend",
    "FaultySession",
    "NullBackend",
    "NullSession",
    "PlayedSession",
    "SlowedBackend",
    "SlowedSession",
    "Wave",
    "bundled",
    "check_backend",
    "check_meter",
    "commit",
    "known_latencies",
    "write_tree",
]

_CLASSES = 10
_NOISE_LINES = 2000


class NullSession:
    """A session that computes nothing: what is left is edgebench's own cost.

    Args:
        settings: ``options["busy_us"]`` makes ``invoke`` spin that long, ``options["sleep_us"]``
            sleep, as if an accelerator were at work; ``options["shape"]`` is the sample's shape
            (default ``28,28,1``). ``options["stall_ms"]`` and ``options["stall_at"]``: so long
            nothing happens while the ``stall_at``-th input is staged, outside every ``invoke``,
            as if the system had stopped the process.
    """

    def __init__(self, settings: Settings) -> None:
        shape = tuple(int(n) for n in settings.options.get("shape", "28,28,1").split(","))
        self._busy_ns = int(float(settings.options.get("busy_us", "0")) * 1000)
        self._sleep_s = float(settings.options.get("sleep_us", "0")) / 1e6
        self._stall_s = float(settings.options.get("stall_ms", "0")) / 1000
        self._until_stall = int(settings.options.get("stall_at", "0"))
        self._settings = settings
        self._slot = 0
        self.inputs = (
            Tensor(name="input", shape=(settings.batch, *shape), dtype="float32", layout="NHWC"),
        )
        self.outputs = (Tensor(name="output", shape=(settings.batch, _CLASSES), dtype="float32"),)

    def bind(self, ring: Sequence[Feeds]) -> None:
        """Nothing to allocate."""

    def stage(self, slot: int) -> None:
        """Remember the slot; stall, if it is time to."""
        self._slot = slot
        self._until_stall -= 1
        if self._until_stall == 0:
            time.sleep(self._stall_s)

    def feed(self, inputs: Feeds) -> None:
        """Nothing to copy into."""

    def invoke(self) -> None:
        """Sleep for ``sleep_us``, spin for ``busy_us``, if any."""
        if self._sleep_s:
            time.sleep(self._sleep_s)
        if self._busy_ns:
            end = time.perf_counter_ns() + self._busy_ns
            while time.perf_counter_ns() < end:
                pass

    def read(self) -> dict[str, NDArray[Any]]:
        """Ones: a vector that never has a length of 0."""
        return {"output": np.ones((self._settings.batch, _CLASSES), np.float32)}

    def effective(self) -> Effective:
        """What was asked: nothing was computed."""
        return Effective(
            backend_version="0", precision=self._settings.precision, accelerator="cpu", words="null"
        )

    def close(self) -> None:
        """Nothing to release."""


class NullBackend:
    """A backend that computes nothing."""

    name = "edgebench.testing:NullBackend"
    formats: tuple[str, ...] = ("onnx", "tflite")
    precisions: tuple[str, ...] = PRECISIONS

    def probe(self) -> Probe:
        """Always there."""
        return Probe(
            name=self.name,
            available=True,
            version="0",
            formats=self.formats,
            precisions=self.precisions,
        )

    def open(self, model: Path, settings: Settings) -> NullSession:
        """A `NullSession`; the model file is not read."""
        del model
        return NullSession(settings)


class SlowedSession:
    """A session of another backend whose ``invoke`` then spins for a known time.

    Args:
        inner: The other backend's session.
        busy_us: How long to spin after each inference.
    """

    def __init__(self, inner: Session, busy_us: float) -> None:
        self._inner = inner
        self._busy_ns = int(busy_us * 1000)
        self.inputs = inner.inputs
        self.outputs = inner.outputs

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the other session has
        return getattr(self._inner, name)

    def invoke(self) -> None:
        """The other session's, then the spinning."""
        self._inner.invoke()
        end = time.perf_counter_ns() + self._busy_ns
        while time.perf_counter_ns() < end:
            pass


class SlowedBackend(NullBackend):
    """A planted difference: the backend ``options["of"]``, each inference ``busy_us`` longer.

    With ``busy_us=0`` it is the same wrapper without the difference, to compare with.
    """

    name = "edgebench.testing:SlowedBackend"

    def open(self, model: Path, settings: Settings) -> Any:  # noqa: ANN401 - a session and more
        """A `SlowedSession` on the other backend's session."""
        options = dict(settings.options)
        inner = plugins.open_backend(options.pop("of", "onnxruntime"))
        busy_us = float(options.pop("busy_us", "0"))
        plain = msgspec.structs.replace(settings, options=options)
        return SlowedSession(inner.open(model, plain), busy_us)


class FaultyBackend(NullBackend):
    """A backend that fails as told by ``options["fault"]``, at ``options["at"]``.

    ``fault``: ``raise``, ``refuse``, ``exit``, ``segv``, ``kill``, ``hang``, ``garbage`` (bytes
    into every open pipe, the worker's private one among them), ``noise`` (text on stdout),
    ``eat`` (memory without end), ``orphan`` (a child that outlives its parent if it can),
    ``orphan_segv`` (such a child, then a crash: the child holds the worker's pipes open).
    ``at``: ``open`` or the number of an ``invoke`` call (default 3).
    """

    name = "edgebench.testing:FaultyBackend"

    def open(self, model: Path, settings: Settings) -> FaultySession:
        """A `FaultySession`, unless it fails right here."""
        del model
        fault = settings.options.get("fault", "raise")
        if settings.options.get("at") == "open":
            commit(fault)
        return FaultySession(settings, fault)


class FaultySession(NullSession):
    """A null session that fails at one call of ``invoke``."""

    def __init__(self, settings: Settings, fault: str) -> None:
        super().__init__(settings)
        self._fault = fault
        self._left = int(settings.options.get("at", "3")) if fault else 0

    def invoke(self) -> None:
        """Count down to the fault; otherwise as long as ``busy_us`` says."""
        self._left -= 1
        if self._left == 0:
            commit(self._fault)
        super().invoke()


def commit(fault: str) -> None:
    """Fail in one of the ways that `FaultyBackend` lists; an empty name does nothing."""
    if fault:
        _FAULTS[fault]()


def _raise(error: Exception) -> None:
    raise error


def _signal(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


def _make_noise() -> None:
    sys.stdout.write("planted noise\n" * _NOISE_LINES)
    sys.stdout.flush()


def _eat() -> None:
    hoard = []
    while True:
        hoard.append(np.ones(1 << 22))  # 32 MiB a bite, touched


def _write_garbage() -> None:
    for entry in list(Path("/proc/self/fd").iterdir()):
        number = int(entry.name)
        if number > 2 and "pipe:" in os.path.realpath(entry):  # noqa: PLR2004 - after stderr
            os.write(number, b"\xff" * 64)
    time.sleep(1)


def _leave_orphan() -> None:
    if os.fork() == 0:
        time.sleep(3600)
        os._exit(0)


def _orphan_and_crash() -> None:
    _leave_orphan()
    _signal(signal.SIGSEGV)


_FAULTS: dict[str, Callable[[], object]] = {
    "raise": lambda: _raise(RuntimeError("planted failure")),
    "refuse": lambda: _raise(ModelRefusedError("planted refusal")),
    "exit": lambda: os._exit(7),
    "segv": lambda: _signal(signal.SIGSEGV),
    "kill": lambda: _signal(signal.SIGKILL),
    "hang": lambda: time.sleep(3600),
    "garbage": _write_garbage,
    "noise": _make_noise,
    "eat": _eat,
    "orphan": _leave_orphan,
    "orphan_segv": _orphan_and_crash,
}


def write_tree(root: Path, files: Mapping[str, str]) -> Path:
    """A planted /proc and /sys: relative paths to their content; returns ``root``."""
    for relative, content in files.items():
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root


class FakeClock:
    """A virtual clock: it stands still until it is advanced, and every reading costs nothing.

    Args:
        start_ns: Its first reading; above 0.
    """

    def __init__(self, start_ns: int = 1) -> None:
        self.now_ns = start_ns

    def __call__(self) -> int:
        """The time, as `time.perf_counter_ns` gives it."""
        return self.now_ns

    def advance(self, by_ns: int) -> None:
        """Let time pass."""
        self.now_ns += by_ns


class PlayedSession(NullSession):
    """A null session whose inferences take known times on a `FakeClock`.

    Args:
        clock: Moved by every inference.
        latency_ns: What each inference takes, in order; it must last.
        stage_ns: What each staging takes.
    """

    def __init__(self, clock: FakeClock, latency_ns: Iterable[int], stage_ns: int = 0) -> None:
        super().__init__(Settings())
        self._clock = clock
        self._latency_ns = iter(latency_ns)
        self._stage_ns = stage_ns

    def stage(self, slot: int) -> None:
        """Let the staging's time pass."""
        super().stage(slot)
        self._clock.advance(self._stage_ns)

    def invoke(self) -> None:
        """Let the next inference's time pass."""
        self._clock.advance(next(self._latency_ns))


def known_latencies(seed: int, n: int) -> list[int]:
    """Latencies in ns as they come in the field: two modes, lognormal each, and a long tail.

    Args:
        seed: Of the random generator.
        n: How many.
    """
    rng = np.random.default_rng(seed)
    mode = np.where(rng.random(n) < 0.3, 1.6e6, 1e6)  # noqa: PLR2004 - a share of slow ones
    body = mode * np.exp(rng.normal(0, 0.03, n))
    tail = (rng.random(n) < 0.02) * rng.exponential(2e6, n)  # noqa: PLR2004 - as above
    return [int(value) for value in body + tail]

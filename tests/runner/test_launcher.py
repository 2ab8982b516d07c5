"""Workers that fail in every way that can be planted: a record each, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from edgebench import resources, wire
from edgebench.errors import UsageError
from edgebench.records import Case, Record
from edgebench.runner import launcher, surroundings
from edgebench.units import BYTE_PER_MIB

NULL = "edgebench.testing:NullBackend"
FAULTY = "edgebench.testing:FaultyBackend"
MARK = secrets.token_hex(8)
LIMITS = launcher.Limits(timeout_s=20.0, measure_s=0.05)


@pytest.fixture
def request_for(case: Callable[..., Case]) -> Callable[..., wire.LaunchRequest]:
    """Makes requests for one short launch of mnist_cnn."""
    workload = resources.open_workload("mnist_cnn")

    def make(backend: str, **options: str) -> wire.LaunchRequest:
        one = case(backend=backend, options=options)
        model = workload.model("onnx", "fp32")
        assert model is not None
        return wire.LaunchRequest(
            parent_pid=os.getpid(),
            run_id="r",
            case_id=one.case_id,
            launch=0,
            started_at_utc="2026-01-01T00:00:00Z",
            case=one,
            model_path=str(workload.file(model.path)),
            model_layout=model.layout,
            model_sha256=model.sha256,
            reference_path=str(workload.file("reference.npz")),
            warmup_s=0.0,
            warmup_max_s=1.0,
            measure_s=0.05,
        )

    return make


@pytest.fixture
def launch(request_for: Callable[..., wire.LaunchRequest], tmp_path: Path) -> Callable[..., Record]:
    """Launches one case of mnist_cnn, on the faulty backend unless told."""

    def run(limits: launcher.Limits = LIMITS, *, backend: str = FAULTY, **options: str) -> Record:
        return launcher.launch(request_for(backend, **options), limits, tmp_path / "log")

    return run


@pytest.fixture(autouse=True)
def _nothing_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("EDGEBENCH_TEST", MARK)
    yield
    deadline = time.monotonic() + 10  # of a busy machine; tests/acceptance/faults.py holds 2
    while (left := _workers()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def _workers() -> list[int]:
    """Workers of these tests alone: they carry a mark in their environment."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        if "edgebench.measure.worker" in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            with contextlib.suppress(psutil.Error):
                if process.environ().get("EDGEBENCH_TEST") == MARK:
                    found.append(process.info["pid"])
    return found


def test_a_good_launch_is_a_whole_record(launch: Callable[..., Record]) -> None:
    record = launch(backend="onnxruntime")
    assert (record.status, record.reason) == ("ok", "")
    assert len(record.latency_ns) == record.inferences
    assert record.parity is not None
    assert record.parity.cosine > 0.9999
    assert record.effective is not None
    assert record.effective.precision == "fp32"
    for value in (record.load_ns, record.first_inference_ns, record.window_ns, record.clock_ns):
        assert value
    assert record.rss_baseline_byte
    assert record.rss_load_byte
    assert record.rss_peak_byte
    assert record.rss_baseline_byte < record.rss_load_byte <= record.rss_peak_byte
    assert record.pss_load_byte
    assert record.pss_load_byte <= record.rss_peak_byte
    assert record.converged is None
    assert len(record.warmup_ns) >= 4  # the memory pass's inferences after the first are kept
    assert record.caveats == ()


def test_the_parent_looks_around_and_an_intruder_has_a_name(
    request_for: Callable[..., wire.LaunchRequest], tmp_path: Path
) -> None:
    hog = tmp_path / "planted-hog"
    hog.symlink_to("/bin/sh")
    # Its parent ends at once: what this process starts itself is no intruder.
    line = f"{hog} -c 'while :; do :; done' >/dev/null 2>&1 & echo $!"
    shell = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
    try:
        request = msgspec.structs.replace(request_for(NULL, busy_us="500"), measure_s=1.2)
        record = launcher.launch(request, LIMITS, tmp_path / "log")
    finally:
        os.kill(int(shell.stdout), signal.SIGKILL)
    assert record.intruders["planted-hog"] > 0
    assert {"load", "warmup", "measure"} <= {look.stage for look in record.looks}
    measured = [look.t_ns for look in record.looks if look.stage == "measure"]
    assert len(measured) >= 2, "as the stage begins, and a second later"


def test_a_launch_that_compares_nothing_is_whole_but_for_parity(
    request_for: Callable[..., wire.LaunchRequest], tmp_path: Path
) -> None:
    request = msgspec.structs.replace(request_for("onnxruntime"), compares=False)
    record = launcher.launch(request, LIMITS, tmp_path / "log")
    assert (record.status, record.parity) == ("ok", None)
    assert record.effective is not None
    assert record.effective.precision == "fp32"


def test_a_launch_with_a_target_ends_when_it_is_reached(
    request_for: Callable[..., wire.LaunchRequest], tmp_path: Path
) -> None:
    def record(target_ratio: float, most_s: float) -> Record:
        request = msgspec.structs.replace(
            request_for(NULL, sleep_us="1000"),
            measure_s=0.05,
            measure_max_s=most_s,
            target_ratio=target_ratio,
        )
        return launcher.launch(request, LIMITS, tmp_path / "log")

    # Sleeps differ. Of spins so many last the same number of the clock's steps that the interval
    # may have no width. So easy, and with so much time, that a busy machine reaches it too.
    easy, hopeless = record(5.0, 15.0), record(1e-9, 0.6)
    assert (easy.converged, hopeless.converged) == (True, False)
    assert 100 <= len(easy.latency_ns) < 1000
    assert hopeless.window_ns is not None
    assert hopeless.window_ns >= 0.6e9


def test_the_ring_of_inputs_is_not_in_the_peak(
    request_for: Callable[..., wire.LaunchRequest], tmp_path: Path
) -> None:
    # A ring of 16 inputs of 3 MiB each would be 48 MiB.
    shape = (1024, 256, 3)
    inputs = np.random.default_rng(1).random((20, *shape), np.float32)
    reference = tmp_path / "reference.npz"
    np.savez(reference, inputs=inputs, outputs=np.ones((20, 10), np.float32))
    request = msgspec.structs.replace(
        request_for(NULL, shape=",".join(map(str, shape))), reference_path=str(reference)
    )
    record = launcher.launch(request, LIMITS, tmp_path / "log")
    assert record.status == "ok", record.reason
    assert record.rss_peak_byte is not None
    assert record.rss_baseline_byte is not None
    assert record.rss_peak_byte - record.rss_baseline_byte < 12 * BYTE_PER_MIB


@pytest.mark.parametrize(
    ("fault", "status", "stage", "words"),
    [
        ("raise", "failed", "warmup", "RuntimeError: planted failure"),
        ("refuse", "failed", "warmup", "planted refusal"),
        ("exit", "failed", "warmup", "exit code 7"),
        ("segv", "crashed", "warmup", "SIGSEGV"),
        ("kill", "crashed", "warmup", "SIGKILL"),
        ("garbage", "failed", "warmup", "cannot be read"),
        ("noise", "ok", None, ""),
        ("orphan", "ok", None, ""),
        ("orphan_segv", "crashed", "warmup", "SIGSEGV"),
    ],
)
def test_each_fault_is_named(
    launch: Callable[..., Record], fault: str, status: str, stage: str | None, words: str
) -> None:
    record = launch(fault=fault)
    assert (record.status, record.stage) == (status, stage)
    assert words in record.reason
    assert "\n" not in record.reason


def test_a_fault_while_loading_is_told_as_such(launch: Callable[..., Record]) -> None:
    record = launch(fault="segv", at="open")
    assert (record.status, record.stage) == ("crashed", "load")


def test_a_hang_is_timed_out_in_its_stage(launch: Callable[..., Record]) -> None:
    start = time.monotonic()
    record = launch(launcher.Limits(timeout_s=2.0, measure_s=0.05), fault="hang")
    assert (record.status, record.stage) == ("timeout", "warmup")
    assert "2 s" in record.reason
    assert time.monotonic() - start < 20


def test_a_worker_that_eats_memory_is_stopped_at_the_limit(launch: Callable[..., Record]) -> None:
    limits = launcher.Limits(timeout_s=30.0, measure_s=0.05, memory_byte=400 * BYTE_PER_MIB)
    record = launch(limits, fault="eat")
    assert record.status == "failed"
    assert "memory limit" in record.reason


def test_what_a_runtime_prints_is_kept_apart_and_capped(
    launch: Callable[..., Record], tmp_path: Path
) -> None:
    assert launch(fault="noise").status == "ok"
    log = (tmp_path / "log").read_text()
    assert "planted noise" in log
    assert len(log) <= 64 * 1024


def test_an_unknown_backend_is_told_by_its_name(launch: Callable[..., Record]) -> None:
    record = launch(backend="nonsense")
    assert record.status == "failed"
    assert "nonsense" in record.reason


PARENT = """
import os, sys
import msgspec
from edgebench import wire
from edgebench.runner import launcher
from pathlib import Path
with open("request", "rb") as file:
    request = wire.read_request(file)
request = msgspec.structs.replace(request, parent_pid=os.getpid())
launcher.launch(request, launcher.Limits(timeout_s=60, measure_s=1), Path("log"))
"""


def test_a_measuring_worker_dies_with_its_parent(
    request_for: Callable[..., wire.LaunchRequest], tmp_path: Path
) -> None:
    (tmp_path / "request").write_bytes(wire.pack(request_for(FAULTY, fault="hang")))
    parent = subprocess.Popen([sys.executable, "-c", PARENT], cwd=tmp_path)
    deadline = time.monotonic() + 20
    while not _hanging() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _hanging(), "the worker never began to hang"
    parent.send_signal(signal.SIGKILL)
    parent.wait()  # the fixture above sees to it that no worker is left


def _hanging() -> bool:
    """Whether a worker has imported numpy and sleeps: it is past its start."""
    for pid in _workers():
        with contextlib.suppress(psutil.Error, OSError):
            maps = Path(f"/proc/{pid}/maps").read_text()
            if "numpy" in maps and psutil.Process(pid).status() == psutil.STATUS_SLEEPING:
                return True
    return False


def test_probing_tells_what_is_there_and_what_is_not() -> None:
    good, bad = launcher.probe(["onnxruntime", "no_such_module:Backend"])
    assert good.available
    assert good.version
    assert not bad.available
    assert "no_such_module" in bad.reason


def test_what_a_worker_says_right_before_its_end_is_heard(tmp_path: Path) -> None:
    """It speaks and ends between the parent's look at its pipes and that at its process."""
    go, frame = tmp_path / "go", wire.pack(wire.Ready(expected_ns=7))
    worker = tmp_path / "python"
    worker.write_text(
        f"#!{sys.executable}\nimport os, sys, time\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        f"os.write(int(sys.argv[3]), {frame!r})\n"
    )
    worker.chmod(0o755)
    started = launcher.Worker(str(worker), 1)

    def tick(pid: int) -> None:
        go.touch()
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    try:
        assert [*started.replies(lambda: 60.0, tick)] == [wire.Ready(expected_ns=7)]
    finally:
        started.end()


def test_what_an_environment_prints_at_start_is_no_reply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('hello from the environment')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert launcher.probe(["litert"])[0].available


def test_a_backend_that_takes_its_process_down_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "killer.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    (tmp_path / "broken.py").write_text("raise RuntimeError('a library is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    good, killer, broken = launcher.probe(["litert", "killer:Backend", "broken:Backend"])
    assert good.available
    assert (killer.available, killer.reason) == (False, "importing it failed: killed by SIGSEGV")
    assert (broken.available, broken.reason) == (False, "RuntimeError: a library is missing")


def test_an_interpreter_without_edgebench_is_a_usage_error(tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho 'No module named edgebench' >&2\nexit 1\n")
    fake.chmod(0o755)
    with pytest.raises(UsageError, match="No module named edgebench"):
        launcher.probe(["onnxruntime"], str(fake))
    with pytest.raises(UsageError, match="cannot start"):
        launcher.probe(["onnxruntime"], str(tmp_path / "missing"))


def test_what_a_killed_worker_and_its_compilers_write_goes_with_its_folder() -> None:
    worker = launcher.Worker(None, 1)
    environment = Path(f"/proc/{worker.pid}/environ").read_bytes().decode().split("\0")
    told = dict(entry.partition("=")[::2] for entry in environment if entry)
    places = {Path(told[name]) for name in ("TMPDIR", "TORCHINDUCTOR_CACHE_DIR")}
    (folder,) = {place.parent for place in places}
    (Path(told["TMPDIR"]) / "ccleft.s").write_text("of a compiler")
    worker.end()
    assert folder.name.startswith("edgebench-worker-")
    assert not folder.exists()


def test_the_environment_holds_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("PYTHONPATH", "relative")
    kept = surroundings.environment(2, tmp_path)
    assert "AWS_SECRET_ACCESS_KEY" not in kept
    assert kept["CUDA_VISIBLE_DEVICES"] == "0"
    assert kept["OMP_NUM_THREADS"] == "2"
    assert kept["ORT_DISABLE_TELEMETRY"] == "1"
    assert Path(kept["PYTHONPATH"]).is_absolute()


def test_a_large_parent_does_not_show_in_the_worker(launch: Callable[..., Record]) -> None:
    # The least of five: a worker's own peak moves by a page here and there with the layout.
    def peak() -> int:
        runs = [launch(backend=NULL) for _ in range(5)]
        return min(record.rss_peak_byte or 0 for record in runs)

    small = peak()
    hoard = bytearray(400 * BYTE_PER_MIB)
    large = peak()
    assert len(hoard) == 400 * BYTE_PER_MIB
    assert small > 0
    assert abs(large - small) < BYTE_PER_MIB

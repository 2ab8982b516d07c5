"""Edge Impulse's .eim: right answers through the socket, and one clear line for a broken one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import eim_workload
import standin_eim
from eim_workload import settings, standin

from edgebench import resources
from edgebench.analysis.validity import parity_fault
from edgebench.backends.edge_impulse import EdgeImpulse, EdgeImpulseSession
from edgebench.errors import ModelRefusedError
from edgebench.host import process
from edgebench.measure import passes
from edgebench.protocols import Feeds, Settings
from edgebench.testing import check_backend


@pytest.fixture
def eim(tmp_path: Path) -> Iterator[Path]:
    """Where an executable is to lie; when the test has ended nothing of it may be left."""
    path = tmp_path / "model.eim"
    yield path
    assert left_behind(path) == []


def left_behind(path: Path) -> list[str]:
    """Processes, shared memory and folders that an executable left."""
    found = [
        str(one.info["cmdline"])
        for one in psutil.process_iter(["cmdline"])
        if str(path) in (one.info["cmdline"] or ())
    ]
    found += map(str, Path("/dev/shm").glob(f"{standin_eim.mark(path)}*"))  # noqa: S108 - shm_open(3)
    return found + [str(one) for one in path.parent.glob("edgebench-*")]


def ring_of(session: EdgeImpulseSession, workload_name: str, count: int = 4) -> list[Feeds]:
    inputs = reference(workload_name)[0][:count]
    return list(passes.feeds(session, inputs, "NHWC", 1))


def infer(session: EdgeImpulseSession) -> None:
    """One inference, its answer read."""
    session.bind(ring_of(session, "mnist_cnn"))
    session.stage(0)
    session.invoke()
    session.read()


def reference(workload_name: str) -> tuple[Any, Any]:
    workload = resources.open_workload(workload_name)
    (inputs,), (logits,) = passes.load_reference(workload.reference_path)
    return inputs, logits


@pytest.mark.parametrize("transport", ["shm", "json"])
@pytest.mark.parametrize("workload_name", ["mnist_cnn", "cifar10_cnn"])
def test_answers_are_the_model_s_and_the_contract_is_kept(
    eim: Path, workload_name: str, transport: str
) -> None:
    made = settings(workload_name, transport=transport)
    session = EdgeImpulse().open(standin(eim, workload_name), made)
    inputs, logits = reference(workload_name)
    outputs = passes.run_all(session, inputs, "NHWC", 1)
    effective, ring = session.effective(), ring_of(session, workload_name)
    session.close()
    found = passes.compare(outputs, logits)
    assert parity_fault(found, "fp32") == ""
    assert found.top1_ratio == 1.0
    assert f"through {'JSON' if transport == 'json' else 'shared memory'}" in effective.words
    check_backend(EdgeImpulse(), eim, ring, made)


def test_what_cannot_be_read_back_is_none_and_said(eim: Path) -> None:
    session = EdgeImpulse().open(standin(eim), settings())
    infer(session)
    effective = session.effective()
    session.close()
    assert (effective.precision, effective.threads) == (None, None)
    assert "precision and threads as built, neither can be read back" in effective.words
    assert "not verified against a vendor build" in effective.words
    assert "classification_us=" in effective.words
    assert effective.accelerator == "cpu"
    (caveat,) = session.caveats
    assert "precision as the workload states it, it cannot be read back" in caveat


def test_an_engine_that_may_use_an_accelerator_is_not_called_cpu(eim: Path) -> None:
    session = EdgeImpulse().open(standin(eim, inferencing_engine=6), settings())
    infer(session)
    effective = session.effective()
    session.close()
    assert effective.accelerator is None
    assert "engine 6 TensorRT" in effective.words


def test_a_model_without_an_image_size_takes_values_in_the_shape_that_is_stated(eim: Path) -> None:
    standin(eim, "cifar10_cnn", pixels=False)
    with pytest.raises(ModelRefusedError, match="state the option shape"):
        EdgeImpulse().open(eim, settings())
    session = EdgeImpulse().open(eim, Settings(options={"shape": "32,32,3"}))
    inputs, logits = reference("cifar10_cnn")
    outputs = passes.run_all(session, inputs, "NHWC", 1)
    words = session.effective().words
    session.close()
    assert parity_fault(passes.compare(outputs, logits), "fp32") == ""
    assert "features: 3072 values" in words


def test_pixels_are_what_the_vendor_s_image_block_takes() -> None:
    """Red in the highest byte; gray thrice; rounding undoes float32's."""
    from edgebench.backends import edge_impulse

    def features(shape: tuple[int, int, int], image: list[float], **made: Any) -> list[int]:  # noqa: ANN401 - of Settings
        told = {"image_input_width": 1, "sensor": 3}
        kind = edge_impulse._kind(told, shape, shape[0] * shape[1], None)
        model = edge_impulse._Model(("a",), 1, shape, kind, 4, has_anomaly=False)
        convert = edge_impulse._converter(model, Settings(**made))
        return [int(number) for number in convert(np.array(image, np.float32))]

    plain = {"mean": (0.0,) * 3, "std": (255.0,) * 3}
    assert features((1, 1, 3), [1 / 255, 2 / 255, 3 / 255], **plain) == [0x010203]
    assert features((1, 2, 1), [1.0, 0.5], mean=(0.0,), std=(255.0,)) == [0xFFFFFF, 0x808080]
    assert features((1, 1, 3), [-1.0, 0.0, 1.0], mean=(127.5,) * 3, std=(127.5,) * 3) == [0x0080FF]
    with pytest.raises(ModelRefusedError, match="no pixels once mean and std are undone"):
        features((1, 1, 1), [2.0], mean=(0.0,), std=(255.0,))
    with pytest.raises(ModelRefusedError, match="mean and std"):
        features((1, 1, 1), [1.0])


def test_numbers_that_json_does_not_have_are_refused_before_they_are_sent(eim: Path) -> None:
    session = EdgeImpulse().open(standin(eim), settings(transport="json", features="values"))
    inputs = np.full(session.inputs[0].shape, np.nan, np.float32)
    with pytest.raises(ModelRefusedError, match="finite"):
        session.feed({"features": inputs})
    session.close()


def test_a_reply_in_pieces_is_whole(eim: Path) -> None:
    session = EdgeImpulse().open(standin(eim, fault="in pieces"), settings())
    outputs = passes.run_all(session, reference("mnist_cnn")[0][:8], "NHWC", 1)
    session.close()
    found = passes.compare(outputs, reference("mnist_cnn")[1][:8])
    assert found.softmax
    assert found.max_abs_error < 1e-5


def test_parity_of_probabilities_is_taken_after_softmax() -> None:
    logits = np.array([[2.0, 0.0], [-1000.0, 1000.0]], np.float32)
    shares = np.array([[0.880797, 0.119203], [0.0, 1.0]], np.float32)
    assert passes.compare(shares, logits).max_abs_error < 1e-6
    assert not passes.compare(shares, shares).softmax  # a reference may be probabilities already
    swapped = passes.compare(shares[:, ::-1], logits)
    assert parity_fault(swapped, "int8_dynamic").startswith("parity: cosine")


def test_memory_and_time_of_the_executable_are_on_our_books(
    eim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = EdgeImpulse().open(standin(eim), settings())
    infer(session)
    alone_byte, alone_ns = process.status_byte("VmRSS"), time.process_time_ns()
    monkeypatch.setattr(process, "helpers", set(session.helpers))
    both_byte, both_ns = process.status_byte("VmRSS"), process.cpu_ns()
    theirs = psutil.Process(session.helpers[0])
    assert alone_byte is not None
    assert both_byte is not None
    assert both_byte - alone_byte == pytest.approx(theirs.memory_info().rss, rel=0.1)
    used_s = (both_ns - alone_ns) / 1e9
    assert used_s == pytest.approx(sum(theirs.cpu_times()[:2]), abs=0.05)
    session.close()
    assert process.status_byte("VmRSS") is None  # a part of the sum cannot be read


BROKEN = {
    "exits": "ended with exit code 3: cannot load model: planted before it listened",
    "no socket": "made no socket within 5 s: listening for JSON",
    "garbage at hello": r"reply is not what the protocol says: b'\\x7fnot json'",
    "hello fails": "it answers: planted: no licence",
    "garbage": "reply is not what the protocol says: b'{garbage}'",
    "fails": "it answers: Classifying failed, error code was -5",
    "no id": "it answers: planted: an exception",
    "wrong id": "it answers request 1, asked was 3",
    "no classification": "its answer has no classification",
    "label missing": "its answer lacks the label '9'",
    "dies": "the .eim ended with SIGSEGV: planted: about to die",
    "hangs": "no answer within 5 s",
    "half a reply": "no answer within 5 s",
    "half a reply, then death": r"ended with exit code 4: .* in the middle of a reply",
    "huge": "its reply is longer than 4 MiB",
}
"""What a model does, and what is said of it."""


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_model_is_one_clear_line_and_leaves_nothing(
    eim: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(eim.parent))
    # Also for its start, on a busy machine: an interpreter, numpy and a runtime.
    limit = "5" if fault in ("no socket", "hangs", "half a reply") else "60"

    def use() -> None:
        session = EdgeImpulse().open(standin(eim, fault=fault), settings(timeout_s=limit))
        try:
            passes.run_all(session, reference("mnist_cnn")[0][:3], "NHWC", 1)
        finally:
            session.close()

    with pytest.raises(ModelRefusedError, match=BROKEN[fault]) as caught:
        use()
    assert "\n" not in str(caught.value)
    assert left_behind(eim) == []


REFUSED: dict[str, tuple[dict[str, Any], Settings, str]] = {
    "batch": ({}, Settings(batch=2), "one input at a time, not 2"),
    "accelerator": ({}, Settings(accelerator="gpu"), "not on 'gpu'"),
    "option": ({}, settings(colour="red"), "no option 'colour'"),
    "features": ({}, settings(features="bits"), "not one of pixels, values"),
    "transport": ({}, settings(transport="tcp"), "not one of shm, json"),
    "time": ({}, settings(timeout_s="soon"), "timeout_s = 'soon'"),
    "shape": ({}, settings(shape="28x28"), "not like '28,28,1'"),
    "no shm": ({"shm": False}, settings(transport="shm"), "offers no shared memory"),
    "boxes": ({"model_type": "object_detection"}, settings(), "object_detection is not supported"),
    "centroids": ({"model_type": "constrained_object_detection"}, settings(), "not supported"),
    "no labels": ({"labels": []}, settings(), "names no labels"),
    "frames": ({"image_input_frames": 4}, settings(), "takes 4 images at once"),
    "count": ({"input_features_count": 700}, settings(), "takes 700 features, an input of"),
    "no count": ({"input_features_count": None}, settings(), "not tell how many features"),
    "no pixels": ({}, Settings(), "pixels need the workload's mean and std"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused_before_an_inference(eim: Path, what: str) -> None:
    changes, made, words = REFUSED[what]
    with pytest.raises(ModelRefusedError, match=words):
        EdgeImpulse().open(standin(eim, **changes), made)


def test_a_file_that_cannot_be_started_says_why(eim: Path) -> None:
    with pytest.raises(ModelRefusedError, match="is no file"):
        EdgeImpulse().open(eim, settings())
    standin(eim).chmod(0o644)
    with pytest.raises(ModelRefusedError, match=rf"not executable \(chmod \+x {eim}\)"):
        EdgeImpulse().open(eim, settings())
    head = bytearray(Path(os.path.realpath(sys.executable)).read_bytes()[:4096])
    head[18:20] = (8).to_bytes(2, "little")  # EM_MIPS
    for content, words in ((bytes(head), "built for machine 8, this"), (b"text", "Exec format")):
        eim.write_bytes(content)
        eim.chmod(0o755)
        with pytest.raises(ModelRefusedError, match=words):
            EdgeImpulse().open(eim, settings())


def test_a_path_with_spaces_is_one_path(eim: Path) -> None:
    folder = eim.parent / "my models"
    folder.mkdir()
    model = standin(folder / "digits 1.eim")
    session = EdgeImpulse().open(model, settings())
    session.bind(ring_of(session, "mnist_cnn"))
    session.stage(0)
    session.invoke()
    assert session.read()
    session.close()


def test_a_folder_too_deep_for_a_socket_is_reached_from_nearby_or_refused(
    eim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = eim.parent / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    standin(eim)
    with pytest.raises(ModelRefusedError, match="too long for a socket"):
        EdgeImpulse().open(eim, settings())
    assert not list(deep.iterdir())
    monkeypatch.chdir(deep)
    session = EdgeImpulse().open(eim, settings())
    assert not list(deep.iterdir())
    session.close()


def test_one_that_ignores_the_signal_to_end_is_killed(eim: Path) -> None:
    session = EdgeImpulse().open(standin(eim, fault="stubborn"), settings())
    infer(session)
    session.close()
    assert left_behind(eim) == []
    with pytest.raises(ModelRefusedError, match="the session is closed"):
        session.invoke()


def test_a_killed_worker_takes_its_executable_along(eim: Path) -> None:
    code = f"""
import sys, time; sys.path.insert(0, {str(Path(__file__).parent)!r})
import eim_workload; from pathlib import Path
from edgebench.backends.edge_impulse import EdgeImpulse
session = EdgeImpulse().open(Path({str(eim)!r}), eim_workload.settings())
print(session.helpers[0], flush=True); time.sleep(60)
"""
    standin(eim)
    environment = {**os.environ, "TMPDIR": str(eim.parent)}
    worker = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert worker.stdout is not None
    theirs = psutil.Process(int(worker.stdout.readline()))
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    psutil.wait_procs([theirs], timeout=60)
    assert left_behind(eim) == []


def test_the_protocol_stays_inside_the_machine(eim: Path) -> None:
    """Of all the sockets that this process and the executable hold, none is of the internet."""
    ours = psutil.Process()
    before = ours.net_connections("inet")  # another test's
    session = EdgeImpulse().open(standin(eim), settings())
    infer(session)
    theirs = psutil.Process(session.helpers[0])
    kinds = {one.family.name for one in theirs.net_connections("all")}
    internet = theirs.net_connections("inet") + ours.net_connections("inet")
    session.close()
    assert kinds == {"AF_UNIX"}
    assert [one for one in internet if one not in before] == []


def test_without_a_workload_of_its_own_there_is_nothing_to_measure() -> None:
    assert eim_workload.NAME not in resources.workload_folders()
    probe = EdgeImpulse().probe()
    assert probe.available
    assert probe.reason == "not verified against a vendor build"

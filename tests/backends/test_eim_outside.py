"""An .eim from the outside: whole runs of a user's workload, and the vendor's own runner."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import eim_workload
import standin_eim
from eim_workload import settings, standin

from edgebench import resources
from edgebench.backends.edge_impulse import EdgeImpulse
from edgebench.measure import passes
from edgebench.store.read import read_run

RUNNER = "edge_impulse_linux==1.2.2"


def run(root: Path, *arguments: str, code: int) -> subprocess.CompletedProcess[str]:
    """`edgebench run` on the user's workload, in a folder for temporary files of its own."""
    environment = {**os.environ, "EDGEBENCH_PATH": str(root), "TMPDIR": str(root / "tmp")}
    (root / "tmp").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "edgebench", "run", "-w", eim_workload.NAME]
    done = subprocess.run(
        [*command, "-b", "edge-impulse", "--json", *arguments],
        capture_output=True,
        text=True,
        cwd=root,
        env=environment,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    nothing_is_left(root)
    return done


def nothing_is_left(root: Path) -> None:
    """No process, no shared memory, no folder, whatever became of the executables."""
    marks = [standin_eim.mark(path) for path in root.rglob("*.eim")]
    assert [one for one in Path("/dev/shm").iterdir() if one.name[:16] in marks] == []  # noqa: S108 - shm_open(3)
    assert list((root / "tmp").iterdir()) == []
    lines = [" ".join(one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"])]
    assert [line for line in lines if f"{root}/workloads" in line] == []


def test_a_workload_of_the_user_runs_like_any_other(tmp_path: Path) -> None:
    eim_workload.make(tmp_path, fp32="", int8="")
    rows = {row["precision"]: row for row in json.loads(run(tmp_path, code=0).stdout)}
    assert sorted(rows) == ["fp32", "int8"]
    for row in rows.values():
        assert (row["status"], row["format"], row["launches"]) == ("ok", "eim", 3)
        assert row["validity"] != "invalid"
        assert row["parity_top1_ratio"] > 0.95
        assert row["top1_ratio"] > 0.97
        assert row["latency_p50_ms"] > 0
        # Nothing can be read back: that is no fallback, and no proof either.
        assert row["effective_precision"] is None
        assert row["fallback"] is None
        assert "not verified against a vendor build" in row["caveats"]
    assert rows["int8"]["parity_cosine"] < rows["fp32"]["parity_cosine"]
    (folder,) = (tmp_path / "edgebench-results").iterdir()
    for record in read_run(folder).records:
        assert record.effective is not None
        assert "classification_us=" in record.effective.words
        # The executable has the TFLite runtime and a Python of its own: its memory counts.
        assert record.rss_load_byte is not None
        assert record.rss_baseline_byte is not None
        assert record.rss_load_byte - record.rss_baseline_byte > 20 << 20


def test_broken_files_fail_in_their_own_cells_with_a_reason_each(tmp_path: Path) -> None:
    eim_workload.make(
        tmp_path, fp32="", fp16="exits", bf16="dies", int8="garbage", int8_dynamic="label missing"
    )
    done = run(tmp_path, "-p", "fp32,fp16,bf16,int8,int8_dynamic", code=3)
    found = {row["precision"]: row for row in json.loads(done.stdout)}
    assert {name: row["status"] for name, row in found.items()} == {
        "fp32": "ok",
        **dict.fromkeys(("fp16", "bf16", "int8", "int8_dynamic"), "failed"),
    }
    assert "exit code 3: cannot load model: planted" in found["fp16"]["reason"]
    assert "SIGSEGV: planted: about to die" in found["bf16"]["reason"]
    assert "not what the protocol says: b'{garbage}'" in found["int8"]["reason"]
    assert "lacks the label '9'" in found["int8_dynamic"]["reason"]


def test_the_run_s_own_time_out_clears_a_silent_one_away(tmp_path: Path) -> None:
    eim_workload.make(tmp_path, fp32="no socket", fp16="hangs")
    done = run(tmp_path, "-p", "fp32,fp16", "--timeout", "3", code=3)
    assert {row["status"] for row in json.loads(done.stdout)} == {"timeout"}


def test_a_memory_limit_holds_for_the_executable_too(tmp_path: Path) -> None:
    eim_workload.make(tmp_path, fp32="eats")
    (row,) = json.loads(run(tmp_path, "--memory-limit", "450", "--timeout", "20", code=3).stdout)
    assert "stopped at the memory limit" in row["reason"]


def test_a_file_that_is_not_executable_is_one_line_with_the_remedy(tmp_path: Path) -> None:
    workload = eim_workload.make(tmp_path, fp32="")
    path = workload.file("fp32.eim")
    path.chmod(0o644)
    (row,) = json.loads(run(tmp_path, code=3).stdout)
    assert "load: fp32.eim is not executable (chmod +x " in row["reason"]


def test_more_inputs_at_once_are_refused_in_one_line(tmp_path: Path) -> None:
    eim_workload.make(tmp_path, fp32="")
    (row,) = json.loads(run(tmp_path, "--batch", "4", code=3).stdout)
    assert row["reason"].endswith("an .eim takes one input at a time, not 4")


@pytest.mark.parametrize("scenario", ["offline", "multi_stream", "server"])
def test_other_scenarios_start_as_many_executables_as_streams(
    tmp_path: Path, scenario: str
) -> None:
    eim_workload.make(tmp_path, fp32="")
    options = ("--scenario", scenario, *(("--streams", "2") if scenario == "offline" else ()))
    (row,) = json.loads(run(tmp_path, *options, code=0).stdout)
    assert row["status"] == "ok"
    assert row["throughput_ips"] > 0


def test_an_image_comes_through_to_its_answer(tmp_path: Path) -> None:
    eim_workload.make(tmp_path, "cifar10_cnn", fp32="")
    (row,) = json.loads(run(tmp_path, "--region", "e2e", code=0).stdout)
    assert (row["status"], row["parity_top1_ratio"]) == ("ok", 1.0)


@pytest.fixture(scope="session")
def vendor_runner(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The vendor's client, as it is published; alone, since its package wants a sound card."""
    folder = tmp_path_factory.mktemp("vendor")
    there = importlib.util.find_spec("pip") is not None
    install = ["-m", "pip", "install"] if there else ["-m", "uv", "pip", "install"]
    done = subprocess.run(
        [sys.executable, *install, "-q", "--no-deps", "--target", str(folder), RUNNER],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"{RUNNER} cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
    path = folder / "edge_impulse_linux" / "runner.py"
    spec = importlib.util.spec_from_file_location("vendor_runner", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Vendor:
    """The vendor's runner on an executable; it does not wait for the end of what it started."""

    def __init__(self, module: ModuleType, path: Path, *, allow_shm: bool) -> None:
        self._runner = module.ImpulseRunner(str(path), allow_shm=allow_shm)

    def __enter__(self) -> Any:  # noqa: ANN401 - the vendor's class
        return self._runner

    def __exit__(self, *_: object) -> None:
        started = self._runner._runner
        self._runner.stop()
        started.wait(10)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """Where an executable is to lie."""
    (tmp_path / "tmp").mkdir()
    yield tmp_path / "model.eim"
    nothing_is_left(tmp_path)


@pytest.mark.parametrize("allow_shm", [True, False])
@pytest.mark.parametrize("workload_name", ["mnist_cnn", "cifar10_cnn"])
def test_the_vendor_s_runner_and_ours_get_equal_answers(
    vendor_runner: ModuleType, path: Path, workload_name: str, allow_shm: bool
) -> None:
    workload = resources.open_workload(workload_name)
    (inputs,), (logits,) = passes.load_reference(workload.reference_path)
    standin(path, workload_name)
    theirs = []
    with Vendor(vendor_runner, path, allow_shm=allow_shm) as runner:
        told = runner.init()["model_parameters"]
        assert told["labels"] == list(workload.spec.labels)
        assert told["image_channel_count"] == inputs.shape[3]
        for image in np.rint(inputs * 255).astype(int):
            colours = [
                tuple(pixel) * (3 if len(pixel) == 1 else 1)
                for pixel in image.reshape(-1, inputs.shape[3]).tolist()
            ]
            answer = runner.classify([(r << 16) + (g << 8) + b for r, g, b in colours])
            theirs.append([answer["result"]["classification"][name] for name in told["labels"]])
    transport = "shm" if allow_shm else "json"
    session = EdgeImpulse().open(path, settings(workload_name, transport=transport))
    (ours,) = passes.run_all(session, inputs, "NHWC", 1)
    session.close()
    np.testing.assert_array_equal(ours, np.array(theirs, np.float32))
    assert (ours.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_the_vendor_s_runner_gets_the_same_words_for_a_failure(
    vendor_runner: ModuleType, path: Path
) -> None:
    standin(path, fault="fails")
    with Vendor(vendor_runner, path, allow_shm=False) as runner:
        runner.init()
        runner.classify([0] * 784)
        with pytest.raises(Exception, match="Classifying failed, error code was -5"):
            runner.classify([0] * 784)

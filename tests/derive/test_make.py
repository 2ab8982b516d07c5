"""Deriving: what is made, what is found again, and converters that fail in every way."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from edgebench import resources
from edgebench.derive import cache, calibration, contract, make
from edgebench.derive.calibration import Images
from edgebench.derive.make import Made, NotDerivedError
from edgebench.errors import UsageError
from edgebench.specs import Workload

HERE = Path(__file__).resolve().parent


@pytest.fixture(autouse=True)
def _converters_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child imports a converter by its module's name."""
    monkeypatch.setenv("PYTHONPATH", str(HERE), prepend=os.pathsep)
    monkeypatch.syspath_prepend(str(HERE))


def converter(name: str) -> contract.Converter:
    return contract.load(f"converters:{name}")


def workload() -> Workload:
    return resources.open_workload("mnist_cnn")


def derive(name: str = "Plain", timeout_s: float = 60.0) -> Made:
    return make.derive(workload(), converter(name), "fp32", timeout_s=timeout_s)


def images(path: Path, value: int = 1) -> Images:
    np.savez(path, images=np.full((2, 28, 28, 1), value, np.uint8))
    return Images(path=path, sha256=f"{value:064d}", words=f"images of {value}")


def entries() -> list[str]:
    folder = cache.home() / "derived"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_model_is_made_once_and_then_found() -> None:
    first, second = derive(), derive()
    assert (first.fresh, second.fresh) == (True, False)
    assert first.path == second.path
    assert first.path.read_bytes() == workload().file("models/fp32.onnx").read_bytes()
    assert first.manifest == second.manifest
    assert first.manifest.tools == {"numpy": np.__version__}
    attached = cache.attach(workload())
    found = attached.model("mnn", "fp32")
    assert found is not None
    assert attached.path_of(found) == first.path
    assert found.sha256 == first.manifest.sha256


def test_another_source_other_images_and_other_settings_are_other_entries(tmp_path: Path) -> None:
    plain = converter("Plain")
    derive()
    for value in (1, 2):
        chosen = images(tmp_path / f"{value}.npz", value)
        assert make.derive(workload(), plain, "int8", images=chosen).fresh
    folder = tmp_path / "mnist_cnn"
    shutil.copytree(workload().folder, folder)
    text = (folder / "workload.toml").read_text(encoding="utf-8")
    changed = workload().model("onnx", "fp32")
    assert changed is not None
    (folder / "workload.toml").write_text(text.replace(changed.sha256, "0" * 64), encoding="utf-8")
    assert make.derive(resources.open_workload(str(folder)), plain, "fp32").fresh
    assert len(entries()) == 4


def test_a_model_of_other_files_is_not_taken_for_this_workloads() -> None:
    derive()
    other = msgspec.structs.replace(workload().spec.models[0], sha256="0" * 64)
    spec = msgspec.structs.replace(workload().spec, models=(other,))
    assert cache.attach(Workload(folder=workload().folder, spec=spec)).derived == ()


def test_the_newest_of_several_is_taken(tmp_path: Path) -> None:
    plain = converter("Plain")
    for value in (1, 2):
        make.derive(workload(), plain, "int8", images=images(tmp_path / f"{value}.npz", value))
    found = cache.attach(workload()).model("mnn", "int8")
    assert found is not None
    assert "images of 2" in found.tool


def test_what_was_calibrated_on_random_inputs_is_none_of_a_workload_that_has_better(
    tmp_path: Path,
) -> None:
    plain = converter("Plain")
    make.derive(workload(), plain, "int8", images=images(tmp_path / "1.npz"))
    random = msgspec.structs.replace(images(tmp_path / "2.npz", 2), words=cache.ON_RANDOM)
    make.derive(workload(), plain, "int8", images=random)
    found = cache.attach(workload()).model("mnn", "int8")
    assert found is not None
    assert "images of 1" in found.tool
    spec = msgspec.structs.replace(workload().spec, recipe={}, calibration=None)
    taken_in = cache.attach(Workload(folder=workload().folder, spec=spec)).model("mnn", "int8")
    assert taken_in is not None
    assert cache.ON_RANDOM in taken_in.tool


@pytest.mark.parametrize("damage", ["cut", "flipped", "no manifest", "garbage", "empty"])
def test_a_damaged_entry_counts_as_absent_and_is_made_again(damage: str) -> None:
    made = derive()
    manifest = made.path.with_name(cache.MANIFEST)
    data = bytearray(made.path.read_bytes())
    if damage == "cut":
        made.path.write_bytes(data[:-1])
    elif damage == "flipped":
        data[1000] ^= 1
        made.path.write_bytes(data)
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_bytes(b"" if damage == "empty" else b"{]")
    assert cache.attach(workload()).derived == ()
    assert derive().fresh
    assert cache.attach(workload()).model("mnn", "fp32") is not None
    assert len(entries()) == 1


def test_what_a_killed_process_left_is_no_entry_and_goes_in_time() -> None:
    folder = cache.start()
    (folder / "model.copy").write_bytes(b"half")
    assert cache.attach(workload()).derived == ()
    derive()
    assert folder.is_dir()  # it may be another process's own, still at work
    old = time.time() - 2 * 24 * 3600
    os.utime(folder, (old, old))
    cache.start().rmdir()
    assert not folder.exists()


def test_two_at_once_leave_one_whole_entry() -> None:
    made: list[Made] = []
    threads = [threading.Thread(target=lambda: made.append(derive())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.path for one in made}) == 1
    assert len(made) == 4
    assert len(entries()) == 1
    assert cache.attach(workload()).model("mnn", "fp32") is not None


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Crashes", "killed by SIGSEGV: about to crash"),
        ("Aborts", "killed by SIGABRT"),
        ("Refuses", "the planted refusal"),
        ("Silent", "it wrote no file"),
        ("CallsHome", "asked for a network"),
        ("CallsHomeInC", "asked for a network"),
        ("InstallsPackages", "may not call a shell"),
        ("LetsAChildCallHome", "the program ended with -31"),  # SIGSYS
    ],
)
def test_a_converter_that_fails_is_told_in_a_line_and_leaves_nothing(name: str, words: str) -> None:
    with pytest.raises(NotDerivedError, match=words) as caught:
        derive(name)
    assert "\n" not in str(caught.value)
    assert entries() == []


def test_a_converter_that_hangs_is_ended_with_all_it_started() -> None:
    start = time.monotonic()
    with pytest.raises(NotDerivedError, match="no end after 2 s"):
        derive("Hangs", timeout_s=2.0)
    assert time.monotonic() - start < 120, "it hangs for ten minutes"
    assert entries() == []
    _, left = psutil.wait_procs(_sleeping(), timeout=60)  # killed, on a busy machine
    assert left == []


def _sleeping() -> list[psutil.Process]:
    """What the converter `Hangs` started."""
    found = []
    for one in psutil.process_iter(["cmdline"]):
        if "time.sleep(600)" in str(one.info):
            with contextlib.suppress(psutil.Error):
                if "tests/derive" in " ".join(one.environ().values()):
                    found.append(one)
    return found


def test_sockets_within_the_machine_still_work() -> None:
    assert derive("UsesALocalSocket").manifest.network == "blocked"


def test_what_a_converter_leaves_in_its_home_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # it is looked up once
    monkeypatch.chdir(tmp_path)
    derive("LeavesFiles")
    assert list(tmp_path.iterdir()) == []


def test_int8_without_images_is_told_with_its_remedy() -> None:
    with pytest.raises(NotDerivedError, match="--data"):
        make.derive(workload(), converter("Plain"), "int8")


def test_a_converter_that_is_not_installed_is_a_line_with_the_pip_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = converter("Plain")
    monkeypatch.setattr(plain, "tools", {"no-such-tool": "--no-deps no-such-tool"}, raising=False)
    with pytest.raises(UsageError, match="pip install --no-deps no-such-tool"):
        make.derive(workload(), plain, "fp32")


def test_a_cache_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(UsageError, match="EDGEBENCH_CACHE"):
        derive()


def test_a_cache_that_is_full_is_told_and_nothing_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr("edgebench.derive.cache.shutil.move", full)
    with pytest.raises(UsageError, match=rf"cache {tmp_path}.*No space left.*EDGEBENCH_CACHE"):
        derive()
    assert not list((tmp_path / "derived").iterdir())


def test_the_cache_lies_where_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGEBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.home() == tmp_path / "edgebench"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.home() == Path.home() / ".cache" / "edgebench"


def test_a_device_needs_no_converter_to_find_what_was_copied_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = derive()
    shutil.copytree(cache.home(), tmp_path / "copied")
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "copied"))
    found = cache.attach(workload()).model("mnn", "fp32")
    assert found is not None
    assert Path(found.path).is_relative_to(tmp_path / "copied")
    assert found.sha256 == made.manifest.sha256


def test_the_parent_imports_no_framework() -> None:
    code = (
        "import sys\n"
        "from edgebench.derive import contract, make\n"
        "[contract.converter_of(fmt) for fmt in contract.CONVERTERS]\n"
        "print([m for m in ('ncnn', 'MNN', '_tools', 'pnnx', 'torch', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_shipped_calibration_images_were_never_judged_on() -> None:
    mnist = workload()
    shipped = calibration.choose(mnist, None, Path())
    assert shipped is not None
    assert mnist.spec.calibration is not None
    with np.load(shipped.path) as archive:
        chosen = {image.tobytes() for image in archive["images"]}
    assert len(chosen) == mnist.spec.calibration.count == 116
    with np.load(mnist.file("samples.npz")) as archive:
        assert chosen.isdisjoint(image.tobytes() for image in archive["images"])


def test_another_edgebench_makes_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    derive()
    monkeypatch.setattr(make, "__version__", "0.0.0+other")
    assert derive().fresh


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 is a twin of x86-64")
def test_the_filter_knows_the_second_numbers_of_x86_64() -> None:
    code = (
        "import ctypes\n"
        "from edgebench.derive.confine import block_network\n"
        "print(block_network(), flush=True)\n"
        "ctypes.CDLL(None).syscall(0x40000000 + 41, 2, 1, 0)\n"
        "print('never', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["blocked"]
    assert done.returncode == -31  # SIGSYS


def test_the_filter_is_the_one_for_this_machine() -> None:
    assert importlib.util.find_spec("edgebench.derive.confine") is not None
    code = (
        "from edgebench.derive.confine import block_network\n"
        "import socket\n"
        "print(block_network(), flush=True)\n"
        "socket.socket(socket.AF_UNIX)\n"
        "print('local', flush=True)\n"
        "socket.socket(socket.AF_INET)\n"
        "print('never', flush=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["blocked", "local"]
    assert done.returncode == -31  # SIGSYS

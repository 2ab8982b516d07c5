"""No backend connects to anything, or writes outside edgebench's folders, over its whole matrix.

Everything runs under strace (Debian: apt-get install strace), some at once: `workloads derive`
makes what it can, then each installed backend runs every bundled workload in every precision, and
one cell of it for longer than a sender was ever seen to wait. First the counter itself is shown to
count: a planted backend calls out and writes, and OpenVINO is imported as its users do, its
sender's proxy a dead one. ``--plant`` judges the planted backend as if it were installed, and must
end in FAIL.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import planted_caller
import syscalls
from verdict import ROOT, Verdict

sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "backends")]
import eim_workload
import second_env

import edgebench
from edgebench import resources
from edgebench.backends.edge_impulse import EdgeImpulse
from edgebench.runner.config import read_config

EDGEBENCH = [sys.executable, "-m", "edgebench.cli.main"]
PLANTED = planted_caller.CallingBackend.name
LONG = ["-w", "mnist_cnn", "-p", "fp32", "--scenario", "sustained", "--minutes", "0.6"]
"""ONNX Runtime's sender, where it is on, looks up its server within 25 s."""


class Place(NamedTuple):
    """Where a watched command runs: ``folder`` is all that it may write to."""

    folder: Path
    environment: dict[str, str]


@contextmanager
def place(models: Path | None = None) -> Iterator[Place]:
    """A folder with derived models, if any, and a home folder beside it, empty at the end too."""
    with tempfile.TemporaryDirectory(prefix="edgebench-watched-") as made:
        folder, home = Path(made) / "ours", Path(made) / "home"
        for one in (folder, home, folder / "tmp", folder / "plugins"):
            one.mkdir()
        if models is not None:
            shutil.copytree(models, folder / "cache")
        shutil.copy(planted_caller.__file__, folder / "plugins")
        yield Place(folder, environment(folder, home))


def environment(folder: Path, home: Path) -> dict[str, str]:
    """As a user's, but with every folder that edgebench may write to below ``folder``."""
    kept = {key: value for key, value in os.environ.items() if key != "CI"}
    return kept | {
        "HOME": str(home),
        "TMPDIR": str(folder / "tmp"),
        "EDGEBENCH_LOCK": str(folder / "lock"),
        "EDGEBENCH_DATA": str(folder / "data"),
        "EDGEBENCH_CACHE": str(folder / "cache"),
        # Not this folder: its packaging.py would hide the package that TensorFlow imports.
        "PYTHONPATH": str(folder / "plugins"),
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }


def run(
    name: str, arguments: Sequence[str], models: Path | None = None
) -> tuple[syscalls.Seen, dict[str, int]]:
    """A backend's cells; what was seen, and how many cells ended how (3: some of them failed)."""
    with place(models) as here:
        results, environment = here.folder / "results", here.environment
        command = [*EDGEBENCH, "run", "-b", name, "-o", str(results), *arguments]
        if name == EdgeImpulse.name:  # no bundled workload has an .eim: a stand-in must do
            eim_workload.make(here.folder, fp32="")
            environment = {**environment, "EDGEBENCH_PATH": str(here.folder)}
            command += ["-w", eim_workload.NAME]
        seen = syscalls.watch(command, here.folder, environment, codes=(0, 3))
        if name == EdgeImpulse.name:  # its shared memory is where the kernel has it
            elsewhere = [one for one in seen.files if not one.startswith("/dev/shm/shm-")]  # noqa: S108 - as said
            seen = seen._replace(files=elsewhere)
        left = Path(environment["HOME"]).rglob("*")  # a second witness beside strace
        seen.files.extend(str(path) for path in left)
        return seen, dict(edgebench.load(results)["status"].value_counts())


def derive(verdict: Verdict, data: Path, models: Path) -> None:
    """Every model that can be made, watched; they stay in ``models`` for the runs."""
    with place() as here:
        command = [*EDGEBENCH, "workloads", "derive"]
        command += ["--data", str(data)] if data.is_dir() else []
        seen = syscalls.watch(command, here.folder, here.environment)
        shutil.copytree(here.folder / "cache", models)
    made = len(list(models.glob("derived/*/manifest.json")))
    judge(verdict, f"workloads derive ({made} models)", seen, worked=made > 0)


def with_second(folder: Path) -> Path:
    """A configuration that names the environment of tflite-runtime."""
    python = second_env.find_or_create(folder / "second")
    config = folder / "second.toml"
    config.write_text(f'[backends.tflite-runtime]\npython = "{python}"\n', encoding="utf-8")
    return config


def installed(config: list[str]) -> list[str]:
    """Names of the backends that can be used here, or that the configuration file names."""
    command = [*EDGEBENCH, "backends", "list", "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    elsewhere = read_config(Path(config[1])).backends if config else {}
    names = []
    for probe in json.loads(told):
        if probe["available"]:
            names.append(probe["name"])
        elif probe["name"] not in elsewhere:
            print(f"      {probe['name']}: not judged, not installed: {probe['reason']}")
    return [*names, *(one for one in elsewhere if one not in names)]


def show_that_it_counts(verdict: Verdict) -> None:
    """A planted backend, and OpenVINO as it ships."""
    seen, _ = run(PLANTED, ["-p", "fp32", "-w", "mnist_cnn"])
    per_open = (len(seen.connections), len(seen.sockets), len(set(seen.files)))
    opened = len(seen.connections) // planted_caller.CALLS
    wanted = opened * planted_caller.CALLS
    verdict.check(
        "the counter, planted backend",
        f"{seen.told()} in {opened} opens",
        f"{planted_caller.CALLS} attempts and sockets an open, files in each launch's home",
        passed=opened > 0 and per_open == (wanted, wanted, planted_caller.FILES),
    )
    if find_spec("openvino") is None:
        return
    with place() as here:
        code = "import openvino, time; time.sleep(2)"
        seen = syscalls.watch([sys.executable, "-c", code], here.folder, here.environment)
    caught = bool(seen.connections and seen.files)
    verdict.check("the counter, openvino as it ships", seen.told(), "> 0 each", passed=caught)


def judge(verdict: Verdict, what: str, seen: syscalls.Seen, *, worked: bool) -> None:
    """One line, and what was seen that should not be."""
    clean = not (seen.connections or seen.sockets or seen.files)
    verdict.check(what, seen.told(), "0 of each", passed=clean and worked)
    for line in sorted({*seen.connections, *seen.sockets, *seen.files})[:10]:
        print(f"      {line}")


def watch(
    verdict: Verdict, names: Sequence[str], arguments: list[str], models: Path, *, at_once: int
) -> None:
    """A run of each backend, and a line each."""
    with ThreadPoolExecutor(at_once) as pool:
        found = pool.map(lambda name: run(name, [*arguments, "--timeout", "300"], models), names)
        for name, (seen, cells) in zip(names, found, strict=True):
            told = ", ".join(f"{count} {status}" for status, count in sorted(cells.items()))
            long = f" of {LONG[-1]} min" if LONG[-1] in arguments else ""
            judge(verdict, f"{name} ({told}{long})", seen, worked=cells.get("ok", 0) > 0)


def main() -> int:
    """Judge every installed backend; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", action="store_true", help="judge the planted backend too")
    parser.add_argument("--backend", action="append", help="only these")
    parser.add_argument("--config", type=Path, help="as of `run`, for runtimes in other Pythons")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options = parser.parse_args()
    everything = [part for one in resources.workload_folders(built=True) for part in ("-w", one)]
    verdict = Verdict()
    show_that_it_counts(verdict)
    with tempfile.TemporaryDirectory(prefix="edgebench-models-") as folder:
        chosen = options.config or with_second(Path(folder))
        config = ["--config", str(chosen.resolve())]
        names = [*(options.backend or installed(config)), *([PLANTED] if options.plant else [])]
        models = Path(folder) / "cache"
        derive(verdict, options.data, models)
        # Who only has to live long can do so all at once.
        watch(verdict, names, [*config, *LONG], models, at_once=len(names))
        watch(verdict, names, [*config, *everything], models, at_once=os.cpu_count() or 1)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

"""No backend connects to anything, or writes outside edgebench's folders, over its whole matrix.

Each installed backend runs every bundled workload in every precision under strace (Debian:
apt-get install strace). First the counter itself is shown to count: a planted backend calls out
and writes, and OpenVINO is imported as its users do, its sender's proxy a dead one.
``--plant`` judges the planted backend as if it were installed, and must end in FAIL.
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
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import planted_caller
import syscalls
from verdict import Verdict

import edgebench
from edgebench import resources
from edgebench.runner.config import read_config

EDGEBENCH = [sys.executable, "-m", "edgebench.cli.main"]
PLANTED = planted_caller.CallingBackend.name


class Place(NamedTuple):
    """Where a watched command runs: ``folder`` is all that it may write to."""

    folder: Path
    environment: dict[str, str]


@contextmanager
def place() -> Iterator[Place]:
    """An empty folder, and a home folder beside it."""
    with tempfile.TemporaryDirectory(prefix="edgebench-watched-") as made:
        folder, home = Path(made) / "ours", Path(made) / "home"
        for one in (folder, home, folder / "tmp", folder / "plugins"):
            one.mkdir()
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
        # Not this folder: its packaging.py would hide the package that TensorFlow imports.
        "PYTHONPATH": str(folder / "plugins"),
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }


def run(name: str, arguments: Sequence[str]) -> tuple[syscalls.Seen, dict[str, int]]:
    """A backend's cells; what was seen, and how many cells ended how (3: some of them failed)."""
    with place() as here:
        results = here.folder / "results"
        command = [*EDGEBENCH, "run", "-b", name, "-o", str(results), *arguments]
        seen = syscalls.watch(command, here.folder, here.environment, codes=(0, 3))
        return seen, dict(edgebench.load(results)["status"].value_counts())


def installed(config: list[str]) -> list[str]:
    """Names of the backends that can be used here, or that the configuration file names."""
    command = [*EDGEBENCH, "backends", "list", "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = [probe["name"] for probe in json.loads(told) if probe["available"]]
    if config:
        names += [one for one in read_config(Path(config[1])).backends if one not in names]
    return names


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


def main() -> int:
    """Judge every installed backend; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", action="store_true", help="judge the planted backend too")
    parser.add_argument("--backend", action="append", help="only these")
    parser.add_argument("--config", type=Path, help="as of `run`, for runtimes in other Pythons")
    options = parser.parse_args()
    config = ["--config", str(options.config.resolve())] if options.config else []
    everything = [part for one in resources.workload_folders() for part in ("-w", one)]
    verdict = Verdict()
    show_that_it_counts(verdict)
    names = options.backend or installed(config)
    for name in [*names, *([PLANTED] if options.plant else [])]:
        seen, cells = run(name, [*config, *everything])
        told = ", ".join(f"{count} {status}" for status, count in sorted(cells.items()))
        clean = not (seen.connections or seen.sockets or seen.files)
        passed = clean and cells.get("ok", 0) > 0
        verdict.check(f"{name} ({told} cells)", seen.told(), "0 of each", passed=passed)
        for line in sorted({*seen.connections, *seen.sockets, *seen.files})[:10]:
            print(f"      {line}")
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

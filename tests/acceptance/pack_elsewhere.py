"""A pack that one environment made runs in another that has no TensorFlow and no network.

The pack is made here, with what the cache holds or the installed converters derive. The other
environment is new: the wheel with [device], and the runtimes alone of the derived models; the
bundled workload of the name is deleted from it. With its own HOME, and in a network namespace of
its own (where that is not allowed: under a seccomp filter that ends a process at its first internet
socket), it unpacks and runs. That the wall stands is shown by a connection that it stops, and that
succeeds without it. ``--workload resnet50`` takes any that is built here.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from verdict import ROOT, Verdict

from edgebench import resources
from edgebench.derive.confine import block_network
from edgebench.specs import sha256_of

EXTRAS = {"mnn": "mnn", "ncnn": "ncnn"}
"""Derived formats that a device of a few MB runs: the extra of their runtime."""
CONVERTERS = ("tensorflow", "keras", "torch", "tf2onnx", "onnx", "pnnx")
HERE = (sys.executable, "-m", "edgebench.cli.main")
CONNECT = "import socket; socket.create_connection(('127.0.0.1', {port}), 5); print('connected')"


def run(
    line: Sequence[str], folder: Path, home: Path | None = None, *, wall: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a line; with a home, as another machine would: nothing of this environment."""
    environment = dict(os.environ)
    if home is not None:
        environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        environment["EDGEBENCH_LOCK"] = str(home / "lock")
    unshared = wall and can_unshare()
    return subprocess.run(
        [*(("unshare", "-rn") if unshared else ()), *line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=confine if wall and not unshared else None,
    )


def can_unshare() -> bool:
    """Whether this user may have a network namespace, and is not told to do without."""
    if "--seccomp" in sys.argv:
        return False
    done = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)  # noqa: S607
    return done.returncode == 0


def confine() -> None:
    """In the child, before it becomes the program."""
    if (state := block_network()) != "blocked":
        raise OSError(state)


def listening() -> tuple[socket.socket, int]:
    """A server on this machine's loopback (its kernel answers), and its port."""
    server = socket.create_server(("127.0.0.1", 0))
    return server, server.getsockname()[1]


def packed(verdict: Verdict, name: str, folder: Path) -> tuple[Path, list[str]]:
    """The pack, and the derived formats in it."""
    for fmt in EXTRAS:
        run([*HERE, "workloads", "derive", name, "--format", fmt], folder)
    path = folder / "pack.zip"
    line = [*HERE, "workloads", "pack", name, "-o", str(path)]
    done = run([*line, "--derived"], folder)
    if done.returncode:
        done = run(line, folder)
    if done.returncode:
        raise SystemExit(f"FAIL  {done.stderr.strip()}")
    kinds = run([sys.executable, "-m", "zipfile", "-l", str(path)], folder).stdout
    formats = [fmt for fmt in EXTRAS if f"model.{fmt}" in kinds or f"model.{fmt}.zip" in kinds]
    verdict.check(
        "pack", f"{path.stat().st_size / 1e6:.1f} MB, derived: {formats}", "made", passed=True
    )
    return path, formats


def environment(name: str, formats: Sequence[str], folder: Path) -> Path:
    """A new environment without the workload; give its folder of programs."""
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], ROOT)
    (wheel,) = folder.glob("*.whl")
    extras = ",".join(["device", *(EXTRAS[fmt] for fmt in formats)])
    run([sys.executable, "-m", "venv", str(folder / "env")], folder)
    own = folder / "env" / "bin"
    done = run([str(own / "python"), "-m", "pip", "install", "-q", f"{wheel}[{extras}]"], folder)
    if done.returncode:
        raise SystemExit(f"FAIL  cannot install: {done.stderr.strip()[-400:]}")
    for bundled in folder.glob(f"env/lib/python*/site-packages/edgebench/_data/workloads/{name}"):
        bundled.rename(folder / "bundled")
    return own


def judge_wall(verdict: Verdict, own: Path, home: Path) -> None:
    """The wall counts: what it stops succeeds without it."""
    server, port = listening()
    line = [str(own / "python"), "-c", CONNECT.format(port=port)]
    free, walled = run(line, home, home), run(line, home, home, wall=True)
    server.close()
    told = (walled.stderr.strip().splitlines() or [f"ended with {walled.returncode}"])[-1]
    kind = "network namespace" if can_unshare() else "seccomp filter"
    passed = free.stdout.strip() == "connected" and "connected" not in walled.stdout
    verdict.check(
        f"planted connection ({kind})",
        f"{free.stdout.strip()} without the wall; behind it: {told}",
        "connected; stopped",
        passed=passed and walled.returncode != 0,
    )


def judge_run(verdict: Verdict, name: str, own: Path, home: Path, formats: Sequence[str]) -> None:
    """Every cell of the unpacked workload."""
    line = [str(own / "edgebench"), "run", "-w", name, "-p", "fp32,int8", "--json"]
    done = run(line, home, home, wall=True)
    cells = json.loads(done.stdout or "[]")
    good = [cell for cell in cells if cell["status"] == "ok" and cell["validity"] != "invalid"]
    told = "" if done.returncode == 0 else f": {done.stderr.strip()[-300:]}"
    figure = f"{len(good)} of {len(cells)} cells{told}"
    passed = len(good) == len(cells) > 0
    verdict.check("run: ok, parity valid", figure, "all, at least one", passed=passed)
    for cell in cells:
        seen = f"{cell['latency_p50_ms']} ms, cosine {cell['parity_cosine']}"
        words = cell.get("reason") or seen
        state = f"{cell['status']} {cell['validity']}"
        print(f"      {cell['backend']:12} {cell['precision']:5} {state}: {words}")
    backends = {cell["backend"] for cell in cells}
    wanted = {"onnxruntime", "litert", *formats}
    verdict.check(
        "backends", ", ".join(sorted(backends)), "those of [device] and of the derived models",
        passed=backends >= wanted,
    )  # fmt: skip


def main() -> int:
    """Make, carry, unpack, run; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workload", default="mnist_cnn")
    parser.add_argument("--seccomp", action="store_true", help="a filter, no network namespace")
    name = parser.parse_args().workload
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="edgebench-pack-") as scratch:
        folder, home = Path(scratch), Path(scratch) / "home"
        home.mkdir()
        path, formats = packed(verdict, name, folder)
        own = environment(name, formats, folder)
        look = "import importlib.util as u, sys; print([m for m in sys.argv[1:] if u.find_spec(m)])"
        found = run([str(own / "python"), "-c", look, *CONVERTERS], home, home).stdout.strip()
        verdict.check("converters and TensorFlow in it", found, "[]", passed=found == "[]")
        judge_wall(verdict, own, home)
        edgebench = str(own / "edgebench")
        before = run([edgebench, "run", "-w", name], home, home)
        told = f"exit {before.returncode}"
        verdict.check("without the pack", told, "exit 2", passed=before.returncode == 2)
        done = run([edgebench, "workloads", "unpack", str(path)], home, home, wall=True)
        told = f"exit {done.returncode} {done.stderr.strip()[-200:] if done.returncode else ''}"
        verdict.check("unpack", told, "exit 0", passed=done.returncode == 0)
        source = resources.open_built(name)
        there = home / ".local/share/edgebench/workloads" / source.spec.name
        files = [file for file in there.rglob("*") if file.is_file()]
        same = [f for f in files if sha256_of(f) == sha256_of(source.folder / f.relative_to(there))]
        verdict.check(
            "sha256",
            f"{len(same)} of {len(files)} files",
            "all",
            passed=len(same) == len(files) > 0,
        )
        judge_run(verdict, source.spec.name, own, home, formats)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

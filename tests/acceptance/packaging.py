"""The packaging matrix: what is executed on each Python, and what is only resolved.

sdist and wheel are built; the wheel made from the sdist must hold the same files. On each Python
the wheel is installed in an empty environment: base, then [device], then [report], each one used.
With ``--full`` the test suite runs on each Python too. Every extra is resolved for x86_64 and
aarch64 by the package's own metadata as that machine would read it.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from verdict import ROOT, Verdict, bare_environment

from edgebench.specs import read_toml

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
MACHINES = ("x86_64", "aarch64")
GLIBCS = ("2_28", "2_35")
"""Debian 10 and newer; then Debian 12 and newer, for what has no older wheels."""
ENDED = {"tflite-runtime": ("3.10", "3.11")}
"""Extras of runtimes that ended: the Pythons they still have wheels for."""
FROM_SOURCE = {"aarch64": ("mlcommons-loadgen",)}
"""Packages without a wheel for a machine: pip builds them there, with a C++ compiler."""
RESOLVED_WITH = ("3.11", "3.13")
READ = (
    "import edgebench; frame = edgebench.load('results'); "
    "assert (frame['status'] == 'ok').all() and len(frame) == 4, frame; print(len(frame))"
)


def interpreter(version: str) -> str | None:
    """A Python of this version on this machine."""
    on_path = shutil.which(f"python{version}")
    told, found = os.environ.get("PYENV_ROOT"), shutil.which("pyenv")
    roots = [Path(told)] if told else []
    roots += [Path(found).resolve().parents[1]] if found else []
    roots.append(Path.home() / ".pyenv")
    places = [
        place for root in roots for place in sorted(root.glob(f"versions/{version}.*/bin/python"))
    ]
    candidates = [str(place) for place in places] + ([on_path] if on_path else [])
    for candidate in candidates:
        done = subprocess.run([candidate, "-c", "import venv"], capture_output=True, check=False)
        if done.returncode == 0:
            return candidate
    return None


def run(line: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run in a folder, without signs of another environment."""
    return subprocess.run(
        line, cwd=folder, env=bare_environment(), capture_output=True, text=True, check=False
    )


def build(verdict: Verdict, folder: Path) -> Path:
    """Sdist and wheel from the tree, and the wheel from the sdist; the same files in both."""
    out = folder / "dist"
    hatch = [sys.executable, "-m", "hatchling", "build"]
    run([*hatch, "-t", "sdist", "-t", "wheel", "-d", str(out)], ROOT)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    shutil.unpack_archive(sdist, folder / "unpacked", filter="data")
    (tree,) = (folder / "unpacked").iterdir()
    run([*hatch, "-t", "wheel", "-d", str(folder / "second")], tree)
    (second,) = (folder / "second").glob("*.whl")
    names = [sorted(zipfile.ZipFile(path).namelist()) for path in (wheel, second)]
    figure = f"{len(names[0])} and {len(names[1])} files, {wheel.stat().st_size / 1e6:.1f} MB"
    verdict.check("wheel, and wheel from sdist", figure, "the same", passed=names[0] == names[1])
    return wheel


def executed(verdict: Verdict, version: str, wheel: Path, folder: Path) -> None:
    """Base, device and report in an empty environment of one Python."""
    python = interpreter(version)
    if python is None:
        verdict.check(f"Python {version}", "not on this machine", "executed", passed=False)
        return
    here = folder / version
    here.mkdir()
    run([python, "-m", "venv", "env"], here)
    edgebench, own = str(here / "env/bin/edgebench"), str(here / "env/bin/python")
    pip = [own, "-m", "pip", "install", "-q"]
    steps = {
        "base": [[*pip, str(wheel)], [edgebench, "workloads", "verify"], [edgebench, "run", "-h"]],
        "device": [
            [*pip, f"{wheel}[device]"],
            [edgebench, "run", "-w", "mnist_cnn", "-p", "fp32,int8", "-o", "results"],
        ],
        "report": [
            [*pip, f"{wheel}[report]"],
            [edgebench, "report", "results", "--csv", "all.csv"],
            [own, "-c", READ],
        ],
    }
    for name, lines in steps.items():
        bad = next((done for line in lines if (done := run(line, here)).returncode), None)
        figure = "executed" if bad is None else f"{bad.args[:5]}: {bad.stderr.strip()[-300:]}"
        verdict.check(f"Python {version} {name}", figure, "executed", passed=bad is None)


def tested(verdict: Verdict, version: str, folder: Path) -> None:
    """An editable install of the tree and its test suite on one Python."""
    python = interpreter(version)
    if python is None:
        return
    here = folder / f"{version}-tests"
    run([python, "-m", "venv", str(here)], folder)
    own = str(here / "bin/python")
    installed = run([own, "-m", "pip", "install", "-q", "-e", f"{ROOT}[dev]"], folder)
    done = run([own, "-m", "pytest", "-q", "-p", "no:cacheprovider"], ROOT)
    counts = re.findall(r"\d+ (?:passed|failed|errors?|skipped)", done.stdout[-400:])
    passed = installed.returncode == 0 and done.returncode == 0
    if not passed:
        print(done.stdout[-3000:], installed.stderr[-1000:])
    verdict.check(f"Python {version} tests", ", ".join(counts), "none failed", passed=passed)


def resolves(extra: str, version: str, machine: str, wheel: Path, folder: Path) -> tuple[str, str]:
    """``(glibc, why not)``: the oldest glibc for which every package has a wheel, else the reason.

    uv evaluates the markers of the machine in question; pip would take those of this one.
    """
    wanted = folder / "wanted.in"
    wanted.write_text(f"edgebench[{extra}] @ {wheel.as_uri()}\n")
    told = ""
    for glibc in GLIBCS:
        line = [sys.executable, "-m", "uv", "pip", "compile", "-q", "--only-binary", ":all:"]
        line += [word for name in FROM_SOURCE.get(machine, ()) for word in ("--no-binary", name)]
        line += ["--python-platform", f"{machine}-manylinux_{glibc}", "--python-version", version]
        done = run([*line, str(wanted)], folder)
        if done.returncode == 0:
            return glibc, ""
        told = " ".join(done.stderr.split())[:200]
    return "", told


def main() -> int:
    """Build, execute, resolve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="run the test suite on each Python")
    parser.add_argument("--extras", metavar="NAME,...", help="resolve these only, not all")
    options = parser.parse_args()
    full = options.full
    verdict = Verdict()
    os.environ["EDGEBENCH_LOCK"] = f"{tempfile.mkdtemp(prefix='edgebench-lock-')}/lock"
    known = read_toml(ROOT / "pyproject.toml")["project"]["optional-dependencies"]
    extras = options.extras.split(",") if options.extras else list(known)
    if unknown := set(extras) - {*known}:
        parser.error(f"no such extra: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="edgebench-packaging-") as name:
        folder = Path(name)
        wheel = build(verdict, folder)
        for version in PYTHONS:
            executed(verdict, version, wheel, folder)
            if full:
                tested(verdict, version, folder)
        for extra in extras:
            for machine in MACHINES:
                for version in RESOLVED_WITH:
                    if version not in ENDED.get(extra, PYTHONS):
                        continue
                    glibc, told = resolves(extra, version, machine, wheel, folder)
                    what = f"[{extra}] on {machine}, Python {version}"
                    figure = told or f"resolved, glibc {glibc.replace('_', '.')}"
                    verdict.check(what, figure, "resolved", passed=not told)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

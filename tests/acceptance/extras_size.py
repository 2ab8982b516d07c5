"""What ``[all]`` costs on a clean machine, and the default run from it.

Each extra is installed from this checkout into an empty environment: seconds without and with pip's
cache, MiB of site-packages, packages, the five largest. Then, from ``[all]``'s environment and with
nothing else there (home, cache and folder empty), the default ``edgebench run`` is timed. Wants a
quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import Distribution, distributions
from pathlib import Path

from verdict import ROOT, Verdict, bare_environment

from edgebench.units import mib_from_byte

EXTRAS = ("device", "report", "all")
"""The last one's environment is used for the run."""
MAX_RUN_S = 60.0
LARGEST = 5


def timed(
    line: list[str], folder: Path, **environment: str
) -> tuple[float, subprocess.CompletedProcess[str]]:
    """A command as on a machine that has nothing: seconds, and how it ended."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    kept = {
        key: value
        for key, value in bare_environment().items()
        if not key.startswith(("EDGEBENCH_", "XDG_"))
    }
    kept |= {"HOME": str(home), "EDGEBENCH_LOCK": str(folder / "lock"), **environment}
    start = time.monotonic()
    done = subprocess.run(line, cwd=folder, env=kept, capture_output=True, text=True, check=False)
    return time.monotonic() - start, done


def install(extra: str, folder: Path, pip_options: tuple[str, ...]) -> tuple[float, str]:
    """An extra in an empty environment: seconds of pip alone, and why it failed, if it did."""
    folder.mkdir()
    _, made = timed([sys.executable, "-m", "venv", "env"], folder)
    line = [str(folder / "env/bin/python"), "-m", "pip", "install", "-q", *pip_options]
    took_s, done = timed([*line, f"{ROOT}[{extra}]"], folder)
    bad = next((one for one in (made, done) if one.returncode), None)
    return took_s, bad.stderr.strip()[-500:] if bad else ""


def size_byte(package: Distribution) -> int:
    """Of the files that one package brought and that are there."""
    paths = (Path(str(file.locate())) for file in package.files or ())
    return sum(path.stat().st_size for path in paths if path.is_file())


def disk_byte(folder: Path) -> int:
    """Blocks that a folder takes on the disk, as `du` counts them."""
    return sum(512 * path.lstat().st_blocks for path in folder.rglob("*"))


def contents(folder: Path) -> str:
    """MiB of an environment's packages, how many there are, and the largest."""
    (site,) = folder.glob("env/lib/python*/site-packages")
    packages = {one.metadata["Name"]: size_byte(one) for one in distributions(path=[str(site)])}
    largest = sorted(packages, key=lambda name: -packages[name])[:LARGEST]
    told = ", ".join(f"{name} {mib_from_byte(packages[name]):.0f}" for name in largest)
    return f"{mib_from_byte(disk_byte(site)):.0f} MiB, {len(packages)} packages ({told})"


def run(verdict: Verdict, folder: Path) -> None:
    """The default run from an environment, in an empty folder."""
    edgebench = str(folder / "env/bin/edgebench")
    place = folder / "run"
    place.mkdir()
    took_s, done = timed([edgebench, "run"], place)
    print(done.stdout)
    print("\n".join(line for line in done.stderr.splitlines() if not line.startswith("[")))
    _, report = timed([edgebench, "report", "--json"], place)
    rows = json.loads(report.stdout) if report.returncode == 0 else []
    ok = [row for row in rows if row["status"] == "ok"]
    launches = sum(row["launches"] for row in ok)
    backends = {row["backend"] for row in ok}
    told = f"{took_s:.1f} s, {launches} launches, {len(ok)} cells of {len(backends)} backends"
    verdict.check(
        f"default run, {os.cpu_count()} CPUs",
        told,
        f"< {MAX_RUN_S:g} s",
        passed=took_s < MAX_RUN_S and bool(ok),
    )
    verdict.check("its exit code", str(done.returncode), "0", passed=done.returncode == 0)
    left = sorted(path.name for path in (place / "home").iterdir())
    verdict.check("home after it", ", ".join(left) or "empty", "empty", passed=not left)


def main() -> int:
    """Install each extra, then run; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extra", action="append", help=f"only these (default: {EXTRAS})")
    asked = parser.parse_args()
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="edgebench-extras-") as name:
        folder = Path(name)
        extras = asked.extra or EXTRAS
        for extra in extras:
            here = folder / extra
            took_s, told = install(extra, here, ("--no-cache-dir",))
            verdict.check(f"[{extra}] installs", told or "yes", "yes", passed=not told)
            if told:
                return verdict.exit_code
            cache = str(folder / "cache")
            install(extra, folder / f"{extra}-fill", ("--cache-dir", cache))
            cached_s, _ = install(extra, folder / f"{extra}-cached", ("--cache-dir", cache))
            print(f"      [{extra}]: {took_s:.0f} s, {cached_s:.0f} s from pip's cache")
            print(f"      [{extra}]: {contents(here)}", flush=True)
        if extras[-1] != "report":  # which has no backend
            run(verdict, folder / extras[-1])
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

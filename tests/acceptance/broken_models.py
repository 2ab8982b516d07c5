"""Models that are broken or made to harm, each through `edgebench run --model FILE`.

Passes: exit 2 with one line, or exit 0 or 3 where a cell failed or is invalid and says why (one
runtime may take what another one refuses). Never a traceback, a death by a signal, more than a
minute, or a file outside of results and cache. Prints a table; ``NAME ...`` runs some of them,
``--every 3`` each third, ``-b`` names backends (default: all that are installed).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from verdict import ROOT, Verdict

sys.path.insert(0, str(ROOT / "tests" / "models"))
import broken

LIMIT_S = 60.0
LEAST = 20
OWN = {"results", "cache"}


class Seen(NamedTuple):
    """What a run did."""

    code: int | None
    """None: it was ended after a minute."""
    wall_s: float
    line: str
    faults: list[str]


def listing(folder: Path) -> dict[str, str]:
    """Everything below a folder but results and cache, by its content."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if name.parts[0] not in OWN:
            mode = path.lstat().st_mode
            plain = stat.S_ISREG(mode) and mode & stat.S_IRUSR
            content = hashlib.sha256(path.read_bytes()).hexdigest() if plain else str(mode)
            found[str(name)] = content
    return found


def run(make: broken.Make, backends: str) -> Seen:
    """Make a model in a folder of its own, run it, and look around."""
    with tempfile.TemporaryDirectory(prefix="edgebench-broken-") as scratch:
        here = Path(scratch)
        for name in ("models", "home", "tmp", *OWN):
            (here / name).mkdir()
        (here / broken.OUTSIDE).write_bytes(b"outside" * 10)
        model = make(here / "models")
        before = listing(here)
        line = [sys.executable, "-m", "edgebench.cli.main", "run", "--model", str(model)]
        line += [
            "-p",
            "fp32",
            "--timeout",
            "10",
            "--memory-limit",
            "2048",
            "--json",
            "-o",
            "results",
        ]
        line += ["-b", backends] if backends else []
        changes = {"HOME": "home", "TMPDIR": "tmp", "EDGEBENCH_CACHE": "cache"}
        environment = dict(os.environ) | {key: str(here / one) for key, one in changes.items()}
        environment |= {"EDGEBENCH_LOCK": str(here / "cache" / "lock"), "PYTHONPATH": str(ROOT)}
        start = time.monotonic()
        try:
            done = subprocess.run(
                line, cwd=here, env=environment, capture_output=True, timeout=LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Seen(None, LIMIT_S, "", ["more than a minute"])
        wall_s = time.monotonic() - start
        faults, told = judge(done.returncode, done.stdout, done.stderr)
        after = listing(here)
        faults += [f"wrote {name}" for name in after.keys() - before.keys()]
        faults += [f"changed {name}" for name in before if before[name] != after.get(name)]
        for path in here.rglob("*"):  # so that it can be deleted
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        return Seen(done.returncode, wall_s, told, faults)


def judge(code: int, out: bytes, err: bytes) -> tuple[list[str], str]:
    """What is wrong with an exit code and what was printed; and the line for the user."""
    both = (out + err).decode("utf-8", errors="replace")
    faults = [word for word in ("Traceback", "\x1b[2J") if word in both]
    lines = [line for line in err.decode(errors="replace").splitlines() if line.strip()]
    if code == 2:
        told = [line for line in lines if line.startswith(("edgebench: ", "Error: "))]
        if len(told) != 1 or lines[-1] != told[0]:
            faults.append(f"{len(told)} lines of an error, the last line is {lines[-1:]}")
        return faults, told[0] if told else ""
    if code not in (0, 3):
        return [*faults, f"exit {code}"], lines[-1] if lines else ""
    cells = json.loads(out)
    wrong = [c for c in cells if c["status"] not in {"ok", "skipped"} or c["validity"] == "invalid"]
    bad = [c for c in cells if c["status"] != "ok" or c["validity"] == "invalid"]
    mute = [c for c in bad if not (c.get("reason") or c.get("caveats"))]
    faults += [] if wrong else ["nothing failed"]
    faults += [f"{one['backend']}: {one['status']} without a reason" for one in mute]
    return faults, "; ".join(dict.fromkeys(map(words, cells)))


def words(cell: dict[str, Any]) -> str:
    """A cell in a few words."""
    why = " ".join(str(cell.get("reason") or cell.get("caveats") or "").split())
    return f"{cell['backend']} {cell['status']}/{cell['validity']}: {why[:60]}"


def main() -> int:
    """Run every broken model; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="some of the models")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each Nth model")
    parser.add_argument("-b", "--backend", default="", help="backends, with commas")
    parser.add_argument("--wide", action="store_true", help="whole lines")
    given = parser.parse_args()
    if unknown := sorted(set(given.names) - broken.BROKEN.keys()):
        parser.error(f"no such model: {', '.join(unknown)}")
    names = given.names or list(broken.BROKEN)[:: given.every]
    chosen = {name: broken.BROKEN[name] for name in names}
    verdict = Verdict()
    cell = b'{"backend": "b", "status": "%s", "validity": "valid"}'
    planted, _ = judge(3, b"[%s]" % (cell % b"failed"), b"Traceback")
    planted += judge(0, b"[%s]" % (cell % b"ok"), b"")[0] + judge(-11, b"", b"")[0]
    verdict.check("planted", "; ".join(planted), "four faults", passed=len(planted) == 4)
    worst_s, width = 0.0, 10_000 if given.wide else shutil.get_terminal_size().columns + 60
    for name, make in chosen.items():
        seen = run(make, given.backend)
        worst_s = max(worst_s, seen.wall_s)
        code = "-" if seen.code is None else seen.code
        state = f"FAIL {'; '.join(seen.faults)} | " if seen.faults else ""
        printable = "".join(c if c.isprintable() else "?" for c in f"{state}{seen.line}")
        print(f"{name:38} {code:>2} {seen.wall_s:5.1f} s  {printable[:width]}", flush=True)
        verdict.failed += bool(seen.faults)
    figure = f"{len(chosen) - verdict.failed} of {len(chosen)}, the longest took {worst_s:.0f} s"
    enough = len(chosen) >= LEAST or bool(given.names)
    verdict.check(
        "told in one line, or a cell with its reason", figure, f"all, at least {LEAST}",
        passed=not verdict.failed and enough,
    )  # fmt: skip
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

"""What every acceptance script shares: a line per figure, and an exit code that tells the truth."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Verdict:
    """Collects checks; `exit_code` is 1 as soon as one failed."""

    def __init__(self) -> None:
        self.failed = 0

    def check(self, what: str, figure: str, limit: str, *, passed: bool) -> None:
        """Print one figure beside its limit."""
        self.failed += not passed
        print(f"{'PASS' if passed else 'FAIL'}  {what}: {figure} (limit: {limit})", flush=True)

    @property
    def exit_code(self) -> int:
        """1 where anything failed."""
        return 1 if self.failed else 0


def readme_command(words: str) -> str:
    """The README's one-line shell command that ends with the given words."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in re.findall(r"^(?:    |\$ )?(\S.*)$", text, re.MULTILINE):
        if line.rstrip().endswith(words) and "venv" in line:
            return str(line.strip())
    raise SystemExit(f"FAIL  the README has no one-line command that ends with {words!r}")


@contextmanager
def fresh_clone() -> Iterator[Path]:
    """A clone of the last commit in an empty folder, the data sets beside it where they are."""
    with tempfile.TemporaryDirectory(prefix="edgebench-clone-") as folder:
        clone = Path(folder) / "edgebench"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)  # noqa: S607
        shared = ROOT.parent / "shared"
        if shared.is_dir():
            (Path(folder) / "shared").symlink_to(shared)
        yield clone


def bare_environment() -> dict[str, str]:
    """The environment less every sign of an active virtual environment."""
    gone = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX"}
    kept = {key: value for key, value in os.environ.items() if key not in gone}
    active = os.environ.get("VIRTUAL_ENV")
    if active:
        parts = kept.get("PATH", "").split(os.pathsep)
        kept["PATH"] = os.pathsep.join(part for part in parts if not part.startswith(active))
    return kept


def shell(command: str, folder: Path, *, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a shell line as a user would type it."""
    return subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=folder,
        env=bare_environment(),
        text=True,
        capture_output=capture,
        check=False,
    )

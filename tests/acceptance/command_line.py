"""The command line as a user types it, with workloads of other folders, for acceptance scripts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

FINE = (0, 3)
"""All done, or some cells failed, each with its reason."""


def edgebench(
    *arguments: str, environment: Mapping[str, str] | None = None, codes: Sequence[int] = FINE
) -> str:
    """Run a subcommand, its progress on our stderr; what it wrote to stdout.

    A traceback or another exit code ends the script: it is no figure to be judged.
    """
    done = subprocess.run(
        [sys.executable, "-m", "edgebench.cli.main", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
        check=False,
    )
    if done.returncode not in codes:
        sys.exit(f"FAIL  edgebench {' '.join(arguments)} ended with {done.returncode}")
    return done.stdout


def with_workloads(built: Sequence[Path], scratch: Path) -> dict[str, str]:
    """An environment in which workloads of other folders are found by their names.

    Args:
        built: Folders of workloads (each holds a ``workload.toml``), or folders above them.
        scratch: An empty folder for links to them.
    """
    home = scratch / "workloads"
    home.mkdir()
    for folder in built:
        each = [folder] if (folder / "workload.toml").is_file() else sorted(folder.iterdir())
        for one in each:
            if (one / "workload.toml").is_file():
                (home / one.name).symlink_to(one.resolve())
    known = os.environ.get("EDGEBENCH_PATH", "")
    return {"EDGEBENCH_PATH": os.pathsep.join(filter(None, (str(scratch), known)))}


def newest(parent: Path) -> Path:
    """The run that was just made."""
    return max(path.parent for path in parent.glob("*/run.json"))

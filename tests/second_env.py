"""The environment of tflite-runtime, beside the one that tests run in: numpy < 2, Python <= 3.11.

``python tests/second_env.py FOLDER`` makes it there and prints its interpreter, for
``EDGEBENCH_TFLITE_PYTHON``: tests and acceptance scripts then share it instead of each making
their own. It has this checkout as it stands, so it never goes stale.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

VARIABLE = "EDGEBENCH_TFLITE_PYTHON"
ROOT = Path(__file__).resolve().parents[1]
_UV = (sys.executable, "-m", "uv", "--quiet", "--no-python-downloads")


def create(folder: Path, *packages: str, base: str = ">=3.10,<3.12") -> Path:
    """An environment with these packages; its interpreter.

    Args:
        folder: Where it goes; what lies there is replaced.
        packages: As pip takes them; by default this checkout with tflite-runtime.
        base: The Python it is made of, as uv takes it.

    Raises:
        RuntimeError: In the installer's words, also where there is no such Python.
    """
    python = folder / "bin" / "python"
    wanted = packages or ("--editable", f"{ROOT}[tflite-runtime]")
    _run(*_UV, "venv", "--clear", "--python", base, str(folder))
    _run(*_UV, "pip", "install", "--python", str(python), *wanted)
    return python


def find_or_create(folder: Path) -> Path:
    """The interpreter that the variable names; else one made in this folder.

    Raises:
        RuntimeError: It cannot be made here.
    """
    named = os.environ.get(VARIABLE)
    return Path(named) if named else create(folder)


def _run(*command: str) -> None:
    # A virtual environment that is active here is not the one that is meant.
    clean = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    done = subprocess.run(command, capture_output=True, text=True, env=clean, check=False)
    if done.returncode:
        raise RuntimeError(" ".join(done.stderr.split()))


if __name__ == "__main__":
    sys.stdout.write(f"{find_or_create(Path(sys.argv[1]).absolute())}\n")

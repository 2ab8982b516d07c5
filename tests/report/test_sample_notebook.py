"""The sample notebook runs, says what it said, and shows every public function."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import edgebench
from edgebench.report.accessor import Accessor

ROOT = Path(__file__).resolve().parent.parent.parent
BOOK = ROOT / "reports/sample/choose.ipynb"
MAX_BYTE = 100_000


def cells(path: Path) -> list[dict[str, Any]]:
    """Its cells with code."""
    book = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in book["cells"] if cell["cell_type"] == "code"]


def told(cell: dict[str, Any]) -> list[str]:
    """What a cell answered, as plain text."""
    found = [out.get("text") or out.get("data", {}).get("text/plain") for out in cell["outputs"]]
    return ["".join(text or "") for text in found]


def run(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """Execute a notebook in a process of its own: kernels and pytest share no event loop."""
    command = [sys.executable, str(ROOT / "tests/notebook.py"), str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def test_it_runs_and_answers_what_is_stored_in_it(tmp_path: Path) -> None:
    done = run(BOOK, tmp_path / "again.ipynb")
    assert done.returncode == 0, done.stderr[-2000:]
    for stored, again in zip(cells(BOOK), cells(tmp_path / "again.ipynb"), strict=True):
        assert not [out for out in again["outputs"] if out.get("name") == "stderr"]
        # Where an answer is to change: python tests/notebook.py FILE FILE
        assert told(again) == told(stored), "".join(stored["source"])


def test_a_planted_error_fails(tmp_path: Path) -> None:
    book = json.loads(BOOK.read_text(encoding="utf-8"))
    book["cells"] = [cell | {"source": ["1 / 0"]} for cell in book["cells"] if "outputs" in cell]
    (tmp_path / "bad.ipynb").write_text(json.dumps(book), encoding="utf-8")
    done = run(tmp_path / "bad.ipynb", tmp_path / "out.ipynb")
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("name", [name for name in edgebench.__all__ if name.islower()])
def test_every_public_function_is_shown(name: str) -> None:
    source = "".join(line for cell in cells(BOOK) for line in cell["source"])
    assert name == "__version__" or f"edgebench.{name}(" in source


def test_so_is_everything_that_a_frame_can_do() -> None:
    source = "".join(line for cell in cells(BOOK) for line in cell["source"])
    methods = [name for name, _ in inspect.getmembers(Accessor, inspect.isfunction)]
    assert [n for n in methods if n[0] != "_" and f".edgebench.{n}(" not in source] == []


def test_it_says_that_nothing_was_measured_and_stays_small() -> None:
    text = BOOK.read_text(encoding="utf-8")
    assert "nothing in it was measured" in text
    assert len(text.encode()) < MAX_BYTE
    assert str(ROOT) not in text

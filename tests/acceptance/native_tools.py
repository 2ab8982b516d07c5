"""Test f: our medians against the native tools', alternated in one run.

Every pair is two fresh processes on the same model, threads, precision, CPUs and environment,
seconds apart and in random order; the statistic is the mean log ratio of their medians. Quiet
machine: ``python tests/acceptance/native_tools.py --cache DIR`` (the large model is built there
once, which needs the extra [build]). ``--plant 5`` slows us down by 5 % and must FAIL.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import NamedTuple, cast

from verdict import Verdict

from edgebench import plugins, resources, stats
from edgebench.host import cpu
from edgebench.records import Case, Precision
from edgebench.runner import launcher, requests, surroundings
from edgebench.runner.config import Preset
from edgebench.specs import Workload

HERE = Path(__file__).resolve().parent / "native"
OURS = "edgebench"
TOOLS = {
    "onnxruntime": ("bare onnxruntime", "LoadGen"),
    "litert": ("litert-benchmark",),
    "openvino": ("benchmark_app",),
}
FORMATS = {"onnxruntime": "onnx", "litert": "tflite", "openvino": "onnx"}
PRECISIONS = {"openvino": ("fp32", "bf16", "int8")}
"""By default; else fp32 and int8."""
MAX_RATIO = 0.03
MAX_NS = 10_000
SHORT_NS = 1_000_000
"""Below this a model is held to `MAX_NS`, not to `MAX_RATIO`."""
WARMUP_S = 0.1


class Cell(NamedTuple):
    """One model on one runtime."""

    workload: Workload
    backend: str
    precision: Precision
    threads: int
    seconds: float

    @property
    def label(self) -> str:
        """For the table."""
        spec = self.workload.spec
        return f"{spec.name} {self.backend} {self.precision} {self.threads} thread(s)"

    @property
    def file_precision(self) -> Precision:
        """Of the model file, from which a runtime may compute in another precision."""
        served = plugins.probe_backend(self.backend).serves.get(self.precision)
        return cast("Precision", served or self.precision)


def ours(cell: Cell) -> float:
    """One launch as `edgebench run` makes it; median in ns."""
    spec = cell.workload.spec
    case = Case(
        workload=spec.name,
        workload_version=spec.version,
        source_sha256=spec.source_sha256,
        backend=cell.backend,
        format=FORMATS[cell.backend],
        precision=cell.precision,
        model_precision=None if cell.file_precision == cell.precision else cell.file_precision,
        threads=cell.threads,
    )
    preset = Preset(
        name="quick", min_launches=1, max_launches=1, measure_s=cell.seconds, warmup_s=WARMUP_S
    )
    request = requests.build(
        run_id="native", case=case, workload=cell.workload, preset=preset, launch=0
    )
    limits = launcher.Limits(timeout_s=60, measure_s=cell.seconds)
    with tempfile.TemporaryDirectory() as folder:
        record = launcher.launch(request, limits, Path(folder) / "log", None)
    if record.status != "ok":
        raise SystemExit(f"FAIL  {cell.label}: {record.status}: {record.reason}")
    if record.effective is None or record.effective.precision != cell.precision:
        raise SystemExit(f"FAIL  {cell.label}: another precision ran: {record.effective}")
    return statistics.median(record.latency_ns)


def theirs(cell: Cell, tool: str, expected_ns: float) -> float:
    """One run of a tool in a process like our worker: environment, CPUs, empty folder."""
    model = cell.workload.model(FORMATS[cell.backend], cell.file_precision)
    if model is None:
        raise SystemExit(f"FAIL  {cell.label}: there is no such model")
    files = (cell.workload.file(model.path), cell.workload.reference_path)
    cpus = ",".join(map(str, cpu.choose_cpus(cell.threads)))
    words = (tool, *files, cell.precision, cell.threads, cell.seconds, expected_ns, cpus)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, str(HERE / "side.py"), *map(str, words)],
            cwd=folder,
            env=surroundings.environment(cell.threads, Path(folder)) | {"HOME": folder},
            text=True,
            capture_output=True,
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"FAIL  {cell.label} by {tool}: {done.stderr[-500:]}")
    return float(json.loads(done.stdout)["median_ns"])


def rounds(cell: Cell, pairs: int, plant_ratio: float) -> dict[str, list[float]]:
    """Medians in ns by tool (ours among them), one of each a round."""
    expected_ns = ours(cell)
    found: dict[str, list[float]] = {name: [] for name in (OURS, *TOOLS[cell.backend])}
    order = list(found)
    shuffle = random.Random(1).shuffle  # noqa: S311 - an order, not a secret
    for _ in range(pairs):
        shuffle(order)
        for name in order:
            if name == OURS:
                found[name].append(ours(cell) * (1 + plant_ratio))
            else:
                found[name].append(theirs(cell, name, expected_ns))
    return found


def judge(verdict: Verdict, cell: Cell, found: dict[str, list[float]]) -> None:
    """A line for each tool."""
    our_ns = statistics.geometric_mean(found[OURS])
    for tool in TOOLS[cell.backend]:
        pairs = zip(found[OURS], found[tool], strict=True)
        ratio = stats.log_t_interval([mine / other for mine, other in pairs])
        if ratio is None:
            raise SystemExit("FAIL  --pairs: an interval takes two or more")
        their_ns = statistics.geometric_mean(found[tool])
        short = max(our_ns, their_ns) < SHORT_NS
        off = abs(our_ns - their_ns) if short else abs(math.log(ratio.value))
        passed = off <= (MAX_NS if short else math.log1p(MAX_RATIO))
        figure = (
            f"{our_ns / 1e6:.4f} / {their_ns / 1e6:.4f} ms = {ratio.value:.4f} "
            f"[{ratio.low:.4f}, {ratio.high:.4f}], {(our_ns - their_ns) / 1e3:+.1f} us, "
            f"{len(found[tool])} pairs"
        )
        if not short and ratio.half_width_ratio > MAX_RATIO:
            figure += ", too noisy to tell"
        limit = f"within {MAX_NS / 1e3:g} us" if short else f"within {MAX_RATIO:.0%}"
        verdict.check(f"{tool}, {cell.label}", figure, limit, passed=passed)


def large_model(cache: Path) -> Path:
    """The workload of 2.4 G multiply-accumulates, built once."""
    folder = cache / "large_cnn"
    if not (folder / "workload.toml").is_file():
        script = HERE / "large_model.py"
        done = subprocess.run(
            [sys.executable, str(script), str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr)
            raise SystemExit("FAIL  the large model cannot be built (pip install -e '.[build]')")
    return folder


def main() -> int:
    """Every combination that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="where the large model lies, or is built")
    parser.add_argument("--workload", action="append", help="instead: names or folders")
    parser.add_argument("--backend", action="append", choices=TOOLS)
    parser.add_argument("--precision", action="append")
    parser.add_argument("--threads", action="append", type=int)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.4, help="measured in each process")
    parser.add_argument("--plant", type=float, default=0.0, help="percent that we are slowed by")
    asked = parser.parse_args()
    names = asked.workload or ["mnist_cnn"]
    if not asked.workload and asked.cache:
        names.append(str(large_model(asked.cache)))
    verdict = Verdict()
    for name, backend in product(names, asked.backend or TOOLS):
        workload = resources.open_workload(name)
        precisions = asked.precision or PRECISIONS.get(backend, ("fp32", "int8"))
        for precision, threads in product(precisions, asked.threads or (1, 2)):
            cell = Cell(workload, backend, cast("Precision", precision), threads, asked.seconds)
            judge(verdict, cell, rounds(cell, asked.pairs, asked.plant / 100))
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

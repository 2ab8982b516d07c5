"""The other side of a pair: one fresh process measuring a model by a tool's own means.

``python side.py TOOL MODEL REFERENCE PRECISION THREADS SECONDS EXPECTED_NS CPUS`` prints the median
as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any

WARMUP_S = 0.1
RING = 16


def onnxruntime_call(model: str, reference: str, threads: int) -> Callable[[int], Any]:
    """What onnxruntime's own tutorial does: a session, and `run` on an array; by ring slot."""
    import numpy as np
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    with np.load(reference, allow_pickle=False) as archive:
        images = archive["inputs"][:RING].astype(np.float32).transpose(0, 3, 1, 2)
    feeds = [{name: np.ascontiguousarray(image[np.newaxis])} for image in images]
    run, slots = session.run, len(feeds)
    return lambda slot: run(None, feeds[slot % slots])


def warm_up(call: Callable[[int], Any]) -> None:
    """As long as the other side."""
    end, slot = perf_counter() + WARMUP_S, 0
    while perf_counter() < end:
        call(slot)
        slot += 1


def bare(asked: argparse.Namespace) -> float:
    """A loop around `InferenceSession.run`; median in ns."""
    call = onnxruntime_call(asked.model, asked.reference, asked.threads)
    warm_up(call)
    taken: list[int] = []
    end = perf_counter() + asked.seconds
    while perf_counter() < end or not taken:
        start = perf_counter_ns()
        call(len(taken))
        taken.append(perf_counter_ns() - start)
    return statistics.median(taken)


def loadgen(asked: argparse.Namespace) -> float:
    """LoadGen's single stream with `InferenceSession.run` behind it; its own p50 in ns."""
    import mlperf_loadgen as lg

    call = onnxruntime_call(asked.model, asked.reference, asked.threads)
    warm_up(call)

    def issue(query: Any) -> None:  # noqa: ANN401 - LoadGen's own vector
        for sample in query:
            call(sample.index)
            lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, 0, 0)])

    settings, logs = lg.TestSettings(), lg.LogSettings()
    settings.scenario = lg.TestScenario.SingleStream
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_duration_ms = round(1000 * asked.seconds)
    settings.min_query_count = 5
    settings.single_stream_expected_latency_ns = asked.expected_ns / 4
    logs.enable_trace = False
    with tempfile.TemporaryDirectory() as folder:
        logs.log_output.outdir = folder
        system = lg.ConstructSUT(issue, lambda: None)
        library = lg.ConstructQSL(RING, RING, lambda _: None, lambda _: None)
        lg.StartTestWithLogSettings(system, library, settings, logs, f"{folder}/absent")
        lg.DestroyQSL(library)
        lg.DestroySUT(system)
        summary = (Path(folder) / "mlperf_log_summary.txt").read_text(encoding="utf-8")
    line = next(line for line in summary.splitlines() if line.startswith("50.00 percentile"))
    return float(line.split(":")[1])


def litert_benchmark(asked: argparse.Namespace) -> float:
    """LiteRT's `litert-benchmark`: its own command, loop and clock; median in ns.

    Its results are rounded to 0.01 ms, more than a small model takes, so the times are looked at
    on their way into the tool's own call of `statistics.median`.
    """
    from ai_edge_litert.tools import benchmark_litert_model as tool

    seen: list[float] = []

    class Statistics:
        mean, stdev = staticmethod(statistics.mean), staticmethod(statistics.stdev)

        @staticmethod
        def median(times_ms: list[float]) -> float:
            seen.append(statistics.median(times_ms))
            return seen[-1]

    tool.statistics = Statistics
    runs = max(5, int(asked.seconds * 1e9 / asked.expected_ns))
    warm = max(1, int(WARMUP_S * 1e9 / asked.expected_ns))
    sys.argv = ["litert-benchmark", f"--model={asked.model}", f"--num_threads={asked.threads}"]
    sys.argv += [f"--num_runs={runs}", f"--warmup_runs={warm}"]
    sys.stdout, kept = sys.stderr, sys.stdout
    tool.main()
    sys.stdout = kept
    return 1e6 * seen[0]


def benchmark_app(asked: argparse.Namespace) -> float:
    """OpenVINO's `benchmark_app`: its own command, loop and clock; median in ns.

    Its report is rounded to 0.01 ms, so the median is looked at on its way out of the tool's loop
    and the report must agree. Its command line refuses threads and streams beside the hint that
    edgebench gives too, so these come by its configuration file. A precision is always forced, and
    what the compiled model says of itself must be what was asked for.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # nothing is sent
    sys.stdout, kept = sys.stderr, sys.stdout  # before its log takes hold of it
    import openvino
    from openvino.tools.benchmark import main as tool

    seen: list[float] = []
    asked_for = {"INFERENCE_NUM_THREADS": str(asked.threads), "NUM_STREAMS": "1"}
    hint = {"bf16": "bf16", "fp16": "f16"}.get(asked.precision, "f32")

    class Benchmark(tool.Benchmark):  # type: ignore[misc] # it has no types
        def create_infer_requests(self, compiled: Any) -> Any:  # noqa: ANN401 - the tool's own
            told = {name: str(compiled.get_property(name)) for name in asked_for}
            ran = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
            if (told, ran) != (asked_for, hint):
                raise SystemExit(f"benchmark_app runs {ran} with {told}")
            return super().create_infer_requests(compiled)

        def main_loop(self, *arguments: Any) -> Any:  # noqa: ANN401 - as above
            answer = super().main_loop(*arguments)
            seen.append(answer[1])
            return answer

    tool.Benchmark = Benchmark
    shape = openvino.Core().read_model(asked.model).inputs[0].partial_shape
    sizes = ",".join(["1", *(str(size) for size in list(shape)[1:])])
    config = {"CPU": {"PERFORMANCE_HINT": "LATENCY", **asked_for}}
    Path("config.json").write_text(json.dumps(config), encoding="utf-8")
    sys.argv = ["benchmark_app", "-m", asked.model, "-shape", f"[{sizes}]", "-api", "sync"]
    sys.argv += ["-infer_precision", hint, "-load_config", "config.json", "-json_stats"]
    sys.argv += ["-report_type", "no_counters", "-report_folder", "."]
    sys.argv += ["-niter", str(max(5, int(asked.seconds * 1e9 / asked.expected_ns)))]
    tool.main()
    sys.stdout = kept
    report = json.loads(Path("benchmark_report.json").read_text(encoding="utf-8"))
    if f"{seen[0]:.2f}" != report["execution_results"]["latency (ms)"]:
        raise SystemExit(f"the tool reports another median: {report}")
    return 1e6 * seen[0]


TOOLS = {
    "bare onnxruntime": bare,
    "LoadGen": loadgen,
    "litert-benchmark": litert_benchmark,
    "benchmark_app": benchmark_app,
}


def main() -> None:
    """Keep to the CPUs first: a runtime counts them when it is imported."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("model")
    parser.add_argument("reference")
    parser.add_argument("precision")
    parser.add_argument("threads", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("expected_ns", type=float)
    parser.add_argument("cpus")
    asked = parser.parse_args()
    os.sched_setaffinity(0, [int(cpu) for cpu in asked.cpus.split(",")])
    print(json.dumps({"median_ns": TOOLS[asked.tool](asked)}))


if __name__ == "__main__":
    main()

"""Result files by the real tools: ``python make_results.py TOOL MODEL FOLDER [WORD...]``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def benchmark_app(model: str, folder: Path, words: list[str]) -> None:
    """Its JSON report; the words are options of its command line."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # nothing is sent
    from openvino.tools.benchmark import main as tool

    sys.argv = ["benchmark_app", "-m", model, "-shape", "[1,1,28,28]", "-json_stats"]
    sys.argv += ["-report_type", "no_counters", "-report_folder", str(folder), *words]
    tool.main()


def litert_benchmark(model: str, folder: Path, words: list[str]) -> None:
    """Its JSON result; the words are options of its command line."""
    from ai_edge_litert.tools import benchmark_litert_model as tool

    sys.argv = ["litert-benchmark", f"--model={model}", *words]
    sys.argv.append(f"--result_json={folder / 'result.json'}")
    tool.main()


def loadgen(model: str, folder: Path, words: list[str]) -> None:
    """LoadGen's logs of a scenario, with `InferenceSession.run` behind it."""
    import mlperf_loadgen as lg
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: np.zeros((1, 1, 28, 28), np.float32)}

    def issue(query: Any) -> None:  # noqa: ANN401 - LoadGen's own vector
        for sample in query:
            session.run(None, feed)
            lg.QuerySamplesComplete([lg.QuerySampleResponse(sample.id, 0, 0)])

    settings, logs = lg.TestSettings(), lg.LogSettings()
    settings.scenario = getattr(lg.TestScenario, words[0])
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_duration_ms, settings.min_query_count = 300, 5
    settings.server_target_qps, settings.offline_expected_qps = 500, 5000
    settings.single_stream_expected_latency_ns = settings.multi_stream_expected_latency_ns = 20_000
    logs.enable_trace = False
    logs.log_output.outdir = str(folder)
    system = lg.ConstructSUT(issue, lambda: None)
    library = lg.ConstructQSL(16, 16, lambda _: None, lambda _: None)
    lg.StartTestWithLogSettings(system, library, settings, logs, str(folder / "absent"))
    lg.DestroyQSL(library)
    lg.DestroySUT(system)


TOOLS = {"benchmark_app": benchmark_app, "litert-benchmark": litert_benchmark, "LoadGen": loadgen}


if __name__ == "__main__":
    TOOLS[sys.argv[1]](sys.argv[2], Path(sys.argv[3]), sys.argv[4:])

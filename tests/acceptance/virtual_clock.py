"""Known latencies on a virtual clock come out of loop, record and rows exactly as numpy has them.

Lognormal, with two modes, with a long tail, and all at once; seeds 1, 2, 3. ``--plant`` trims the
slowest 1 % on the way, as some tools do: the script must then print FAIL.
"""

from __future__ import annotations

import sys

import numpy as np
from verdict import Verdict

from edgebench import codec
from edgebench.machine import DeviceFacts
from edgebench.measure import passes
from edgebench.records import Case, Manifest, PlannedCase, Record
from edgebench.report import rows
from edgebench.samples import Samples
from edgebench.testing import FakeClock, PlayedSession, known_latencies
from edgebench.units import ms_from_ns

SEEDS = (1, 2, 3)
KINDS = ("lognormal", "bimodal", "tail", "all")
SAMPLES = 5000
STAGE_NS = 20_000
CASE = Case(
    workload="played",
    workload_version=1,
    source_sha256="0" * 64,
    backend="edgebench.testing:NullBackend",
    format="onnx",
    precision="fp32",
)
MANIFEST = Manifest(
    run_id="r",
    started_at_utc="2026-01-01T00:00:00Z",
    edgebench_version="0",
    preset="quick",
    seed=1,
    launches=1,
    method={},
    facts=DeviceFacts(device="fake", device_id="fake"),
    plan=(PlannedCase(case_id=CASE.case_id, case=CASE),),
)


def played(kind: str, seed: int) -> list[int]:
    """Known latencies of one kind, ns."""
    rng = np.random.default_rng(seed)
    body = 1e6 * np.exp(rng.normal(0, 0.05, SAMPLES))
    if kind == "bimodal":
        body *= np.where(rng.random(SAMPLES) < 0.4, 2, 1)
    elif kind == "tail":
        body += (rng.random(SAMPLES) < 0.02) * rng.exponential(3e6, SAMPLES)
    elif kind == "all":
        return known_latencies(seed, SAMPLES)
    return [int(value) for value in body]


def measured(series: list[int], *, trimmed: bool) -> rows.Row:
    """The row of one launch that met these latencies: loop, pass, record, disk, row."""
    clock = FakeClock()
    session = PlayedSession(clock, series, STAGE_NS)
    # The time is up with the last of them; a chunk is one inference, so it ends right there.
    measure_s = (sum(series) + STAGE_NS * (len(series) - 1)) / 1e9
    window = passes.latency(session, 16, measure_s, 50_000_000, clock=clock)
    kept = sorted(window.latency_ns)[: -SAMPLES // 100] if trimmed else window.latency_ns
    record = Record(
        run_id="r",
        case_id=CASE.case_id,
        launch=0,
        started_at_utc="2026-01-01T00:00:00Z",
        status="ok",
        latency_ns=Samples(kept),
        window_ns=window.window_ns,
        inferences=len(window.latency_ns),
    )
    (row,) = rows.of_records(MANIFEST, [codec.decode_line(codec.encode_line(record))])
    return row


def main() -> int:
    """Every kind with every seed."""
    verdict = Verdict()
    for kind in KINDS:
        for seed in SEEDS:
            series = played(kind, seed)
            row = measured(series, trimmed="--plant" in sys.argv[1:])
            window_ns = sum(series) + STAGE_NS * (len(series) - 1)
            wanted = {
                f"latency_p{q:.0f}_ms": ms_from_ns(
                    float(np.quantile(series, q / 100, method="inverted_cdf"))
                )
                for q in (50, 90, 95, 99)
            }
            wanted |= {"throughput_ips": len(series) * 1e9 / window_ns, "samples": len(series)}
            off = [
                f"{name} {row[name]} != {value}"
                for name, value in wanted.items()
                if row[name] != value
            ]
            figure = "; ".join(off) or (
                f"p50 {row['latency_p50_ms']} ms, p99 {row['latency_p99_ms']} ms"
            )
            verdict.check(f"{kind}, seed {seed}", figure, "numpy's inverted_cdf", passed=not off)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

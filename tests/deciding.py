"""Rows of many cells, as a decision meets them: a rack of boards, hostile names, gaps."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.analysis.constraints import Constraint
from edgebench.analysis.recommend import Answer
from edgebench.report import choosing
from edgebench.report.columns import COLUMNS
from edgebench.report.rows import Row

HOSTILE = "\x1b[31mred\n=cmd()|'/C calc'!A0 </script><b>`@team`\u202e|"
BACKENDS = ("onnxruntime", "litert", "openvino", "ncnn", "mnn", "torch", "tensorflow", "opencv-dnn")
PRECISIONS = ("fp32", "fp16", "int8", "int8_dynamic")


def row(device: str = "board", median_ms: float = 10.0, **changes: str | float | None) -> Row:
    """A cell of a quiet device: the median's interval is 2 % to either side."""
    found: Row = dict.fromkeys(column.name for column in COLUMNS)
    found |= {
        "run_id": "20260101T000000Z-000000",
        "case_id": f"{changes.get('backend')}{changes.get('precision')}",
        "device": device,
        "device_id": device,
        "workload": "mnist_cnn",
        "workload_version": 1,
        "batch": 1,
        "streams": 1,
        "scenario": "single_stream",
        "region": "invoke",
        "engine": "edgebench",
        "tuning": "native",
        "backend": "litert",
        "precision": "int8",
        "accelerator": "cpu",
        "threads": 1,
        "status": "ok",
        "validity": "valid",
        "launches": 6,
        "latency_p50_ms": median_ms,
        "latency_p50_lo_ms": 0.98 * median_ms,
        "latency_p50_hi_ms": 1.02 * median_ms,
        "latency_p99_ms": 1.1 * median_ms,
        "top1_ratio": 0.98,
    }
    return found | changes


def rack() -> list[Row]:
    """640 cells: 20 boards x 8 runtimes x 4 precisions, a third of them with some fault."""
    found: list[Row] = []
    for board in range(20):
        for place, backend in enumerate(BACKENDS):
            for level, precision in enumerate(PRECISIONS):
                n = len(found)
                one = row(f"board-{board:02d}", 1.0 + 0.1 * n, backend=backend, precision=precision)
                if n % 10 == 3:
                    one |= {"status": "failed", "reason": f"launch 0: {n}", "latency_p50_ms": None}
                if n % 10 == 6:
                    one["top1_ratio"] = None
                if (place + level) % 5 == 4:
                    one["top1_ratio"] = 0.5
                found.append(one)
    return found


def decide(rows: Sequence[Row], **limits: float) -> Answer:
    """The answer to the only question, each limit a maximum but that of ``top1_ratio``."""
    (answer,) = choosing.answers(rows, choosing.Asked(limits=bounds(limits)))
    return answer


def made(answers: Sequence[Answer]) -> list[choosing.Decided]:
    """Answers with nothing beside them."""
    return [choosing.Decided(answer=one) for one in answers]


def bounds(limits: dict[str, float]) -> tuple[Constraint, ...]:
    """Limits of figures by name."""
    return tuple(
        Constraint(name, "min" if name == "top1_ratio" else "max", bound)
        for name, bound in limits.items()
    )

"""A figure's place in another tool's file, read again by a path of its own.

Nothing of edgebench is used: decimals instead of floats, `json`, and a pattern for each column.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
NS_PER_MS, US_PER_MS = Decimal(1_000_000), Decimal(1000)


class Places:
    """What stands at an origin: ``file: line 7`` or ``file: a.b[2].c``, several joined by ``+``.

    Args:
        root: The path that was imported.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._texts: dict[str, str] = {}

    def text(self, name: str) -> str:
        """A file's content."""
        if name not in self._texts:
            path = self.root / name if self.root.is_dir() else self.root
            self._texts[name] = path.read_text(encoding="utf-8-sig")
        return self._texts[name]

    def raw(self, place: str) -> Any:  # noqa: ANN401 - a line or any JSON value
        """One place: a line's text, or a value of JSON with its digits kept."""
        name, _, where = place.partition(": ")
        if not where:
            return self.text(name)
        if found := re.fullmatch(r"line (\d+)", where):
            return self.text(name).splitlines()[int(found[1]) - 1]
        value = json.loads(self.text(name), parse_float=Decimal, parse_int=Decimal)
        for step in where.split("."):
            value = value[step]
        return value


def after_colon(raw: str) -> Decimal:
    """LoadGen's summary: the number at the end of a line; its detail: the value of a key."""
    if raw.startswith(":::MLLOG "):
        entry = json.loads(raw[len(":::MLLOG ") :], parse_float=Decimal, parse_int=Decimal)
        return Decimal(entry["value"])
    if found := re.search(r"rocessed at least \d+ queries \((\d+)\)|rocessed (\d+) quer", raw):
        return Decimal(found[1] or found[2])
    return Decimal(raw.rpartition(":")[2].strip())


def mlperf(column: str, raws: list[Any]) -> Decimal | None:
    """A column of a LoadGen run."""
    if column in {"top1_ratio", "top1_samples"}:
        found = re.search(r"good=(\d+), total=(\d+)", raws[0])
        if found is None:
            return None
        right, total = Decimal(found[1]), Decimal(found[2])
        return total if column == "top1_samples" else right / total
    if column in {"power_w", "power_samples", "energy_gross_mj"}:
        return _power(column, raws)
    value = after_colon(raws[0])
    return value / NS_PER_MS if column.endswith("_ms") else value


def _power(column: str, raws: list[Any]) -> Decimal | None:
    log, *rest = raws
    stamp = "%m-%d-%Y %H:%M:%S.%f"
    begin, end = (
        datetime.strptime(json.loads(raw[len(":::MLLOG ") :])["value"], stamp)  # noqa: DTZ007
        for raw in rest[:2]
    )
    rows = re.findall(rf"^Time,([^,]+),Watts,({_NUMBER})", log, re.MULTILINE)
    watts = [
        Decimal(value)
        for when, value in rows
        if begin < datetime.strptime(when, stamp) < end and Decimal(value) > 0  # noqa: DTZ007
    ]
    if column == "power_samples":
        return Decimal(len(watts))
    mean = statistics.mean(watts)
    if column == "power_w":
        return mean
    span = end - begin
    seconds = Decimal(span.days * 86400 + span.seconds) + Decimal(span.microseconds) / 1_000_000
    queries, each = (after_colon(raw) for raw in rest[2:4])
    return mean * seconds * 1000 / (queries * each)


def benchmark_app(column: str, raws: list[Any]) -> Decimal | None:
    """A column of a report: its number, or the sum of what opening the model took."""
    del column
    return sum((Decimal(raw) for raw in raws), Decimal(0))


_LOG = {
    "load_ms": rf"Init: ({_NUMBER})",
    "first_inference_ms": rf"First inference: ({_NUMBER})",
    "latency_mean_ms": rf"Inference \(avg\): ({_NUMBER})",
    "latency_min_ms": rf" min=({_NUMBER})",
    "latency_p50_ms": rf" median=({_NUMBER})",
    "samples": r"count=(\d+)",
    "threads": r"\[(\d+)\]",
}


def litert(column: str, raws: list[Any]) -> Decimal | None:
    """A column of a JSON result, or of a log in us."""
    if not isinstance(raws[0], str):
        return Decimal(raws[0])
    found = re.search(_LOG[column], raws[0])
    if found is None:
        return None
    value = Decimal(found[1])
    return value / US_PER_MS if column.endswith("_ms") else value


def ncnn(column: str, raws: list[Any]) -> Decimal | None:
    """A column of benchncnn's table, or of its settings."""
    name = {"latency_min_ms": "min", "latency_mean_ms": "avg"}.get(column, r"\w+")
    found = re.search(rf"\b{name} = *({_NUMBER})", raws[0])
    return Decimal(found[1]) if found else None


def trtexec(column: str, raws: list[Any]) -> Decimal | None:
    """A column of a trace: made of all its queries."""
    del raws, column
    return None  # has no place of one figure: `queries` is asked instead


def of_queries(column: str, text: str) -> Decimal | None:
    """A column of trtexec's trace, from all of its queries."""
    trace = json.loads(text, parse_float=Decimal, parse_int=Decimal)
    ordered = sorted(query["latencyMs"] for query in trace)
    if column == "samples":
        return Decimal(len(trace))
    if column == "latency_min_ms":
        return Decimal(ordered[0])
    if column == "latency_mean_ms":
        return Decimal(sum(ordered) / len(ordered))
    if column == "latency_p50_ms":
        return Decimal(statistics.median(ordered))
    percent = int(re.sub(r"\D", "", column))
    return Decimal(ordered[-(-percent * len(ordered) // 100) - 1])


READERS: dict[str, Callable[[str, list[Any]], Decimal | None]] = {
    "mlperf": mlperf,
    "benchmark-app": benchmark_app,
    "litert-benchmark": litert,
    "benchncnn": ncnn,
    "trtexec": trtexec,
}

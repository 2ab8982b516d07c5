"""Results as pandas frames: `edgebench.load`, `load_samples`, `load_looks` and `compare`."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgebench.analysis.compare import DEFAULT_METRIC
from edgebench.analysis.definitions import DEFINITIONS
from edgebench.analysis.limits import check_metric
from edgebench.errors import UsageError
from edgebench.report import comparison, gather, rows
from edgebench.report.column import Column, Kind
from edgebench.report.columns import COLUMNS, defined
from edgebench.store import merge
from edgebench.store.read import StoredRun, read_all

try:
    import pandas as pd
except ImportError:
    raise UsageError(
        "reading results into a frame needs pandas", remedy="pip install 'edgebench[report]'"
    ) from None

from edgebench.report import accessor, moments  # noqa: F401 - `accessor` is `frame.edgebench`

DTYPES: dict[Kind, str] = {"str": "string", "int": "Int64", "float": "Float64"}
_PLAIN: dict[Kind, str] = {"float": "float64"}


def load(*paths: str | os.PathLike[str], definition: str | None = None) -> pd.DataFrame:
    """Results of all runs and imports at or below the given paths, one row a case of each.

    Args:
        paths: Folders of runs or imports, or any folders above them.
        definition: Adds columns with the same samples' figures as another tool defines them:
            ``tflite``, ``mlperf``, ``benchmark_app`` or ``ncnn``.

    Returns:
        A frame with one row per (run_id, case_id) and the columns of
        `edgebench.report.columns.COLUMNS`; the unit is the last word of a column's name, and a
        missing value means "not measured". Counts are nullable ``Int64``.

    Raises:
        UsageError: A path does not exist or holds no run, or no definition has this name.
        StoreError: Nothing there can be read. Damage that costs only some launches is a warning.
    """
    if definition is not None and definition not in DEFINITIONS:
        raise UsageError(
            f"there is no definition {definition!r}", remedy=f"choose from {', '.join(DEFINITIONS)}"
        )
    added = () if definition is None else defined(definition)
    found = gather.gather(map(Path, paths), all_runs=True, definition=definition)
    _warn(found.problems)
    return frame(found.rows, added)


def frame(found: list[rows.Row], added: Sequence[Column] = ()) -> pd.DataFrame:
    """Rows as a frame with every column, in the table's order, and those added."""
    data = {
        column.name: pd.Series(
            [row.get(column.name) for row in found],
            dtype=_PLAIN.get(column.kind, DTYPES[column.kind]),
        )
        for column in (*COLUMNS, *added)
    }
    return pd.DataFrame(data)


def typed(found: Sequence[Mapping[str, object]], kinds: Mapping[str, str]) -> pd.DataFrame:
    """Rows as a frame of the given columns, each of its own pandas dtype."""
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in found], dtype=kinds[name]) for name in kinds}
    )


def compare(a: pd.DataFrame, b: pd.DataFrame, metric: str = DEFAULT_METRIC) -> pd.DataFrame:
    """Hold the cells of one frame against those of another.

    An axis on which each frame has a single value, and another one, is what is compared:
    ``compare(df[df.backend == "litert"], df[df.backend == "onnxruntime"])`` pairs workloads and
    precisions. The latest run of each (device_id, case_id) counts.

    Args:
        a: A frame of `load`, or rows of one.
        b: As ``a``.
        metric: A key of `edgebench.analysis.compare.METRICS`.

    Returns:
        One row a pair of cells, and one for each cell without a counterpart (verdict
        ``not comparable``), with the columns of `edgebench.report.comparison.COLUMNS`. ``ratio``
        is b / a; its interval holds 95 %; the verdict is Holm's over the frame.

    Raises:
        UsageError: There is no such metric, or a frame lacks a column of `load`.
    """
    check_metric(metric)
    found = comparison.of_rows(merge.latest(records(a)), merge.latest(records(b)), (metric,)).rows
    return pd.DataFrame(found, columns=list(comparison.COLUMNS))


def records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """A frame's rows with None for what is missing.

    Raises:
        UsageError: It is no frame of `load`, or lacks a column of one.
    """
    if not isinstance(frame, pd.DataFrame):
        raise UsageError(f"a {type(frame).__name__} is no frame", remedy="use edgebench.load")
    lacking = [column.name for column in COLUMNS if column.name not in frame.columns]
    if lacking:
        raise UsageError(
            f"the frame has no column {lacking[0]!r}", remedy="use frames of edgebench.load"
        )
    return plain_rows(frame)


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of any frame, with None for what is missing."""
    whole = frame.astype(object).where(frame.notna(), None)
    return [{str(k): v for k, v in row.items()} for row in whole.to_dict("records")]


def load_samples(*paths: str | os.PathLike[str]) -> pd.DataFrame:
    """Every timed inference, one row each, in the order measured.

    Args:
        paths: Run folders or any folders above them.

    Returns:
        Columns run_id, case_id, workload, backend, precision (categories), launch, index (within
        the launch), latency_ns and second (when it began within the launch's timed window; known
        of sustained launches only, see `moments.seconds`).

    Raises:
        UsageError: A path does not exist or holds no run.
        StoreError: Nothing there can be read.
    """
    return samples(_runs(paths))


def load_looks(*paths: str | os.PathLike[str]) -> pd.DataFrame:
    """What was seen of the machine while launches ran, about a row a second of each.

    Args:
        paths: Run folders or any folders above them.

    Returns:
        Columns run_id, case_id, launch, stage, minute (since the run's first launch), second
        (since the first look of the timed window; below 0 before it), hottest_degc, fastest_mhz
        (NaN where not read) and slowed_by (what slowed the device down, or nothing).

    Raises:
        UsageError: A path does not exist or holds no run.
        StoreError: Nothing there can be read. Damage that costs only some launches is a warning.
    """
    return moments.looks(_runs(paths))


def samples(runs: Iterable[StoredRun]) -> pd.DataFrame:
    """Every timed inference of runs that were read already; columns as of `load_samples`."""
    launches: list[tuple[str, str, str, str, str, int]] = []
    latencies, seconds = [], []
    for run in runs:
        cases = run.cases
        for record in run.latest():
            if record.status != "ok" or record.case_id not in cases:
                continue
            case = cases[record.case_id]
            names = (record.run_id, record.case_id, case.workload, case.backend, case.precision)
            launches.append((*names, record.launch))
            latencies.append(np.asarray(record.latency_ns, dtype=np.int64))
            seconds.append(moments.seconds(record))
    columns = ["run_id", "case_id", "workload", "backend", "precision", "launch"]
    if not launches:
        return pd.DataFrame(columns=[*columns, "index", "latency_ns", "second"])
    # Repeated as numbers: a frame a launch takes longer than reading them does.
    counts = [len(each) for each in latencies]
    data: dict[str, object] = {}
    for name, values in zip(columns[:-1], zip(*launches, strict=True), strict=False):
        each = pd.Categorical(values)
        data[name] = pd.Categorical.from_codes(np.repeat(each.codes, counts), dtype=each.dtype)
    data["launch"] = np.repeat([launch for *_, launch in launches], counts)
    data["index"] = np.concatenate([np.arange(count) for count in counts])
    timed = {"latency_ns": np.concatenate(latencies), "second": np.concatenate(seconds)}
    return pd.DataFrame(data | timed)


def _runs(paths: tuple[str | os.PathLike[str], ...]) -> tuple[StoredRun, ...]:
    runs, problems = read_all([Path(path) for path in paths])
    _warn(problems)
    return runs


def _warn(problems: Iterable[str]) -> None:
    for problem in problems:
        warnings.warn(problem, stacklevel=4)

"""`edgebench.recommend` and `frame.edgebench`: the same decision from a frame."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from deciding import HOSTILE, row

import edgebench
from edgebench.errors import UsageError
from edgebench.report.accessor import Accessor
from edgebench.report.frame import frame as as_frame
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device


def at(frame: pd.DataFrame) -> Accessor:
    """``frame.edgebench``, of which the types of pandas know nothing."""
    found: object = frame.edgebench
    assert isinstance(found, Accessor)
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two boards, one of them measured twice: the newer run is slower."""
    folder = tmp_path_factory.mktemp("results")
    fast = Device(name="raspberry-pi-5", cells=(Cell(latency_ms=10.0, top1_ratio=0.98),))
    slow = Device(name="orange-pi-5", cells=(Cell(latency_ms=40.0), Cell(precision="int8")))
    fleet.write_all(folder, [fast, slow])
    newer = Device(name="raspberry-pi-5", cells=(Cell(latency_ms=20.0, top1_ratio=0.98),))
    fleet.write(folder, newer, started_at_utc="2026-02-01T00:00:00Z")
    return folder


@pytest.fixture
def frame(results: Path) -> pd.DataFrame:
    return edgebench.load(results)


def test_best_ranked_and_rejected_are_frames_with_a_dtype_for_each_column(
    frame: pd.DataFrame,
) -> None:
    found = edgebench.recommend(frame, max={"latency_p99_ms": 33}, min={"top1_ratio": 0.9})
    assert list(found.best["candidate"]) == ["raspberry-pi-5 onnxruntime fp32"]
    assert 19 < found.best["latency_p50_ms"].iloc[0] < 21
    assert found.best["price_usd"].iloc[0] == 80
    assert [str(found.ranked[name].dtype) for name in ("rank", "candidate", "latency_p50_ms")] == [
        "Int64",
        "string",
        "float64",
    ]
    missing = found.rejected[found.rejected["figure"].isna()]
    assert set(missing["reason"]) == {
        "top1_ratio was not measured (no labelled samples were judged)"
    }
    broken = found.rejected[found.rejected["constraint"] == "latency_p99_ms <= 33"]
    assert (broken["figure"] - broken["bound"] == broken["excess"]).all()
    assert list(broken["sure"]) == [True]


def test_the_latest_run_counts_unless_all_are_asked_for(frame: pd.DataFrame) -> None:
    only = frame[frame["device"] == "raspberry-pi-5"]
    assert len(edgebench.recommend(only).ranked) == 1
    assert len(at(only).latest()) == 1
    assert list(at(only).latest()["run_id"]) == [max(only["run_id"])]
    assert len(edgebench.recommend(only, all_runs=True).ranked) == 2


def test_an_older_run_under_another_limit_is_a_candidate_too(frame: pd.DataFrame) -> None:
    rows = frame[frame["device"] == "raspberry-pi-5"].copy()
    rows["device_setup"] = ["quota of 1 CPUs", None][: len(rows)]
    found = edgebench.recommend(rows)
    assert sorted(
        str(one.candidate.row["device_setup"] or "") for one in found.answers[0].ranked
    ) == [
        "",
        "quota of 1 CPUs",
    ]


def test_a_frame_decides_as_its_rows_do_through_the_accessor(frame: pd.DataFrame) -> None:
    mine = frame[frame["backend"] == "onnxruntime"]
    asked: dict[str, Any] = {
        "max": {"price_usd": 70},
        "maximise": "throughput_ips",
        "workload": "mnist_cnn",
    }
    assert str(at(mine).recommend(**asked)) == str(edgebench.recommend(mine, **asked))
    assert "take orange-pi-5 onnxruntime int8" in str(at(mine).recommend(**asked))


def test_the_accessor_compares_and_keeps_what_is_valid(frame: pd.DataFrame) -> None:
    fp32, int8 = (frame[frame["precision"] == name] for name in ("fp32", "int8"))
    fp32 = fp32[fp32["device"] == "orange-pi-5"]
    assert list(at(fp32).compare(int8)["verdict"]) == ["faster"]
    assert list(at(fp32).compare(int8, "rss_peak_mib")["metric"]) == ["rss_peak_mib"]
    spoilt = as_frame([row(validity="suspect"), row(status="failed", validity=None), row()])
    assert len(at(spoilt).valid()) == 1


def test_an_empty_answer_is_empty_frames_and_no_error(frame: pd.DataFrame) -> None:
    found = edgebench.recommend(frame, max={"latency_p99_ms": 0.001})
    assert len(found.best) == len(found.ranked) == 0
    assert len(found.rejected) == 3
    assert "nothing keeps every limit" in str(found)


def test_it_shows_itself(frame: pd.DataFrame) -> None:
    found = edgebench.recommend(frame)
    assert repr(found) == str(found)
    assert "<table" in found._repr_html_()
    assert found.to_markdown().startswith("### `mnist_cnn`")
    assert found.to_dict()["schema"] == 1
    assert "</script>" not in edgebench.recommend(as_frame([row(HOSTILE)]))._repr_html_()


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"max": {"latency_p99_ms": "33"}}, "'33' is no limit of latency_p99_ms"),
        ({"max": {"latency_p99_ms": float("nan")}}, "nan is no limit"),
        ({"max": "latency_p99_ms=33"}, "'latency_p99_ms=33' are no limits .write max="),
        (
            {"max": {"latncy_p99_ms": 33}},
            "no figure is named 'latncy_p99_ms' .did you mean",
        ),
        ({"workload": "x"}, "there are no results of workload 'x'"),
        ({"minimise": "rss_peak_mib", "maximise": "throughput_ips"}, "rank by one figure"),
    ],
)
def test_a_mistake_is_one_line(frame: pd.DataFrame, limits: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        at(frame).recommend(**limits)


def test_frames_of_something_else_are_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match=r"no column 'run_id' .use frames of edgebench.load"):
        at(pd.DataFrame({"a": [1]})).recommend()
    with pytest.raises(UsageError, match="a list is no frame"):
        edgebench.recommend([])  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="there are no results"):
        edgebench.recommend(frame[:0])
    with pytest.raises(UsageError, match=r"a str is no frame .use edgebench.load"):
        edgebench.history("edgebench-results")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "code",
    [
        "import pandas, edgebench; assert hasattr(pandas.DataFrame, 'edgebench')",
        "import edgebench, pandas; edgebench.load; assert hasattr(pandas.DataFrame, 'edgebench')",
        "import edgebench; import sys; assert 'pandas' not in sys.modules",
    ],
)
def test_frames_have_it_whichever_was_imported_first(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", [name for name in edgebench.__all__ if name != "__version__"])
def test_without_pandas_a_line_says_what_to_install(name: str) -> None:
    code = f"import sys; sys.modules['pandas'] = None; import edgebench; edgebench.{name}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith("(pip install 'edgebench[report]')")

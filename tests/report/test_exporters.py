"""Exporters: other tools' readers get our figures exactly, and hostile names stay names."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from pyarrow import parquet as pq
from pytest_benchmark.stats import Stats

import edgebench
from edgebench import plugins
from edgebench.errors import UsageError
from edgebench.machine import DeviceFacts
from edgebench.records import Case, Manifest, Record
from edgebench.report import gather
from edgebench.report.behind import Behind
from edgebench.report.columns import COLUMNS
from edgebench.report.exporters import plain
from edgebench.report.exporters.pytest_benchmark import stats
from edgebench.runner.journal import Journal
from edgebench.testing import fleet

HOSTILE = "=cmd()|</script>`x`\x1b[31m\n@team #1 **b** <img src=x>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Planted runs of two devices, a cell of which failed and one of which has no top-1."""
    place = tmp_path_factory.mktemp("runs")
    cells = (
        fleet.Cell(latency_ms=2.0, top1_ratio=0.9, power_w=4.0),
        fleet.Cell(precision="int8", latency_ms=1.0),
        fleet.Cell(backend="litert", reason="no such operator | `Foo`"),
    )
    fleet.write_all(place, [fleet.Device(name=n, cells=cells) for n in ("pi", "nano")])
    newest = fleet.Device(name="pi", cells=cells[:1])
    fleet.write(place / NEWEST, newest, started_at_utc=NEWER, seed=9)
    return place


NEWEST = "newest"
NEWER = "2026-02-01T00:00:00Z"


def export(
    name: str, folder: Path, columns: Sequence[str] = (), *, all_runs: bool = False
) -> bytes:
    rows, _ = gather.read([folder], all_runs=all_runs)
    return plugins.open_exporter(name).write(rows, columns, Behind([folder])).data


@pytest.mark.parametrize("rounds", [1, 2, 3, 4, 5, 6, 7, 8, 9, 400, 401, 402, 403])
def test_statistics_are_those_of_the_real_tool(rounds: int) -> None:
    rng = np.random.default_rng(rounds)
    data = (rng.lognormal(-7, 0.3, rounds)).tolist()
    real: Any = Stats()  # type: ignore[no-untyped-call]
    for one in data:
        real.update(one)
    ours = stats(data)
    expected = real.as_dict()
    assert set(ours) == set(expected)
    for name, value in expected.items():
        assert ours[name] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-12))


def test_a_benchmark_holds_the_samples_of_all_launches_in_seconds(folder: Path) -> None:
    document = json.loads(export("pytest-benchmark", folder))
    samples = edgebench.load_samples(folder)
    assert len(document["benchmarks"]) == 4  # the one that failed is left out
    for one in document["benchmarks"]:
        told = one["extra_info"]
        mine = samples[(samples.run_id == told["run_id"]) & (samples.case_id == told["case_id"])]
        assert one["stats"]["data"] == (mine.latency_ns / 1e9).tolist()
        assert one["stats"]["rounds"] == sum(told["samples_by_launch"]) == len(mine)
        assert told["samples_by_launch"] == [400] * 6
    assert {one["group"] for one in document["benchmarks"]} == {"mnist_cnn"}
    assert document["datetime"] == "2026-02-01T00:00:00+00:00"


def test_what_is_left_out_is_told_with_its_reason(folder: Path) -> None:
    rows, _ = gather.read([folder])
    notes = plugins.open_exporter("pytest-benchmark").write(rows, (), Behind([folder])).notes
    assert len(notes) == 2
    assert all("left out" in note and "no such operator" in note for note in notes)
    with pytest.raises(UsageError, match="needs samples"):
        plugins.open_exporter("pytest-benchmark").write(
            [row for row in rows if row["status"] != "ok"], (), Behind([folder])
        )


def test_a_case_has_the_same_name_in_every_file_and_no_two_share_one(folder: Path) -> None:
    rows, _ = gather.read([folder / "pi"])
    alone = plain.names(rows)
    assert alone[0] == ("mnist_cnn", "onnxruntime-fp32")
    assert plain.names(rows[:1]) == alone[:1]
    every, _ = gather.read([folder], all_runs=True)
    named = plain.names(every)
    assert len(set(named)) == len(every) == 7
    assert sum(rest.startswith("onnxruntime-fp32-pi-") for _, rest in named) == 2
    (more,) = plain.names([rows[0] | {"threads": 4, "scenario": "server", "options": "a=1"}])
    assert more[1] == "onnxruntime-fp32-t4-server-a=1"


def test_json_lines_have_every_column_and_null_for_what_was_not_measured(folder: Path) -> None:
    rows, _ = gather.read([folder])
    lines = [json.loads(line) for line in export("jsonl", folder).splitlines()]
    assert lines == rows
    assert [list(line) for line in lines] == [[c.name for c in COLUMNS]] * len(rows)
    assert lines[1]["top1_ratio"] is None
    odd = rows[0] | {"latency_p50_ms": float("nan"), "power_w": float("inf"), "reason": HOSTILE}
    data = plugins.open_exporter("jsonl").write([odd], (), Behind([folder])).data
    assert json.loads(data)["latency_p50_ms"] is json.loads(data)["power_w"] is None
    assert json.loads(data)["reason"] == HOSTILE
    assert b"\x1b" not in data
    assert data.count(b"\n") == 1


def test_parquet_gives_the_frame_of_load_back_with_the_meaning_of_columns(folder: Path) -> None:
    data = export("parquet", folder, all_runs=True)
    assert_frame_equal(pd.read_parquet(io.BytesIO(data)), edgebench.load(folder))
    schema = pq.read_schema(io.BytesIO(data))
    meanings = {c.name: c.meaning for c in COLUMNS}
    assert schema.field("rss_peak_mib").metadata[b"meaning"].decode() == meanings["rss_peak_mib"]
    part = pd.read_parquet(io.BytesIO(export("parquet", folder, ("backend", "power_w"))))
    assert list(part.columns) == ["backend", "power_w"]


def test_parquet_without_its_library_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pip install 'edgebench\[parquet\]'"):
        export("parquet", folder)


def test_markdown_tells_figures_intervals_verdicts_and_folds_the_rest(folder: Path) -> None:
    text = export("markdown", folder).decode()
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 6
    assert len({line.count("|") for line in table}) == 1
    (row,) = gather.read([folder / NEWEST])[0]
    (mine,) = (line for line in table if "onnxruntime/fp32/pi" in line)
    for name in ("latency_p50", "latency_p99"):
        assert f"{row[f'{name}_ms']:#.4g} ({row[f'{name}_lo_ms']:#.4g} to" in mine
    assert mine.endswith("| valid |")
    assert any("**failed**" in line for line in table)
    assert "`pi`" in text
    assert NEWER in text
    assert "gross mJ (board measured)" in table[0]
    assert "planted by edgebench" in text.split("<details>")[1]


def hostile_run(
    folder: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    one = case(workload=HOSTILE, options={"k": HOSTILE})
    facts = DeviceFacts(device=HOSTILE, device_id=HOSTILE)
    store = Journal.create(folder, manifest(one, facts=facts))
    store.append(record(one, caveats=(HOSTILE,)))


def test_hostile_names_are_inert_in_every_text_format(
    tmp_path: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    hostile_run(tmp_path, case, record, manifest)
    for name in ("jsonl", "pytest-benchmark"):
        assert not [byte for byte in export(name, tmp_path) if byte < 32 and byte != 10]
    text = export("markdown", tmp_path).decode()
    assert "\x1b" not in text
    outside = "".join(text.split("`")[::2])  # what is no code span
    for danger in ("@team", "#1", "<img", "</script>", "**b**", "=cmd"):
        assert danger in text
        assert danger not in outside
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1


def test_markdown_calls_an_imported_cell_so_and_names_its_tool_once() -> None:
    imported: dict[str, object] = {
        "device": "pi5",
        "device_id": "a",
        "workload": "net",
        "backend": "litert",
    }
    imported |= {"status": "ok", "latency_p50_ms": 1.5, "imported_from": "csv: f.csv: row 1"}
    rows = [{**imported, "precision": "int8"}, {**imported, "precision": "fp32"}]
    text = plugins.open_exporter("markdown").write(rows, (), Behind([])).data.decode()
    assert text.startswith("- `pi5`, unit `a`, imported: `csv`\n\n")
    assert text.count("| imported |") == 2
    assert "None" not in text

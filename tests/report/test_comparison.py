"""Rows against rows: the table's words, Holm over it, missing cells, baselines and frames."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

import edgebench
from edgebench.analysis import limits
from edgebench.errors import StoreError, UsageError
from edgebench.records import Case, Manifest, Record
from edgebench.report import comparison, rows
from edgebench.report.rows import Row
from edgebench.samples import Samples
from edgebench.store import baselines

Make = Callable[..., list[Row]]


@pytest.fixture
def table(
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> Make:
    """Makes rows of a run: cases by their precision, each with the given launch medians in us."""

    def make(medians: dict[str, tuple[int, ...]], **changes: object) -> list[Row]:
        cases = {precision: case(precision=precision) for precision in medians}
        records = [
            record(
                cases[precision],
                launch=launch,
                latency_ns=Samples([us * 1000 + i % 7 for i in range(100)]),
                window_ns=us * 100_000,
                inferences=100,
                rss_peak_byte=50 << 20,
            )
            for precision, of_launches in medians.items()
            for launch, us in enumerate(of_launches)
        ]
        return rows.of_records(manifest(*cases.values(), **changes), records)

    return make


OLD = {"fp32": (1000, 1004, 998, 1001), "int8": (500, 502, 499, 501)}
NEW = {"fp32": (1100, 1103, 1098, 1102), "int8": (500, 501, 499, 502)}


def by_case(found: list[Row], metric: str) -> dict[str, Row]:
    return {str(row["precision"]): row for row in found if row["metric"] == metric}


def test_verdicts_follow_the_intervals_of_both_runs(table: Make) -> None:
    metrics = ("latency_p50_ms", "throughput_ips", "rss_peak_mib")
    found = comparison.of_rows(table(OLD), table(NEW), metrics).rows
    latency, throughput = (by_case(found, metric) for metric in metrics[:2])
    assert (latency["fp32"]["verdict"], latency["int8"]["verdict"]) == ("slower", "same")
    assert throughput["fp32"]["verdict"] == "slower"
    assert latency["fp32"]["ratio"] == pytest.approx(1.1, abs=0.002)
    assert by_case(found, "rss_peak_mib")["fp32"]["verdict"] == "same"
    assert set(found[0]) == set(comparison.COLUMNS)
    assert "throughput_ips" in {row["metric"] for row in found}


def test_limits_are_broken_surely_or_not_at_all(table: Make) -> None:
    checked = [limits.parse("latency_p50_ms:+5%"), limits.parse("throughput_ips:-5%")]
    found = comparison.of_rows(table(OLD), table(NEW), checked=checked)
    assert [(b.limit.metric, b.row["precision"]) for b in found.breaks] == [
        ("latency_p50_ms", "fp32"),
        ("throughput_ips", "fp32"),
    ]
    assert all(1.05 < b.low < 1.1 < b.high for b in found.breaks[:1])
    assert comparison.of_rows(table(OLD), table(OLD), checked=checked).breaks == []
    vague = {"fp32": (700, 1800, 1000, 1900), "int8": (500, 501, 499, 502)}
    assert comparison.of_rows(table(OLD), table(vague), checked=checked).breaks == []


def test_cells_gone_and_come_are_rows_and_notes(table: Make) -> None:
    gone = comparison.of_rows(table(OLD), table({"fp32": OLD["fp32"]})).rows
    assert [(row["verdict"], row["reason"]) for row in gone][1] == ("not comparable", "not in B")
    assert any("int8: not comparable: not in B" in note for note in comparison.notes(gone))
    come = comparison.of_rows(table({"fp32": OLD["fp32"]}), table(OLD)).rows
    assert come[1]["reason"] == "not in A"


def test_the_table_is_80_columns_wide_and_its_names_are_inert(table: Make) -> None:
    found = comparison.of_rows(table(OLD), table(NEW, preset="standard")).rows
    assert {row["verdict"] for row in found} == {"not comparable"}
    found[0]["case"] = "mnist\x1b[31m_cnn/" + 9 * "long_name/"
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(comparison.table(found))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b[31m" not in text
    assert any("other preset: quick -> standard" in note for note in comparison.notes(found))


def test_notes_name_what_changed_and_what_all_cells_share(table: Make) -> None:
    old = dict.fromkeys(("fp32", "fp16", "bf16", "int8", "int8_dynamic"), OLD["fp32"])
    new = dict.fromkeys(old, NEW["fp32"])
    notes = comparison.notes(
        comparison.of_rows(table(old), table(new, edgebench_version="1", run_id="later")).rows
    )
    assert "changed: edgebench_version 0 -> 1 (5 of 5 cells)" in notes
    assert any("moved by about 1.10" in note for note in notes)
    assert any("different times" in note for note in notes)


def test_a_frame_compares_as_the_rows_do(table: Make) -> None:
    from edgebench.report.frame import frame

    found = edgebench.compare(frame(table(OLD)), frame(table(NEW)))
    assert found["verdict"].tolist() == ["slower", "same"]
    assert list(found.columns) == list(comparison.COLUMNS)
    both = frame(table(OLD))
    crossed = edgebench.compare(both[both.precision == "fp32"], both[both.precision == "int8"])
    assert crossed["verdict"].tolist() == ["faster"]
    with pytest.raises(UsageError, match="cannot be compared"):
        edgebench.compare(both, both, metric="model_size_mib")
    with pytest.raises(UsageError, match="no column"):
        edgebench.compare(pd.DataFrame({"a": [1]}), both)


def test_a_baseline_says_what_the_run_said(
    table: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    old, new = table(OLD), table(NEW)
    path = baselines.save("main", old, saved_at_utc="2026-01-01T00:00:00Z", version="0")
    assert path == Path("edgebench-baselines/main.json")
    stored = [dict.fromkeys(old[0]) | row for row in baselines.read("main").rows]
    assert stored == old
    assert baselines.read(str(path)) == baselines.read("main")
    assert comparison.of_rows(stored, new) == comparison.of_rows(old, new)
    assert baselines.names() == ["main"]
    baselines.remove("main")
    assert baselines.names() == []


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"rows": 3}', b"\xff", b"[" * 100_000, b'{"schema_version": 99}']
)
def test_a_damaged_baseline_is_refused_in_one_line(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(StoreError):
        baselines.read("x.json")
    for name in ("../up", "", ".hidden", "a/b"):
        with pytest.raises(UsageError, match="no name"):
            baselines.path_of(name)
    with pytest.raises(UsageError, match="there is no baseline"):
        baselines.read("absent")


def test_a_row_that_holds_nonsense_cannot_be_told(table: Make) -> None:
    odd = [
        row | {"latency_p50_ms": "fast", "launches": None, "latency_p50_lo_ms": -1.0}
        for row in table(OLD)
    ]
    found = comparison.of_rows(table(OLD), odd).rows
    assert {row["verdict"] for row in found} == {"can't tell"}
    assert found[0]["reason"] == "not measured in B"


def test_a_server_is_compared_by_the_rate_that_holds_not_by_latency_at_unlike_rates(
    table: Make,
) -> None:
    def at(rate_hz: float) -> list[Row]:
        held: Row = {"scenario": "server", "parameters": "bound_ms=100"}
        for part, factor in (("_lo", 0.99), ("", 1.0), ("_hi", 1.01)):
            held[f"server_rate{part}_hz"] = rate_hz * factor
        return [row | held for row in table({"fp32": OLD["fp32"]})]

    metrics = ("latency_p50_ms", "throughput_ips", "server_rate_hz")
    found = comparison.of_rows(at(100.0), at(50.0), metrics).rows
    assert [row["verdict"] for row in found] == ["not comparable", "not comparable", "lower"]
    assert "compare server_rate_hz" in str(found[0]["reason"])
    limit = limits.parse("server_rate_hz:-5%")
    assert len(comparison.of_rows(at(100.0), at(50.0), checked=[limit]).breaks) == 1

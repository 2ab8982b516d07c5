"""Rows, CSV, frames and tables: the same figures, empty where nothing was measured."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import edgebench
from edgebench.errors import UsageError
from edgebench.records import Accuracy, Case, Effective, Manifest, Parity, Record
from edgebench.report import columns, csv_, frame, rows, table
from edgebench.runner.journal import Journal
from edgebench.samples import Samples
from edgebench.store import merge


@pytest.fixture
def stored(
    tmp_path: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> Path:
    """A results folder with one good case and one that crashed."""
    good, bad = case(), case(precision="int8")
    store = Journal.create(tmp_path, manifest(good, bad))
    for launch in range(3):
        effective = Effective(precision="fp32", accelerator="cpu", backend_version="9.9")
        accuracy = Accuracy(samples=1000, correct=990, source="x") if launch == 0 else None
        parity = Parity(samples=64, cosine=1.0 - launch / 1e6, max_abs_error=0.0, top1_ratio=1.0)
        store.append(
            record(good, launch=launch, effective=effective, accuracy=accuracy, parity=parity)
        )
    store.append(
        record(
            bad, status="crashed", stage="load", reason="killed by SIGSEGV", latency_ns=Samples()
        )
    )
    return tmp_path


def test_the_columns_are_those_that_were_promised() -> None:
    promised = [
        "run_id",
        "started_at_utc",
        "edgebench_version",
        "preset",
        "device",
        "device_id",
        "workload",
        "workload_version",
        "source_sha256",
        "model_sha256",
        "backend",
        "backend_version",
        "format",
        "precision",
        "effective_precision",
        "fallback",
        "accelerator",
        "threads",
        "batch",
        "streams",
        "scenario",
        "region",
        "options",
        "status",
        "reason",
        "launches",
        "samples",
        "latency_p50_ms",
        "latency_p50_lo_ms",
        "latency_p50_hi_ms",
        "latency_p90_ms",
        "latency_p95_ms",
        "latency_p99_ms",
        "latency_p99_lo_ms",
        "latency_p99_hi_ms",
        "latency_min_ms",
        "latency_mean_ms",
        "throughput_ips",
        "throughput_lo_ips",
        "throughput_hi_ips",
        "drift_ratio",
        "drift_p",
        "steady",
        "steady_after_iterations",
        "load_ms",
        "first_inference_ms",
        "rss_baseline_mib",
        "rss_load_mib",
        "rss_peak_mib",
        "rss_peak_lo_mib",
        "rss_peak_hi_mib",
        "model_size_mib",
        "cpu_per_inference_ms",
        "power_tier",
        "power_w",
        "energy_gross_mj",
        "energy_net_mj",
        "top1_ratio",
        "top1_lo_ratio",
        "top1_hi_ratio",
        "top1_samples",
        "top1_loss_ratio",
        "parity_cosine",
        "parity_top1_ratio",
        "validity",
        "caveats",
    ]
    names = [column.name for column in columns.COLUMNS if column.name in promised]
    assert names == promised  # others may stand between them; none goes, none changes its place
    assert len(columns.DEFAULT) == 6


def test_a_frame_has_one_row_a_case_with_its_figures(stored: Path) -> None:
    found = edgebench.load(stored)
    assert list(found.columns) == [column.name for column in columns.COLUMNS]
    good, bad = found.iloc[0], found.iloc[1]
    assert good["latency_p50_lo_ms"] <= good["latency_p50_ms"] <= good["latency_p50_hi_ms"]
    assert good["launches"] == 3
    assert good["samples"] == 1500
    assert good["throughput_ips"] == pytest.approx(500 / 0.6)
    assert good["cpu_per_inference_ms"] == pytest.approx(1.0)
    assert good["top1_ratio"] == 0.99
    assert good["top1_loss_ratio"] == 0.0
    assert good["parity_cosine"] == pytest.approx(1 - 2e-6, abs=1e-12)
    assert good["backend_version"] == "9.9"
    assert pd.isna(good["fallback"])
    assert (bad["status"], bad["launches"]) == ("crashed", 0)
    assert "SIGSEGV" in bad["reason"]


def test_what_was_not_measured_is_missing_and_never_zero(stored: Path) -> None:
    found = edgebench.load(stored)
    never = ["power_tier", "power_w", "energy_gross_mj", "energy_net_mj", "rss_peak_mib"]
    assert found[never].isna().all().all()
    figures = [c.name for c in columns.COLUMNS if c.kind == "float"]
    assert found.iloc[1][figures].isna().all()


def test_the_median_is_that_of_the_launch_medians(
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    one = case()
    made = [
        record(one, launch=k, latency_ns=Samples([value] * 10))
        for k, value in enumerate((1_000_000, 2_000_000, 4_000_000))
    ]
    (row,) = rows.of_records(manifest(one), made)
    assert row["latency_p50_ms"] == pytest.approx(2.0)
    assert row["latency_p90_ms"] is None
    assert "p90 needs n >= 36" in str(row["caveats"])


def test_a_planned_case_that_was_never_reached_is_told(
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    one, other = case(), case(precision="int8")
    done, missing = rows.of_records(manifest(one, other), [record(one)])
    assert "1 of 3 launches" in str(done["caveats"])
    assert (missing["status"], missing["reason"]) == ("skipped", rows.NOT_REACHED)
    earlier = {**done, "run_id": "1", "case_id": "x"}
    later = {**missing, "run_id": "2", "case_id": "x"}
    assert merge.latest([earlier, later]) == merge.latest([later, earlier]) == [earlier]
    in_turns = {**done, "run_id": "3", "case_id": "x", "preset": "ab"}
    assert merge.latest([earlier, in_turns]) == merge.latest([in_turns, earlier]) == [earlier]


def test_a_target_that_was_not_reached_is_told(
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    one = case()
    made = [
        record(one, launch=k, latency_ns=Samples([value] * 10))
        for k, value in enumerate((1_000_000, 1_100_000, 1_200_000))
    ]
    (row,) = rows.of_records(manifest(one, method={"target_ratio": 0.02}), made)
    assert "not converged: " in str(row["caveats"])
    for scenario, parameters in (
        ("paced", {"rate_hz": 30.0}),
        ("sustained", {"minutes": 10.0}),
        ("server", {"bound_ms": 100.0}),
    ):
        other = case(scenario=scenario, parameters=parameters)
        made = [record(other, launch=one.launch, latency_ns=one.latency_ns) for one in made]
        (row,) = rows.of_records(manifest(other, method={"target_ratio": 0.02}), made)
        assert "not converged" not in str(row["caveats"]), scenario


def test_launches_that_did_not_converge_are_a_column_and_a_note(
    case: Callable[..., Case],
    manifest: Callable[..., Manifest],
    record: Callable[..., Record],
) -> None:
    one = case()
    plan = manifest(one, method={"launch_target_ratio": 0.02, "measure_max_s": 10.0})

    def row(*converged: bool | None) -> rows.Row:
        made = [record(one, launch=n, converged=c) for n, c in enumerate(converged)]
        return rows.of_records(plan, made)[0]

    assert row(None, None, None)["converged"] is None
    assert row(True, True, True)["converged"] == "yes"
    mixed = row(True, False, False)
    assert mixed["converged"] == "no"
    assert "2 of 3 launches did not converge in 10 s" in str(mixed["caveats"])


def test_what_later_launches_say_of_themselves_is_told_once(
    case: Callable[..., Case],
    manifest: Callable[..., Manifest],
    record: Callable[..., Record],
) -> None:
    one = case()
    made = [
        record(one, launch=n, caveats=(f"began {n + 3} degC warmer",) if n else ())
        for n in range(4)
    ]
    (row,) = rows.of_records(manifest(one), made)
    assert row["caveats"] == "began 4 degC warmer (3 launches)"


def test_a_cell_that_loses_accuracy_is_not_valid_however_fast(
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    full, small = case(), case(precision="int8")
    made = [
        record(full, accuracy=Accuracy(samples=1000, correct=990, source="x")),
        record(small, accuracy=Accuracy(samples=1000, correct=970, source="x")),
    ]
    first, second = rows.of_records(manifest(full, small, launches=1), made)
    assert first["validity"] == "valid"
    assert second["validity"] == "suspect"
    assert "loses 2.0 points" in str(second["caveats"])


def test_what_ran_otherwise_than_asked_is_a_fallback(
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    one = case(precision="fp16", accelerator="xnnpack")
    made = record(one, effective=Effective(precision="fp32", accelerator="cpu"))
    (row,) = rows.of_records(manifest(one), [made])
    assert row["fallback"] == "precision+accelerator"
    assert row["effective_precision"] == "fp32"
    assert table.cell("precision", row) == "fp16 (ran fp32)"


@pytest.mark.parametrize(
    ("share", "shown"),
    [(1.0, "int8"), (0.93, "int8"), (0.75, "int8 (only 75%)"), (None, "int8")],
)
def test_a_precision_that_only_part_of_the_multiplications_had_is_a_fallback(
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
    share: float | None,
    shown: str,
) -> None:
    one = case(precision="int8")
    ran = Effective(precision="int8", precision_ratio=share, accelerator="cpu", threads=1)
    whole = Effective(precision="int8", precision_ratio=1.0, accelerator="cpu", threads=1)
    made = [record(one, effective=whole), record(one, launch=1, effective=ran)]
    (row,) = rows.of_records(manifest(one, launches=2), made)
    assert row["precision_ratio"] == (1.0 if share is None else share)
    assert row["fallback"] == ("partial_precision" if share == 0.75 else None)
    assert table.cell("precision", row) == shown
    told = "only 75% of multiplications ran in int8" in str(row["caveats"])
    assert told == (share == 0.75)


def test_what_the_runtime_does_not_tell_is_said(
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    one = case(threads=2)
    (row,) = rows.of_records(manifest(one), [record(one, effective=Effective(threads=1))])
    assert row["fallback"] is None
    for words in ("in which precision it multiplied", "on what it ran", "ran on 1 threads"):
        assert words in str(row["caveats"])
    (row,) = rows.of_records(manifest(one), [record(one)])
    assert "does not tell" not in str(row["caveats"])


def test_csv_and_frame_hold_the_same(stored: Path) -> None:
    found = edgebench.load(stored)
    file = io.StringIO()
    csv_.write(rows.of_runs(frame._runs((stored,))), file)
    file.seek(0)
    back = pd.read_csv(file)
    assert list(back.columns) == list(found.columns)
    for name in ("latency_p50_ms", "latency_p99_ms", "throughput_ips", "top1_ratio"):
        assert np.allclose(back[name], found[name].astype(float), rtol=1e-8, equal_nan=True)


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@x", " =1", "\uff1d1", "\xa0@x"])
def test_formulas_in_csv_are_inert(text: str) -> None:
    assert _in_csv(text) == f"'{text}"


@pytest.mark.parametrize("character", ["\t", "\r", "\n", "\0", "\x1b", "\x9b", "\u202e", "\u061c"])
def test_control_characters_in_csv_are_visible_and_inert(character: str) -> None:
    assert _in_csv(f"{character}=a{character}b") == "?=a?b"


def _in_csv(text: str) -> str:
    file = io.StringIO()
    csv_.write([{"reason": text}], file, ["reason"])
    (_, (value,)) = csv.reader(io.StringIO(file.getvalue()))
    return value


def test_samples_come_in_the_order_measured(stored: Path) -> None:
    found = edgebench.load_samples(stored)
    assert len(found) == 1500
    assert list(found.columns) == [
        "run_id",
        "case_id",
        "workload",
        "backend",
        "precision",
        "launch",
        "index",
        "latency_ns",
        "second",
    ]
    first = found[found["launch"] == 0]
    assert first["index"].tolist() == list(range(500))
    assert first["latency_ns"].iloc[1] == 1_000_000 + 100 * 919


def test_damage_is_a_warning_and_costs_only_itself(stored: Path) -> None:
    (journal,) = stored.glob("*/results.jsonl")
    journal.write_bytes(journal.read_bytes() + b'{"crc32"')
    with pytest.warns(UserWarning, match="one launch is lost"):
        found = edgebench.load(stored)
    assert len(found) == 2
    for load in (edgebench.load_samples, edgebench.load_looks):
        with pytest.warns(UserWarning, match="one launch is lost"):
            load(stored)


def test_a_wrong_path_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        edgebench.load(tmp_path / "nowhere")


def test_the_newest_run_of_a_case_and_device_counts() -> None:
    made: list[rows.Row] = [
        {"run_id": "2", "device_id": "a", "case_id": "x"},
        {"run_id": "1", "device_id": "a", "case_id": "x"},
        {"run_id": "1", "device_id": "b", "case_id": "x"},
    ]
    assert [(r["run_id"], r["device_id"]) for r in merge.latest(made)] == [("2", "a"), ("1", "b")]


def test_the_table_fits_and_hostile_names_are_inert(stored: Path) -> None:
    from rich.console import Console

    found = rows.of_runs(frame._runs((stored,)))
    found[0]["workload"] = "\x1b[31mred[bold]"
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(table.build(found))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "[bold]" in text
    assert "crashed" in text


def test_the_glossary_names_every_column() -> None:
    text = columns.glossary()
    assert all(f"`{column.name}`" in text for column in columns.COLUMNS)

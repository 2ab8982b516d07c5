"""mAP, mIoU and random weights in rows, losses, the table and the notes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from edgebench.records import Accuracy, Case, Manifest, Parity, PlannedCase, Quality, Record
from edgebench.report import rows, table
from edgebench.report.rows import Row


def quality(ratio: float, metric: str = "map50") -> Quality:
    return Quality(metric=metric, samples=150, ratio=ratio, source="scenes")  # type: ignore[arg-type] # one of two


@pytest.fixture
def rows_of(
    case: Callable[..., Case], record: Callable[..., Record], manifest: Callable[..., Manifest]
) -> Callable[..., list[Row]]:
    """Rows of cells ``(fields of the case, fields of the plan, fields of the record)``."""

    def make(*cells: tuple[dict[str, Any], dict[str, Any], dict[str, Any]]) -> list[Row]:
        cases = [case(**fields) for fields, _, _ in cells]
        plan = tuple(
            PlannedCase(case_id=one.case_id, case=one, **planned)
            for one, (_, planned, _) in zip(cases, cells, strict=True)
        )
        made = [record(one, **found) for one, (_, _, found) in zip(cases, cells, strict=True)]
        return rows.of_records(manifest(plan=plan, launches=1), made)

    return make


SSD = {"workload": "ssd"}
DETECTS = {"task": "detection"}


def test_a_loss_is_against_fp32_of_the_same_backend(rows_of: Callable[..., list[Row]]) -> None:
    found = rows_of(
        (SSD, DETECTS, {"quality": quality(0.90)}),
        ({**SSD, "backend": "litert"}, DETECTS, {"quality": quality(0.80)}),
        ({**SSD, "backend": "litert", "precision": "int8"}, DETECTS, {"quality": quality(0.795)}),
        ({**SSD, "backend": "ncnn", "precision": "int8"}, DETECTS, {"quality": quality(0.88)}),
    )
    assert [row["map50_ratio"] for row in found] == [0.90, 0.80, 0.795, 0.88]
    assert [row["quality_loss_ratio"] for row in found] == pytest.approx([0, 0, 0.005, 0.02])
    against = [row["quality_loss_against"] for row in found]
    assert against == ["onnxruntime", "litert", "litert", "onnxruntime"]
    assert [row["validity"] for row in found] == ["valid", "valid", "valid", "suspect"]
    assert "mAP50 loses 2.0 points against fp32" in str(found[3]["caveats"])
    assert {row["top1_ratio"] for row in found} == {row["miou_ratio"] for row in found} == {None}


def test_a_loss_is_told_of_a_disturbed_cell_too(rows_of: Callable[..., list[Row]]) -> None:
    waited = {"window_ns": 1_000_000, "run_delay_ns": 500_000}
    _, last = rows_of(
        (SSD, DETECTS, {"quality": quality(0.90)}),
        ({**SSD, "precision": "int8"}, DETECTS, {"quality": quality(0.88), **waited}),
    )
    assert last["validity"] == "suspect"
    told = str(last["caveats"]).split("; ")
    assert told[0] == "mAP50 loses 2.0 points against fp32"
    assert told[-1] == "waited for a CPU 50% of the time"


def test_other_samples_and_other_workloads_are_no_reference(
    rows_of: Callable[..., list[Row]],
) -> None:
    other = msgspec.structs.replace(quality(0.9), samples=10)
    *_, last = rows_of(
        (SSD, DETECTS, {"quality": other}),
        ({"workload": "ssd2"}, DETECTS, {"quality": quality(0.9)}),
        ({**SSD, "precision": "int8"}, DETECTS, {"quality": quality(0.5)}),
    )
    assert (last["quality_loss_ratio"], last["validity"]) == (None, "valid")


def test_fp32_that_is_wrong_is_nobody_elses_reference(rows_of: Callable[..., list[Row]]) -> None:
    wrong = Parity(samples=8, cosine=0.5, max_abs_error=1.0, top1_ratio=None)
    *_, last = rows_of(
        (SSD, DETECTS, {"quality": quality(0.2), "parity": wrong}),
        ({**SSD, "backend": "litert", "precision": "int8"}, DETECTS, {"quality": quality(0.9)}),
    )
    assert last["quality_loss_ratio"] is None


@pytest.fixture
def mixed(rows_of: Callable[..., list[Row]]) -> list[Row]:
    top1 = Accuracy(samples=1000, correct=991, source="digits")
    long = {"workload": "mobilenet_v1_025_96", "precision": "int8_dynamic"}
    return rows_of(
        ({}, {}, {"accuracy": top1}),
        (SSD, DETECTS, {"quality": quality(0.8123)}),
        ({"workload": "unet"}, {"task": "segmentation"}, {"quality": quality(0.5, "miou")}),
        (long, {"weights": "random"}, {}),
        ({"workload": "mine"}, {"task": "other"}, {}),
        ({"workload": "bare"}, DETECTS, {}),
    )


def test_a_mixed_table_names_each_figure_in_80_columns(mixed: list[Row]) -> None:
    from rich.console import Console

    console = Console(width=80, file=io.StringIO())
    console.print(table.build(mixed))
    assert table.default_columns(mixed)[-1] == "accuracy"
    words = [table.cell("accuracy", row) for row in mixed]
    assert words == ["top-1 0.991", "mAP50 0.812", "mIoU 0.500", "random", "-", "-"]
    assert mixed[3]["accuracy"] == "random weights"
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) == 2 + len(mixed)  # none is broken
    assert "mobilenet_v1_025_96 onnxruntime int8_dynamic" in lines[5]


def test_names_and_figures_stay_whole_where_a_fallback_does_not_fit(mixed: list[Row]) -> None:
    from rich.console import Console

    ran = {"fallback": "precision", "precision": "fp16", "effective_precision": "fp32"}
    several = {"latency_p50_ms": 0.0312, "latency_p50_lo_ms": 0.02, "latency_p50_hi_ms": 0.04}
    several["latency_p99_ms"] = 0.04123
    console = Console(width=80, file=io.StringIO())
    console.print(table.build([*mixed, {**mixed[3], **ran, **several, "launches": 3}]))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 2 + len(mixed) + 2
    assert lines[-2].startswith("mobilenet_v1_025_96 onnxruntime fp16 (ran ")
    assert "0.03120  ±32%" in lines[-2]
    assert lines[-1].split() == ["fp32)"]


def test_only_what_could_be_judged_and_was_not_is_noted(mixed: list[Row]) -> None:
    notes = [line for line in table.notes(mixed) if "not measured" in line]
    assert notes == ["bare: mAP50 not measured, no labelled samples"]


def test_a_table_of_classifiers_stays_as_it_was(rows_of: Callable[..., list[Row]]) -> None:
    top1 = Accuracy(samples=1000, correct=991, source="digits")
    assert table.default_columns(rows_of(({}, {}, {"accuracy": top1})))[-1] == "top1_ratio"


def test_the_worst_launch_tells_how_many_integers_are_right(
    rows_of: Callable[..., list[Row]],
) -> None:
    index = Parity(samples=16, cosine=1.0, max_abs_error=3.0, top1_ratio=None, equal_ratio=0.875)
    (row, other) = rows_of(({}, {}, {"parity": index}), (SSD, {}, {}))
    assert (row["parity_equal_ratio"], row["parity_top1_ratio"]) == (0.875, None)
    assert row["validity"] == "invalid"
    assert other["parity_equal_ratio"] is None

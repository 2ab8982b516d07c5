"""The terminal table: what it says in 80 columns, and the notes below it."""

from __future__ import annotations

import io

import pytest

from edgebench.report import rows, table

CELL: rows.Row = {
    "workload": "cifar10_cnn",
    "backend": "onnxruntime",
    "precision": "fp16",
    "fallback": "precision",
    "effective_precision": "fp32",
    "status": "ok",
    "validity": "valid",
    "launches": 3,
    "latency_p50_ms": 0.00918,
    "latency_p50_lo_ms": 0.008,
    "latency_p50_hi_ms": 0.0105,
    "latency_p99_ms": 0.04965,
    "top1_ratio": 0.989,
}


def printed(found: list[rows.Row]) -> list[str]:
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(table.build(found))
    return out.getvalue().splitlines()


def test_threads_and_batch_fit_beside_the_six_columns_unbroken() -> None:
    found = [{**CELL, "threads": threads, "batch": batch} for threads in (1, 2) for batch in (1, 8)]
    lines = printed(found)
    assert len(lines) == 2 + len(found)
    assert all("onnxruntime fp16 (ran fp32)" in line for line in lines[2:])


def test_the_longest_names_and_a_format_fit_and_are_not_broken() -> None:
    partly: rows.Row = {
        "backend": "tflite-runtime",
        "precision": "int8_dynamic",
        "effective_precision": "int8_dynamic",
        "fallback": "partial_precision",
        "precision_ratio": 0.62,
    }
    found: list[rows.Row] = [{**CELL, **partly, "format": name} for name in ("onnx", "tflite")]
    lines = printed([{**CELL, "format": "onnx"}, *found])
    assert max(map(len, lines)) <= 80
    words = " ".join(" ".join(lines).split())
    for whole in ("cifar10_cnn", "tflite-runtime int8_dynamic onnx", "(only 62%)", "±14%"):
        assert whole in words


def test_devices_have_headings_and_no_figure_is_broken() -> None:
    tiers = {"raspberry-pi-5": "wall_measured", "jetson-orin-nano": "board_measured"}
    found: list[rows.Row] = [
        {**CELL, "device": device, "device_id": "a", "precision": precision, "accelerator": where}
        | {"power_tier": tier, "energy_gross_mj": 137.64, "fallback": None}
        for device, tier in tiers.items()
        for precision, where in (("fp32", "cpu"), ("int8_dynamic", "gpu"))
    ]
    lines = printed(found)
    assert max(map(len, lines)) <= 80
    heads = [line.strip() for line in lines if line.strip() in tiers]
    assert heads == list(tiers)
    for figure in ("0.009180", "0.04965", "137.6", "0.9890"):
        assert sum(figure in line for line in lines) == len(found)
    assert sum(" wall " in line for line in lines) == sum(" board " in line for line in lines) == 2


def test_rows_that_only_their_run_tells_apart_have_it_as_a_heading() -> None:
    found: list[rows.Row] = [
        {**CELL, "device": device, "device_id": device, "case_id": "c", "run_id": run_id}
        for device in ("pi", "orin")
        for run_id in ("first", "second")
    ]
    heads = [line.strip() for line in printed(found) if "run " in line]
    assert heads == ["pi, run first", "pi, run second", "orin, run first", "orin, run second"]
    assert any(line.strip() == "run second" for line in printed(found[:2]))
    assert not any("run first" in line for line in printed([found[0], found[2]]))


def test_a_long_name_of_a_device_takes_no_room_from_any_column() -> None:
    figures: rows.Row = {"latency_p50_ms": 0.06441, "latency_p50_lo_ms": 0.0633}
    figures |= {"latency_p50_hi_ms": 0.0656, "latency_p99_ms": 0.06819, "energy_gross_mj": 0.3614}
    cell = {**CELL, **figures, "workload": "mnist_cnn", "fallback": None, "precision": "int8"}
    kinds = ("x" * 30, "y" * 90)
    found = [
        {**cell, "device": device, "accelerator": where, "power_tier": tier}
        for device, where, tier in zip(
            kinds, "cg", ("wall_measured", "board_measured"), strict=True
        )
    ]
    lines = printed(found)
    assert max(map(len, lines)) <= 80
    assert "precision" in lines[1]
    assert sum(" int8 " in line for line in lines) == 2
    assert [line for line in lines if line[:3] in {"xxx", "yyy"}] == ["x" * 30, "y" * 80]


def test_units_of_one_kind_are_told_apart_by_their_id() -> None:
    found: list[rows.Row] = [{**CELL, "device": "pi", "device_id": name} for name in ("a", "b")]
    assert "device_id" in table.default_columns(found)
    apart: list[rows.Row] = [{**CELL, "device": n, "device_id": n} for n in ("pi", "\x1b[31mno")]
    assert "device_id" not in table.default_columns(apart)
    assert "\x1b" not in "".join(printed(apart))


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (0.998, 1.002, "±0.2%"),
        (0.99, 1.01, "  ±1%"),
        (0.1, 1.9, " ±90%"),
        (0.01, 2.01, "±>99%"),
        (0.0001, 159.0, "±>99%"),
    ],
)
def test_an_interval_wider_than_the_figure_says_only_that(
    low: float, high: float, shown: str
) -> None:
    row = {**CELL, "latency_p50_ms": 1.0, "latency_p50_lo_ms": low, "latency_p50_hi_ms": high}
    assert table.cell("latency_p50_ms", row) == f"1.000 {shown}"


def test_the_format_is_a_column_only_where_nothing_else_tells_two_rows_apart() -> None:
    base: rows.Row = {"workload": "w", "backend": "openvino", "precision": "fp32", "format": "onnx"}
    both: list[rows.Row] = [base, {**base, "format": "tflite"}]
    assert "format" in table.default_columns(both)
    both[1]["backend"] = "litert"
    assert "format" not in table.default_columns(both)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0123456, "0.01235"),
        (0.99, "0.9900"),
        (1234.56, "1235"),
        (1234567.8, "1,234,568"),
        (7, "7"),
        (1e-9, "0.000000"),
        (-1e-17, "0.000000"),
        (-0.5, "-0.5000"),
    ],
)
def test_numbers_are_written_for_people(value: rows.Value, text: str) -> None:
    assert table.number(value) == text


def test_notes_name_each_failure_and_count_what_many_cells_share() -> None:
    base: rows.Row = {"workload": "w", "backend": "b", "status": "ok", "validity": "suspect"}
    base["top1_ratio"] = 0.9
    many = [{**base, "precision": f"p{n}", "caveats": f"others used {n}%"} for n in range(5)]
    failed = [
        {**base, "precision": f"q{n}", "status": "crashed", "reason": "SIGSEGV"} for n in range(3)
    ]
    lines = table.notes([*many, *failed])
    assert lines[0] == "5 cells suspect: others used 0% (the first, w/b/p0)"
    assert lines[1:] == [f"w/b/q{n}: crashed: SIGSEGV" for n in range(3)]
    good = {**base, "precision": "p", "validity": "valid"}
    assert table.notes([good]) == []
    (line,) = table.notes([{**good, "top1_ratio": None}])
    assert line.startswith("w: top-1 not measured")

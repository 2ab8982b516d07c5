"""What a file or a user may tell of a cell: known columns, fitting values, no contradiction."""

from __future__ import annotations

import pytest

from edgebench.errors import UsageError
from edgebench.report import told

NEEDED = {
    "device": "pi5",
    "device_id": "a",
    "workload": "net",
    "backend": "litert",
    "precision": "int8",
}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("threds=4", "did you mean threads"),
        ("precision=INT8", "did you mean int8"),
        ("precision=int4", "did you mean int8"),
        ("precision=float32", "one of fp32, fp16, bf16, int8, int8_dynamic"),
        ("scenario=single", "single_stream"),
        ("threads=four", "is no whole number"),
        ("threads=1.5", "is no whole number"),
        ("threads=-1", "cannot be -1"),
        ("threads=1_000", "is no whole number"),
        ("latency_p50_ms=3", "a figure must stand in a file"),
        ("validity=valid", "told by edgebench alone"),
        ("case_id=abc", "told by edgebench alone"),
        ("workload=", "states nothing"),
        ("workload", "states nothing"),
        ("workload=\x1b[31m", "is no text"),
        ("workload=" + "x" * 1000, "is no text"),
        ("x" * 10_000 + "=1", "there is no column"),
    ],
)
def test_what_cannot_be_stated_is_refused_with_what_is_near(words: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        told.stated([words])
    assert str(caught.value).isprintable()


def test_what_is_stated_has_its_columns_kind() -> None:
    assert told.stated(["threads=4", "workload= net ", "precision=int8"]) == {
        "threads": 4,
        "workload": "net",
        "precision": "int8",
    }
    with pytest.raises(UsageError, match="stated as 4 and as 2"):
        told.stated(["threads=4", "threads=2"])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("latency_p50_ms", float("nan")),
        ("latency_p50_ms", float("inf")),
        ("latency_p50_ms", -1.0),
        ("latency_p50_ms", 0.0),
        ("latency_p50_ms", "-0"),
        ("latency_p50_ms", 1e300),
        ("throughput_ips", 0),
        ("threads", 0),
        ("samples", 1 << 63),
        ("samples", 10**400),
        ("latency_p50_ms", True),
        ("latency_p50_ms", "fast"),
        ("latency_p50_ms", None),
        ("top1_ratio", 70.5),
        ("samples", 1.5),
        ("workload", 3),
        ("status", "crashed badly"),
        ("engine_figures", "fast"),
        ("engine_figures", "[1]"),
        ("engine_figures", '{"rate": "fast"}'),
        ("engine_figures", '{"rate": NaN}'),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_place(column: str, value: object) -> None:
    with pytest.raises(UsageError, match=r"^here: "):
        told.fitting(column, value, "here")


def test_a_loss_may_be_below_0_and_a_number_of_a_table_is_one() -> None:
    assert told.fitting("top1_loss_ratio", -0.01, "here") == -0.01
    assert told.fitting("latency_p50_ms", "1.5", "here") == 1.5
    assert told.fitting("samples", "5.0", "here") == 5
    assert isinstance(told.fitting("latency_p50_ms", 2, "here"), float)


def test_a_stated_value_fills_in_and_never_contradicts() -> None:
    origin = dict.fromkeys(NEEDED, "f.json: a")
    values, known = told.complete(NEEDED, origin, {"threads": 4, "precision": "int8"})
    assert values == {**NEEDED, "threads": 4}
    assert known == {**origin, "threads": told.AS_STATED}
    with pytest.raises(UsageError, match=r"precision is 'int8' in .*, stated as 'fp32'"):
        told.complete(NEEDED, origin, {"precision": "fp32"})


@pytest.mark.parametrize("name", told.REQUIRED)
def test_what_a_cell_needs_must_be_told(name: str) -> None:
    values = {column: value for column, value in NEEDED.items() if column != name}
    with pytest.raises(UsageError, match=f"f.json: a tells no {name}.*state it: --"):
        told.complete(values, dict.fromkeys(values, "f.json: a"), {})


def test_a_unit_that_nobody_named_is_called_like_its_device() -> None:
    values = {name: value for name, value in NEEDED.items() if name != "device_id"}
    found, origin = told.complete(values, dict.fromkeys(values, "f.json: a"), {})
    assert found["device_id"] == "pi5"
    assert origin["device_id"] == told.UNNAMED


def test_a_value_without_an_origin_and_an_interval_beside_its_figure_are_refused() -> None:
    with pytest.raises(UsageError, match="no origin of precision"):
        told.complete(NEEDED, dict.fromkeys(tuple(NEEDED)[:-1], "f.json: a"), {})
    outside = {
        **NEEDED,
        "latency_p50_ms": 3.0,
        "latency_p50_lo_ms": 1.0,
        "latency_p50_hi_ms": 2.0,
    }
    with pytest.raises(UsageError, match="is not within 1 to 2"):
        told.complete(outside, dict.fromkeys(outside, "f.json: a"), {})

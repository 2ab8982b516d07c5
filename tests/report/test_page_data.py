"""The page's data: what is embedded once is what charts and tables get back."""

from __future__ import annotations

import json
from typing import Any

import altair as alt
import page
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.report.charts import base
from edgebench.report.columns import COLUMNS
from edgebench.report.page import listing
from edgebench.report.page.data import PageData
from edgebench.report.page.listing import Listing

VALUES = st.one_of(
    st.sampled_from(["", "onnxruntime", "litert", "</script>"]),
    st.text(max_size=5),
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(st.floats(0, 1), max_size=3),
)
RECORDS = st.lists(
    st.one_of(
        st.dictionaries(st.sampled_from("abcd"), VALUES),
        st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["one", "other", ""])),
    ),
    max_size=12,
)


NOBODY = page.cells()


def told(records: list[dict[str, Any]]) -> str:
    """Such records as the page has them."""
    data = PageData(NOBODY)
    data.add("further", records)
    return json.dumps(data.told()["further"])


@settings(deadline=None)
@given(RECORDS)
def test_what_is_stored_by_columns_comes_back(records: list[dict[str, Any]]) -> None:
    assert page.decode(json.loads(told(records))) == records


def test_words_that_are_repeated_are_stored_once() -> None:
    found = told([{"word": "repeated", "name": f"one {place}"} for place in range(9)])
    assert found.count("repeated") == 1
    assert json.loads(found)["columns"]["name"] == [f"one {place}" for place in range(9)]


@settings(deadline=None)  # of a busy machine
@given(st.lists(st.floats(-1e6, 1e6), min_size=9, max_size=60))
def test_lists_of_numbers_come_back_as_they_were(values: list[float]) -> None:
    short = [base.plain(sorted(values)), None]
    records = [{"curve": each} if each else {} for each in short]
    assert page.decode(json.loads(told(records))) == records


def test_a_curve_takes_a_fraction_of_its_digits_and_a_rare_field_no_nulls() -> None:
    curve = base.plain([3.1 + place / 1000 for place in range(51)])
    assert len(told([{"curve": curve}])) < 51 * len("3.125, ") * 2 / 3
    assert "null" not in told([{"rare": 0.5}] + [{}] * 50)


def test_what_stays_from_record_to_record_is_stored_once() -> None:
    found = told([{"same": 1200, "sure": True, "run": 7 + place // 500} for place in range(1000)])
    assert len(found) < 200
    assert page.decode(json.loads(found))[999] == {"same": 1200, "sure": True, "run": 8}


def test_true_and_one_stay_what_they_are() -> None:
    records = [{"mixed": value} for value in (True, 1, False, 0, 1, True) * 9]
    back = page.decode(json.loads(told(records)))
    assert [type(one["mixed"]) for one in back] == [type(one["mixed"]) for one in records]


def chart(found: pd.DataFrame, field: str) -> base.Chart:
    """Points of the cells, at one of their fields."""
    points = alt.Chart(base.of_cells()).mark_point().encode(alt.X(f"{field}:Q"))
    made: base.Chart = base.holding(points, cells=base.records(found, ("row", field)))
    return made


def test_charts_and_tables_share_one_set_of_cells() -> None:
    found = page.cells({"latency_p50_ms": 1.0, "rss_peak_mib": 9.0}, {"backend": "c"})
    data = PageData(found)
    specs = [data.spec(chart(found, name)) for name in ("latency_p50_ms", "rss_peak_mib")]
    data.show(Listing(caption="t", fields=[listing.number("launches"), listing.text("reason")]))
    assert not any("datasets" in spec for spec in specs)
    (name,) = data.told()
    first, second = page.decode(data.told()[name])
    assert (first["row"], first["latency_p50_ms"], first["rss_peak_mib"]) == (0, 1.0, 9.0)
    assert second == {
        "row": 1,
        "question": "w",
        "question_at": 0,
        "cell": "c/fp32",
        "workload": "w",
        "device": "board",
        "backend": "c",
        "precision": "fp32",
        "verdict": "valid",
    }


def test_a_set_of_its_own_is_told_once_and_two_of_one_name_are_refused() -> None:
    data = PageData(page.cells({}))
    data.add("curves", [{"row": 0, "at_s": [1, 2]}])
    data.add("curves", [{"row": 0, "at_s": [1, 2]}])
    assert page.decode(data.told()["curves"]) == [{"row": 0, "at_s": [1, 2]}]
    with pytest.raises(ValueError, match="'curves'"):
        data.add("curves", [])


def test_a_table_is_told_what_fills_it_and_no_more() -> None:
    fields = (listing.text("backend"), listing.interval("latency_p50", "ms"), listing.verdict())
    made = Listing(caption="t", fields=fields, needs=("launches",), where={"status": ("ok",)})
    assert made.names == (
        *("backend", "latency_p50_lo_ms", "latency_p50_hi_ms", "verdict", "row"),
        *("launches", "status"),
    )
    assert "anchor" not in made.told
    assert [column["kind"] for column in made.told["columns"]] == ["text", "interval", "verdict"]
    assert made.told["where"] == {"status": ("ok",)}


def test_headings_mean_what_the_glossary_says() -> None:
    (p99,) = (column for column in COLUMNS if column.name == "latency_p99_ms")
    assert listing.number("latency_p99_ms", "p99 ms").head.meaning == p99.meaning
    assert listing.number("latency_p99_ms", meaning="mine").head.meaning == "mine"
    assert listing.text("nobody_knows_it").head == ("nobody knows it", False, "")

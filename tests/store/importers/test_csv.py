"""A user's own table: columns by our names or by the user's words, nothing taken for granted."""

from __future__ import annotations

from pathlib import Path

import promptly
import pytest

from edgebench.errors import UsageError
from edgebench.store.importers.csv_ import Csv

TABLE = "board;model;median_us;remark\npi5;net; 1234.5 ;=cmd()\npi4;net;;\n"
WORDS = {"device": "board", "workload": "model", "latency_p50_ms": "median_us:us"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.csv"
    path.write_text(TABLE)
    return path


def test_a_mapping_names_columns_and_their_units(table: Path) -> None:
    found = Csv().mapped(WORDS, "").read(table, {})
    first, second = found.rows
    assert first.values == {"device": "pi5", "workload": "net", "latency_p50_ms": 1.2345}
    assert first.origin["latency_p50_ms"] == "fleet.csv: row 1, median_us"
    assert second.values == {"device": "pi4", "workload": "net"}
    assert found.notes == ("column 'remark'",)
    assert list(found.files) == ["fleet.csv"]


def test_names_that_are_ours_need_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("device,latency_p50_ms\r\npi5,1.5\r\n\r\n", encoding="utf-8-sig")
    (row,) = Csv().read(path, {}).rows
    assert row.values == {"device": "pi5", "latency_p50_ms": "1.5"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("board;model\npi5;net\n", "has no column 'median_us'.*it has board, model"),
        ("board;board\na;b\n", "has 'board' twice"),
        (TABLE + "pi5;net;1\n", "row 3 has 3 fields, the header 4"),
        (TABLE + 'pi5;net;"1;\n', "is no CSV"),
        (TABLE + "pi5;net;1,5;x\n", "row 3, median_us: '1,5' is no number"),
        (TABLE + "pi5;net;nan;x\n", "'nan' is no number"),
        (TABLE.split("\n", maxsplit=1)[0], "has no line of cells"),
        ("", "has no column"),
        (TABLE + "a;b;1;" + "x" * 200_000, "is no CSV"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "f.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=words) as caught:
        Csv(WORDS).read(path, {})
    assert "\n" not in str(caught.value)


def test_a_template_of_names_is_nothing_for_a_table() -> None:
    with pytest.raises(UsageError, match="csv takes no --names"):
        Csv().mapped({}, "{workload}")


@pytest.mark.parametrize(
    "text",
    [
        "board" * 3_000_000,
        "board;model;median_us\n" + ";" * 15_000_000,
        "board;model;median_us\n" + ";;\n" * 5_000_000,
        ";" * 900_000 + "\n" + ";" * 900_000,
        'board;model;median_us\n"' + "x\n" * 8_000_000,
    ],
    ids=["header", "wide", "long", "columns", "quote"],
)
def test_a_table_without_end_is_refused_within_a_second(tmp_path: Path, text: str) -> None:
    path = tmp_path / "f.csv"
    path.write_text(text)
    with promptly.at_once(1.0), pytest.raises(UsageError):
        Csv(WORDS).read(path, {})

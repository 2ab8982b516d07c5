"""A recommendation for other programs, in Markdown and in a notebook: complete, stable, inert."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import deciding
from deciding import HOSTILE, decide, made, row

from edgebench.report import choice_data, choice_html, choice_markdown, choosing, csv_


def test_json_holds_every_candidate_and_every_break_with_figure_bound_and_excess() -> None:
    asked = choosing.Asked(
        limits=deciding.bounds({"latency_p99_ms": 33, "price_usd": 100}), prices_usd={"b": 120.0}
    )
    rows = [row("raspberry-pi-5", 10.0), row("b", 40.0), row("c", 50.0)]
    found = json.loads(json.dumps(choice_data.to_json(choosing.decide(rows, asked))))
    (answer,) = found["answers"]
    assert found["schema"] == choice_data.SCHEMA
    assert answer["best"] == "raspberry-pi-5 litert int8"
    best, b, c = answer["candidates"]
    assert best["figures"]["latency_p50_ms"]["low"] == 9.8
    assert best["figures"]["price_usd"]["source"].startswith("http")
    assert best["units"][0]["device_id"] == "raspberry-pi-5"
    assert [(one["figure"]["value"], one["excess"]) for one in b["breaks"]] == [(44, 11), (120, 20)]
    assert b["breaks"][1]["figure"]["source"] == "as stated"
    assert c["breaks"][1] | {"words": ""} == {
        "limit": {"name": "price_usd", "sense": "max", "bound": 100},
        "figure": None,
        "excess": None,
        "sure": False,
        "unit": None,
        "needed": None,
        "words": "",
    }


def test_json_has_no_number_that_json_does_not_know() -> None:
    answers = [decide([row("a", 1.0, top1_ratio=float("nan")), row("b")], top1_ratio=0.9)]
    json.dumps(choice_data.to_json(made(answers)), allow_nan=False)


def test_csv_has_a_row_a_candidate_its_figures_beside_their_ends_and_its_reasons() -> None:
    answer = decide([row("raspberry-pi-5", 10.0), row("b", 40.0)], latency_p99_ms=33)
    rows, columns = choice_data.csv_rows(made([answer]))
    stream = io.StringIO()
    csv_.write(rows, stream, columns)
    best, other = csv.DictReader(io.StringIO(stream.getvalue()))
    assert (best["rank"], best["verdict"], best["latency_p50_lo_ms"]) == ("1", "take", "9.8")
    assert (other["rank"], other["verdict"]) == ("", "rejected")
    assert other["reasons"].startswith("latency_p99_ms 44 > 33")
    assert "price_usd" in columns
    assert "price_lo_usd" not in columns


def test_hostile_names_begin_no_formula_in_the_csv() -> None:
    rows, columns = choice_data.csv_rows(made([decide([row("=cmd()|'/C calc'!A0"), row(HOSTILE)])]))
    stream = io.StringIO()
    csv_.write(rows, stream, columns)
    for line in csv.reader(io.StringIO(stream.getvalue())):
        assert not any(cell.startswith(("=", "+", "@")) for cell in line)


def test_markdown_is_a_table_in_which_hostile_names_are_code_and_nothing_else() -> None:
    rows = [row(HOSTILE, 1.0), row("b", 50.0, backend=HOSTILE), row("c", 2.0)]
    text = choice_markdown.text(made([decide(rows, latency_p99_ms=33)]))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert {line.count("|") for line in table} == {table[0].count("|")}
    outside = re.sub(r"`[^`\n]*`", "", text)
    for hostile in ("@team", "<", "script", "\x1b", "\u202e"):
        assert hostile not in outside
    assert text.count("`") % 2 == 0


def test_markdown_says_when_nothing_keeps_the_limits() -> None:
    text = choice_markdown.text(made([decide([row()], latency_p99_ms=1)]))
    assert "nothing keeps every limit" in text
    assert "nearest: board litert int8" in text
    assert "|" not in text


class _Tags(HTMLParser):
    """Tags, and the text outside of them."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_fetches_nothing_runs_nothing_and_leaves_colours_to_the_notebook() -> None:
    rows = [row(HOSTILE, 1.0), row("b", 50.0, status="failed", reason=HOSTILE), row("c", 2.0)]
    page = _Tags()
    page.feed(choice_html.text(made([decide(rows, latency_p99_ms=33)])))
    allowed = {"div", "h4", "p", "strong", "ul", "li", "table", "thead", "tbody", "tr", "th", "td"}
    assert {tag for tag, _ in page.tags} <= allowed
    attributes = {name for _, attrs in page.tags for name, _ in attrs}
    assert attributes <= {"class", "style"}
    styles = " ".join(value or "" for _, attrs in page.tags for _, value in attrs)
    assert not re.search(r"(?<!-)\b(color|background)\b|url\(", styles)
    assert "</script>" in page.text
    assert "\x1b" not in page.text


def test_html_of_a_rack_stays_small() -> None:
    answer = decide(deciding.rack(), latency_p99_ms=50, top1_ratio=0.9)
    assert len(choice_html.text(made([answer]))) < 20_000

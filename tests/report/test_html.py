"""The HTML report: hostile names stay text, every reason is told, the network is left alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

import edgebench
from edgebench.errors import UsageError
from edgebench.machine import Environment
from edgebench.records import Accuracy, Case, Effective, Manifest, Parity, Record
from edgebench.report import answers, bundle, charts, html, rows
from edgebench.report.grid import MISSING, figure
from edgebench.report.labels import labels
from edgebench.report.sections.base import Material
from edgebench.report.sections.cells import cells
from edgebench.runner.journal import Journal
from edgebench.samples import Samples
from edgebench.store.read import read_all

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\x1b[31mred\x1b[0m",
    '" onmouseover="alert(1)',
    "<!--",
    "{{ 7 * 191 }}",
)
javascript = bundle.javascript  # before `_small_bundle` replaces it
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """What a browser would make of a page: elements, addresses, text; strict about nesting."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            attributes, known = self.scripts[-1]
            self.scripts[-1] = (attributes, known + data)
        else:
            self.words += data

    @property
    def specs(self) -> list[dict[str, object]]:
        """The charts."""
        return [json.loads(s) for a, s in self.scripts if a.get("type") == "application/json"]


@pytest.fixture(autouse=True)
def _small_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of Vega in each page says nothing here; acceptance/html_offline.py runs it."""
    monkeypatch.setattr(bundle, "javascript", lambda _: "window.vegaEmbed = 0;")


def build(*folders: Path) -> Page:
    """The page of all runs below the folders, as `edgebench report --html` makes it."""
    runs, problems = read_all(folders)
    return Page(html.build(runs, rows.of_runs(runs), problems))


@pytest.fixture
def store(
    tmp_path: Path,
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> Callable[..., Path]:
    """Stores a run of ok cases, with changes to the records of each."""

    def make(cases: Sequence[Case], changes: Sequence[dict[str, object]] = ()) -> Path:
        journal = Journal.create(tmp_path, manifest(*cases))
        for index, one in enumerate(cases):
            mine = changes[index] if index < len(changes) else {}
            for launch in range(1 if mine.get("status", "ok") != "ok" else 3):
                journal.append(record(one, launch=launch, **mine))
        return tmp_path

    return make


BAD: dict[str, object] = {"status": "failed", "stage": "load", "latency_ns": Samples()}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_inert(
    store: Callable[..., Path], case: Callable[..., Case], text: str
) -> None:
    ok = case(workload=text, backend=text)
    failed = case(workload=text, backend=text, precision="int8")
    page = build(store([ok, failed], [{"caveats": (text,)}, {**BAD, "reason": text}]))
    tags = [tag for tag, _ in page.elements]
    assert "img" not in tags
    assert "\x1b" not in page.words
    assert tags.count("script") == 4  # Vega, the page's own, and the data of two charts
    assert not any(name.startswith("on") for _, found in page.elements for name in found)
    assert text.replace("\x1b", "?") in page.words
    assert len(page.specs) == 2
    assert "\\u001b" not in json.dumps(page.specs)
    assert "1337" not in page.words


def test_scripts_run_only_by_their_hash_and_nothing_is_loaded(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    page = build(store([case(), case(precision="int8")]))
    policies = [a["content"] for t, a in page.elements if a.get("http-equiv") and t == "meta"]
    assert len(policies) == 1
    policy = policies[0] or ""
    assert "default-src 'none'" in policy
    running = [text for found, text in page.scripts if "type" not in found]
    assert [html._hash(text) for text in running] == re.findall(r"'sha256-[^']+'", policy)
    directive = policy.split("script-src")[1]
    assert "unsafe" not in directive
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data"):
            address = attributes.get(name)
            assert address is None or address.startswith("#") or address == "data:,"


def test_every_anchor_leads_somewhere(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    bad = {**BAD, "reason": "x"}
    page = build(store([case(), case(precision="int8"), case(batch=2)], [{}, bad, bad]))
    ids = [str(found["id"]) for _, found in page.elements if "id" in found]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        if (attributes.get("href") or "").startswith("#"):
            assert str(attributes["href"])[1:] in ids


def test_every_reason_is_told(store: Callable[..., Path], case: Callable[..., Case]) -> None:
    words = {
        "failed": "out of registers",
        "timeout": "no answer in 60 s",
        "oom": "killed by the kernel",
        "crashed": "killed by SIGSEGV",
        "skipped": "litert has no bf16",
    }
    made = [case(batch=index + 1) for index in range(len(words))]
    changes = [{**BAD, "status": k, "reason": v} for k, v in words.items()]
    page = build(store(made, changes))
    assert all(word in page.words for word in words.values())
    assert "4 failed" in page.words
    assert "1 skipped" in page.words
    assert "Nothing was measured: every cell failed or was skipped" in page.words
    assert page.specs == []


def test_invalid_and_fallen_back_cells_are_told(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    wrong = {"parity": Parity(samples=64, cosine=0.5, max_abs_error=1.0, top1_ratio=1.0)}
    fallen = {"effective": Effective(precision="fp32")}
    page = build(store([case(), case(precision="fp16")], [wrong, fallen]))
    assert "cosine 0.50000 below" in page.words
    assert "Ran otherwise than asked: 1" in page.words
    assert "fp16 (ran fp32)" in page.words


def test_a_run_that_was_cut_short_says_what_is_missing(
    tmp_path: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    done, missing = case(), case(precision="int8")
    journal = Journal.create(tmp_path, manifest(done, missing))
    journal.append(record(done))
    results = next(tmp_path.glob("*/results.jsonl"))
    results.write_bytes(results.read_bytes() + b'{"crc32"')
    page = build(tmp_path)
    assert "the run ended before them: 1" in page.words
    assert "one launch is lost" in page.words


def test_a_page_without_results_is_still_a_page(
    tmp_path: Path, case: Callable[..., Case], manifest: Callable[..., Manifest]
) -> None:
    Journal.create(tmp_path, manifest(case()))
    page = build(tmp_path)
    assert "the run ended before it" in page.words
    assert "fake-board" in page.words
    assert page.specs == []
    assert [tag for tag, _ in page.elements if tag == "script"] == ["script"]


def test_a_cell_without_samples_costs_only_itself(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    empty = {"latency_ns": Samples(), "window_ns": None, "inferences": None}
    page = build(store([case(), case(precision="int8")], [{}, empty]))
    assert len(page.specs) == 2
    assert "int8" not in json.dumps(page.specs)
    assert MISSING in page.words


def test_headings_are_in_order_and_tables_have_captions(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    page = build(store([case()]))
    tags = [tag for tag, _ in page.elements]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert tags.count("table") == tags.count("caption") > 5
    assert dict(page.elements)["html"] == {"lang": "en"}
    assert {found.get("scope") for tag, found in page.elements if tag == "th"} == {"col"}


def test_what_was_not_measured_is_a_dash_and_sorts_as_nothing() -> None:
    assert figure(None) == (MISSING, None, "", "")
    assert figure(0) == ("0", 0.0, "", "")
    assert figure(0.105).text == "0.1050"
    assert figure(7520.4).text == "7520"
    assert figure(0.98765, 100, 1).text == "98.8"
    assert figure(-0.0001, 100, 1).text == "0.0"


def test_the_table_shows_only_what_differs_or_was_measured(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    accurate = {"accuracy": Accuracy(samples=1000, correct=990, source="x")}
    folder = store([case(), case(threads=2)], [accurate, accurate])
    runs, _ = read_all([folder])
    (table,) = cells(Material(runs, rows.of_runs(runs))).context["tables"]
    headings = [head.text for head in table.heads]
    assert "threads" in headings
    assert "top-1 %" in headings
    assert not {"batch", "device", "net mJ"} & set(headings)
    assert "99.0" in [cell.text for cell in table.rows[0]]


def test_the_answer_names_the_fastest_where_intervals_part(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    slow = {"latency_ns": Samples([9_000_000] * 400)}
    cases = [case(), case(precision="fp16"), case(precision="int8")]
    page = build(store(cases, [{}, slow, slow]))
    assert "onnxruntime/fp32 is the fastest valid cell" in page.words


def test_the_answer_names_nobody_where_intervals_overlap(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    page = build(store([case(), case(precision="int8")]))
    assert "onnxruntime/fp32 has the lowest median, but cannot be told apart from" in page.words


def row(name: str, low: float | None, middle: float, high: float | None) -> rows.Row:
    """A valid cell."""
    return {
        "workload": "w",
        "backend": name,
        "precision": "fp32",
        "status": "ok",
        "validity": "valid",
        "batch": 1,
        "streams": 1,
        "scenario": "single_stream",
        "region": "invoke",
        "latency_p50_lo_ms": low,
        "latency_p50_ms": middle,
        "latency_p50_hi_ms": high,
    }


def test_fastest_is_claimed_only_where_intervals_part() -> None:
    a, b, c = row("a", 0.9, 1.0, 1.1), row("b", 1.05, 1.2, 1.3), row("c", 1.11, 1.4, 1.5)
    (found,) = answers.fastest([c, b, a])
    assert found.best is a
    assert found.rivals == (b,)
    (found,) = answers.fastest([c, a])
    assert found.best is a
    assert found.rivals == ()
    (found,) = answers.fastest([a, row("d", None, 9.0, None)])
    assert [rival["backend"] for rival in found.rivals] == ["d"]


def test_cells_that_are_not_valid_are_not_ranked() -> None:
    slow = row("slow", 8.0, 9.0, 10.0)
    broken = row("fast", 0.1, 0.2, 0.3) | {"validity": "invalid"}
    failed = row("worse", 0.1, 0.2, 0.3) | {"status": "crashed"}
    (found,) = answers.fastest([broken, slow, failed])
    assert found.best is slow
    assert found.unranked == (broken, failed)
    (found,) = answers.fastest([broken])
    assert found.best is None


def test_other_batches_are_other_questions() -> None:
    found = answers.fastest([row("a", 1, 1.0, 1), row("a", 2, 2.0, 2) | {"batch": 8}])
    assert [answer.workload for answer in found] == ["w", "w, batch 8"]


@pytest.mark.parametrize(
    "other", [{"engine": "loadgen"}, {"tuning": "equal"}, {"parameters": "rate_hz=60"}]
)
def test_other_engines_tunings_and_rates_are_other_questions(other: rows.Row) -> None:
    usual: rows.Row = {"engine": "edgebench", "tuning": "native", "parameters": "rate_hz=30"}
    one, two = (row("a", 1, 1.0, 1) | usual, row("b", 2, 2.0, 2) | usual | other)
    assert len(answers.fastest([one, two])) == 2
    (found,) = answers.fastest([one, one])
    assert found.workload == "w, rate_hz=30"


@pytest.mark.parametrize(
    ("scenario", "stem", "unit"),
    [("offline", "throughput", "ips"), ("server", "server_rate", "hz")],
)
def test_what_each_cell_searched_for_is_what_it_is_ranked_by(
    scenario: str, stem: str, unit: str
) -> None:
    def of(name: str, latency: float, value: float) -> rows.Row:
        ends = {
            f"{stem}{part}_{unit}": value + d
            for part, d in (("_lo", -1.0), ("", 0.0), ("_hi", 1.0))
        }
        return row(name, latency, latency, latency) | {"scenario": scenario} | ends

    quick, strong, close = of("quick", 1.0, 50.0), of("strong", 9.0, 100.0), of("close", 9.0, 98.5)
    (found,) = answers.fastest([quick, strong, close])
    assert found.best is strong
    assert found.rivals == (close,)
    asked: rows.Row = {"scenario": "server", "parameters": "bound_ms=100 rate_hz=10"}
    (found,) = answers.fastest([quick | asked, strong | asked])
    assert found.best is not None
    assert found.best["backend"] == "quick"


def test_a_server_that_confirmed_no_rate_is_not_called_unmeasured(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    page = build(store([case(scenario="server", parameters={"bound_ms": 100.0})], [{}]))
    assert "No cell has a highest rate within the bound that was confirmed" in page.words
    assert "outcome" in page.words
    assert "Nothing was measured" not in page.words


def test_names_say_no_more_than_is_needed() -> None:
    one = {"workload": "w", "backend": "b", "precision": "fp32", "threads": 1, "device": "x"}
    assert labels([one, one | {"workload": "v", "threads": 2}]) == ["b/fp32", "b/fp32"]
    assert labels([one, one | {"threads": 2}]) == ["b/fp32/t1", "b/fp32/t2"]
    assert labels([one, one | {"device": "y"}]) == ["b/fp32/x", "b/fp32/y"]
    assert labels([one, one | {"device": "y", "threads": 2}]) == ["b/fp32/x", "b/fp32/y"]
    given = one | {"parameters": "rate_hz=30"}
    assert labels([one | {"parameters": None}, given]) == ["b/fp32", "b/fp32/rate_hz=30"]
    assert labels([]) == []


def test_a_suspect_cell_is_named_but_not_called_fastest(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    def at(busy_ns: int) -> Environment:
        return Environment(busy_all_ns=busy_ns)

    noisy = {"environment_before": at(0), "environment_after": at(9_000_000_000)}
    page = build(store([case()], [noisy]))
    assert "No cell is valid and ran as asked, so none is called fastest" in page.words
    assert "other processes used" in page.words


def test_charts_are_drawn_from_quantiles_never_from_samples(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    folder = store([case(), case(precision="int8")], [{}, {**BAD, "reason": "x"}])
    frame, samples = edgebench.load(folder), edgebench.load_samples(folder)
    (found,) = charts.quantiles(samples, frame).to_dict("records")
    assert found["samples"] == 1500
    assert len(found["quantile_ms"]) == len(charts.PERCENTS) == 51
    pooled = samples["latency_ns"] / 1e6
    assert found["quantile_ms"][charts.PERCENTS.index(50)] == pd.Series(pooled).quantile(
        0.5, interpolation="lower"
    )
    spec = json.dumps(charts.distributions(samples, frame).to_dict())
    assert len(spec) < 10_000
    assert "int8" not in spec
    assert "litert" not in json.dumps(charts.latency(frame).to_dict())


def test_one_cell_that_is_not_valid_is_hollow(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    wrong = {"parity": Parity(samples=64, cosine=0.5, max_abs_error=1.0, top1_ratio=1.0)}
    frame = edgebench.load(store([case(), case(precision="int8")], [{}, wrong]))
    (panel,) = charts.latency(frame).to_dict()["vconcat"]
    marks = [layer["mark"] for layer in panel["layer"]]
    assert [mark.get("filled") for mark in marks if mark["type"] == "point"] == [False, True]


def test_a_script_cannot_end_its_own_element() -> None:
    assert html._inert("a</script>\r\n<!--") == "a<\\/script>\n<\\!--"


def test_the_bundle_is_made_once_and_damage_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    script = javascript("v999.1.0")  # newer than any vl-convert: the newest there is
    assert "vegaEmbed" in script
    monkeypatch.setattr(bundle, "_make", lambda _: "made again")
    assert javascript("v999.1.0") == script
    (cached,) = (tmp_path / "edgebench").iterdir()
    cached.write_bytes(cached.read_bytes()[:-1])
    assert javascript("v999.1.0") == "made again"
    assert javascript("v999.1.0") == "made again"
    assert len(list((tmp_path / "edgebench").iterdir())) == 1


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "edgebench").write_text("a file, not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(bundle, "_make", lambda _: "made")
    assert javascript("6.1.0") == "made"


@pytest.mark.parametrize("package", ["altair", "jinja2", "vl-convert-python"])
def test_a_missing_package_is_one_line_that_mends_it(
    store: Callable[..., Path], case: Callable[..., Case], package: str
) -> None:
    folder = store([case()])
    block = f"""
import sys
from importlib import metadata
if {package!r} == "vl-convert-python":
    def missing(name):
        raise metadata.PackageNotFoundError(name)
    metadata.version = missing
else:
    sys.modules[{package!r}] = None
sys.argv = ["edgebench", "report", "--html", "-", {str(folder)!r}]
from edgebench.cli.main import main
main()
"""
    run = [sys.executable, "-c", block]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'edgebench[report]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_command_writes_the_page_and_says_where(
    store: Callable[..., Path], case: Callable[..., Case], tmp_path: Path
) -> None:
    folder = store([case()])
    target, csv = tmp_path / "r.html", tmp_path / "r.csv"
    command = [sys.executable, "-m", "edgebench.cli.main", "report", str(folder)]
    done = subprocess.run(
        [*command, "--html", str(target), "--csv", str(csv)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert f"report in {target}" in done.stderr
    Page(target.read_text())
    assert csv.read_text().startswith("run_id,")
    wrong = subprocess.run(
        [*command, "--html", str(tmp_path / "no" / "r.html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 2
    assert "cannot write" in wrong.stderr


def test_templates_that_are_missing_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise UsageError("the report templates are missing", remedy="reinstall edgebench")

    monkeypatch.setattr(html, "template_folder", missing)
    with pytest.raises(UsageError, match="reinstall"):
        html.build((), ())

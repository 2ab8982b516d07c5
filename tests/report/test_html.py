"""The HTML report: hostile names stay text, every reason is told, the network is left alone."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from page import Page, decode, marks

import edgebench
from edgebench.errors import UsageError
from edgebench.machine import Environment
from edgebench.records import Accuracy, Case, Effective, Manifest, Parity, Record
from edgebench.report import charts, html, rows
from edgebench.report.grid import MISSING, figure
from edgebench.report.page import bundle
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
    assert tags.count("script") == 3 + len(page.specs)  # Vega, the page's own, and the data
    assert not any(name.startswith("on") for _, found in page.elements for name in found)
    assert text.replace("\x1b", "?") in page.words
    assert text.replace("\x1b", "?") in [cell["workload"] for cell in page.data["cells"]]
    assert {"chart-latency", "chart-spread"} <= set(page.charts)
    assert "\x1b" not in page.told
    assert "\\u001b" not in json.dumps(page.specs)
    assert "1337" not in page.told


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


def test_without_javascript_the_page_says_what_is_missing(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    page = build(store(cases=[case()]))
    assert "rows of most tables need JavaScript" in page.words
    assert "in the table below" not in page.words  # a script fills that, too


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
    assert all(word in page.told for word in words.values())
    assert "4 failed" in page.words
    assert "1 skipped" in page.words
    assert "Nothing was measured: every cell failed or was skipped" in page.words
    assert "chart-latency" not in page.charts


def test_invalid_and_fallen_back_cells_are_told(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    wrong = {"parity": Parity(samples=64, cosine=0.5, max_abs_error=1.0, top1_ratio=1.0)}
    fallen = {"effective": Effective(precision="fp32")}
    page = build(store([case(), case(precision="fp16")], [wrong, fallen]))
    assert "cosine 0.50000 below" in page.words
    assert "Ran otherwise than asked: 1" in page.words
    assert "fp16 (ran fp32)" in page.told


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
    assert "chart-latency" not in page.charts
    (cell,) = page.data["cells"]
    assert cell["verdict"] == "skipped"
    assert not [name for name in cell if name.endswith(("_ms", "_mib", "_ips"))]


def test_a_cell_without_samples_costs_only_itself(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    empty = {"latency_ns": Samples(), "window_ns": None, "inferences": None}
    page = build(store([case(), case(precision="int8")], [{}, empty]))
    assert {"chart-latency", "chart-spread"} <= set(page.charts)
    timed, empty_one = page.data["cells"]
    assert "quantile_ms" in timed
    assert not [name for name in empty_one if name.startswith(("latency", "quantile"))]


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
    material = Material(runs, rows.of_runs(runs))
    (table,) = cells(material).context["tables"]
    headings = [field.head.text for field in table.fields]
    assert "threads" in headings
    assert "top-1 %" in headings
    assert not {"batch", "device", "net mJ"} & set(headings)
    assert [cell["top1_ratio"] for cell in decode(material.data.told()["cells"])] == [0.99] * 2


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


def test_a_server_that_confirmed_no_rate_is_not_called_unmeasured(
    store: Callable[..., Path], case: Callable[..., Case]
) -> None:
    page = build(store([case(scenario="server", parameters={"bound_ms": 100.0})], [{}]))
    assert "No cell has a highest rate within the bound that was confirmed" in page.words
    assert "outcome" in page.words
    assert "Nothing was measured" not in page.words


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
    points = marks(charts.latency(frame), "point")
    inner = {one["cell"]: one["opacity"] for one in points if one["filled"] == "True"}
    assert inner == {"onnxruntime/fp32": "1", "onnxruntime/int8": "0"}
    assert len(points) == 2 * len(inner)


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

"""The pytest plug-in where a suite is unlike what it was made for: nothing passes unjudged."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.report import budget_words, gather
from edgebench.testing import fleet

pytest_plugins = "pytester"
KEPT_LOADED = (budget_words, gather)
"""A run in this process unloads what it was the first to import, and types are looked up late."""
MARK = "@pytest.mark.edgebench(max={'latency_p50_ms': 0.001})"


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A device's results: fp32 at 10 ms with one and with four threads."""
    cells = (fleet.Cell(latency_ms=10.0), fleet.Cell(latency_ms=4.0, threads=4))
    fleet.write(tmp_path / "results", fleet.Device(name="pi", cells=cells))
    return str(tmp_path / "results")


def suite(pytester: pytest.Pytester, source: str, place: str, *options: str) -> pytest.RunResult:
    """Run a suite as a user's, where a cell with one thread is CELL."""
    cell = f"edgebench.read({place!r}, threads=1)"
    pytester.makepyfile("import pytest\n" + source.replace("CELL", cell))
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-W", "default", *options)


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("max=33", "the marker takes max={...} and min={...}, nothing else"),
        ("max=['latency_p50_ms']", "the marker takes max={...} and min={...}, nothing else"),
        ("max={1: 2}", "there is no figure 1"),
        ("max=None", "no budget: give max"),
        ("", "no budget: give max"),
    ],
)
def test_a_marker_of_another_form_is_told_in_a_line(
    pytester: pytest.Pytester, place: str, marker: str, words: str
) -> None:
    test = "def test_it(edgebench):\n    edgebench.budget(CELL)"
    source = f"@pytest.mark.edgebench({marker})\n{test}"
    found = suite(pytester, source, place)
    found.assert_outcomes(failed=1)
    assert words in found.stdout.str()
    assert "Error" not in found.stdout.str()


def test_limits_that_are_no_mapping_are_told_in_a_line(
    pytester: pytest.Pytester, place: str
) -> None:
    source = "def test_it(edgebench):\n    edgebench.budget(CELL, max=33)"
    found = suite(pytester, source, place)
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(['edgebench: 33 is no limit (max={"latency_p99_ms": 33})'])


def test_a_markers_budget_is_judged_whatever_else_is(
    pytester: pytest.Pytester, tmp_path: Path, place: str
) -> None:
    base = str(tmp_path / "main.json")
    save = [sys.executable, "-m", "edgebench", "baseline", "save", base, place]
    subprocess.run(save, check=True, capture_output=True)
    source = f"""
{MARK}
def test_own(edgebench):
    edgebench.budget(CELL, max={{"latency_p50_ms": 33}})
{MARK}
def test_base(edgebench):
    edgebench.no_slower(CELL, baseline={base!r})
{MARK}
class TestBoth:
    def test_no(self):
        pass
"""
    found = suite(pytester, source, place)
    found.assert_outcomes(failed=3)
    assert found.stdout.str().count("\nthe marker's budget was not judged: call edgebench.run") == 3


NEAR = """
def test_near(edgebench):
    cell = CELL
    edgebench.budget(cell, max={"latency_p50_ms": cell.latency_p50_ms * 0.9999})
"""


def test_a_suite_whose_warnings_are_errors_keeps_doubtful_budgets(
    pytester: pytest.Pytester, place: str
) -> None:
    found = suite(pytester, NEAR, place, "-W", "error")
    found.assert_outcomes(passed=1, warnings=1)
    named = "error::edgebench.pytest_plugin.BudgetWarning"
    suite(pytester, NEAR, place, "-W", named).assert_outcomes(failed=1)


def test_a_limit_that_only_others_beside_it_keep_up_is_told_so(
    pytester: pytest.Pytester, place: str
) -> None:
    source = """
def test_many(edgebench):
    cell = CELL
    most = {"latency_p50_ms": cell.latency_p50_lo_ms * 0.99999, "rss_peak_mib": 1e6}
    edgebench.budget(cell, max=most | {"model_size_mib": 1e6})
"""
    found = suite(pytester, source, place)
    found.assert_outcomes(passed=1, warnings=1)
    said = found.stdout.str()
    assert "2 limits judged together ask for more" in said  # a size is no matter of chance
    assert "reaches back" not in said


def test_a_baseline_is_told_of_a_suspect_cell(
    pytester: pytest.Pytester, tmp_path: Path, place: str
) -> None:
    base = str(tmp_path / "main.json")
    save = [sys.executable, "-m", "edgebench", "baseline", "save", base, place]
    subprocess.run(save, check=True, capture_output=True)
    source = f"""
def test_it(edgebench):
    cell = CELL
    cell.row["validity"] = "suspect"
    edgebench.no_slower(cell, baseline={base!r})
"""
    suite(pytester, source, place).assert_outcomes(passed=1, warnings=1)
    suite(pytester, source, place, "--edgebench-suspect", "fail").assert_outcomes(failed=1)


def test_cells_are_told_apart_by_any_column_and_named(
    pytester: pytest.Pytester, place: str
) -> None:
    source = f"""
def test_it(edgebench):
    assert 3 < edgebench.read({place!r}, threads=4).latency_p50_ms < 5
def test_both(edgebench):
    edgebench.read({place!r})
def test_none(edgebench):
    edgebench.read({place!r}, threads=2)
def test_wrong(edgebench):
    edgebench.read({place!r}, thread=2)
"""
    found = suite(pytester, source, place)
    found.assert_outcomes(passed=1, failed=3)
    both = "mnist_cnn/onnxruntime/fp32, mnist_cnn/onnxruntime/fp32/t4"
    said = found.stdout.str()
    assert re.search(rf"holds 2 such cells \(.*{both}\)", said)
    assert re.search(rf"holds 0 such cells \(.*{both}\)", said)
    assert "there is no column 'thread'" in said


def test_a_property_of_our_name_in_a_suite_is_nobodys_business(
    pytester: pytest.Pytester, place: str
) -> None:
    source = "def test_it(record_property):\n    record_property('edgebench', 'mine')"
    found = suite(pytester, source, place)
    found.assert_outcomes(passed=1)
    assert found.ret == 0


def test_a_cell_that_could_not_be_measured_fails_where_it_is_measured(
    pytester: pytest.Pytester, place: str
) -> None:
    source = """
def test_it(edgebench):
    faulty = "edgebench.testing:FaultyBackend"
    assert edgebench.measure("mnist_cnn", backend=faulty).latency_p50_ms < 5
"""
    found = suite(pytester, source, place)
    found.assert_outcomes(failed=1)
    assert "TypeError" not in found.stdout.str()
    assert re.search(r"could not measure: failed: .*\nlook closer: ", found.stdout.str())

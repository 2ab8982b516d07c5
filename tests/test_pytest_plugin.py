"""The pytest plug-in: real runs, stored runs, options, neighbours, and what it costs unused."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from edgebench.runner import journal
from edgebench.testing import fleet

pytest_plugins = "pytester"
ROOT = Path(__file__).resolve().parent.parent
READ = "cell = edgebench.read({place!r}, precision={precision!r})"


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A device's results: fp32 at 10 ms, int8 at 5 ms and unlabelled, fp16 that failed."""
    cells = (
        fleet.Cell(latency_ms=10.0, top1_ratio=0.9),
        fleet.Cell(precision="int8", latency_ms=5.0),
        fleet.Cell(precision="fp16", reason="no kernel\x1b[31m"),
    )
    fleet.write(tmp_path / "results", fleet.Device(name="pi", cells=cells))
    return str(tmp_path / "results")


def suite(
    pytester: pytest.Pytester, source: str, *options: str, place: str = ""
) -> pytest.RunResult:
    """Run a suite as a user's: in a process of its own."""
    pytester.makepyfile(source.replace("PLACE", repr(place)))
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options)


MARKED = """
import pytest

@pytest.mark.edgebench(max={"latency_p50_ms": %s, "rss_peak_mib": 120}, min={"top1_ratio": 0.7})
def test_detector(edgebench):
    edgebench.budget(edgebench.read(PLACE, precision="fp32"))
"""


def test_a_kept_budget_passes_and_is_in_the_table(pytester: pytest.Pytester, place: str) -> None:
    found = suite(pytester, MARKED % 33, place=place)
    found.assert_outcomes(passed=1)
    lines = found.outlines
    (head,) = (i for i, line in enumerate(lines) if line.split()[:2] == ["figure", "value"])
    assert re.search(r"latency_p50_ms +\S+ \(\S+ to \S+\) +<= 33 +kept$", lines[head + 2])
    assert re.search(r"top1_ratio +\S+ \(\S+ to \S+\) +>= 0.7 +kept$", lines[head + 4])
    assert max(map(len, lines[head:])) <= 80


def test_a_broken_budget_fails_in_three_lines(pytester: pytest.Pytester, place: str) -> None:
    found = suite(pytester, MARKED % 8, place=place)
    found.assert_outcomes(failed=1)
    start = next(i for i, line in enumerate(found.outlines) if line.startswith("budget broken"))
    said = found.outlines[start : start + 4]
    assert re.match(
        r"budget broken: mnist_cnn/onnxruntime/fp32: latency_p50_ms \S+ > 8 \(by 2\d %\)", said[0]
    )
    assert re.search(
        r"all of its 95 % interval, \S+ to \S+, lies beyond .* \(6 launches\)", said[1]
    )
    assert said[2] == f"look closer: edgebench report {place}"
    assert said[3].startswith("===")


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_what_was_not_measured_fails_with_the_reason(
    pytester: pytest.Pytester, place: str, precision: str
) -> None:
    source = (MARKED % 33).replace('"fp32"', repr(precision))
    found = suite(pytester, source, place=place)
    found.assert_outcomes(failed=1)
    told = {"int8": "*never a pass: no labelled images*", "fp16": "*failed: launch 0*no kernel*"}
    found.stdout.fnmatch_lines([told[precision]])
    assert "\x1b" not in found.stdout.str()


def test_a_value_beyond_whose_interval_reaches_back_is_a_warning(
    pytester: pytest.Pytester, place: str
) -> None:
    source = """
    def test_near(edgebench):
        cell = edgebench.read(PLACE, precision="int8")
        edgebench.budget(cell, max={"latency_p50_ms": cell.latency_p50_ms * 0.9999})
    """
    found = suite(pytester, source, place=place)
    found.assert_outcomes(passed=1, warnings=1)
    found.stdout.fnmatch_lines(["*BudgetWarning*reaches back*", "*can't tell"])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("pass", "was not judged: call edgebench.run"),
        ("edgebench.read(PLACE)", "holds 3 such cells"),
        ("edgebench.read(PLACE, backend='ncnn')", "holds 0 such cells"),
        ("edgebench.read('nowhere')", "edgebench: nowhere does not exist"),
        ("edgebench.measure('mnist_cnn', backend='nope')", "no backend named 'nope'"),
        ("edgebench.measure('mnist_cnn', backend='onnxruntime', wibble=1)", "--wibble"),
        ("edgebench.measure(backend='onnxruntime')", "name a workload or a model"),
        ("edgebench.budget(edgebench.read(PLACE, precision='int8'), max={'x': 1})", "no figure"),
        ("edgebench.read(PLACE, precision='int8').wibble", "no column 'wibble'"),
    ],
)
def test_a_mistake_is_told_in_a_line(
    pytester: pytest.Pytester, place: str, body: str, told: str
) -> None:
    source = (
        "import pytest\n@pytest.mark.edgebench(max={'latency_p50_ms': 9})\n"
        f"def test_it(edgebench):\n    {body}\n"
    )
    found = suite(pytester, source, place=place)
    found.assert_outcomes(failed=1)
    assert told in found.stdout.str()
    assert "During handling" not in found.stdout.str()


def test_a_wrong_marker_is_told_before_anything_is_measured(pytester: pytest.Pytester) -> None:
    source = """
    import pytest
    @pytest.mark.edgebench(max={"latency_p99": 1})
    def test_typo(edgebench):
        edgebench.run("mnist_cnn", backend="onnxruntime")
    @pytest.mark.edgebench(latency_p99_ms=1)
    def test_form(edgebench):
        edgebench.run("mnist_cnn", backend="onnxruntime")
    """
    found = suite(pytester, source, "--strict-markers")
    found.assert_outcomes(failed=2)
    found.stdout.fnmatch_lines(["*did you mean latency_p99_ms?*", "*takes max=*"])
    assert found.duration < 10


def test_the_nearer_marker_wins_and_the_further_ones_still_hold(
    pytester: pytest.Pytester, place: str
) -> None:
    source = """
    import pytest
    pytestmark = pytest.mark.edgebench(max={"latency_p50_ms": 1, "rss_peak_mib": 10})
    @pytest.mark.edgebench(max={"latency_p50_ms": 50})
    def test_it(edgebench):
        edgebench.budget(edgebench.read(PLACE, precision="int8"))
    """
    found = suite(pytester, source, place=place)
    found.assert_outcomes(failed=1)
    assert "budget broken: mnist_cnn/onnxruntime/int8: rss_peak_mib" in found.stdout.str()
    assert "latency_p50_ms 5" not in found.stdout.str().split("edgebench budgets")[0]


def test_no_slower_holds_a_cell_against_a_baseline(
    pytester: pytest.Pytester, tmp_path: Path, place: str
) -> None:
    base = [sys.executable, "-m", "edgebench", "baseline", "save", str(tmp_path / "main.json")]
    subprocess.run([*base, place], check=True, capture_output=True)
    slow = fleet.Cell(latency_ms=11.5)
    fleet.write(tmp_path / "slow", fleet.Device(name="pi", cells=(slow,)), seed=5)
    source = f"""
    BASE, SLOW = {str(tmp_path / "main.json")!r}, {str(tmp_path / "slow")!r}
    def test_same(edgebench):
        edgebench.no_slower(edgebench.read(PLACE, precision="fp32"), baseline=BASE)
    def test_slow(edgebench):
        edgebench.no_slower(edgebench.read(SLOW), baseline=BASE, by="5%")
    def test_allowed(edgebench):
        edgebench.no_slower(edgebench.read(SLOW), baseline=BASE, by="30%")
    def test_no_figure(edgebench):
        edgebench.no_slower(edgebench.read(PLACE, precision="fp16"), baseline=BASE)
    def test_no_baseline(edgebench):
        edgebench.no_slower(edgebench.read(SLOW), baseline="nowhere")
    """
    found = suite(pytester, source, place=place)
    found.assert_outcomes(passed=2, failed=3)
    said = found.stdout.str()
    assert re.search(
        r"budget broken: \S+: 1\.1\d\d times as long as \S+main\.json, 5% allowed", said
    )
    assert "budget not judged: mnist_cnn/onnxruntime/fp16" in said
    assert "nowhere" in said


REAL = """
import pytest

@pytest.mark.edgebench(max={"latency_p99_ms": 1000, "rss_peak_mib": 2000}, min={"top1_ratio": 0.7})
def test_detector(edgebench):
    cell = edgebench.run("mnist_cnn", backend="onnxruntime", precision="int8", threads=1)
    assert 0 < cell.latency_p50_ms < 1000
"""


def test_a_real_run_is_measured_and_kept_where_asked(pytester: pytest.Pytester) -> None:
    options = ("--edgebench-results", "kept", "--junitxml", "junit.xml")
    found = suite(pytester, REAL, *options)
    found.assert_outcomes(passed=1)
    report = [sys.executable, "-m", "edgebench", "report", "kept", "--json"]
    done = subprocess.run(report, cwd=pytester.path, capture_output=True, text=True, check=True)
    assert '"precision": "int8"' in done.stdout
    properties = ET.parse(pytester.path / "junit.xml").iter("property")  # noqa: S314 - made here
    assert any("latency_p99_ms" in str(one.get("value")) for one in properties)


def test_it_waits_for_another_run_and_says_so(pytester: pytest.Pytester) -> None:
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with journal.one_run_at_a_time():
            held.set()
            free.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    try:
        early = suite(pytester, REAL, "--edgebench-wait", "0")
        early.assert_outcomes(failed=1)
        assert "another edgebench run is under way" in early.stdout.str()
        threading.Timer(4.0, free.set).start()
        found = suite(pytester, REAL)
    finally:
        free.set()
        holder.join()
    found.assert_outcomes(passed=1)
    assert "waiting for another run on this device" in found.stdout.str()


def test_with_xdist_runs_queue_and_the_table_has_all(pytester: pytest.Pytester) -> None:
    source = REAL + REAL.replace("test_detector", "test_other").replace("import pytest", "")
    found = suite(pytester, source, "-n", "2")
    found.assert_outcomes(passed=2)
    assert found.stdout.str().count("latency_p99_ms ") == 2


def test_suspect_cells_warn_or_fail_as_asked(pytester: pytest.Pytester, place: str) -> None:
    source = """
    def test_it(edgebench):
        cell = edgebench.read(PLACE, precision="fp32")
        cell.row["validity"] = "suspect"
        edgebench.budget(cell, max={"latency_p50_ms": 50})
    """
    found = suite(pytester, source, place=place)
    found.assert_outcomes(passed=1, warnings=1)
    assert "is suspect: planted" in found.stdout.str()
    suite(pytester, source, "--edgebench-suspect", "fail", place=place).assert_outcomes(failed=1)


def test_skipping_and_switching_off(pytester: pytest.Pytester) -> None:
    suite(pytester, REAL, "--edgebench-skip").assert_outcomes(skipped=1)
    suite(pytester, REAL, "-p", "no:edgebench").assert_outcomes(errors=1)


def test_beside_pytest_benchmark_both_work(pytester: pytest.Pytester, place: str) -> None:
    source = """
    def test_both(edgebench, benchmark):
        benchmark(len, "x")
        cell = edgebench.read(PLACE, precision="fp32")
        edgebench.budget(cell, max={"latency_p50_ms": 50})
    """
    found = suite(pytester, source, place=place)
    found.assert_outcomes(passed=1)
    assert "benchmark: 1 tests" in found.stdout.str()
    assert "edgebench budgets" in found.stdout.str()


def test_unused_it_imports_nothing_heavy_and_prints_nothing(pytester: pytest.Pytester) -> None:
    heavy = "numpy pandas click rich msgspec psutil edgebench.report edgebench.analysis"
    pytester.makeconftest(
        "import sys\n"
        "def pytest_sessionfinish():\n"
        f"    print('HEAVY', [m for m in {heavy.split()!r} if m in sys.modules])\n"
    )
    found = suite(pytester, "def test_it():\n    pass\n", "-s")
    found.assert_outcomes(passed=1)
    assert "HEAVY []" in found.stdout.str()
    assert "budgets" not in found.stdout.str()


def test_the_readmes_example_runs(pytester: pytest.Pytester) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?edgebench\.run\(.*?)```", text, re.DOTALL)
    start = time.monotonic()
    found = suite(pytester, example)
    found.assert_outcomes(passed=example.count("def test_"))
    assert time.monotonic() - start < 300

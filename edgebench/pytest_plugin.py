"""Budgets for models in a test suite: the fixture and the marker ``edgebench``.

Loaded by every pytest where edgebench is installed, so nothing but pytest is imported until a
test asks for the fixture. The command line measures; what it stored is read and judged here.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgebench.errors import EdgebenchError, plain

if TYPE_CHECKING:
    from edgebench.analysis.budgets import Judged
    from edgebench.analysis.constraints import Constraint
    from edgebench.report.budget_words import Line
    from edgebench.report.rows import Row

_PROPERTY = "edgebench.budgets"
_JUDGED = pytest.StashKey[bool]()
_PRESETS = ("quick", "standard", "thorough")


class BudgetWarning(UserWarning):
    """A budget that may be broken, or a measurement that may be disturbed: no failure."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--edgebench-...``."""
    group = parser.getgroup("edgebench", "latency, memory and accuracy budgets of models")
    group.addoption(
        "--edgebench-preset",
        choices=_PRESETS,
        default="quick",
        help="how long budgets are measured (default: quick, about 3 s a case)",
    )
    group.addoption("--edgebench-skip", action="store_true", help="skip tests with a budget")
    group.addoption(
        "--edgebench-results",
        metavar="DIR",
        help="keep what budgets measured there (default: in each test's temporary folder)",
    )
    group.addoption(
        "--edgebench-suspect",
        choices=("warn", "fail"),
        default="warn",
        help="what becomes of a budget whose measurement was disturbed (default: warn)",
    )
    group.addoption(
        "--edgebench-wait",
        type=float,
        default=600.0,
        metavar="S",
        help="seconds to wait for another run on this device (default: 600)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the marker."""
    config.addinivalue_line(
        "markers", "edgebench(max={...}, min={...}): the budget that edgebench.run() holds"
    )


@pytest.hookimpl(trylast=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """After a test that passed: a marker's budget that nobody asked about must not pass."""
    if item.get_closest_marker("edgebench") is not None and not item.stash.get(_JUDGED, False):
        words = "the marker's budget was not judged: call edgebench.run(...) or .budget(cell)"
        pytest.fail(words, pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A table of all budgets, also of those that other processes judged (pytest-xdist)."""
    found: list[tuple[str, Sequence[Line]]] = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                told = [text for name, text in report.user_properties if name == _PROPERTY]
                found += [(report.nodeid, json.loads(text)) for text in told]
    if found:
        from edgebench.report import budget_words  # noqa: PLC0415 - costs nothing where unused

        terminalreporter.section("edgebench budgets")
        for line in budget_words.table(found):
            terminalreporter.write_line(line)


@pytest.fixture
def edgebench(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Edgebench:
    """Measures models and holds them against budgets; see `Edgebench`."""
    if request.config.getoption("edgebench_skip"):
        pytest.skip("--edgebench-skip")
    named = request.config.getoption("edgebench_results")
    folder = Path(named) if named else tmp_path_factory.mktemp("edgebench")
    return Edgebench(request.node, folder)


class Cell:
    """What was measured of one case; a column is an attribute, None where it was not measured.

    ``cell.latency_p50_ms``, ``cell.top1_ratio`` ...: every column of `edgebench report`.
    """

    def __init__(self, row: Row, folder: Path) -> None:
        self.row = row
        self.folder = folder

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a column's kind
        try:
            return self.__dict__["row"][name]
        except KeyError:
            raise AttributeError(f"there is no column {name!r}") from None

    def __repr__(self) -> str:
        row = self.row
        return f"<Cell {row['workload']}/{row['backend']}/{row['precision']} {row['status']}>"


class Edgebench:
    """The fixture: measures one case at a time and judges budgets on it."""

    def __init__(self, item: pytest.Item, folder: Path) -> None:
        self._item = item
        self._folder = folder

    def run(self, workload: str = "", **case: Any) -> Cell:  # noqa: ANN401 - as `measure`
        """`measure`, then `budget` with the marker's limits."""
        checked = self._marked()  # a wrong limit is told before anything is measured
        cell = self.measure(workload, **case)
        self._item.stash[_JUDGED] = True
        self._judge(cell, checked)
        return cell

    def measure(
        self,
        workload: str = "",
        *,
        backend: str,
        precision: str = "fp32",
        model: str | Path | None = None,
        preset: str = "",
        **options: Any,  # noqa: ANN401 - whatever the command line takes
    ) -> Cell:
        """Measure one case with ``edgebench run``; a failure to measure fails the test.

        Args:
            workload: A workload's name; or none and a ``model``.
            backend: The runtime.
            precision: fp32, fp16, bf16, int8 or int8_dynamic.
            model: A model file of your own.
            preset: quick, standard or thorough, in the place of ``--edgebench-preset``.
            options: Further options of ``edgebench run``: ``threads=2`` is ``--threads 2``,
                ``images=folder`` is ``--images folder``, True is an option without a value.
        """
        from edgebench import spawn  # noqa: PLC0415 - costs nothing where unused

        if bool(workload) == (model is not None):
            pytest.fail("name a workload or a model=...", pytrace=False)
        what = ["-w", workload] if model is None else ["--model", str(model)]
        preset = preset or self._item.config.getoption("edgebench_preset")
        words = [*what, "-b", backend, "-p", precision, f"--{preset}", *spawn.options(options)]
        folder = self._new_folder()
        self._carry_out([*words, "-o", str(folder)])
        cell = self.read(folder)
        if (
            cell.row["status"] != "ok"
        ):  # its figures are None, which no test means to calculate with
            self._fail(cell, [f"could not measure: {cell.row['status']}: {cell.row['reason']}"])
        return cell

    def read(
        self,
        path: str | Path,
        *,
        workload: str = "",
        backend: str = "",
        precision: str = "",
        **columns: str | float,
    ) -> Cell:
        """A cell that was measured elsewhere, on the device that matters: of its results folder.

        Args:
            path: A run folder or any folder above; the latest figures count.
            workload: Needed where the folder holds several; so are the others.
            backend: As ``workload``.
            precision: As ``workload``.
            **columns: What else tells cells apart: ``threads=4``, ``device_id="pi-a"`` ...
        """
        from edgebench.report import budget_words, gather  # noqa: PLC0415 - only where used

        with _in_a_line():
            rows, problems = gather.read([Path(path)])
        for problem in problems:
            _warn(plain(problem), 3)
        asked = {"workload": workload, "backend": backend, "precision": precision}
        given = {name: value for name, value in asked.items() if value} | columns
        with _in_a_line():
            return Cell(budget_words.only(rows, given, path), Path(path))

    def budget(
        self,
        cell: Cell,
        *,
        max: Mapping[str, float] | None = None,  # noqa: A002 - the words of the limits
        min: Mapping[str, float] | None = None,  # noqa: A002 - as above
    ) -> None:
        """Hold a cell against limits, all judged together; without any, the marker's.

        Limits of its own do not stand in for the marker's, which must be judged as well.

        A limit fails the test where the whole 95 % interval lies beyond it (Holm: the more limits
        there are, the more surely), or where the figure was not measured. Any other value beyond
        its limit is a `BudgetWarning`.
        """
        if max is None and min is None:
            checked = self._marked()
            self._item.stash[_JUDGED] = True
        else:
            checked = self._limits(max or {}, min or {})
        self._judge(cell, checked)

    def no_slower(self, cell: Cell, *, baseline: str, by: str = "5%") -> None:
        """Fail where a cell's median latency is surely higher than a baseline's by more than this.

        Args:
            cell: What was measured now.
            baseline: A name of `edgebench baseline save`, or its .json file.
            by: The slow-down that is put up with.
        """
        from edgebench.report import budget_words  # noqa: PLC0415 - costs nothing where unused

        with _in_a_line():
            told = budget_words.against_baseline(cell.row, baseline, by)
        self._tell([told.line])
        if failed := [*told.failure, *self._too_suspect(cell)]:
            self._fail(cell, failed)
        for doubt in told.doubts:
            _warn(doubt, 3)

    def _marked(self) -> tuple[Constraint, ...]:
        """The limits of the test's markers; one nearer to the test goes before one further off."""
        most: dict[str, float] = {}
        least: dict[str, float] = {}
        for marker in reversed(list(self._item.iter_markers("edgebench"))):
            given = {name: one for name, one in marker.kwargs.items() if one is not None}
            good = all(isinstance(one, Mapping) for one in given.values())
            if marker.args or set(given) - {"max", "min"} or not good:
                pytest.fail("the marker takes max={...} and min={...}, nothing else", pytrace=False)
            most |= given.get("max", {})
            least |= given.get("min", {})
        return self._limits(most, least)

    def _limits(
        self, most: Mapping[str, float], least: Mapping[str, float]
    ) -> tuple[Constraint, ...]:
        from edgebench.analysis import budgets  # noqa: PLC0415 - costs nothing where unused
        from edgebench.report.columns import COLUMNS  # noqa: PLC0415 - as above

        names = {column.name for column in COLUMNS if column.kind != "str"}
        with _in_a_line():
            found = budgets.limits(most, least, names)
        if not found:
            pytest.fail("no budget: give max={...} or min={...}", pytrace=False)
        return found

    def _judge(self, cell: Cell, checked: Sequence[Constraint]) -> None:
        from edgebench.analysis import budgets  # noqa: PLC0415 - costs nothing where unused
        from edgebench.report import budget_words  # noqa: PLC0415 - as above

        judged: Sequence[Judged] = budgets.judge(cell.row, checked)
        self._tell(budget_words.lines(cell.row, judged))
        if failed := [*budget_words.failure(cell.row, judged), *self._too_suspect(cell)]:
            self._fail(cell, failed)
        for doubt in budget_words.doubts(cell.row, judged):
            _warn(doubt, 4)

    def _too_suspect(self, cell: Cell) -> list[str]:
        """Why a disturbed measurement fails the test, where that was asked for."""
        from edgebench.report import budget_words  # noqa: PLC0415 - costs nothing where unused

        strict = self._item.config.getoption("edgebench_suspect") == "fail"
        suspect = strict and cell.row.get("validity") == "suspect"
        return [budget_words.suspicion(cell.row)] if suspect else []

    def _tell(self, lines: Sequence[Line]) -> None:
        """To the summary, and to JUnit's XML: a worker of pytest-xdist has no terminal."""
        self._item.user_properties.append((_PROPERTY, json.dumps(lines)))

    def _fail(self, cell: Cell, lines: Sequence[str]) -> None:
        look = f"look closer: edgebench report {cell.folder}"
        pytest.fail("\n".join([*lines, look]), pytrace=False)

    def _new_folder(self) -> Path:
        slug = re.sub(r"\W+", "-", self._item.name)[:60].strip("-")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=f"{slug}-", dir=self._folder))
        except OSError as error:
            raise _failed(f"cannot write to {self._folder}: {error.strerror}") from None

    def _carry_out(self, words: Sequence[str]) -> None:
        """Run the command line; where another run holds the device, wait for it and say so."""
        from edgebench import spawn  # noqa: PLC0415 - costs nothing where unused

        wait_s = float(self._item.config.getoption("edgebench_wait"))
        waiting = "edgebench: waiting for another run on this device"
        code, said = spawn.in_turn(["run", *words], wait_s, lambda: self._say(waiting))
        # 3: some launches failed; their reasons are in the rows.
        if code not in {0, 3}:
            last = said.strip().splitlines()[-1:] or [f"it ended with {code}"]
            pytest.fail(f"could not measure: {last[0]}", pytrace=False)

    def _say(self, line: str) -> None:
        """On the terminal, past pytest's capture; to the log of a worker without one."""
        plugins = self._item.config.pluginmanager
        reporter = plugins.get_plugin("terminalreporter")
        capture = plugins.get_plugin("capturemanager")
        if reporter is None or capture is None:
            self._item.add_report_section("call", "edgebench", line)
            return
        with capture.global_and_fixture_disabled():
            reporter.write_line("")
            reporter.write_line(line)


def _failed(words: str) -> BaseException:
    """A failure without a traceback: nothing in the test's code explains it."""
    return pytest.fail.Exception(words, pytrace=False)


@contextlib.contextmanager
def _in_a_line() -> Iterator[None]:
    """A failure in the words of what edgebench understands."""
    try:
        yield
    except EdgebenchError as error:
        raise _failed(f"edgebench: {error}") from None


def _warn(words: str, level: int) -> None:
    """A `BudgetWarning`: an error only where that is asked of it by its name.

    ``-W error`` of a whole suite must not fail a budget that is not surely broken.
    """
    try:
        warnings.warn(BudgetWarning(words), stacklevel=level)
    except BudgetWarning:
        if any(one[0] == "error" and one[2] is BudgetWarning for one in warnings.filters):
            raise
        with warnings.catch_warnings():
            warnings.simplefilter("always", BudgetWarning)
            warnings.warn(BudgetWarning(words), stacklevel=level)

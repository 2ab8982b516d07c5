"""LoadGen's two logs: ``mlperf_log_summary.txt`` and what of ``mlperf_log_detail.txt`` is needed.

Reference: ``loadgen/results.cc`` of ``mlcommons/inference``. LoadGen's percentiles are the value at
index floor(n q) of the sorted latencies; its early-stopping estimate is an upper bound and has no
column. What its summary calls a result is named as it names it in ``engine_figures``.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from edgebench.errors import UsageError, plain
from edgebench.store.importers.figures import FORMAT, Cells, milliseconds, nearest_ranks

SUMMARY = "mlperf_log_summary.txt"
DETAIL = "mlperf_log_detail.txt"
_TITLE = "MLPerf Results Summary"
_PARAMETERS = "Test Parameters Used"
_SCENARIOS = {
    "SingleStream": "single_stream",
    "MultiStream": "multi_stream",
    "Server": "server",
    "Offline": "offline",
}
_LINE = re.compile(r"^[ *]*([^:]{1,100}?) *: *(.*?)\s*$")
_NUMBER = re.compile(r"^-?\d{1,30}(?:\.\d{1,30})?(?:[eE][-+]?\d{1,3})?$")
_PROCESSED = re.compile(r"[Pp]rocessed (?:at least \d+ queries \((\d{1,18})\)|(\d{1,18}) queries)")
_KEYS = frozenset(
    (
        *("loadgen_version", "test_datetime", "power_begin", "power_end", "result_query_count"),
        *("effective_samples_per_query", "effective_scenario", "result_validity"),
    )
)
_MARK = ":::MLLOG "
_KEY = re.compile(r'^:::MLLOG \{"key": "([a-z_]+)"')


class Told:
    """A value of a log, and where it stands."""

    def __init__(self, value: Any, place: str) -> None:  # noqa: ANN401 - JSON
        self.value = value
        self.place = place


class Summary:
    """LoadGen's summary: every ``name : value`` with its line, figures and parameters apart.

    Args:
        text: Of the file.
        file: Its name, for the user.

    Raises:
        UsageError: It is none, cut, or of a scenario that there is not.
    """

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.figures: dict[str, Told] = {}
        self.parameters: dict[str, Told] = {}
        lines = self.lines = text.split("\n")
        if text.strip().startswith("No warnings encountered"):
            self.mode = "AccuracyOnly"  # such a run leaves nothing else in its summary
            return
        if _TITLE not in lines[:3]:
            raise UsageError(f"{file} is no summary of LoadGen: it does not begin {_TITLE!r}")
        section = self.figures
        for number, line in enumerate(lines, 1):
            if line == _PARAMETERS:
                section = self.parameters
            elif found := _LINE.match(line):
                section.setdefault(found[1], Told(found[2], f"{file}: line {number}"))
        self.mode = str(self.word("Mode").value)
        told = self.word("Scenario")
        if told.value not in _SCENARIOS:
            raise UsageError(f"{told.place}: no scenario {plain(str(told.value)[:40])!r} is known")
        self.scenario = str(told.value)
        if self.mode == "PerformanceOnly" and not self.parameters:
            raise UsageError(f"{file} is cut: it has no {_PARAMETERS!r}")

    def word(self, name: str, section: dict[str, Told] | None = None) -> Told:
        """A value by its name.

        Raises:
            UsageError: The summary has none.
        """
        told = (self.figures if section is None else section).get(name)
        if told is None:
            raise UsageError(f"{self.file} has no line {name!r}")
        return told

    def number(self, name: str, section: dict[str, Told] | None = None) -> tuple[float, str]:
        """A number by its name, and where it stands.

        Raises:
            UsageError: The summary has none.
        """
        told = self.word(name, section)
        if not _NUMBER.match(told.value) or abs(float(told.value)) == float("inf"):
            raise UsageError(f"{told.place}: {plain(told.value[:40])!r} is no number")
        return float(told.value), told.place

    def reasons(self) -> list[str]:
        """Why LoadGen calls the run invalid, in its own words."""
        unmet = [f"{name}: {t.value}" for name, t in self.figures.items() if t.value == "NO"]
        if "Recommendations:" not in self.lines:
            return unmet
        after = self.lines[self.lines.index("Recommendations:") + 1 :]
        for line in after:
            if not line.startswith((" *", "   ")):
                break
            unmet.append(plain(line.strip(" *")))
        return unmet


class Detail:
    """What of the detail log is needed; empty where there is none."""

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}

    @classmethod
    def read(cls, text: str, file: str, notes: list[str]) -> Detail:
        """The log's entries.

        Raises:
            UsageError: An entry that is needed is damaged.
        """
        detail = cls()
        marked = 0
        for number, line in enumerate(text.split("\n"), 1):
            marked += line.startswith(_MARK)
            key = _KEY.match(line)
            if key is None or key[1] not in _KEYS:
                continue
            place = f"{file}: line {number}"
            try:
                value = msgspec.json.decode(line[len(_MARK) :])["value"]
            except (msgspec.MsgspecError, KeyError, TypeError, RecursionError):
                raise UsageError(f"{place} is damaged") from None
            detail.told[key[1]] = Told(value, place)
        if not marked:
            notes.append(f"{file} is of a LoadGen before 1.0: left out")
        return detail

    def check(self, summary: Summary) -> None:
        """Hold what both logs tell against each other.

        Raises:
            UsageError: They are of two runs.
        """
        for key, name in (("effective_scenario", "Scenario"), ("result_validity", "Result is")):
            told = self.told.get(key)
            if told is not None and told.value != summary.word(name).value:
                raise UsageError(f"{told.place} and {summary.file} are of two runs: {name}")

    def count(self, key: str) -> tuple[int, str] | None:
        """A count above 0, and where it stands; None where it is not told.

        Raises:
            UsageError: It is none.
        """
        told = self.told.get(key)
        if told is None:
            return None
        if isinstance(told.value, bool) or not isinstance(told.value, int) or told.value < 1:
            raise UsageError(f"{told.place}: {plain(repr(told.value)[:40])} is no count")
        return told.value, told.place


def put_summary(cells: Cells, summary: Summary, detail: Detail) -> dict[str, float]:
    """A run's figures.

    Returns:
        Every figure of the summary under LoadGen's own name and in its own unit.

    Raises:
        UsageError: A figure that every run of the scenario has is missing, or no number.
    """
    told = summary.word("Scenario")
    cells.put("scenario", _SCENARIOS[summary.scenario], told.place)
    cells.put("engine", "loadgen", FORMAT)
    cells.put("status", "ok", FORMAT)
    cells.put("launches", 1, FORMAT)
    if (when := detail.told.get("test_datetime")) is not None:
        cells.put("started_at_utc", plain(str(when.value)[:40]), when.place)
    _put_validity(cells, summary)
    queries = _queries(summary, detail)
    if summary.scenario == "Offline":
        rate, place = summary.number("Samples per second")
        cells.positive("throughput_ips", rate, place)
    else:
        _put_latencies(cells, summary, queries)
    if summary.scenario == "SingleStream":
        rate, place = summary.number("QPS w/ loadgen overhead")
        cells.positive("throughput_ips", rate, place)
    elif summary.scenario == "MultiStream":
        count, place = summary.number("samples_per_query", summary.parameters)
        cells.put("parameters", f"samples_per_query={count:g}", place)
    elif summary.scenario == "Server":
        _put_server(cells, summary)
    return {
        name: summary.number(name)[0]
        for name, one in summary.figures.items()
        if _NUMBER.match(one.value) and name != "SUT name"
    } | {"Result is VALID": float(summary.word("Result is").value == "VALID")}


def _put_validity(cells: Cells, summary: Summary) -> None:
    told = summary.word("Result is")
    if told.value not in {"VALID", "INVALID"}:
        raise UsageError(f"{told.place}: {plain(str(told.value)[:40])!r} is neither VALID nor not")
    if told.value == "INVALID":
        why = "; ".join(summary.reasons())
        cells.caveat(f"LoadGen says INVALID: {why or 'no reason told'}", told.place)


def _queries(summary: Summary, detail: Detail) -> tuple[int, str] | None:
    """How many queries were timed, and which log tells."""
    if (told := detail.count("result_query_count")) is not None:
        return told
    for number, line in enumerate(summary.lines, 1):
        if found := _PROCESSED.search(line):
            return int(found[1] or found[2]), f"{summary.file}: line {number}"
    return None


def _put_latencies(cells: Cells, summary: Summary, queries: tuple[int, str] | None) -> None:
    """Of a query from the moment it was due: waiting is in it."""
    for percent, column in nearest_ranks(queries[0] if queries else 0).items():
        value_ns, place = summary.number(f"{percent}.00 percentile latency (ns)")
        cells.positive(column, milliseconds(value_ns, "ns"), place)
    for name, column in (("Min", "latency_min_ms"), ("Mean", "latency_mean_ms")):
        value_ns, place = summary.number(f"{name} latency (ns)")
        cells.positive(column, milliseconds(value_ns, "ns"), place)
    if queries is not None:
        cells.positive("samples", *queries)


def _put_server(cells: Cells, summary: Summary) -> None:
    """The rate that was asked, and that it was held where LoadGen calls the run valid."""
    bound_ns, place = summary.number("target_latency (ns)", summary.parameters)
    cells.put("parameters", f"bound_ms={milliseconds(bound_ns, 'ns'):g}", place)
    rate_hz, place = summary.number("Scheduled samples per second")
    cells.positive("server_offered_hz", rate_hz, place)
    if summary.word("Result is").value == "VALID":
        cells.positive("server_rate_hz", rate_hz, place)
    if "Completed samples per second" in summary.figures:
        done, place = summary.number("Completed samples per second")
        cells.positive("throughput_ips", done, place)

"""What a person sees: progress while measuring, a table at the end; stderr for the first."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgebench.cli.text import count, one_line
from edgebench.records import Manifest, PlannedCase, Record
from edgebench.report import rows, table
from edgebench.runner import durations
from edgebench.runner.journal import log_name
from edgebench.units import human_s, ms_from_ns

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

    from edgebench.host.spoilers import Spoiler
    from edgebench.runner.config import Preset
    from edgebench.runner.execute import Execution, Listener
    from edgebench.runner.plan import Plan

_PLAIN_WIDTH = 80
_LOG_LINES = 20
"""Of a worker's log that --verbose repeats."""


def console(*, stderr: bool = False) -> Console:
    """A rich console; 80 columns wide where nobody looks (a pipe, a file)."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end in exit code 1, which is a limit that is broken

    stream = sys.stderr if stderr else sys.stdout
    return Piped(stderr=stderr, highlight=False, width=None if stream.isatty() else _PLAIN_WIDTH)


def size(planned: Plan, preset: Preset) -> str:
    """``4 cells x 3 launches``: how much a run is at least; scenarios have numbers of their own."""
    each = {durations.fitted(cell.case, preset).min_launches for cell in planned.runnable}
    launches = "1 launch" if each == {1} else f"{' or '.join(map(str, sorted(each)))} launches"
    return f"{count(len(planned.runnable), 'cell')} x {launches}"


@contextlib.contextmanager
def progress(
    manifest: Manifest, execution: Execution, columns: Sequence[str], *, verbose: bool = False
) -> Iterator[Listener]:
    """A listener: a live table on a terminal, plain lines elsewhere or where details are wanted."""
    skipped = len(execution.plan.cases) - len(execution.plan.runnable)
    total = execution.expected
    budget_s = execution.preset.budget_s
    head = (
        f"{manifest.facts.device}: {size(execution.plan, execution.preset)} "
        f"({execution.preset.name})" + (f", {skipped} skipped" if skipped else "")
    )
    _say(head + (f", more within a budget of {human_s(budget_s)}" if budget_s is not None else ""))
    if verbose or not sys.stderr.isatty():
        yield _Lines(total, execution.store.logs if verbose else None)
        return
    from rich.live import Live

    # Refreshed by hand, between launches only: a redraw during one would be measured too.
    with Live(console=console(stderr=True), auto_refresh=False, transient=True) as live:
        yield _Live(live, manifest, total, columns)


def _say(line: str) -> None:
    """A line for people; one that nobody reads any more (`| head`) must not end a measurement."""
    with contextlib.suppress(OSError):
        click.echo(line, err=True)


class _Lines:
    """A line per launch: for logs, pipes and nohup; with ``logs`` more on each."""

    def __init__(self, total: int, logs: Path | None = None) -> None:
        self._total = total
        self._logs = logs
        self._done = 0
        self._left = ""
        self._cooling = False

    def launch_begins(self, case: PlannedCase, launch: int, left_s: float | None) -> None:
        """Keep the estimate for the line that follows."""
        self._left = "" if left_s is None else f", {human_s(left_s)} left"
        self._cooling = False
        if case.case.scenario == "sustained":  # silence for minutes would look like a hang
            minutes = case.case.parameters["minutes"]
            _say(f"{case.case.label} launch {launch}: {minutes:g} minutes begin{self._left}")

    def launch_ended(self, case: PlannedCase, record: Record) -> None:
        """One line."""
        if record.status == "skipped":
            _say(f"{case.case.label}: skipped: {record.reason}")
            return
        self._done += 1
        words = record.status if record.status == "ok" else f"{record.status}: {record.reason}"
        _say(
            f"[{_count(self._done, self._total)}{self._left}] {case.case.label} "
            f"launch {record.launch}: {words}",
        )
        for line in _details(record, self._logs) if self._logs is not None else ():
            _say(f"    {line}")

    def block_ended(self, records: tuple[Record, ...]) -> None:
        """The table comes at the end."""

    def cooling(self, now_degc: float, wanted_degc: float) -> None:
        """One line a wait."""
        if not self._cooling:
            _say(_cooling(now_degc, wanted_degc))
        self._cooling = True


def _count(done: int, total: int) -> str:
    """``3/6``; what a target or a budget adds was not foreseen and is counted alone."""
    return f"{done}/{total}" if done <= total else f"{done}"


def _cooling(now_degc: float, wanted_degc: float) -> str:
    return f"cooling down: {now_degc:.0f} degC, waiting for {wanted_degc:.0f}"


def _details(record: Record, logs: Path) -> Iterator[str]:
    """What --verbose tells of a launch: its median, what ran, what the worker wrote to stderr."""
    if len(record.latency_ns):
        from edgebench import stats

        median_ms = ms_from_ns(stats.quantile(record.latency_ns, 0.5))
        precise = {None: "", True: ", converged", False: ", not converged"}[record.converged]
        yield f"median {table.number(median_ms)} ms of {len(record.latency_ns)}{precise}"
    if record.effective is not None:
        yield table.clean(f"ran {record.effective.precision}: {record.effective.words}")
    path = logs / log_name(record)
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    yield from (table.clean(f"| {line}") for line in lines[-_LOG_LINES:])
    if len(lines) > _LOG_LINES:
        yield f"({len(lines) - _LOG_LINES} lines before that in {path})"


class _Live:
    """The table so far and one line of progress below it."""

    def __init__(self, live: Live, manifest: Manifest, total: int, columns: Sequence[str]) -> None:
        self._live = live
        self._manifest = manifest
        self._total = total
        self._columns = columns
        self._done = 0
        self._rows: list[rows.Row] = []

    def launch_begins(self, case: PlannedCase, launch: int, left_s: float | None) -> None:
        """Draw what is about to be measured."""
        left = "" if left_s is None else f", {human_s(left_s)} left"
        self._draw(
            f"[{_count(self._done + 1, self._total)}] {case.case.label} launch {launch}{left}"
        )

    def launch_ended(self, case: PlannedCase, record: Record) -> None:
        """Count; the next launch draws."""
        del case
        self._done += record.status != "skipped"

    def block_ended(self, records: tuple[Record, ...]) -> None:
        """The table grows by one launch of every case."""
        self._rows = rows.of_records(self._manifest, records, tails=False)
        self._draw(f"[{_count(self._done, self._total)}]")

    def cooling(self, now_degc: float, wanted_degc: float) -> None:
        """Draw it: nothing is being measured."""
        self._draw(_cooling(now_degc, wanted_degc))

    def _draw(self, line: str) -> None:
        from rich.console import Group
        from rich.text import Text

        # The line comes first: a table longer than the screen is cut at its foot.
        parts = [table.build(self._rows, self._columns)] if self._rows else []
        with contextlib.suppress(OSError):  # the terminal is gone, the measurement is not
            self._live.update(Group(Text(line), *parts), refresh=True)


def results(
    manifest: Manifest, records: tuple[Record, ...], columns: Sequence[str], *, as_json: bool
) -> list[rows.Row]:
    """The final table (or JSON) on stdout, its notes on stderr; the rows it shows."""
    found = rows.of_records(manifest, records)
    print_rows(found, columns, as_json=as_json)
    return found


def print_rows(found: list[rows.Row], columns: Sequence[str], *, as_json: bool) -> None:
    """Rows as a table or as JSON on stdout, notes on stderr."""
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    console().print(table.build(found, columns))
    if (stages := table.stages(found)) is not None:
        console().print("", stages, sep="\n")
    for note in (*table.engine_figures(found), *table.notes(found), *table.whence(found)):
        _say(note)


def spoilers(found: Sequence[Spoiler]) -> None:
    """A line each on stderr, before anything is measured."""
    for spoiler in found:
        _say(one_line(f"beware: {spoiler.what}"))
    if found:
        _say("what that does, and what mends it: edgebench doctor")


def ending(
    folder: Path, launches: int, took_s: float, *, interrupted: bool, ended: str = ""
) -> None:
    """Where the results are, why no more was measured, and what to do next."""
    took, measured = human_s(took_s), count(launches, "launch", "launches")
    if interrupted:
        _say(f"interrupted after {measured}; continue: edgebench run --resume {folder}")
    else:
        why = f" ({ended})" if ended else ""
        _say(f"{measured} in {took}{why}; results: {folder}")

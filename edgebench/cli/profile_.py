"""`edgebench profile CASE`: where the time of one inference goes, by the runtime's own profiler."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
import msgspec

from edgebench import __version__, plugins
from edgebench.cli import show
from edgebench.cli.main import EXIT_FAILED_CELLS
from edgebench.cli.resume import probe
from edgebench.cli.text import fill, one_line
from edgebench.codec import to_builtins
from edgebench.errors import StoreError, UsageError
from edgebench.protocols import Probe
from edgebench.report import profile as report
from edgebench.report import trace
from edgebench.report.profile import Summary
from edgebench.runner import config as configs
from edgebench.runner import contenders, journal, launcher, profiled, references
from edgebench.runner.config import RunConfig
from edgebench.runner.contenders import Contender
from edgebench.runner.profiled import NotProfiledError, works
from edgebench.store.read import StoredRun, read_run
from edgebench.units import BYTE_PER_MIB
from edgebench.wire import Profiled

_MAX_CALLS = 1000
_PROFILES = "profiles"
"""Below the results' folder; a folder without run.json is no run to a report."""

_OPTIONS = (
    click.option(
        "-n",
        "--calls",
        type=click.IntRange(1, _MAX_CALLS),
        default=100,
        show_default=True,
        help="Calls to profile, after a warm-up.",
    ),
    click.option(
        "--top",
        type=click.IntRange(min=1),
        default=15,
        show_default=True,
        metavar="N",
        help="Operators that the table names; files hold all.",
    ),
    click.option("--csv", "as_csv", is_flag=True, help="Print every operator as CSV."),
    click.option("--json", "as_json", is_flag=True, help="Print everything as JSON."),
    click.option(
        "-o",
        "--output",
        metavar="DIR",
        help="Parent of the profile's folder (default: edgebench-results/profiles).",
    ),
    click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="A TOML file as `edgebench run` takes it: its backends' settings count here too.",
    ),
    click.option(
        "--timeout",
        "timeout_s",
        type=float,
        metavar="S",
        help="Seconds that a stage, or one call, may take (default: 60).",
    ),
)


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("profile")
@click.argument("words", nargs=-1, required=True, metavar="[RUN_DIR] CASE")
@_options
def command(words: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401 - click passes options by name
    """Show which operators take the time of one inference.

    CASE is a case as `edgebench run` names it (mnist_cnn/litert/int8,
    mnist_cnn/onnxruntime/fp32/t2/b4), a model file (net.onnx, net.tflite/litert/int8), or with a
    run's folder before it one of its cases or case_ids. The runtime's own profiler looks, in a
    fresh process; looking costs time, so the same process also makes calls without it, and the
    difference is told. These are shares of a call: benchmark with `edgebench run`. Table on
    stdout; operators.csv, profile.json and trace.json (open it in ui.perfetto.dev) in a folder.
    """
    if sys.platform != "linux":
        raise UsageError(
            f"`edgebench profile` needs Linux on x86_64 or aarch64, this is {sys.platform}",
            remedy="reading, comparing and reporting work here",
        )
    if options["as_csv"] and options["as_json"]:
        raise UsageError("--csv and --json: stdout takes one of them", remedy="files hold both")
    config, run = _config(words, options)
    contender, version = _contender(words[-1], config, run)
    limits = launcher.Limits(
        timeout_s=config.timeout_s,
        measure_s=0.0,
        memory_byte=config.memory_limit_mib * BYTE_PER_MIB if config.memory_limit_mib else None,
    )
    parent = Path(options["output"] or Path(config.output) / _PROFILES)
    with journal.one_run_at_a_time(), _folder(parent, contender.case.label) as (folder, final):
        ready = references.with_reference(contender, folder / "reference.npz", limits)
        try:
            told = profiled.profile(ready, options["calls"], limits, folder / "worker.log")
        except NotProfiledError as error:
            _say(f"edgebench: {contender.case.label}: {error}")
            raise click.exceptions.Exit(EXIT_FAILED_CELLS) from None
        summary = report.summarise(told, works(contender), contender.case.batch)
        answer = _answer(contender, version, told, summary)
        _write(folder, contender.case.label, told, summary, answer)
    _show(contender.case.label, told, summary, answer, options)
    _say(f"results: {final}")


def _config(words: tuple[str, ...], options: dict[str, Any]) -> tuple[RunConfig, StoredRun | None]:
    """The settings that count, and the run that was named, if one was.

    A run's own settings of backends hold unless a file says otherwise.
    """
    first = Path(words[0])
    run = read_run(first) if len(words) > 1 or first.is_dir() else None
    if run is not None and len(words) != 2:  # noqa: PLR2004 - a folder and a case
        labels = ", ".join(dict.fromkeys(case.label for case in run.cases.values()))
        raise UsageError(f"name one case of {first}", remedy=f"it has {labels}")
    config = RunConfig()
    if options["config_file"] is not None:
        config = configs.read_config(options["config_file"])
    elif run is not None:
        with contextlib.suppress(msgspec.ValidationError):  # of another version: as if it had none
            stored = msgspec.convert(run.manifest.config, RunConfig)
            config = msgspec.structs.replace(config, backends=stored.backends)
    if options["timeout_s"] is not None:
        config = msgspec.structs.replace(config, timeout_s=options["timeout_s"])
    configs.check(config, sys.maxsize)  # a case's threads are checked with the case
    return config, run


def _contender(words: str, config: RunConfig, run: StoredRun | None) -> tuple[Contender, str]:
    """The case as something to launch, and its backend's version; all checked before it runs."""
    if run is not None:
        case = profiled.stored_case(run, words)
        probes = _probes(config, (case.backend,))
        contender = profiled.stored_contender(run, words, probes, config.backends)
        before, now = run.manifest.backend_versions.get(case.backend), probes[case.backend].version
        if before not in {None, now}:
            _say(f"beware: that run had {case.backend} {before}, here is {now}")
    else:
        wanted = profiled.one_call(contenders.read(words))
        probes = _probes(config, contenders.backends_to_ask(wanted))
        contender = contenders.resolve(wanted, probes, config.backends)
    name = contender.case.backend
    if not probes[name].profiles:
        probes |= _probes(config, plugins.names(plugins.BACKENDS))
    profiled.check(contender, probes)
    return contender, probes[name].version


def _probes(config: RunConfig, names: tuple[str, ...]) -> dict[str, Probe]:
    return {found.name: found for found in probe(config, names)}


@contextlib.contextmanager
def _folder(parent: Path, label: str) -> Iterator[tuple[Path, Path]]:
    """A hidden folder to fill, and the name it gets once it is filled; nothing stays otherwise."""
    named = re.sub(r"[^\w.-]+", "-", label)[:80]
    final = parent / f"{journal.new_run_id(datetime.now(timezone.utc))}-{named}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(prefix=".profile-", dir=parent)
    except OSError as error:
        raise UsageError(
            f"cannot write to {parent}: {error.strerror}", remedy="choose a folder with -o"
        ) from None
    with made as name:
        filled = Path(name).absolute() / "filled"  # workers have a folder of their own
        filled.mkdir()
        yield filled, final
        (filled / "reference.npz").unlink(missing_ok=True)
        filled.rename(final)


def _answer(contender: Contender, version: str, told: Profiled, summary: Summary) -> dict[str, Any]:
    """Everything that is known, as plain values."""
    figures = msgspec.to_builtins(summary)
    operators, kinds = figures.pop("operators"), figures.pop("kinds")
    return {
        "label": contender.case.label,
        "case_id": contender.case.case_id,
        "case": to_builtins(contender.case),
        "taken_at_utc": journal.utc(datetime.now(timezone.utc)),
        "edgebench_version": __version__,
        "backend_version": version,
        "source": told.op_times.source,
        "caveat": told.op_times.caveat,
        **figures,
        "same_outputs": told.same_outputs,
        "effective": to_builtins(told.effective),
        "kinds": kinds,
        "operators": operators,
    }


def _write(
    folder: Path, label: str, told: Profiled, summary: Summary, answer: dict[str, Any]
) -> None:
    files = {
        "operators.csv": report.to_csv(summary, label).encode(),
        "profile.json": json.dumps(answer, indent=1).encode() + b"\n",
        "trace.json": trace.encode(trace.build(told, label)),
    }
    try:
        for name, data in files.items():
            journal.write_whole(folder / name, data)
    except OSError as error:
        raise StoreError(f"cannot write to {folder.parent}: {error.strerror}") from None


def _show(
    label: str,
    told: Profiled,
    summary: Summary,
    answer: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """The table, or what was asked for instead, on stdout; how to read it on stderr."""
    if options["as_csv"]:
        click.echo(report.to_csv(summary, label), nl=False)
    elif options["as_json"]:
        click.echo(json.dumps(answer, indent=1))
    else:
        ran = told.effective.precision or "it does not tell what"
        click.echo(one_line(f"{label} (ran {ran}), version {answer['backend_version']}"))
        show.console().print(report.table(summary, options["top"]))
        if any(one.rate_gmacps is not None for one in summary.kinds):
            click.echo(fill(f"by kind: {report.kinds(summary)}", rest="  "))
    click.echo(fill(report.cost(summary)), err=options["as_csv"] or options["as_json"])
    _say(fill(f"{told.op_times.source}, {summary.calls} calls: these are shares, not a benchmark"))
    if told.op_times.caveat:
        _say(fill(f"beware: {told.op_times.caveat}", rest="  "))
    if report.disturbed(summary):
        _say(fill("beware: calls without a profiler were slower: other work was in the way"))
    if not told.same_outputs:
        _say(fill("beware: the profiled session gave other outputs than the plain one", rest="  "))


def _say(line: str) -> None:
    click.echo(line, err=True)

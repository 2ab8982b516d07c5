"""`edgebench run`: plan, check everything, measure, show."""

from __future__ import annotations

import functools
import secrets
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click
import msgspec

from edgebench import __version__, resources
from edgebench.cli import adopted, model_options, power_log, power_options, resume, run_options
from edgebench.cli.main import EXIT_FAILED_CELLS, EXIT_INTERRUPTED
from edgebench.cli.params import check_columns, flatten
from edgebench.cli.resume import probe
from edgebench.cli.text import fill, plain
from edgebench.codec import to_builtins
from edgebench.errors import StoreError, UsageError
from edgebench.host import conditions, cpu, identify, spoilers
from edgebench.plugins import install_extra
from edgebench.records import Manifest, PlannedCase
from edgebench.runner import config as configs
from edgebench.runner import durations, journal, plan, power, variants
from edgebench.runner.config import PRESETS, Preset, RunConfig
from edgebench.runner.execute import Execution
from edgebench.runner.journal import Journal
from edgebench.units import human_s

_SYSTEMS = ("linux",)
_WITH_RESUME = frozenset({"resume", "columns", "as_json", "budget_s", "require_valid", "verbose"})
_PLAIN = (
    *("output", "seed", "device_name", "timeout_s", "memory_limit_mib", "accuracy", "image"),
    *("engine", "tuning", "rate_hz", "bound_ms", "minutes", "target_ratio", "budget_s"),
)
"""Options that are keys of a `RunConfig` as they stand."""
_SETTLED = frozenset({"ok", "skipped"})


@click.command("run", context_settings={"show_default": False})
@run_options.apply
def command(**options: Any) -> None:  # noqa: ANN401 - click passes options by name
    """Measure CNN workloads on this device.

    Without options: every default workload on every installed runtime in every precision, in
    under a minute on two cores. Results go to a new folder in edgebench-results/.
    """
    if sys.platform not in _SYSTEMS:
        raise UsageError(
            f"`edgebench run` needs Linux on x86_64 or aarch64, this is {sys.platform}",
            remedy="reading, comparing and reporting work here",
        )
    check_columns(flatten(options["columns"]))
    if options["resume"] is not None:
        _resume(options)
        return
    config = _config(options)
    if options["dump_config"]:
        click.echo(configs.dump_config(config), nl=False)
        return
    if options["dry_run"]:
        planned, _ = _plan(config, dry=True)
        _show_plan(planned, _aimed(config, planned))
        return
    # Before planning: what is derived of a model would disturb another run.
    with journal.one_run_at_a_time():
        planned, config = _plan(config, dry=False)
        preset = _aimed(config, planned)
        with power.opened(config, preset) as meters:
            seed = config.seed if config.seed is not None else secrets.randbelow(1 << 31)
            manifest = _manifest(config, preset, planned, seed)
            store = Journal.create(Path(config.output), manifest)
            execution = Execution(
                run_id=manifest.run_id,
                plan=planned,
                preset=preset,
                config=config,
                seed=seed,
                store=store,
                meters=meters,
            )
            _carry_out(execution, manifest, options)


def _config(options: dict[str, Any]) -> RunConfig:
    """The configuration file's keys, overridden by what the command line says."""
    file = options["config_file"]
    config = configs.read_config(file) if file is not None else RunConfig()
    given: dict[str, Any] = {
        "workloads": flatten(options["workload"]),
        "backends_named": flatten(options["backend"]),
        "precisions": flatten(options["precision"]),
        "accelerators": flatten(options["accelerator"]),
        "threads": flatten(options["threads"]),
        "batch": flatten(options["batch"]),
        "streams": flatten(options["streams"]),
        "scenario": flatten(options["scenario"]),
        "region": flatten(options["region"]),
    }
    given |= {name: options[name] for name in _PLAIN} | model_options.told(options)
    given |= power_options.told(options)
    given["preset"] = _preset(options)
    changes = {key: value for key, value in given.items() if value not in (None, ())}
    config = msgspec.structs.replace(config, **changes)
    usable = cpu.usable_cpus()
    configs.check(config, usable)
    variants.check(config, usable)
    power_options.check(config)
    if not config.threads:
        every = (1, usable) if config.preset == "thorough" else (1,)
        config = msgspec.structs.replace(config, threads=tuple(dict.fromkeys(every)))
    return config


def _preset(options: dict[str, Any]) -> str | None:
    """The preset that was named, if any."""
    named = [name for name in PRESETS if options[name]]
    if len(named) > 1:
        raise UsageError(f"--{named[0]} and --{named[1]} exclude each other", remedy="choose one")
    return named[0] if named else None


def _plan(config: RunConfig, *, dry: bool) -> tuple[plan.Plan, RunConfig]:
    """The plan, everything checked before anything is measured; and what the run is to remember.

    Models of the user's are taken in here, and derived from unless the run is a dry one.
    """
    alone = config.models and not config.workloads
    workloads = {} if alone else plan.choose_workloads(config.workloads)
    probes = probe(config, plan.wanted_backends(config))
    for one in probes:
        # A built-in one that is absent is no news; one that is there and broken is, and a plug-in
        # was installed to be measured.
        absent = install_extra(one.name) and "is not installed" in one.reason
        if not (one.available or absent or one.name in config.backends_named):
            click.echo(fill(f"left out: backend {one.name}: {one.reason}", "", "  "), err=True)
    chosen = plan.choose_backends(config, probes)
    ask = functools.partial(probe, config)
    models = adopted.taken(config, chosen, workloads, ask, derive=not dry)
    planned = plan.build(config, workloads | models.workloads, chosen, models.faults)
    if not planned.runnable:
        reasons = "; ".join(dict.fromkeys(cell.skip for cell in planned.cases))
        lines = "; ".join(note.removeprefix("not measured: ") for note in planned.notes)
        why = reasons or lines or "no cell fits what was asked for"
        raise UsageError(f"nothing to measure: {why}")
    planned = msgspec.structs.replace(planned, notes=(*planned.notes, *models.notes))
    return planned, msgspec.structs.replace(config, taken=models.keys)


def _aimed(config: RunConfig, planned: plan.Plan) -> Preset:
    """How long everything takes.

    Raises:
        UsageError: Longer than the budget.
    """
    preset = durations.aimed(configs.preset(config), len(planned.runnable))
    _check_budget(planned, preset)
    return preset


def _check_budget(planned: plan.Plan, preset: Preset) -> None:
    """Refuse a budget that no launch fits into because its scenario wants minutes."""
    least_s = min(durations.fitted(cell.case, preset).measure_s for cell in planned.runnable)
    own_length = least_s > preset.measure_s
    if own_length and preset.budget_s is not None and preset.budget_s < least_s:
        raise UsageError(
            f"--budget {human_s(preset.budget_s)}: one launch takes {human_s(least_s)}",
            remedy="give more, or shorten what is measured (--minutes, --rate)",
        )


def _manifest(config: RunConfig, preset: Preset, planned: plan.Plan, seed: int) -> Manifest:
    now = datetime.now(timezone.utc)
    return Manifest(
        run_id=journal.new_run_id(now),
        started_at_utc=journal.utc(now),
        edgebench_version=__version__,
        preset=preset.name,
        seed=seed,
        launches=preset.min_launches,
        method=configs.method(preset),
        facts=identify.identify(device_name=config.device_name, devices=resources.open_devices()),
        backend_versions={name: probe.version for name, probe in planned.probes.items()},
        config=to_builtins(config),
        plan=tuple(_with_launches(cell, preset) for cell in planned.cases),
    )


def _with_launches(cell: PlannedCase, preset: Preset) -> PlannedCase:
    """Tells how often it is launched where its scenario does not want what the run has."""
    launches = durations.fitted(cell.case, preset).min_launches
    own = launches if launches != preset.min_launches else None
    return msgspec.structs.replace(cell, launches=own)


def _resume(options: dict[str, Any]) -> None:
    """Rerun all but ok and skipped launches of a run, by its own plan and method."""
    given = [name for name, value in options.items() if name not in _WITH_RESUME and _set(value)]
    if given:
        raise UsageError(
            f"--resume goes on with the plan of its run, without {_option(given[0])}",
            remedy="start a new run for another plan",
        )
    with journal.one_run_at_a_time():
        run = resume.prepare(options["resume"], options["budget_s"])
        for problem in run.stored.damage:
            click.echo(f"edgebench: {plain(problem)}", err=True)
        with power.opened(run.config, run.preset) as meters:
            execution = Execution(
                run_id=run.stored.manifest.run_id,
                plan=run.plan,
                preset=run.preset,
                config=run.config,
                seed=run.stored.manifest.seed,
                store=Journal(run.stored.folder),
                earlier=run.stored.records,
                meters=meters,
            )
            _carry_out(execution, run.stored.manifest, options)


def _set(value: object) -> bool:
    """Whether an option was given; 0 is a value, False and an empty list are not."""
    return value is not None and value is not False and value != ()


def _option(name: str) -> str:
    """An option as it is typed."""
    return next(param.opts[-1] for param in command.params if param.name == name)


def _show_plan(planned: plan.Plan, preset: Preset) -> None:
    from edgebench.cli import show

    for cell in planned.cases:
        click.echo(f"{cell.case.label}{f'  skipped: {cell.skip}' if cell.skip else ''}")
    cases = [cell.case for cell in planned.runnable]
    each = [durations.fitted(case, preset).min_launches for case in cases]
    times = [n * durations.launch_s(case, preset) for n, case in zip(each, cases, strict=True)]
    more = ""
    if preset.budget_s is not None:
        more = f", then more where it is needed: {human_s(preset.budget_s)} in all"
    elif preset.aim_s is not None:
        held = f"only as far as {human_s(preset.aim_s)} hold them"
        more = f", beyond {durations.AIM_LAUNCHES} launches {held}"
    elif preset.max_launches > preset.min_launches:
        more = f", up to {preset.max_launches} launches where it is needed"
    with_power = sum(
        durations.power_s(case, preset, launch)
        for n, case in zip(each, cases, strict=True)
        for launch in range(n)
    )
    if with_power:
        more += f", {human_s(with_power)} more where power can be measured"
    about = f"about {human_s(sum(times))} for small models{more}"
    click.echo(f"{show.size(planned, preset)}, {about}", err=True)
    for note in planned.notes:
        click.echo(fill(note, "", "  "), err=True)


def _carry_out(execution: Execution, manifest: Manifest, options: dict[str, Any]) -> None:
    from edgebench.cli import show

    if not options["as_json"]:
        show.spoilers(spoilers.find(conditions.gather(busy=conditions.busy_processes())))
    if execution.meters.note:
        click.echo(fill(execution.meters.note, "", "  "), err=True)
    interrupted, full = False, None
    start = time.monotonic()
    columns = flatten(options["columns"])
    with show.progress(manifest, execution, columns, verbose=options["verbose"]) as listener:
        try:
            execution.run(listener)
            manifest = _end(execution, manifest)
        except KeyboardInterrupt:
            interrupted = True
        except StoreError as error:  # no room: show what there is, then say so
            full = error
    records = tuple(execution.records.values())
    records = power_log.after_run(execution.config, execution.store.folder, records)
    rows = show.results(manifest, records, columns, as_json=options["as_json"])
    took_s, ended_early = time.monotonic() - start, interrupted or full is not None
    folder = execution.store.folder
    show.ending(folder, execution.measured, took_s, interrupted=ended_early, ended=_why(execution))
    for note in execution.plan.notes:
        click.echo(fill(note, "", "  "), err=True)
    if full is not None:
        click.echo(f"edgebench: {full}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED_CELLS)
    if interrupted:
        raise click.exceptions.Exit(EXIT_INTERRUPTED)
    unfit = _not_valid(manifest, rows) if options["require_valid"] else []
    for line in unfit:
        click.echo(fill(f"edgebench: {line}", "", "  "), err=True)
    if unfit or any(record.status not in _SETTLED for record in records):
        raise click.exceptions.Exit(EXIT_FAILED_CELLS)


def _not_valid(manifest: Manifest, rows: list[dict[str, Any]]) -> list[str]:
    """A line for each cell with figures that are suspect or invalid, its reasons with it."""
    return [
        f"{planned.case.label} is {row['validity']}: {row['caveats']}"
        for planned, row in zip(manifest.plan, rows, strict=True)
        if row["validity"] not in {"valid", None}
    ]


def _why(execution: Execution) -> str:
    """Why the run ended there, where it could have gone on."""
    if execution.short:
        return f"{execution.ended}; --standard measures longer"
    return execution.ended if execution.preset.target_ratio is not None else ""


def _end(execution: Execution, manifest: Manifest) -> Manifest:
    """The manifest of a run that has ended, with its reason, on the disk.

    Raises:
        StoreError: It cannot be written; results stay.
    """
    method = configs.method(execution.preset)
    ended = msgspec.structs.replace(manifest, ended=execution.ended, method=method)
    execution.store.end(ended)
    return ended

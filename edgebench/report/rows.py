"""One row a case, derived from stored records; numpy, no pandas: devices make tables too."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from edgebench.analysis import definitions, validity, work
from edgebench.machine import DeviceFacts
from edgebench.records import Case, Manifest, PlannedCase, Record
from edgebench.report import energy_rows, figures, losses, proxies, scenario_rows
from edgebench.report.columns import COLUMNS, STAGES
from edgebench.stats import Interval
from edgebench.store.read import StoredRun

Value = figures.Value
Row = figures.Row

NOT_REACHED = "not measured: the run ended before it; --resume goes on"
"""Reason of a planned case without a record."""
_FIGURES = re.compile(r"\d[\d.]*")


def of_run(run: StoredRun, *, tails: bool = True, definition: str | None = None) -> list[Row]:
    """Rows of a stored run, in the order of its plan."""
    found = of_records(run.manifest, run.latest(), tails=tails)
    if definition is not None:
        _define(definition, run, found)
    return found


def of_runs(runs: Iterable[StoredRun], *, definition: str | None = None) -> list[Row]:
    """Rows of several runs, one after the other.

    Args:
        runs: In the order wanted.
        definition: A tool: its columns (`columns.defined`) are added, from the same samples.
    """
    return [row for run in runs for row in of_run(run, definition=definition)]


def _define(definition: str, run: StoredRun, found: list[Row]) -> None:
    good: defaultdict[str, list[Record]] = defaultdict(list)
    for record in run.latest():
        if record.status == "ok":
            good[record.case_id].append(record)
    words = f"as {definitions.DEFINITIONS[definition].tool} defines it; protocol: edgebench"
    for row, planned in zip(found, run.manifest.plan, strict=True):
        figures = definitions.recompute(definition, planned.case, good[planned.case_id])
        row |= {"definition": words, **figures}


def of_records(manifest: Manifest, records: Iterable[Record], *, tails: bool = True) -> list[Row]:
    """Rows of a run under way or ended.

    Args:
        manifest: The run's manifest.
        records: The latest record of each launch.
        tails: False leaves out the interval of p99, which takes most of the time.
    """
    by_case: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_case[record.case_id].append(record)
    rows, accuracies, qualities = [], [], []
    for planned in manifest.plan:
        mine = sorted(by_case.get(planned.case_id, []), key=lambda record: record.launch)
        rows.append(_row(manifest, planned, mine, tails=tails))
        accuracies.append(figures.accuracy(mine))
        qualities.append(figures.judged_quality(mine))
    losses.add(rows, accuracies)
    losses.add_quality(rows, qualities)
    return rows


def _row(manifest: Manifest, planned: PlannedCase, records: list[Record], *, tails: bool) -> Row:
    case = planned.case
    row: Row = dict.fromkeys(column.name for column in COLUMNS)
    good = [record for record in records if record.status == "ok"]
    bad = next((record for record in records if record.status != "ok"), None)
    row |= _identity(manifest, planned.case_id, case)
    row |= {"task": planned.task, "weights": planned.weights}
    row |= {"work_mmac": work.mega(planned.macs), "model_parameters_count": planned.parameters}
    row |= {
        "status": bad.status if bad else "ok" if good else "skipped",
        "reason": _reason(bad) if bad else None if good else NOT_REACHED,
        "launches": len(good),
        "samples": sum(len(record.latency_ns) for record in good),
    }
    caveats: list[str] = []
    if good:
        row |= figures.latency(good, caveats, tails=tails)
        row["work_rate_gmacps"] = work.rate_gmacps(row)
        row |= figures.stages(good)
        row |= figures.resources(case, good)
        row |= proxies.of(manifest, case, good)
        row |= energy_rows.of(case, good, manifest.method, caveats)
        row |= figures.quality(good)
        row |= figures.what_ran(case, good)
        row["validity"], reasons = validity.verdict(good, planned)
        caveats += reasons
        caveats += figures.unlike(case, good)
        row |= figures.trends(case, good, caveats) if tails else {}
        caveats += _unfinished(manifest, planned, row)
        caveats += _unsure(manifest, good, row)
        row |= scenario_rows.of(case, good, caveats)
        row["engine_figures"] = figures.engine_figures(good)
        row["outcome"] = scenario_rows.outcome(row)
        row["accuracy"] = figures.accuracy_words(row)
    caveats += _own_caveats(good)
    row["caveats"] = "; ".join(dict.fromkeys(caveats)) or None
    return row


def _unfinished(manifest: Manifest, planned: PlannedCase, row: Row) -> list[str]:
    """Notes on a case that has fewer launches or less precision than its method wants."""
    found = []
    launches = int(row["launches"] or 0)
    wanted = planned.launches or manifest.launches
    if launches < wanted:
        found.append(f"{launches} of {wanted} launches")
    target = manifest.method.get("target_ratio")
    stem, unit = _aim(planned.case)
    low, middle, high = (row.get(f"{stem}{part}_{unit}") for part in ("_lo", "", "_hi"))
    known = isinstance(low, float) and isinstance(high, float) and isinstance(middle, float)
    if isinstance(target, float) and known:
        reached = Interval(float(middle or 0), float(low or 0), float(high or 0)).half_width_ratio
        if reached > target:
            found.append(f"not converged: {reached:.1%}, wanted {_percent(target)}")
    return found


def _aim(case: Case) -> tuple[str, str]:
    """The figure that a run's target is about, and its unit; an empty one where there is no aim.

    As ``edgebench.runner.durations`` fits presets: whose number of launches is fixed has no target.
    """
    if case.scenario in {"paced", "sustained"}:
        return "", ""
    if case.scenario == "server" and "rate_hz" not in case.parameters:
        return "", ""
    if case.scenario == "offline" and case.engine == "edgebench":
        return "throughput", "ips"
    return "latency_p50", "ms"


def _percent(ratio: float) -> str:
    """``2%``, ``0.5%``."""
    return f"{100 * ratio:.3g}%"


def _unsure(manifest: Manifest, good: list[Record], row: Row) -> list[str]:
    """Whether the launches' own intervals reached their target, as a column and as a note."""
    told = [record.converged for record in good if record.converged is not None]
    if not told:
        return []
    row["converged"] = "yes" if all(told) else "no"
    short = told.count(False)
    most_s = manifest.method.get("measure_max_s")
    limit = f" in {most_s:g} s" if isinstance(most_s, float) else ""
    return [f"{short} of {len(told)} launches did not converge{limit}"] if short else []


def _own_caveats(good: list[Record]) -> list[str]:
    """What launches say of themselves; what differs in its figures only is told once."""
    kinds: dict[str, list[str]] = {}
    for record in good:
        for caveat in record.caveats:
            kinds.setdefault(_FIGURES.sub("#", caveat), []).append(caveat)
    many = {kind: f" ({len(told)} launches)" for kind, told in kinds.items() if len(told) > 1}
    return [f"{told[0]}{many.get(kind, '')}" for kind, told in kinds.items()]


def _identity(manifest: Manifest, case_id: str, case: Case) -> Row:
    return {
        "run_id": manifest.run_id,
        "case_id": case_id,
        "started_at_utc": manifest.started_at_utc,
        "edgebench_version": manifest.edgebench_version,
        "preset": manifest.preset,
        "device": manifest.facts.device,
        "device_id": manifest.facts.device_id,
        "device_setup": setup(manifest.facts),
        "workload": case.workload,
        "workload_version": case.workload_version,
        "source_sha256": case.source_sha256,
        "backend": case.backend,
        "backend_version": manifest.backend_versions.get(case.backend),
        "format": case.format,
        "precision": case.precision,
        "accelerator": case.accelerator,
        "threads": case.threads,
        "batch": case.batch,
        "streams": case.streams,
        "scenario": case.scenario,
        "region": case.region,
        "engine": case.engine,
        "tuning": case.tuning,
        "parameters": figures.words({key: f"{value:g}" for key, value in case.parameters.items()}),
        "options": figures.words(case.options),
        "image_sha256": case.image_sha256 or None,
    }


def setup(facts: DeviceFacts) -> str | None:
    """``2 CPUs, quota 0.5, 512 MiB, 15W``: what two units must share to be one kind of device."""
    usable, online, quota = facts.cpus_usable, facts.cpus_online, facts.cpu_quota
    told = [f"{usable} of {online} CPUs"] if usable and online and usable < online else []
    told += [f"quota of {quota:g} CPUs"] if quota else []
    told += [f"{facts.mem_limit_byte >> 20} MiB"] if facts.mem_limit_byte else []
    told += [facts.power_mode] if facts.power_mode else []
    return ", ".join(told) or None


def _reason(record: Record) -> str:
    where = f"launch {record.launch}, {record.stage}: " if record.stage else ""
    return f"{where}{record.reason}"


def shares(row: Row) -> dict[str, float]:
    """Each stage's share of an image's way (0..1), in order; empty where none was measured."""
    found = {stage: row.get(f"stage_{stage}_ms") for stage in STAGES}
    known = {stage: value for stage, value in found.items() if isinstance(value, float)}
    total = sum(known.values())
    return {stage: value / total for stage, value in known.items()} if total else {}

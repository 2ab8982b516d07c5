"""What `edgebench ab` found, as lines of 80 columns or as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import click

from edgebench import stats
from edgebench.analysis import compare
from edgebench.cli.text import fill, one_line
from edgebench.records import Manifest
from edgebench.report import rows
from edgebench.runner.contenders import Contender
from edgebench.runner.contest import Contest
from edgebench.runner.turns import PairLaunch
from edgebench.units import NS_PER_MS

_BUSY_IDLE_RATIO = 0.02
_OTHERS_RATIO = 0.1
_COLUMNS = (
    ("ran as", "effective_precision"),
    ("fallback", "fallback"),
    ("parity, cosine", "parity_cosine"),
    ("parity, top-1", "parity_top1_ratio"),
    ("top-1", "top1_ratio"),
    ("mAP50", "map50_ratio"),
    ("mIoU", "miou_ratio"),
    ("validity", "validity"),
)
Answer = dict[str, Any]


def ratio_of(launch: PairLaunch) -> float:
    """B / A of one launch."""
    return math.exp(launch.log_ratio)


def of(
    contest: Contest,
    sides: tuple[Contender, Contender],
    manifest: Manifest,
    parity_note: str,
    *,
    took_s: float,
) -> Answer:
    """Everything there is to say, as plain values; None where it was not measured."""
    outcome = contest.outcome
    logs = [launch.log_ratio for launch in outcome.launches]
    found = compare.paired(logs, deciding=outcome.goal.min_launches)
    known = {
        str(row["case_id"]): row for row in rows.of_records(manifest, contest.records, tails=False)
    }
    medians = [_medians(outcome.launches, side) for side in ("a", "b")]
    answer: Answer = {
        "verdict": found.verdict,
        "reason": found.reason or None,
        "ratio": found.ratio,
        "ratio_lo": found.low,
        "ratio_hi": found.high,
        "p_value": found.p_value,
        "converged": outcome.converged,
        "target_ratio": outcome.goal.target_ratio,
        "mode": outcome.mode,
        "launches": len(outcome.launches),
        "launches_needed": outcome.needed,
        "rounds": sum(len(launch.a_ns) for launch in outcome.launches),
        "took_s": round(took_s, 1),
        "run_id": manifest.run_id,
        "launch_ratios": [ratio_of(launch) for launch in outcome.launches],
    }
    for name, side, interval in zip("ab", sides, medians, strict=True):
        row = known[side.case.case_id]
        answer[name] = {
            "case": side.case.label,
            "given": side.words,
            "latency_p50_ms": interval.value / NS_PER_MS if interval else None,
            "latency_p50_lo_ms": interval.low / NS_PER_MS if interval else None,
            "latency_p50_hi_ms": interval.high / NS_PER_MS if interval else None,
            **{key: row[key] for _, key in _COLUMNS},
        }
    answer["notes"] = _notes(contest, sides, parity_note)
    return answer


def _medians(launches: Sequence[PairLaunch], side: str) -> stats.Interval | None:
    """A side's latency over the launches, each by the median of its turns; ns."""
    return stats.log_t_interval([max(1.0, median(getattr(one, f"{side}_ns"))) for one in launches])


def _notes(contest: Contest, sides: tuple[Contender, Contender], parity_note: str) -> list[str]:
    """What a reader must know before believing the ratio."""
    outcome, (a, b) = contest.outcome, (side.case for side in sides)
    found = []
    if outcome.mode == "abba":
        found.append(
            f"the two were not alive together ({outcome.why_abba}): whole launches alternated as "
            "A B B A, which drift disturbs more than turns"
        )
    if (a.workload, a.source_sha256) != (b.workload, b.source_sha256):
        found.append("no equal work: the two are different models")
    if a.batch != b.batch:
        found.append(
            f"no equal work: an inference is {a.batch} sample(s) for A and {b.batch} for B"
        )
    if outcome.launches and not outcome.converged:
        found.append(
            f"not converged: an interval of +-{outcome.goal.target_ratio:.2g} would need about "
            f"{outcome.needed} launches"
        )
    others = [one.others_cpu_ratio for one in outcome.launches]
    if (most := max((ratio for ratio in others if ratio is not None), default=0.0)) > _OTHERS_RATIO:
        found.append(f"other processes kept up to {most:.2f} CPUs busy")
    for name, index in (("A", 0), ("B", 1)):
        busy = [one.idle_cpu_ratio[index] for one in outcome.launches]
        worst = max((ratio for ratio in busy if ratio is not None), default=0.0)
        if worst > _BUSY_IDLE_RATIO:
            found.append(f"{name} kept {worst:.2f} CPUs busy while the other had its turn")
    return [*found, parity_note] if parity_note else found


def breaks(answer: Answer, limit_ratio: float | None) -> str:
    """The line that says how a limit is broken; empty where it is not surely broken."""
    low = answer["ratio_lo"]
    if limit_ratio is None or low is None or low <= limit_ratio:
        return ""
    return f"limit broken: B / A is at least {low:.4f}, allowed is {limit_ratio:.4f}"


def show(answer: Answer, *, as_json: bool) -> None:
    """Print it: the answer on stdout, what to beware of on stderr."""
    if as_json:
        click.echo(json.dumps(answer, indent=1))
        return
    for name in "ab":
        click.echo(one_line(f"{name.upper()}: {answer[name]['case']}"))
    click.echo(f"{'':16}{'A':<32}B")
    click.echo(_line("median, ms", *(_median(answer[name]) for name in "ab")))
    for title, key in _COLUMNS:
        a, b = (answer[name][key] for name in "ab")
        if a is not None or b is not None:
            click.echo(_line(title, _cell(a), _cell(b)))
    click.echo("")
    click.echo(_sentence(answer))
    click.echo(_cost(answer))
    for note in answer["notes"]:
        click.echo(fill(f"beware: {note}", rest="  "), err=True)


def _line(title: str, a: str, b: str) -> str:
    return one_line(f"{title:<16}{a:<32}{b}")


def _cell(value: float | str | None) -> str:
    return "-" if value is None else value if isinstance(value, str) else f"{value:.6g}"


def _median(side: dict[str, Any]) -> str:
    value, low, high = (side[f"latency_p50{part}_ms"] for part in ("", "_lo", "_hi"))
    return "-" if value is None else f"{value:.4g} [{low:.4g}, {high:.4g}]"


def _sentence(answer: Answer) -> str:
    """The verdict in words."""
    ratio, low, high = answer["ratio"], answer["ratio_lo"], answer["ratio_hi"]
    if ratio is None:
        return f"{answer['verdict']}: {answer['reason']}"
    if low is None:
        return f"{answer['verdict']}: B / A = {ratio:.4f}; {answer['reason']}"
    words = {compare.SAME: "the same (within 2 %)", compare.CANNOT_TELL: compare.CANNOT_TELL}
    verdict = words.get(answer["verdict"], f"B is {answer['verdict']}")
    return f"{verdict}: B / A = {ratio:.4f} [{low:.4f}, {high:.4f}] at 95 %"


def _cost(answer: Answer) -> str:
    half = ""
    if answer["ratio_lo"] is not None:
        width = (answer["ratio_hi"] - answer["ratio_lo"]) / 2 / answer["ratio"]
        half = f"; known to +-{width:.2%}"
        half += "" if answer["converged"] else ", not converged"
    unit = "rounds" if answer["mode"] == "turns" else "pairs of whole launches"
    return f"{answer['launches']} launches, {answer['rounds']} {unit}, {answer['took_s']:g} s{half}"

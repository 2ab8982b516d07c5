"""What each scenario is about, from the records of a case; empty columns for all the others."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable

import numpy as np

from edgebench.analysis import slowdowns
from edgebench.records import Case, Minute, Record, Trial
from edgebench.report.figures import Row, over_launches, plus_minus
from edgebench.stats import Interval, log_t_interval, min_samples, quantile, wilson_interval
from edgebench.units import NS_PER_MS, NS_PER_S, ms_from_ns

_FULL_MINUTE_NS = 54 * NS_PER_S
"""A minute that was cut by more than a tenth is none."""
_THIRDS = 3


def of(case: Case, good: list[Record], caveats: list[str]) -> Row:
    """The columns that this case's scenario has beside latency.

    Args:
        case: Its parameters and batch.
        good: Its launches that ended well, at least one.
        caveats: Notes are added here.
    """
    row = _service(good)
    figures = _SCENARIOS.get(case.scenario) if case.engine == "edgebench" else None
    if figures is not None:
        row |= figures(case, good, caveats)
    return row


def _service(good: list[Record]) -> Row:
    launches = [np.asarray(r.service_ns, dtype=np.float64) for r in good if len(r.service_ns)]
    if not launches:
        return {}
    pooled = np.concatenate(launches)
    medians = log_t_interval([quantile(each, 0.5) for each in launches])
    middle = medians.value if medians is not None else quantile(pooled, 0.5)
    enough = len(pooled) >= min_samples(0.99)
    return {
        "service_p50_ms": ms_from_ns(middle),
        "service_p99_ms": ms_from_ns(quantile(pooled, 0.99)) if enough else None,
    }


def _offline(case: Case, good: list[Record], caveats: list[str]) -> Row:
    del case
    chosen = Counter((r.trials[-1].batch, r.trials[-1].streams) for r in good if r.trials)
    if not chosen:
        return {}
    most = max(chosen.values())
    batch, streams = min(point for point, count in chosen.items() if count == most)
    if len(chosen) > 1:
        every = ", ".join(f"b{b} s{s}" for b, s in sorted(chosen))
        caveats.append(f"offline: launches chose {every}; throughput and latency mix them")
    refused = {
        f"b{trial.batch} s{trial.streams}: {trial.reason}"
        for record in good[:1]
        for trial in record.trials
        if trial.reason
    }
    caveats += [f"offline: {words}" for words in sorted(refused)]
    return {"offline_batch": batch, "offline_streams": streams}


def _server(case: Case, good: list[Record], caveats: list[str]) -> Row:
    """Only a rate that held in the last window of every launch is a rate that holds."""
    last: list[Trial] = [record.trials[-1] for record in good if record.trials]
    offered = [t.rate_hz for t in last if t.rate_hz is not None and not t.reason]
    held = [t.rate_hz for t in last if t.rate_hz is not None and t.held]
    row: Row = {"server_offered_hz": statistics.geometric_mean(offered) if offered else None}
    if last and len(held) == len(last):
        return row | over_launches("server_rate", "hz", held)
    bound_ms = case.parameters["bound_ms"]
    lost = sum(trial.held is False for trial in last)
    caveats.append(
        f"server: p99 <= {bound_ms:g} ms held in {len(held)} of {len(last)} launches, was broken "
        f"in {lost}, in the others can't tell"
    )
    return row


def _paced(case: Case, good: list[Record], caveats: list[str]) -> Row:
    del case, caveats
    total: Counter[str] = Counter()
    for record in good:
        total.update(record.counts)
    offered, dropped = total["frames_offered"], total["frames_dropped"]
    if not offered:
        return {}
    late = total["deadline_misses"]
    in_time = wilson_interval(offered - dropped - late, offered)
    return {
        "frames_offered": offered,
        "frames_dropped": dropped,
        "deadline_misses": late,
        "in_time_ratio": in_time.value,
        "in_time_lo_ratio": in_time.low,
        "in_time_hi_ratio": in_time.high,
    }


def _sustained(case: Case, good: list[Record], caveats: list[str]) -> Row:
    """Burst: the first minute. Sustained: the last third of the minutes.

    A passively cooled device heats up over minutes, and once it is hot its governor hunts around
    the limit: one minute would be one phase of that, a third of the launch is past the rise and
    holds several.
    """
    del case
    slowed = _first_slowed(good, caveats)
    launches = [[m for m in r.minutes if m.window_ns >= _FULL_MINUTE_NS] for r in good]
    if every := max((record.counts.get("kept_every", 1) for record in good), default=1):
        caveats += [f"sustained: one latency in {every} is kept"] if every > 1 else []
    launches = [minutes for minutes in launches if len(minutes) >= _THIRDS]
    if not launches:
        caveats.append("sustained: burst and sustained speed need 3 whole minutes")
        return slowed
    burst = [float(minutes[0].p50_ns) for minutes in launches]
    sustained = [_last_third_ns(minutes) for minutes in launches]
    ratios = [b / s for b, s in zip(burst, sustained, strict=True)]
    row = over_launches("burst_sustained", "ratio", ratios)
    row["burst_p50_ms"] = statistics.geometric_mean(burst) / NS_PER_MS
    row["sustained_p50_ms"] = statistics.geometric_mean(sustained) / NS_PER_MS
    return row | slowed


def _first_slowed(good: list[Record], caveats: list[str]) -> Row:
    """When something began to slow the device down: here heat is a finding, not a fault."""
    looks = [found for record in good if (found := slowdowns.first(record.looks)) is not None]
    if not looks:
        return {}
    after_s = statistics.median(ns / NS_PER_S for ns, _ in looks)
    words = ", ".join(dict.fromkeys(word for _, what in looks for word in what))
    caveats.append(f"sustained: slowed down after {after_s:.0f} s: {words}")
    return {"sustained_throttle_s": after_s}


def _last_third_ns(minutes: list[Minute]) -> float:
    """Median of the last third's minute medians."""
    return float(statistics.median(m.p50_ns for m in minutes[-(len(minutes) // _THIRDS) :]))


_SCENARIOS: dict[str, Callable[[Case, list[Record], list[str]], Row]] = {
    "offline": _offline,
    "server": _server,
    "paced": _paced,
    "sustained": _sustained,
}


def outcome(row: Row) -> str | None:
    """What the scenario asks for, in a few words for the table; None where it was not measured."""
    if row["status"] != "ok":
        return None
    words = _WORDS.get(str(row["scenario"]))
    return words(row) if words is not None else _typical(row)


def _figure(row: Row, name: str, digits: int = 4) -> str | None:
    value = row.get(name)
    if not isinstance(value, float):
        return None
    return f"{value:.{digits}g}" if value < 10**digits else f"{value:,.0f}"


def _spread(row: Row, name: str, unit: str) -> str:
    """`` ±3%`` of an interval over launches, or nothing."""
    low, high, value = (row.get(f"{name}{part}_{unit}") for part in ("_lo", "_hi", ""))
    if isinstance(low, float) and isinstance(high, float) and isinstance(value, float):
        return f" {plus_minus(Interval(value, low, high))}"
    return ""


def _typical(row: Row) -> str | None:
    middle = _figure(row, "latency_p50_ms")
    return f"p50 {middle} ms" if middle else None


def _of_offline(row: Row) -> str | None:
    most = _figure(row, "throughput_ips")
    if most is None:
        return None
    spread = _spread(row, "throughput", "ips")
    if row.get("offline_batch") is None:  # another engine looks for no best way
        return f"{most}/s{spread}"
    return f"{most}/s{spread} b{row['offline_batch']} s{row['offline_streams']}"


def _of_server(row: Row) -> str | None:
    if row.get("engine_figures"):  # what the other engine itself says of the rate it asked at
        theirs = json.loads(str(row["engine_figures"]))
        done = theirs.get("Completed samples per second")
        told = "VALID" if theirs.get("Result is VALID") == 1 else "INVALID"
        return told if done is None else f"{done:,.0f}/s {told}"
    rate = _figure(row, "server_rate_hz")
    if rate is not None:
        return f"holds {rate} Hz{_spread(row, 'server_rate', 'hz')}"
    offered = _figure(row, "server_offered_hz")
    return f"not shown at {offered} Hz" if offered else "can't tell"


def _of_paced(row: Row) -> str | None:
    if row["frames_offered"] is None:
        return None
    late, lost = row["deadline_misses"], row["frames_dropped"]
    return f"{late} late {lost} lost of {row['frames_offered']}"


def _of_sustained(row: Row) -> str | None:
    ratio = row["burst_sustained_ratio"]
    return f"keeps {ratio:.1%} of burst" if isinstance(ratio, float) else _typical(row)


_WORDS: dict[str, Callable[[Row], str | None]] = {
    "offline": _of_offline,
    "server": _of_server,
    "paced": _of_paced,
    "sustained": _of_sustained,
}

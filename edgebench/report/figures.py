"""Figures of a case from the records of its ok launches; numpy alone: devices make tables too."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edgebench.analysis import drift, intervals, steady, validity
from edgebench.analysis.compare import MARGIN_RATIO
from edgebench.records import Accuracy, Case, Quality, Record
from edgebench.report.columns import STAGES
from edgebench.stats import Interval, log_t_interval, min_samples, quantile, wilson_interval
from edgebench.units import NS_PER_S, mib_from_byte, ms_from_ns

Value = str | int | float | None
Row = dict[str, Value]
_Launches = list[NDArray[np.float64]]

WORDS = {"map50": "mAP50", "miou": "mIoU"}
"""Of each `Quality.metric`, as people write it."""
_ONE_PERCENT = 0.0095
_WIDEST = 0.995
MIN_PRECISION_RATIO = 0.9
"""Of multiplications in the precision asked for. Converters leave up to a tenth of a small network,
its first layer, as it was (7 and 8 % of both bundled int8_dynamic TFLite files); beyond that the
speed is no longer that of the precision in the row's name."""


def latency(good: list[Record], caveats: list[str], *, tails: bool) -> Row:
    """Quantiles of the latency with their intervals; what they lack goes to ``caveats``."""
    launches: _Launches = [
        np.asarray(record.latency_ns, dtype=np.float64) for record in good if len(record.latency_ns)
    ]
    if not launches:
        return {}
    pooled = np.concatenate(launches)
    row: Row = {
        "latency_min_ms": ms_from_ns(float(pooled.min())),
        "latency_mean_ms": ms_from_ns(float(pooled.mean())),
    }
    row |= _estimate("latency_p50", intervals.median(launches))
    for name, q in (("latency_p90", 0.90), ("latency_p95", 0.95), ("latency_p99", 0.99)):
        if len(pooled) < min_samples(q):
            caveats.append(f"{name[8:]} needs n >= {min_samples(q)}")
        elif name == "latency_p99" and tails:
            row |= _estimate(name, intervals.tail(launches, q))
        else:
            row[f"{name}_ms"] = ms_from_ns(quantile(pooled, q))
    if len(launches) == 1:
        caveats.append("one launch: the interval knows nothing of the spread between launches")
    clocks = [record.clock_ns for record in good if record.clock_ns is not None]
    if clocks and (note := validity.clock_caveat(max(clocks), quantile(pooled, 0.5))):
        caveats.append(note)
    return row


def _estimate(name: str, estimate: Interval | float | None) -> Row:
    if estimate is None:
        return {}
    if not isinstance(estimate, Interval):
        return {f"{name}_ms": ms_from_ns(estimate)}
    return {
        f"{name}_ms": ms_from_ns(estimate.value),
        f"{name}_lo_ms": ms_from_ns(estimate.low),
        f"{name}_hi_ms": ms_from_ns(estimate.high),
    }


def stages(good: list[Record]) -> Row:
    """Medians of an image's stages with their intervals, and what decoded it."""
    row: Row = {"pipeline": " / ".join(sorted({r.pipeline for r in good if r.pipeline})) or None}
    for stage in STAGES:
        taken = [r.stage_ns[stage] for r in good if len(r.stage_ns.get(stage, ()))]
        medians = [ms_from_ns(quantile(series, 0.5)) for series in taken]
        if medians and min(medians) > 0:
            # As latency_p50: what slows a launch slows its stages alike, so they still add up.
            row |= over_launches(f"stage_{stage}", "ms", medians)
        elif medians:
            row[f"stage_{stage}_ms"] = 0.0
    return row


def trends(case: Case, good: list[Record], caveats: list[str]) -> Row:
    """Whether the launches were steady; the series is judged whole and never trimmed.

    Judged where warm-up and timing repeat the same thing: inferences one after the other.
    """
    if (case.scenario, case.region, case.engine) != ("single_stream", "invoke", "edgebench"):
        return {}
    timed: _Launches = [np.asarray(record.latency_ns, dtype=np.float64) for record in good]
    row: Row = {}
    moved = drift.drift(timed)
    if moved is not None:
        row |= {"drift_ratio": moved.ratio, "drift_p": moved.p_value}
        if moved.proved:
            caveats.append(f"drifts within launches: second half {moved.ratio - 1:+.1%}")
    warm = [np.asarray(record.warmup_ns, dtype=np.float64) for record in good]
    whole = (np.concatenate(parts) for parts in zip(warm, timed, strict=True))
    found = steady.middle([one for series in whole if (one := steady.steady(series)) is not None])
    if found is None:
        return row
    row |= {"steady": found.kind, "steady_after_iterations": found.start}
    late = found.start - statistics.median(map(len, warm))
    if found.kind == "slowdown" and found.ratio > 1 + MARGIN_RATIO:
        caveats.append(f"slows down by {found.ratio - 1:.0%} after {found.start} inferences")
    elif found.kind == "no steady state":
        caveats.append("no steady state: the level comes and goes")
    elif found.kind == "warm-up" and late > 0:
        caveats.append(f"still warming up for the first {late:.0f} timed inferences")
    return row


def resources(case: Case, good: list[Record]) -> Row:
    """Throughput, memory, and what opening the model took."""

    def middle(of: Callable[[Record], int | None], scale: Callable[[float], float]) -> Value:
        known = [value for record in good if (value := of(record)) is not None]
        return scale(statistics.median(known)) if known else None

    timed = [r for r in good if r.inferences and r.window_ns]
    rates = [_samples(case, r) * NS_PER_S / (r.window_ns or 1) for r in timed]
    peaks = [mib_from_byte(r.rss_peak_byte) for r in good if r.rss_peak_byte]
    return {
        **over_launches("throughput", "ips", rates),
        "load_ms": middle(lambda r: r.load_ns, ms_from_ns),
        "first_inference_ms": middle(lambda r: r.first_inference_ns, ms_from_ns),
        "rss_baseline_mib": middle(lambda r: r.rss_baseline_byte, mib_from_byte),
        "rss_load_mib": middle(lambda r: r.rss_load_byte, mib_from_byte),
        **over_launches("rss_peak", "mib", peaks),
        "pss_load_mib": middle(lambda r: r.pss_load_byte, mib_from_byte),
        "model_size_mib": middle(lambda r: r.model_size_byte, mib_from_byte),
    }


def _samples(case: Case, record: Record) -> int:
    """Samples inferred in the window."""
    return record.samples if record.samples is not None else (record.inferences or 0) * case.batch


def over_launches(name: str, unit: str, values: Sequence[float]) -> Row:
    """The geometric mean of a figure of each launch, with its interval from two launches on."""
    found = log_t_interval(values)
    if found is None:
        return {f"{name}_{unit}": values[0] if values else None}
    return {
        f"{name}_{unit}": found.value,
        f"{name}_lo_{unit}": found.low,
        f"{name}_hi_{unit}": found.high,
    }


def plus_minus(interval: Interval, *, tenths: bool = False) -> str:
    """Half an interval in words: ``±3%``; ``±>99%`` where it says next to nothing.

    Two launches have an interval of thousands of percent: its digits would be taken for a figure.

    Args:
        interval: Of a figure over launches.
        tenths: Less than one percent as ``±0.4%``.
    """
    half = interval.half_width_ratio
    if not half < _WIDEST:
        return "±>99%"
    return f"±{half:.1%}" if tenths and half < _ONE_PERCENT else f"±{half:.0%}"


def quality(good: list[Record]) -> Row:
    """Parity of the worst launch; top-1, or the figure of another task."""
    row: Row = {}
    parities = [record.parity for record in good if record.parity is not None]
    if parities:  # the worst launch speaks: a result that is wrong once is wrong
        row["parity_cosine"] = min(parity.cosine for parity in parities)
        for name in ("top1_ratio", "equal_ratio"):
            told = (getattr(parity, name) for parity in parities)
            row[f"parity_{name}"] = min((x for x in told if x is not None), default=None)
    judged = accuracy(good)
    if judged is not None:
        top1 = wilson_interval(judged.correct, judged.samples)
        row |= {
            "top1_ratio": top1.value,
            "top1_lo_ratio": top1.low,
            "top1_hi_ratio": top1.high,
            "top1_samples": judged.samples,
        }
    if (other := judged_quality(good)) is not None:
        row |= {f"{other.metric}_ratio": other.ratio, "quality_samples": other.samples}
    return row


def accuracy(records: Sequence[Record]) -> Accuracy | None:
    """Of the first ok launch that was judged: a later one would give the same answers."""
    judged = (r.accuracy for r in records if r.status == "ok" and r.accuracy is not None)
    return next(judged, None)


def judged_quality(records: Sequence[Record]) -> Quality | None:
    """As `accuracy`, of tasks that have no top-1."""
    judged = (r.quality for r in records if r.status == "ok" and r.quality is not None)
    return next(judged, None)


def accuracy_words(row: Row) -> str | None:
    """How good a cell's answers are, whatever its task; None where nobody looked."""
    if row["weights"] == "random":
        return "random weights"
    for name, words in (("top1", "top-1"), *WORDS.items()):
        if isinstance(ratio := row.get(f"{name}_ratio"), float):
            return f"{words} {ratio:.3f}"
    return None


def what_ran(case: Case, good: list[Record]) -> Row:
    """What really ran, and whether that is what was asked for."""
    row: Row = {"model_sha256": good[0].model_sha256}
    seen = [record.effective for record in good if record.effective is not None]
    if not seen:
        return row
    fallback = []
    precisions = sorted({e.precision for e in seen if e.precision is not None})
    if precisions:
        row["effective_precision"] = "/".join(precisions)
        ratios = [e.precision_ratio for e in seen if e.precision_ratio is not None]
        row["precision_ratio"] = min(ratios, default=None)
        if precisions != [case.precision]:
            fallback.append("precision")
        elif ratios and min(ratios) < MIN_PRECISION_RATIO:
            fallback.append("partial_precision")
    ran_on = {name for effective in seen if (name := effective.accelerator) is not None}
    row["effective_accelerator"] = "/".join(sorted(ran_on)) or None
    if ran_on and ran_on != {case.accelerator}:
        fallback.append("accelerator")
    row["fallback"] = "+".join(fallback) or None
    row["effective_tuning"] = words(seen[0].tuning)
    if seen[0].backend_version is not None:
        row["backend_version"] = seen[0].backend_version
    return row


def unlike(case: Case, good: list[Record]) -> list[str]:
    """Notes on what ran otherwise than the row's name says, or was not told by the runtime."""
    seen = [record.effective for record in good if record.effective is not None]
    found = []
    shares = [e.precision_ratio for e in seen if e.precision_ratio is not None]
    if shares and min(shares) < MIN_PRECISION_RATIO:
        main = next(e.precision for e in seen if e.precision_ratio == min(shares))
        found.append(f"only {min(shares):.0%} of multiplications ran in {main}")
    if any(e.precision is None for e in seen):
        found.append("the runtime does not tell in which precision it multiplied")
    if any(e.accelerator is None for e in seen):
        found.append("the runtime does not tell on what it ran")
    if others := {e.threads for e in seen} - {None, case.threads}:
        found.append(f"ran on {'/'.join(map(str, sorted(others, key=str)))} threads")
    if any(record.parity is not None and record.parity.softmax for record in good):
        found.append("it ends in softmax: parity is with the reference's, which forgives more")
    return found


def engine_figures(good: list[Record]) -> str | None:
    """Another engine's figures as JSON: of each the median of the launches that have it."""
    values: defaultdict[str, list[float]] = defaultdict(list)
    for record in good:
        for name, value in record.engine_figures.items():
            values[name].append(value)
    if not values:
        return None
    return json.dumps({name: statistics.median(seen) for name, seen in values.items()})


def words(pairs: Mapping[str, str]) -> str | None:
    """Pairs as one text, ``key=value key=value``; None where there are none."""
    return " ".join(f"{key}={value}" for key, value in sorted(pairs.items())) or None


def lopsided(low: float, value: float, high: float) -> bool:
    """Whether a figure stands so near one end that half of the range is no ``±`` of it.

    Such is a count of devices whose upper end is planned for, and a power as published.
    """
    return abs((high - value) - (value - low)) > (high - low) / 2

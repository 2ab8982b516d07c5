"""What stands in for energy where no meter measured: proxies, and the envelope of the device.

Proxies are never joules, and nothing of either kind is told where an accelerator ran: the CPU's
books then hold a part of the work that nobody knows, and published loads are loads of the CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from edgebench.analysis import slowdowns
from edgebench.machine import DeviceFacts, Envelope
from edgebench.records import Case, Manifest, Record
from edgebench.report.figures import Row
from edgebench.units import NS_PER_MS

_MEGA = 1_000_000
_KHZ_PER_MHZ = 1000
_ALIKE_RATIO = 0.02
"""Domains of one speed whose mean frequencies differ by more ran differently: which one the threads
were on is not known."""


def of(manifest: Manifest, case: Case, good: Sequence[Record]) -> Row:
    """Proxies and envelope of a case, per inference; empty where an accelerator ran."""
    timed = [record for record in good if record.inferences and record.window_ns]
    if not timed or not on_cpu(case, good):
        return {}
    cpu_ns = _per_inference(timed, lambda record: record.cpu_ns)
    instructions = _per_inference(timed, lambda record: record.instructions)
    return {
        "cpu_per_inference_ms": cpu_ns / NS_PER_MS if cpu_ns is not None else None,
        **_cycles(manifest.facts, case, timed),
        "cpu_per_inference_minstructions": _mega(instructions),
        **_envelope(manifest.facts.envelope, timed),
    }


def on_cpu(case: Case, good: Sequence[Record]) -> bool:
    """Whether the CPU did all the work; a runtime that does not tell leaves it unknown: False."""
    ran_on = {record.effective.accelerator for record in good if record.effective is not None}
    return case.accelerator == "cpu" and ran_on <= {"cpu"}


def mean_khz(facts: DeviceFacts, threads: int, record: Record) -> float | None:
    """Mean frequency in the window of the CPUs that the worker was bound to; None if not known.

    As `edgebench.host.cpu.choose_cpus` has it, those are the fastest cluster where it has a CPU a
    thread. Of several domains (each CPU of some x86 machines is one) all must have run alike.
    """
    before, after = record.environment_before, record.environment_after
    fastest = next(iter(facts.cpu_clusters), None)
    if before is None or after is None or fastest is None or fastest.cpus < threads:
        return None
    if not slowdowns.at_work(record):  # it waited for a camera: the mean is of its rests, too
        return None
    tops = {name: max(times) for name, times in after.residency_ns.items() if times}
    fast = [name for name, top in tops.items() if top == max(tops.values())]
    known = slowdowns.mean_mhz(before, after)
    means = [known[name] for name in fast if name in known]
    if not means or len(means) < len(fast) or max(means) > (1 + _ALIKE_RATIO) * min(means):
        return None
    return sum(means) / len(means) * _KHZ_PER_MHZ


def _cycles(facts: DeviceFacts, case: Case, timed: list[Record]) -> Row:
    """Counted where the CPU counts for us, else from its time and frequency, else nothing."""
    counted = _per_inference(timed, lambda record: record.cycles)
    if counted is not None:
        return {"cpu_per_inference_mcycles": _mega(counted), "cpu_cycles_source": "counted"}

    def estimate(record: Record) -> float | None:
        khz = mean_khz(facts, case.threads, record)
        return record.cpu_ns / NS_PER_MS * khz if khz and record.cpu_ns is not None else None

    estimated = _per_inference(timed, estimate)
    if estimated is None:
        return {}
    return {"cpu_per_inference_mcycles": _mega(estimated), "cpu_cycles_source": "estimated"}


def _envelope(envelope: Envelope | None, timed: list[Record]) -> Row:
    if envelope is None:
        return {}
    window_ns = _per_inference(timed, lambda record: record.window_ns) or 0.0
    idle, load = envelope.idle, envelope.load
    sources = dict.fromkeys(f"{one.source} ({one.year})" for one in (idle, load))
    return {  # W times ms is mJ
        "envelope_energy_lo_mj": idle.w * window_ns / NS_PER_MS,
        "envelope_energy_hi_mj": load.w * window_ns / NS_PER_MS,
        "envelope_source": f"{idle.w:g} to {load.w:g} W: {', '.join(sources)}",
    }


def _per_inference(
    timed: list[Record], of_record: Callable[[Record], float | None]
) -> float | None:
    """Over the launches that have it, all their inferences together."""
    known = [(value, r.inferences or 0) for r in timed if (value := of_record(r)) is not None]
    calls = sum(count for _, count in known)
    return sum(value for value, _ in known) / calls if calls else None


def _mega(value: float | None) -> float | None:
    return value / _MEGA if value is not None else None

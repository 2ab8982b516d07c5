"""Back to back: the next inference begins when the last one has ended."""

from __future__ import annotations

from edgebench.measure import passes, stopping
from edgebench.measure.methods import Context, Fields
from edgebench.samples import Samples


def measure(context: Context) -> Fields:
    """Latency of every inference, and the window they took."""
    request = context.request
    rule = stopping.rule(request)
    window = passes.latency(
        context.session, context.ring, request.measure_s, context.expected_ns, rule=rule
    )
    return {
        "latency_ns": Samples(window.latency_ns),
        "inferences": len(window.latency_ns),
        "window_ns": window.window_ns,
        **window.used.fields(),
        "converged": window.converged,
    }

"""Minutes on end: what is left of the first minute's speed when the device is warm."""

from __future__ import annotations

from array import array

from edgebench import stats
from edgebench.host import counters, environment
from edgebench.measure import loop
from edgebench.measure.methods import Context, Fields
from edgebench.records import Minute
from edgebench.samples import Samples
from edgebench.units import NS_PER_S

_MINUTE_NS = 60 * NS_PER_S
_CHUNK_NS = 50_000_000
_MAX_CHUNK = 1 << 14
_ALIVE_NS = NS_PER_S
_KEEP_MINUTE = 1 << 16
_KEEP_LAUNCH = 1 << 20


class Thinned:
    """A series of any length in bounded memory: every n-th value, evenly over all of it.

    n is a power of 3: whenever there are more values than may be kept, two of three go. Each
    inference is as likely to be kept as any other, so quantiles of what is kept are unbiased; and
    since n is odd, a ring of 16 inputs is still visited whole.

    Args:
        capacity: Values to keep at most.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._seen = 0
        self.values = array("q")
        self.every = 1

    def add(self, values: array[int]) -> None:
        """The next values of the series."""
        self.values.extend(values[-self._seen % self.every :: self.every])
        self._seen += len(values)
        while len(self.values) > self._capacity:
            self.values = self.values[::3]
            self.every *= 3


class _MinuteSoFar:
    """A minute under way."""

    def __init__(self) -> None:
        self.begin_ns = self.end_ns = self.inferences = 0
        self.latency = Thinned(_KEEP_MINUTE)

    def add(self, first_ns: int, end_ns: int, chunk: array[int]) -> None:
        self.begin_ns = self.begin_ns or first_ns
        self.end_ns = end_ns
        self.inferences += len(chunk)
        self.latency.add(chunk)

    def close(self) -> Minute:
        values = self.latency.values
        enough = len(values) >= stats.min_samples(0.99)
        return Minute(
            inferences=self.inferences,
            window_ns=self.end_ns - self.begin_ns,
            p50_ns=int(stats.quantile(values, 0.5)),
            p99_ns=int(stats.quantile(values, 0.99)) if enough else None,
            environment=environment.snapshot(),
        )


def measure(context: Context) -> Fields:
    """Back to back for minutes, a minute's figures and its environment at a time.

    The window is the sum of the minutes' windows: looking around between them is not in it.
    """
    session, ring = context.session, context.ring
    per_chunk = max(1, min(_MAX_CHUNK, _CHUNK_NS // max(1, context.expected_ns)))
    slots = tuple(i % ring for i in range(per_chunk + ring))
    buffer = array("q", bytes(8 * per_chunk))
    latency, minute, minutes = Thinned(_KEEP_LAUNCH), _MinuteSoFar(), []
    begin = told = inferences = 0
    used_before = counters.used()
    while True:
        offset = inferences % ring
        chunk = slots[offset : offset + per_chunk]
        first, end = loop.timed(session.stage, session.invoke, chunk, buffer)
        begin = begin or first
        inferences += per_chunk
        minute.add(first, end, buffer)
        latency.add(buffer)
        over = end - begin >= context.request.measure_s * NS_PER_S
        if over or end - minute.begin_ns >= _MINUTE_NS:
            minutes.append(minute.close())
            minute = _MinuteSoFar()
        if over:
            break
        if end - told >= _ALIVE_NS:
            context.alive()
            told = end
    return {
        "latency_ns": Samples(latency.values),
        "inferences": inferences,
        "window_ns": sum(each.window_ns for each in minutes),
        **counters.used().since(used_before).fields(),
        "minutes": tuple(minutes),
        "counts": {"kept_every": latency.every},
    }

"""What others did to a launch while it was measured, a line each.

Nothing that could not be read counts as quiet or as noisy: it is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from edgebench.machine import Environment
from edgebench.records import Record
from edgebench.units import NS_PER_MS, NS_PER_S

_RUN_DELAY_RATIO = 0.05
"""Of the window; the median of a launch moves by less than that."""
_SWITCHES_HZ = 100
"""Involuntary switches of the main thread; a scheduler shares a CPU 100 to 300 times a second."""
_SWITCHED_DELAY_RATIO = 0.01
"""Being switched away and back at once costs microseconds: it counts where it came to waiting."""
_OTHERS_RATIO = 0.10
_TICKS_NS = 30 * NS_PER_MS
"""/proc/stat counts in ticks of 10 ms: two of them may be rounding."""
_NAMED, _NAMED_RATIO = 3, 0.02
_STEAL_RATIO = _RUN_DELAY_RATIO
"""Time taken from the whole machine is time taken from us where we are what runs."""
_PRESSURE_RATIO = {"cpu": 0.25, "memory": 0.01}
"""Of the window that something waited, PSI's ``some``. For a CPU: the run delay tells of the main
thread alone, and small services of a busy system queue up behind each other for less than that.
For memory: pages are being reclaimed or fetched, which no quiet machine does. Waiting for ``io``
is not judged: an inference reads nothing."""
_STALL_NS = 10 * NS_PER_MS
"""A service that wakes up and fetches a page or two of its own from a slow card is no pressure."""
_PAGE_NS, _SWAP_RATIO = NS_PER_MS, 0.01
"""A page from an SD card's swap takes about 1 ms; so many pages that it might be a hundredth of the
window count. A kernel that puts a few cold pages aside disturbs nobody."""
_FETCHES = 16
"""Pages that two faults of anybody fetch: each reads 8 of them (``vm.page-cluster``)."""

_Check = Callable[[Record, int], Iterator[str]]


def of(record: Record) -> list[str]:
    """What disturbed a launch; empty for a quiet one, and for one without a window."""
    if not record.window_ns:
        return []
    return [words for check in _CHECKS for words in check(record, record.window_ns)]


def grown(before: Environment | None, after: Environment | None, name: str) -> int | None:
    """By how much a counter of the environment grew; None where one end is unknown."""
    first, last = (getattr(each, name, None) for each in (before, after))
    return last - first if isinstance(first, int) and isinstance(last, int) else None


def _grown(record: Record, name: str) -> int | None:
    return grown(record.environment_before, record.environment_after, name)


def _waited(record: Record, window_ns: int) -> Iterator[str]:
    if record.run_delay_ns is not None and record.run_delay_ns > _RUN_DELAY_RATIO * window_ns:
        yield f"waited for a CPU {record.run_delay_ns / window_ns:.0%} of the time"
    elif switched := _switched_hz(record, window_ns):
        yield f"lost its CPU {switched:.0f} times a second"


def _switched_hz(record: Record, window_ns: int) -> float:
    """How often others took the CPU away, where that is too often; else 0.

    Where the kernel does not tell how long it waited then, the number alone must do.
    """
    if record.involuntary_switches is None:
        return 0.0
    often_hz = record.involuntary_switches * NS_PER_S / window_ns
    delay_ns = record.run_delay_ns
    waited = delay_ns is None or delay_ns > _SWITCHED_DELAY_RATIO * window_ns
    return often_hz if often_hz > _SWITCHES_HZ and waited else 0.0


def _quota(record: Record, window_ns: int) -> Iterator[str]:
    del window_ns
    held_ns = _grown(record, "throttled_ns")
    if held_ns is not None and held_ns > 0:
        yield f"held back by the cgroup's CPU quota for {held_ns / NS_PER_MS:.0f} ms"


def _others(record: Record, window_ns: int) -> Iterator[str]:
    """By the machine's books, less the worker's own and what a hypervisor took; else by names.

    Its own of the same stretch: it works before and after its window, too, and between two parts
    of it, where it looks whether the median is known.
    """
    busy_ns, own_ns = _grown(record, "busy_all_ns"), _grown(record, "own_ns")
    if busy_ns is not None:
        own_ns = own_ns if own_ns is not None else record.cpu_ns or 0
        others_ns = busy_ns - own_ns - (_grown(record, "steal_ns") or 0)
    else:
        others_ns = sum(record.intruders.values())
    if others_ns <= max(_OTHERS_RATIO * window_ns, _TICKS_NS):
        return
    named = sorted(record.intruders.items(), key=lambda one: -one[1])[:_NAMED]
    names = [f"{name} {ns / window_ns:.0%}" for name, ns in named if ns > _NAMED_RATIO * window_ns]
    who = f": {', '.join(names)}" if names else ""
    yield f"other processes used {others_ns / window_ns:.0%} of a CPU{who}"


def _stolen(record: Record, window_ns: int) -> Iterator[str]:
    stolen_ns = _grown(record, "steal_ns")
    if stolen_ns is not None and stolen_ns > max(_STEAL_RATIO * window_ns, _TICKS_NS):
        yield f"the hypervisor gave {stolen_ns / window_ns:.0%} of a CPU to other guests"


def _pressed(record: Record, window_ns: int) -> Iterator[str]:
    before, after = record.environment_before, record.environment_after
    if before is None or after is None:
        return
    for what, limit in _PRESSURE_RATIO.items():
        if what in before.pressure_ns and what in after.pressure_ns:
            waited_ns = after.pressure_ns[what] - before.pressure_ns[what]
            if waited_ns > max(limit * window_ns, _STALL_NS):
                yield f"something waited for {what} {waited_ns / window_ns:.0%} of the time"


def _swapped(record: Record, window_ns: int) -> Iterator[str]:
    """Pages that moved; growth of what is used only where the kernel does not count pages."""
    pages = _grown(record, "swapped_pages")
    if pages is not None:
        if pages * _PAGE_NS > max(_SWAP_RATIO * window_ns, _FETCHES * _PAGE_NS):
            yield f"swapping: {pages} pages"
    elif (_grown(record, "swap_used_byte") or 0) > 0:
        yield "swapping"


def _governed(record: Record, window_ns: int) -> Iterator[str]:
    del window_ns
    before, after = record.environment_before, record.environment_after
    first, last = (each.governor if each is not None else None for each in (before, after))
    if first is not None and last is not None and first != last:
        yield f"the frequency governor changed from {first} to {last}"


_CHECKS: tuple[_Check, ...] = (_waited, _quota, _others, _stolen, _pressed, _swapped, _governed)

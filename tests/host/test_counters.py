"""Counting cycles and instructions: what a window used, and nothing where nobody may count."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.host import counters
from edgebench.host.counters import Count, Counters, Used
from edgebench.testing import write_tree

_TASK_CLOCK = (1, 1)
"""PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK: counted by the kernel, on every machine."""


def _spin(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@pytest.fixture
def task_clock(monkeypatch: pytest.MonkeyPatch) -> Counters:
    """Counters whose cycles are ns of CPU time: a virtual machine has no others."""
    monkeypatch.setattr(counters, "codes", lambda *_: [_TASK_CLOCK])
    made = Counters()
    made.open()
    if made.read("cycles").known is None:
        pytest.skip("perf_event_open(2) is not permitted here")
    return made


def test_threads_that_begin_later_are_counted_too(task_clock: Counters) -> None:
    before = task_clock.read("cycles")
    thread = threading.Thread(target=_spin, args=(0.05,))
    thread.start()
    thread.join()
    assert task_clock.read("cycles").grown(before, -1).events >= 0.05e9
    task_clock.close()


def test_a_thread_still_at_work_is_counted_so_far(task_clock: Counters) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        _spin(0.05)
        begun.set()
        go_on.wait()

    before = task_clock.read("cycles")
    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    seen = task_clock.read("cycles").grown(before, -1).events
    go_on.set()
    thread.join()
    task_clock.close()
    assert seen >= 0.05e9


def test_nothing_is_known_before_they_are_open_and_after_they_are_closed() -> None:
    made = Counters()
    assert made.read("cycles").known is None
    made.open()
    made.close()
    assert made.read("instructions").known is None


def test_a_refused_event_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "codes", lambda *_: [_TASK_CLOCK, (0xFFFF, 0)])
    made = Counters()
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    made.open()
    assert made.read("cycles") == Count()
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_an_event_that_shared_its_counter_is_not_known() -> None:
    assert Count(1000, 100, 100).known == 1000
    assert Count(1000, 100, 99).known == 1000
    assert Count(1000, 100, 98).known is None
    assert Count(0, 0, 0).known is None


counts = st.builds(Count, *[st.integers(0, 1 << 62)] * 3)
books = st.builds(Used, st.integers(0, 1 << 62), counts, counts)


@given(books, books)
def test_what_two_windows_used_is_what_is_left_without_the_first(a: Used, b: Used) -> None:
    assert a.plus(b).since(a) == b


def test_kinds_of_cpus_have_an_event_each(tmp_path: Path) -> None:
    base = "sys/bus/event_source/devices"
    write_tree(
        tmp_path,
        {
            f"{base}/armv8_cortex_a55/type": "8\n",
            f"{base}/armv8_cortex_a55/cpus": "0-3\n",
            f"{base}/armv8_cortex_a55/events/cpu_cycles": "event=0x0011\n",
            f"{base}/armv8_cortex_a55/events/inst_retired": "event=0x0008\n",
            f"{base}/armv8_cortex_a76/type": "9\n",
            f"{base}/armv8_cortex_a76/cpus": "4-7\n",
            f"{base}/armv8_cortex_a76/events/cpu_cycles": "event=0x0011\n",
            f"{base}/armv8_cortex_a76/events/inst_retired": "event=0x0008\n",
            f"{base}/power/type": "23\n",
            f"{base}/software/type": "1\n",
        },
    )
    assert counters.codes("cycles", tmp_path) == [(8, 0x11), (9, 0x11)]
    assert counters.codes("instructions", tmp_path) == [(8, 8), (9, 8)]


def test_cpus_of_one_kind_are_left_to_the_kernel(tmp_path: Path) -> None:
    base = "sys/bus/event_source/devices/cpu"
    write_tree(tmp_path, {f"{base}/type": "4\n", f"{base}/events/cpu-cycles": "event=0x3c\n"})
    assert counters.codes("cycles", tmp_path) == [(0, 0)]
    assert counters.codes("instructions", tmp_path / "nothing") == [(0, 1)]


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFF) | st.none())
def test_an_event_is_read_as_the_kernel_packs_it(event: int, umask: int | None) -> None:
    text = f"event={event:#x}" + (f",umask={umask:#x}" if umask is not None else "")
    assert counters.config_of(text) == event | (umask or 0) << 8


@given(st.text())
def test_what_describes_no_event_is_none(text: str) -> None:
    assert text.startswith("event=0x") or counters.config_of(text) is None

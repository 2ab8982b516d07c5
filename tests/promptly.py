"""What must be over at once, on a machine that has other work too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def at_once(limit_s: float) -> Iterator[None]:
    """What the block computes takes less than ``limit_s``.

    By this thread's time on a CPU: what others take of the machine is no fault of the block's.
    """
    start_s = time.thread_time()
    yield
    took_s = time.thread_time() - start_s
    assert took_s < limit_s, f"{took_s:.2f} s"

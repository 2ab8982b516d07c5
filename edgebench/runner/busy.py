"""A known load: ``python -m edgebench.runner.busy CPU DUTY KIND PARENT``, until it is ended.

It keeps one CPU busy for a share of every period: with products of matrices that fit in the caches,
as inference is mostly made of, or with copies that go to memory. Boards draw differently for both.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from edgebench.host import process

_PERIOD_S = 0.02
_SIDE = 96
_COPY_BYTE = 1 << 23
PRODUCTS, COPIES = "products", "copies"
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")


def work(kind: str) -> Callable[[], object]:
    """A piece of work of well below a period."""
    import numpy as np  # noqa: PLC0415 - after its threads were limited

    if kind == COPIES:
        source = np.ones(_COPY_BYTE // 8, np.uint64)
        target, part = np.empty_like(source), len(source) // 8
        places = iter(range(1 << 62))

        def copy() -> None:
            first = next(places) % 8 * part
            target[first : first + part] = source[first : first + part]

        return copy
    left = np.full((_SIDE, _SIDE), 0.5, np.float32)
    out = np.empty_like(left)
    return lambda: np.matmul(left, left, out=out)


def main() -> None:
    """Work and sleep in turn."""
    cpu, duty, kind, parent = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    process.die_with_parent(parent)
    os.sched_setaffinity(0, {cpu})
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    piece = work(kind)
    begin = time.perf_counter()
    while True:
        end = begin + duty * _PERIOD_S
        while time.perf_counter() < end:
            piece()
        begin += _PERIOD_S
        time.sleep(max(0.0, begin - time.perf_counter()))


if __name__ == "__main__":
    main()

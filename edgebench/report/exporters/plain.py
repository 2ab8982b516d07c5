"""What exporters share: JSON that every reader takes, and a cell's name among others."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence

Cells = Mapping[str, object]
"""A row of `edgebench.report.rows`."""
_USUAL: dict[str, tuple[object, str]] = {
    "threads": (1, "t"),
    "batch": (1, "b"),
    "streams": (1, "s"),
    "scenario": ("single_stream", ""),
    "parameters": (None, ""),
    "region": ("invoke", ""),
    "engine": ("edgebench", ""),
    "tuning": ("native", ""),
    "accelerator": ("cpu", ""),
    "options": (None, ""),
}
"""What `edgebench.records.Case.label` leaves out, and what stands before the rest."""
_OWNERS = ("device", "device_id", "run_id", "case_id")


def finite(value: object) -> object:
    """The value, or None in place of a NaN or an infinity, which JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def dumps(value: object) -> str:
    """One line of JSON in ASCII: a hostile name steers no terminal that the file is shown on.

    Figures are written so that they read back as the same number.
    """
    text = json.dumps(value, allow_nan=False, ensure_ascii=True)
    return text.replace("\x7f", "\\u007f")  # the one control character that is ASCII and printed


def names(rows: Sequence[Cells]) -> list[tuple[str, str]]:
    """``(workload, rest)`` of each row, the same in every file that the case is in.

    The rest is ``onnxruntime-int8``, then what is not usual of the case. Only where two rows of
    these would share a name, the device, its unit, the run or the case is added.
    """
    found = [(str(row.get("workload")), "-".join(_parts(row))) for row in rows]
    for owner in _OWNERS:
        often = Counter(found)
        found = [
            (workload, f"{rest}-{row.get(owner)}")
            if often[workload, rest] > 1
            else (workload, rest)
            for row, (workload, rest) in zip(rows, found, strict=True)
        ]
    return found


def _parts(row: Cells) -> list[str]:
    extra = [
        f"{prefix}{row[name]}"
        for name, (usual, prefix) in _USUAL.items()
        if row.get(name) not in {None, usual}
    ]
    return [str(row.get("backend")), str(row.get("precision")), *extra]

"""edgebench: which board, which runtime, which precision for a vision CNN.

>>> import edgebench
>>> frame = edgebench.load("edgebench-results")           # one row a case, units in the columns
>>> samples = edgebench.load_samples("edgebench-results")  # one row an inference
>>> looks = edgebench.load_looks("edgebench-results")      # one row a look at the machine
>>> verdicts = edgebench.compare(frame_a, frame_b)         # one row a pair of cells
>>> runs = edgebench.history(frame)                        # one row a run, and what changed when
>>> edgebench.recommend(frame, max={"latency_p99_ms": 33})  # what to take, and why
>>> edgebench.pareto(frame, "latency_p50_ms,price_usd")    # what nothing beats in both
>>> edgebench.cost(frame, cameras=40, fps=10)              # devices, watts and money

A frame can do the same: ``frame.edgebench.recommend(...)``, ``.compare(other)``, ``.pareto(...)``,
``.cost(...)``, ``.history()``, ``.latest()``, ``.valid()``; where pandas is imported after
edgebench, from the first `load` on.

Nothing heavy is imported until it is used: ``import edgebench`` costs no numpy and no pandas.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgebench.report.frame import compare as compare
    from edgebench.report.frame import load as load
    from edgebench.report.frame import load_looks as load_looks
    from edgebench.report.frame import load_samples as load_samples
    from edgebench.report.history import frame as history
    from edgebench.report.recommendation import recommend as recommend
    from edgebench.report.sizing import cost as cost
    from edgebench.report.sizing import pareto as pareto

__version__ = "0.1.0"
_HOMES = {
    "compare": "frame:compare",
    "cost": "sizing:cost",
    "history": "history:frame",
    "load": "frame:load",
    "load_looks": "frame:load_looks",
    "load_samples": "frame:load_samples",
    "pareto": "sizing:pareto",
    "recommend": "recommendation:recommend",
}
"""Modules of `edgebench.report`, and what they call it."""
__all__ = [
    "__version__",
    "compare",
    "cost",
    "history",
    "load",
    "load_looks",
    "load_samples",
    "pareto",
    "recommend",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562 hook: any public name
    if name in _HOMES:  # pandas only when asked for
        importlib.import_module("edgebench.report.frame")  # says in a line that pandas is missing
        module, _, own = _HOMES[name].partition(":")
        return getattr(importlib.import_module(f"edgebench.report.{module}"), own)
    raise AttributeError(f"module 'edgebench' has no attribute {name!r}")


def __dir__() -> list[str]:
    """What a notebook completes to."""
    return sorted({*globals(), *__all__})


if hasattr(sys.modules.get("pandas"), "DataFrame"):  # it is there: frames get `frame.edgebench`
    importlib.import_module("edgebench.report.accessor")

"""edgebench: which board, which runtime, which precision for a vision CNN.

>>> import edgebench
>>> frame = edgebench.load("edgebench-results")           # one row a case, units in the columns
>>> samples = edgebench.load_samples("edgebench-results")  # one row an inference
>>> verdicts = edgebench.compare(frame_a, frame_b)         # one row a pair of cells
>>> runs = edgebench.history(frame)                        # one row a run, and what changed when

Nothing heavy is imported until it is used: ``import edgebench`` costs no numpy and no pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgebench.report.frame import compare as compare
    from edgebench.report.frame import load as load
    from edgebench.report.frame import load_samples as load_samples
    from edgebench.report.history import frame as history

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "history", "load", "load_samples"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - PEP 562 hook: any public name
    if name in {"compare", "load", "load_samples"}:
        from edgebench.report import frame  # noqa: PLC0415 - pandas only when asked for

        return getattr(frame, name)
    if name == "history":
        from edgebench.report import history  # noqa: PLC0415 - as above

        return history.frame
    raise AttributeError(f"module 'edgebench' has no attribute {name!r}")

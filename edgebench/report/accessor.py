"""`frame.edgebench`: what edgebench can do with a frame, where a frame is.

Registered when this is imported: by `edgebench.load` and its like, and by ``import edgebench``
where pandas was imported before. pandas knows no entry points for accessors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from edgebench.analysis.cost import Need
    from edgebench.report.recommendation import Recommendation


@pd.api.extensions.register_dataframe_accessor("edgebench")
class Accessor:
    """What edgebench can do with a frame of `edgebench.load`, or any of its rows."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._frame = frame

    def recommend(
        self,
        *,
        max: Mapping[str, float] | None = None,  # noqa: A002 - as the option is called
        min: Mapping[str, float] | None = None,  # noqa: A002 - as above
        minimise: str | None = None,
        maximise: str | None = None,
        workload: str | Sequence[str] | None = None,
        prices_usd: Mapping[str, float] | None = None,
        allow_tier: str | Sequence[str] = (),
        require_valid: bool = False,
        sure: bool = False,
        each_unit: bool = False,
        all_runs: bool = False,
        need: Need | None = None,
    ) -> Recommendation:
        """As `edgebench.recommend`."""
        from edgebench.report import recommendation  # noqa: PLC0415 - when it is asked for

        return recommendation.recommend(
            self._frame,
            max=max,
            min=min,
            minimise=minimise,
            maximise=maximise,
            workload=workload,
            prices_usd=prices_usd,
            allow_tier=allow_tier,
            require_valid=require_valid,
            sure=sure,
            each_unit=each_unit,
            all_runs=all_runs,
            need=need,
        )

    def compare(self, other: pd.DataFrame, metric: str = "latency_p50_ms") -> pd.DataFrame:
        """As `edgebench.compare` with this frame as A and ``other`` as B."""
        from edgebench.report import frame  # noqa: PLC0415 - it registers this class

        return frame.compare(self._frame, other, metric)

    def latest(self) -> pd.DataFrame:
        """The rows of the latest run of each (device_id, case_id), in the order of the frame.

        Raises:
            UsageError: The frame lacks a column of `edgebench.load`.
        """
        from edgebench.report import frame  # noqa: PLC0415 - it registers this class
        from edgebench.store import merge  # noqa: PLC0415 - when it is asked for

        rows = frame.records(self._frame)
        kept = {id(row) for row in merge.latest(rows)}
        return self._frame[[id(row) in kept for row in rows]]

    def valid(self) -> pd.DataFrame:
        """The rows whose status is ok and whose validity is ``valid``.

        Raises:
            UsageError: The frame lacks a column of `edgebench.load`.
        """
        from edgebench.report import frame  # noqa: PLC0415 - it registers this class

        rows = frame.records(self._frame)
        good = [row["status"] == "ok" and row["validity"] == "valid" for row in rows]
        return self._frame[good]

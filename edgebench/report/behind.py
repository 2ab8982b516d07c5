"""What lies behind rows: the samples and the machine's facts of stored runs, read when asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from edgebench.codec import to_builtins
from edgebench.errors import EdgebenchError
from edgebench.records import Record
from edgebench.store.read import StoredRun, read_all


class Behind:
    """The runs at or below some paths; what another tool measured has nothing behind it."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)

    @cached_property
    def _runs(self) -> dict[str, StoredRun]:
        try:
            runs, _ = read_all(self._paths)  # what is damaged was told when the rows were read
        except EdgebenchError:  # nothing but imported results
            return {}
        return {run.manifest.run_id: run for run in runs}

    @cached_property
    def _records(self) -> Mapping[tuple[str, str], list[Record]]:
        found: defaultdict[tuple[str, str], list[Record]] = defaultdict(list)
        for run in self._runs.values():
            for record in run.latest():
                if record.status == "ok":
                    found[record.run_id, record.case_id].append(record)
        return found

    def samples_ns(self, row: Mapping[str, object]) -> Sequence[Sequence[int]]:
        """The timed inferences of each ok launch in ns, launches in order."""
        mine = self._records.get((str(row.get("run_id")), str(row.get("case_id"))), [])
        return [
            list(record.latency_ns) for record in sorted(mine, key=lambda record: record.launch)
        ]

    def facts(self, row: Mapping[str, object]) -> Mapping[str, Any]:
        """What the machine said of itself when it measured."""
        run = self._runs.get(str(row.get("run_id")))
        return {} if run is None else to_builtins(run.manifest.facts)

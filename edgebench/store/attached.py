"""Readings that came after their launch: a file beside the journal, merged when a run is read.

A launch is its case, number and attempt; per launch a log has one series, and one that is attached
again takes the place of the earlier, whatever it was told to stand at then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from edgebench.codec import decode_attached, encode_attached
from edgebench.metering import Attached
from edgebench.records import Record
from edgebench.store.lines import read_lines

FILE = "readings.jsonl"


def read(folder: Path) -> tuple[tuple[Attached, ...], tuple[str, ...]]:
    """``(attached, damage)`` of a run folder: a bad line costs itself and nothing else."""
    return read_lines(folder / FILE, decode_attached, "attach the power log again")


def encode(earlier: Iterable[Attached], later: Sequence[Attached]) -> bytes:
    """The file's content: what comes later takes the place of its log's and of its launches'.

    Of one log, other readings may be another column of it; the same ones have been misnamed.
    """
    logs = {(one.source, one.series.channel.name) for one in later}
    again = {(one.source, _launch(one), one.series.value) for one in later}
    others = [
        one
        for one in earlier
        if (one.source, one.series.channel.name) not in logs
        and (one.source, _launch(one), one.series.value) not in again
    ]
    kept = {_key(one): one for one in (*others, *later)}
    return b"".join(encode_attached(one) for one in kept.values())


def merged(records: Iterable[Record], later: Iterable[Attached]) -> tuple[Record, ...]:
    """Records with the attached series among their own."""
    of_launch: dict[tuple[str, int, int], list[Attached]] = {}
    for one in {_key(one): one for one in later}.values():
        of_launch.setdefault(_launch(one), []).append(one)
    return tuple(_with(record, of_launch) for record in records)


def _with(record: Record, of_launch: dict[tuple[str, int, int], list[Attached]]) -> Record:
    came = of_launch.get((record.case_id, record.launch, record.attempt))
    if came is None or record.power is None:
        return record
    new = {(one.series.meter, one.series.channel.name): one.series for one in came}
    meters = {one.series.meter for one in came}
    own = [
        series
        for series in record.power.series
        if (series.meter, series.channel.name) not in new
        and (len(series.t_ns) or series.meter not in meters)  # a log's place was held
    ]
    power = msgspec.structs.replace(record.power, series=(*own, *new.values()))
    return msgspec.structs.replace(record, power=power)


def _key(one: Attached) -> tuple[str, int, int, str, str]:
    return (*_launch(one), one.series.meter, one.series.channel.name)


def _launch(one: Attached) -> tuple[str, int, int]:
    return one.case_id, one.launch, one.attempt

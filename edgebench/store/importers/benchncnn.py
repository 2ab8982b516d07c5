"""ncnn's benchncnn: the table that it prints, ``mobilenet  min = 9.00  max = 9.98  avg = 9.88``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from edgebench.errors import UsageError, plain
from edgebench.protocols import Imported, ImportedRow
from edgebench.store.importers.figures import FORMAT, Cells
from edgebench.store.importers.opened import Opened

_NUMBER = r" *(\d+\.\d\d)"
_ROW = re.compile(rf"^\s*(\S{{1,100}})\s+min ={_NUMBER}\s+max ={_NUMBER}\s+avg ={_NUMBER}\s*$")
_SETTING = re.compile(r"^(\w{1,40}) = (-?\d{1,9})\s*$")
_SETTINGS = ("loop_count", "num_threads", "powersave", "gpu_device", "cooling_down")
_HEADING = re.compile(r"^#+ ")
_CPU = -1
_INT8 = "_int8"

_Settings = dict[str, tuple[int, str]]


class BenchNcnn:
    """`protocols.Importer`: what benchncnn printed on one device, in one run or several."""

    name = "benchncnn"
    wants = ("device",)

    def read(self, path: Path, stated: Mapping[str, str]) -> Imported:
        """A cell a network.

        Args:
            path: The text.
            stated: Of a stated ``precision`` only the networks are taken that can have it: those
                whose name ends in ``_int8`` are int8, and of the others ncnn does not tell.

        Raises:
            UsageError: It is no such text, damaged, or tells no figure.
        """
        opened = Opened(path)
        notes: list[str] = []
        found: dict[tuple[object, ...], tuple[ImportedRow, str]] = {}
        settings: _Settings = {}
        others = 0
        for number, line in enumerate(opened.text().split("\n"), 1):
            place = f"{opened.name}: line {number}"
            if told := _ROW.match(line):
                if not _is_asked(told[1], stated, place, notes):
                    continue
                row = _row(told, settings, place, notes)
                _once(found, row, place)
            elif told := _SETTING.match(line):
                settings = _with(settings, told, place)
            else:
                others += _passed_over(line, place)
        if not found:
            raise UsageError(
                f"{opened.name} has no line 'NETWORK  min = ...  max = ...  avg = ...'"
            )
        if others:
            notes.append(f"{others} lines are neither a figure nor a setting")
        rows = tuple(row for row, _ in found.values())
        return Imported(tool="benchncnn", files=opened.files, rows=rows, notes=tuple(notes))


def _is_asked(network: str, stated: Mapping[str, str], place: str, notes: list[str]) -> bool:
    asked = stated.get("precision")
    if asked is None or (asked == "int8") == network.endswith(_INT8):
        return True
    notes.append(f"{place}: {plain(network)} is not {plain(asked)}, as stated: left out")
    return False


def _with(settings: _Settings, told: re.Match[str], place: str) -> _Settings:
    """A run's settings begin with the first of them; none of an earlier run stays."""
    if told[1] not in _SETTINGS:
        raise UsageError(f"{place}: benchncnn has no setting {told[1]!r}")
    earlier = {} if told[1] == _SETTINGS[0] else settings
    return {**earlier, told[1]: (int(told[2]), place)}


def _passed_over(line: str, place: str) -> bool:
    """Whether a line that is no figure says anything; what looks like one is refused."""
    if _HEADING.match(line):
        raise UsageError(f"{place} is a heading: this is a document", remedy="cut one run out")
    if re.search(r"\b(min|max|avg) *=", line):
        raise UsageError(f"{place} is no figure of benchncnn: {plain(line.strip()[:60])!r}")
    return bool(line.strip())


def _row(told: re.Match[str], settings: _Settings, place: str, notes: list[str]) -> ImportedRow:
    network = plain(told[1])
    least_ms, most_ms, mean_ms = (float(told[n]) for n in (2, 3, 4))
    if not least_ms <= mean_ms <= most_ms:
        raise UsageError(f"{place}: the mean is not between the least and the most")
    cells = Cells()
    cells.put("workload", network.removesuffix(_INT8), place)
    if network.endswith(_INT8):
        cells.put("precision", "int8", place)
    usual = {"backend": "ncnn", "format": "ncnn", "scenario": "single_stream", "weights": "random"}
    for column, value in {**usual, "region": "invoke", "status": "ok"}.items():
        cells.put(column, value, FORMAT)
    cells.put("batch", 1, FORMAT)
    cells.put("launches", 1, FORMAT)
    for column, value_ms in (("latency_min_ms", least_ms), ("latency_mean_ms", mean_ms)):
        if value_ms > 0:
            cells.put(column, value_ms, place)
        else:
            notes.append(f"{place}: a time of 0 ms is left out")
    own = {"min": least_ms, "max": most_ms, "avg": mean_ms}
    cells.own(own, place)
    cells.caveat("benchncnn tells no median, and runs without a model's weights", FORMAT)
    _put_settings(cells, settings)
    return cells.row()


def _put_settings(cells: Cells, settings: _Settings) -> None:
    for name, column in (("loop_count", "samples"), ("num_threads", "threads")):
        if name in settings:
            cells.positive(column, *settings[name])
    if "gpu_device" in settings:
        device, place = settings["gpu_device"]
        cells.put("accelerator", "cpu" if device == _CPU else "vulkan", place)
    shown = {name: settings[name] for name in ("powersave", "gpu_device") if name in settings}
    if shown:
        words = " ".join(f"{name}={value}" for name, (value, _) in shown.items())
        cells.put("options", words, " + ".join(place for _, place in shown.values()))


def _once(
    found: dict[tuple[object, ...], tuple[ImportedRow, str]], row: ImportedRow, place: str
) -> None:
    """Keep a row, unless the same was measured twice: one of them would hide the other."""
    same = ("workload", "precision", "threads", "accelerator", "options")
    key = tuple(row.values.get(name) for name in same)
    if key in found:
        raise UsageError(
            f"{place}: {row.values['workload']} was measured already at {found[key][1]}",
            remedy="import each run by itself",
        )
    found[key] = (row, place)

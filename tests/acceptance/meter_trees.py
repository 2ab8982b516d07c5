"""Meters give planted energies back within 0.1 %, and nothing missing is ever read as 0.

Plants sensors in every planted machine (`edgebench.testing.trees`; the rows are in
`meter_rows.py`), lets them change for 40 s on a clock of its own at 10 Hz, integrates what the
meters read by code that is not edgebench's, and holds it against the planted energy. Then breaks
each sensor in turn: forbidden, vanished, a folder in its place, empty, no number, negative. Needs
no sensor, no rights and no quiet machine.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from verdict import Verdict

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))

import sensors
from meter_rows import NATIVE, ROWS, SECONDS, TREES, Moved, Row

from edgebench import plugins
from edgebench.meters.rapl_perf import RaplPerf
from edgebench.protocols import Meter, Readings
from edgebench.testing import trees

LIMIT_RATIO = 0.001
SCALE_J = 2.0**-32
FAULTS = ("forbidden", "vanished", "a folder", "empty", "no number", "negative")
TEXTS = {"empty": "", "no number": "12 apples", "negative": "-5"}


@contextmanager
def planted(row: Row) -> Iterator[Path]:
    """A row's machine with its sensors, as they are in the first moment."""
    with sensors.folder_for_all() as root:
        trees.plant(row.tree, root)
        for path, content in row.planted.items():
            sensors.put(root / path, content)
        move(row, root, 0.0)
        yield root


def move(row: Row, root: Path, t_s: float) -> None:
    """Let every sensor say what it says after so many seconds."""
    for one in row.moved:
        sensors.put(root / one.path, round(one.signal(t_s)))


def off_ratio(found: float, planted_j: float) -> float:
    """How far a figure is from what was planted."""
    return abs(found - planted_j) / planted_j


def judge_energy(verdict: Verdict, row: Row) -> None:
    """A row's energies, channel by channel and as the meter's own sum."""
    with planted(row) as root:
        meter = plugins.open_meter(row.meter)
        probe = meter.probe(root)
        readings = sensors.readings_of(meter, lambda t_s: move(row, root, t_s), seconds=SECONDS)
        counted = {c.name: place for place, c in enumerate(meter.channels) if c.counted}
        found = {
            name: sensors.energy_j(meter.channels[place], readings, place)
            for name, place in counted.items()
        }
        sum_j = sensors.counted_j(meter, readings)
    planted_j = math.fsum(row.energy_j.values())
    offs = [off_ratio(found[name], row.energy_j[name]) for name in found if name in row.energy_j]
    worst = max([*offs, off_ratio(sum_j, planted_j)])
    verdict.check(
        f"{row.meter} in {row.tree}",
        f"planted {planted_j:.4f} J in {' + '.join(row.energy_j)}, found {sum_j:.4f} J in "
        f"{' + '.join(found) or probe.reason}: off by {worst:.5%}",
        f"{LIMIT_RATIO:.1%}",
        passed=worst <= LIMIT_RATIO and found.keys() == row.energy_j.keys(),
    )


def judge_perf(verdict: Verdict) -> None:
    """Events of the N100 tree, whose counts come through pipes; beyond 32 bits after 0.5 s."""
    kernel = sensors.PlayedEvents()
    meter = RaplPerf(kernel)
    with tempfile.TemporaryDirectory() as name:
        meter.probe(trees.plant("n100", Path(name)))
    places = [c.name for c in meter.channels]

    def count(t_s: float) -> None:
        for place, channel in enumerate(places):
            watts = 6.0 if channel == "package-0" else 4.0
            kernel.say(place, round((0.5 + watts * t_s) / SCALE_J))

    readings = sensors.readings_of(meter, count, seconds=SECONDS)
    found = sensors.counted_j(meter, readings)
    off = off_ratio(found, 6.0 * SECONDS)
    verdict.check(
        "rapl-perf in n100",
        f"planted {6.0 * SECONDS:.4f} J, found {found:.4f} J: off by {off:.5%}",
        f"{LIMIT_RATIO:.1%}",
        passed=off <= LIMIT_RATIO,
    )
    kernel.close()
    ended = meter.read()
    verdict.check(
        "rapl-perf whose events ended",
        f"{ended}",
        "no reading",
        passed=set(ended) == {None},
    )
    meter.close()


def spoil(path: Path, fault: str) -> None:
    """Break a sensor file."""
    if fault == "forbidden":
        path.chmod(0)
    elif fault in TEXTS:
        path.write_text(TEXTS[fault], encoding="utf-8")
    else:
        path.unlink()
        if fault == "a folder":
            path.mkdir()


def mend(path: Path) -> None:
    """Make way for a new file."""
    with suppress(FileNotFoundError):
        path.rmdir() if path.is_dir() else path.unlink()


def read_spoilt(row: Row, one: Moved, fault: str) -> str:
    """What is wrong with what a meter makes of one broken sensor; empty where nothing is."""
    with planted(row) as root:
        meter = plugins.open_meter(row.meter)
        meter.probe(root)
        names = [c.name for c in meter.channels]
        if one.channel not in names:
            return f"{row.meter} has no {one.channel}"
        place = names.index(one.channel)
        spoil(root / one.path, fault)
        with sensors.without_rights() if fault == "forbidden" else suppress():
            broken, others = split(meter.read(), place)
            probe = plugins.open_meter(row.meter).probe(root)
        mend(root / one.path)
        move(row, root, 0.0)
        back, _ = split(meter.read(), place)
    if broken is not None:
        return f"it reads {broken}"
    if None in others and fault != "forbidden":
        return "it takes other channels with it"
    if not probe.available and not probe.reason:
        return "the probe does not say why"
    return "" if back is not None else "it does not come back"


def split(readings: Readings, place: int) -> tuple[int | None, list[int | None]]:
    """The value of one channel, and those of all others."""
    values = [None if one is None else one[1] for one in readings]
    return values[place], values[:place] + values[place + 1 :]


def judge_faults(verdict: Verdict) -> None:
    """Every fault on every moved sensor of every row."""
    for fault in FAULTS:
        wrong, tried = [], 0
        for row in ROWS:
            for one in row.moved:
                if one.channel:
                    tried += 1
                    why = read_spoilt(row, one, fault)
                    wrong += [f"{row.meter} in {row.tree}, {one.channel}: {why}"] if why else []
        verdict.check(
            f"a sensor that is {fault}" if fault in ("forbidden", "vanished") else f"{fault}",
            f"{tried - len(wrong)} of {tried} sensors give no reading and come back "
            f"{'; '.join(wrong)}".rstrip(),
            "all",
            passed=bool(tried) and not wrong,
        )


def judge_permission(verdict: Verdict) -> None:
    """Where the user may read none of its sensors, a meter says so and gives a remedy or reason."""
    for row in ROWS:
        if not row.limited:
            continue
        meter: Meter = plugins.open_meter(row.meter)
        with planted(row) as root:
            for one in row.moved:
                for path in (root / one.path).parent.glob("*_input"):
                    path.chmod(0)
                (root / one.path).chmod(0)
            with sensors.without_rights():
                probe = meter.probe(root)
        verdict.check(
            f"{row.meter} in {row.tree}, forbidden",
            f"{'available' if probe.available else probe.reason!r}",
            f"unavailable, {row.limited!r}",
            passed=not probe.available and row.limited in probe.reason,
        )


def judge_trees(verdict: Verdict) -> None:
    """As they stand, machines have the meters that they have; the others say why not."""
    for tree in TREES:
        with tempfile.TemporaryDirectory() as name:
            root = trees.plant(tree, Path(name))
            probes = {one: plugins.probe_meter(one, root) for one in plugins.names(plugins.METERS)}
        found = tuple(name for name, probe in probes.items() if probe.available)
        mute = [name for name, probe in probes.items() if not probe.available and not probe.reason]
        verdict.check(
            f"meters of {tree}",
            f"{', '.join(found) or 'none'}{'; no reason from ' + ', '.join(mute) if mute else ''}",
            f"{', '.join(NATIVE.get(tree, ())) or 'none'}, the others say why not",
            passed=found == NATIVE.get(tree, ()) and not mute,
        )


def main() -> int:
    """Judge everything; give the exit code."""
    verdict = Verdict()
    lacking = {row.meter for row in ROWS} - set(plugins.names(plugins.METERS))
    verdict.check("meters", f"not registered: {sorted(lacking)}", "none lacks", passed=not lacking)
    if not lacking:
        judge_trees(verdict)
        for row in ROWS:
            judge_energy(verdict, row)
        judge_perf(verdict)
        judge_permission(verdict)
        judge_faults(verdict)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

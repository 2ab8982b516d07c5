"""How often and how long each scenario is measured: a preset fitted to a case."""

from __future__ import annotations

import math

import msgspec

from edgebench import stats
from edgebench.records import Case
from edgebench.runner.config import Preset

_LAUNCH_S = 0.7
"""Start, load and check of a small CNN."""
_PACED_LAUNCHES = 3
"""As many launches together see the frames that a p99 needs."""
_SUSTAINED_LAUNCHES = 3
_SERVER_WINDOWS = 5.0
"""Capacity, the top of the search, the confirming window: where the search is short."""
_OFFLINE_LOOK = (0.25, 0.05, 0.5)
"""As ``edgebench.measure.offline`` looks at a point: share of the window, least and most s."""

_BESIDES_S = 0.4
"""What a launch takes besides its window on a PC of two cores; more on a board."""
_SHORTEST_S = 0.1
AIM_LAUNCHES = 2
"""Launches that every case has, however long they take: one alone tells nothing of the spread."""


def aimed(preset: Preset, cells: int) -> Preset:
    """The preset with windows so short that a run of many cells comes near its aim.

    The length depends on the number of cells alone, not on how fast this device is: the same
    selection is measured alike everywhere. Where even the shortest windows take too long,
    `execute` leaves out the launches beyond `AIM_LAUNCHES`.

    Args:
        preset: As the user asked for it.
        cells: How many can be launched, one or more.
    """
    if preset.aim_s is None:
        return preset
    share_s = preset.aim_s / (cells * preset.min_launches) - _BESIDES_S
    whole_s = math.floor(100 * share_s) / 100
    measure_s = min(preset.measure_s, max(_SHORTEST_S, whole_s))
    return msgspec.structs.replace(preset, measure_s=measure_s)


def fitted(case: Case, preset: Preset) -> Preset:
    """The preset as this case's scenario wants it.

    - paced: as many frames a launch that three launches have a p99 (368).
    - sustained: its minutes. One launch in --quick, three above: a launch is long enough to have
      its own figures, and the next one begins on a device that is still warm.
    - server in search of its rate: as many launches, but none to reach a target. The latencies of
      its launches are those of other rates, and the rate is found on a grid of a twentieth.
    """
    if case.scenario == "server" and "rate_hz" not in case.parameters:
        return _replaced(preset)
    if case.scenario == "paced":
        frames = math.ceil(stats.min_samples(0.99) / _PACED_LAUNCHES)
        seconds = max(preset.measure_s, frames / case.parameters["rate_hz"])
        return _replaced(preset, measure_s=seconds)
    if case.scenario == "sustained":
        launches = 1 if preset.name == "quick" else _SUSTAINED_LAUNCHES
        return _replaced(
            preset,
            measure_s=60 * case.parameters["minutes"],
            min_launches=min(launches, preset.min_launches),
            max_launches=min(launches, preset.max_launches),
        )
    return preset


def _replaced(preset: Preset, **changes: float) -> Preset:
    """Changed, and without a target to stop at before."""
    return msgspec.structs.replace(
        preset, measure_max_s=None, launch_target_ratio=None, target_ratio=None, **changes
    )


def launch_s(case: Case, preset: Preset) -> float:
    """About how long a launch takes with a small model."""
    own = fitted(case, preset)
    seconds = own.measure_s
    if case.scenario == "server" and "rate_hz" not in case.parameters:
        seconds *= _SERVER_WINDOWS
    elif case.scenario == "server":
        seconds = max(seconds, stats.min_samples(0.99) / case.parameters["rate_hz"])
    elif case.scenario == "offline":
        share, least, most = _OFFLINE_LOOK
        seconds += _points(case) * min(max(share * seconds, least), most)
    return seconds + preset.warmup_s + _LAUNCH_S


def power_s(case: Case, preset: Preset, launch: int) -> float:
    """Seconds that the power pass of a launch takes, the idle baseline included; 0 without one.

    Only what runs back to back has one: of other scenarios energy is not measured.
    """
    plain = (case.scenario, case.region, case.engine) == ("single_stream", "invoke", "edgebench")
    if preset.power_s is None or not plain or launch >= preset.power_launches:
        return 0.0
    return preset.idle_s + preset.power_s


def _points(case: Case) -> int:
    """Ways to work that an offline launch looks at: batches and streams, doubled up to the most."""
    points = 1
    for first, key in ((case.batch, "max_batch"), (case.streams, "max_streams")):
        most = int(case.parameters.get(key, first))
        points *= 1 + math.ceil(math.log2(most / first))
    return points

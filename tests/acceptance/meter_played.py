"""Meters that ask a kernel, a firmware or a driver's library, which are played here.

As in `meter_rows.py` a new one is a row of `PLAYED`, and its energy is written down by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import sensors
from meter_rows import SECONDS, swinging

from edgebench.meters.nvml import Nvml
from edgebench.meters.rapl_perf import RaplPerf
from edgebench.meters.rpi_pmic import RpiPmic
from edgebench.protocols import Meter
from edgebench.testing.sensors import PMIC_RAILS, FakeGpu, FakeNvml, FakeVcio, pmic_text

_J_PER_COUNT = 2.0**-32


class Played(NamedTuple):
    """A meter, and the other side that answers it."""

    meter: Meter
    tree: str
    move: Callable[[float], None]
    """Lets the other side say what it says after so many seconds."""
    spoils: dict[str, Callable[[], None]]
    """What may go wrong there; all of the meter's channels are then without a reading."""
    energy_j: float
    """Over `SECONDS`, of all counted channels."""


def perf_events() -> Played:
    """The package and its cores; the counts leave 32 bits behind after 0.5 J."""
    kernel = sensors.PlayedEvents()
    meter = RaplPerf(kernel)

    def move(t_s: float) -> None:
        for place, channel in enumerate(meter.channels):
            watts = 6.0 if channel.name == "package-0" else 4.0
            kernel.say(place, round((0.5 + watts * t_s) / _J_PER_COUNT))

    return Played(
        meter=meter,
        tree="n100",
        move=move,
        # In this order: a pipe that was closed stays so.
        spoils={"silent": lambda: None, "ended": kernel.close},
        energy_j=6.0 * SECONDS,
    )


def pmic() -> Played:
    """Twelve rails; the processor's swings, the others are steady."""
    core_w, core_j = swinging(1.0, 7.0)
    rails = {name: (0.1 * (place + 1), 1.0) for place, name in enumerate(PMIC_RAILS)}
    others_j = sum(a * v for name, (a, v) in rails.items() if name != "VDD_CORE") * SECONDS
    vcio = FakeVcio(pmic_text(rails))

    def move(t_s: float) -> None:
        vcio.answer = pmic_text({**rails, "VDD_CORE": (core_w(t_s) / 0.8, 0.8)})

    return Played(
        meter=RpiPmic(vcio),
        tree="raspberry-pi-5",
        move=move,
        spoils={
            "empty": lambda: setattr(vcio, "answer", ""),
            "no number": lambda: setattr(vcio, "answer", vcio.answer.replace("=", "=x")),
            "refused": lambda: setattr(vcio, "error", 1),
            "vanished": lambda: setattr(vcio, "vanished", True),
        },
        energy_j=core_j + others_j,
    )


def nvml() -> Played:
    """A GPU's counter in mJ."""
    driver = FakeNvml([FakeGpu(energy_mj=5_000)])
    (gpu,) = driver.gpus

    def move(t_s: float) -> None:
        gpu.energy_mj = 5_000 + round(31.5e3 * t_s)

    return Played(
        meter=Nvml(driver),
        tree="n100",
        move=move,
        spoils={"not supported": lambda: setattr(gpu, "energy_mj", None)},
        energy_j=31.5 * SECONDS,
    )


PLAYED = (perf_events, pmic, nvml)

"""`edgebench devices calibrate`: fit a model of this unit's power to a meter that reads it."""

from __future__ import annotations

import contextlib
import sys

import click

from edgebench import power_model
from edgebench.errors import UsageError

_MINUTES = 10.0


@click.command("calibrate")
@click.option("--meter", "meter_name", metavar="NAME", help="A meter that reads this device.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.1, max=600),
    default=_MINUTES,
    show_default=True,
    help="Time for all loads together.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the loads' order.")
@click.option("--device-name", metavar="NAME", help="A name for this unit instead of a hash.")
def command(meter_name: str | None, minutes: float, seed: int, device_name: str | None) -> None:
    """Fit this unit's power to what its CPUs do, by known loads and a meter.

    The meter is needed once; later runs have the meter `calibrated`. Its figures are labelled
    model_calibrated, with the error that the fit has for loads that it did not see. Leave the
    device alone meanwhile: it is kept idle and busy in turn.
    """
    if sys.platform != "linux":
        raise UsageError(f"a device is calibrated on Linux, this is {sys.platform}")
    if meter_name is None:
        raise UsageError("no meter to calibrate by", remedy="add --meter NAME")
    from edgebench.cli import calibrating
    from edgebench.runner import journal

    with journal.one_run_at_a_time(), contextlib.closing(calibrating.opened(meter_name)) as meter:
        model = calibrating.calibrate(meter, minutes * 60, seed, device_name)
    path = power_model.write(model)
    calibrating.say(
        f"{model.device} ({model.device_id}): an error of {model.error_ratio:.1%} for loads that "
        f"it was not fitted to, {model.loads} in all"
    )
    click.echo(str(path))

"""`edgebench devices calibrate`: fit a model of this unit's power to a meter that reads it."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import click

from edgebench import power_model
from edgebench.cli import power_options
from edgebench.errors import UsageError
from edgebench.runner.config import RunConfig

_MINUTES = 10.0
_OPTIONS = (
    click.option("--meter", "meter_name", metavar="NAME", help="A meter that reads this device."),
    power_options.CSV,
    power_options.OFFSET,
    power_options.COLUMNS,
    power_options.COMMAND,
    power_options.COVERS,
    click.option(
        "--minutes",
        type=click.FloatRange(min=0.1, max=600),
        default=_MINUTES,
        show_default=True,
        help="Time for all loads together.",
    ),
    click.option("--seed", type=int, default=1, show_default=True, help="Of the loads' order."),
    click.option("--device-name", metavar="NAME", help="A name for this unit instead of a hash."),
)


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("calibrate")
@_options
def command(**options: Any) -> None:  # noqa: ANN401 - click passes options by name
    """Fit this unit's power to what its CPUs do, by known loads and a meter.

    The meter is needed once; later runs have the meter `calibrated`. Its figures are labelled
    model_calibrated, with the error that the fit has for loads that it did not see. Leave the
    device alone meanwhile: it is kept idle and busy in turn.

    The model's path is printed: calibrate again to replace it, delete the file to be without it.
    """
    if sys.platform != "linux":
        raise UsageError(f"a device is calibrated on Linux, this is {sys.platform}")
    from edgebench.cli import calibrating
    from edgebench.runner import journal

    _check_writable()
    names = ("power_csv", "power_csv_offset_s", "power_command", "power_covers")
    told = {name: options[name] for name in names if options[name] is not None}
    told["power_csv_columns"] = power_options.columns(options["power_csv_columns"])
    meter = calibrating.opened(options["meter_name"], RunConfig(**told))
    with contextlib.closing(meter), journal.one_run_at_a_time():
        model = calibrating.calibrate(
            meter, options["minutes"] * 60, options["seed"], options["device_name"]
        )
    try:
        path = power_model.write(model)
    except OSError as error:
        raise _unwritable(error) from None
    calibrating.say(
        f"{model.device} ({model.device_id}): an error of {model.error_ratio:.1%} for loads that "
        f"it was not fitted to, {model.loads} in all"
    )
    click.echo(str(path))


def _check_writable() -> None:
    """Try to write where the model will lie: not only after minutes of loads.

    Raises:
        UsageError: It cannot be written there.
    """
    try:
        power_model.folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=power_model.folder()):
            pass
    except OSError as error:
        raise _unwritable(error) from None


def _unwritable(error: OSError) -> UsageError:
    return UsageError(
        f"no model can be written to {power_model.folder()}: {error.strerror}",
        remedy="set EDGEBENCH_DATA to a folder of yours",
    )

"""Options that say what devices are bought for: so many cameras, for so many years."""

from __future__ import annotations

import click

from edgebench.analysis.cost import Need
from edgebench.cli.params import Ratio
from edgebench.errors import UsageError

OPTIONS = (
    click.option("--cost", "costed", is_flag=True, help="Costs, too, of --cameras and --fps."),
    click.option("--cameras", type=int, metavar="N", help="So many cameras."),
    click.option("--fps", "rate_hz", type=float, metavar="F", help="Frames a second of each."),
    click.option("--years", type=float, metavar="Y", help="They run so long (3)."),
    click.option("--hours", "hours_per_day", type=float, metavar="H", help="A day (24)."),
    click.option("--kwh-usd", type=float, metavar="USD", help="What a kilowatt hour costs."),
    click.option(
        "--utilisation",
        "utilisation_ratio",
        type=Ratio(),
        metavar="SHARE",
        help="Share of the capacity that is planned for (80%).",
    ),
)


def need(
    *, costed: bool, cameras: int | None, rate_hz: float | None, **more: float | None
) -> Need | None:
    """What was said; None where nothing was.

    Raises:
        UsageError: It says too little, or what no purchase could be planned with.
    """
    said = {name: value for name, value in more.items() if value is not None}
    if cameras is None and rate_hz is None and not costed and not said:
        return None
    if cameras is None or rate_hz is None:
        raise UsageError(
            "costs are of so many cameras and frames", remedy="add --cameras 40 --fps 10"
        )
    return Need(cameras=cameras, rate_hz=rate_hz, **said)

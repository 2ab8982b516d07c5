"""Options that state a question: limits, what to rank by, what counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import click

from edgebench.analysis import constraints
from edgebench.analysis.constraints import Constraint
from edgebench.analysis.recommend import Objective
from edgebench.cli.params import CommaList, flatten
from edgebench.errors import UsageError
from edgebench.report import choosing
from edgebench.report.choosing import Asked

OPTIONS = (
    click.option("--max", "most", multiple=True, metavar="FIGURE=N", help="No more than this."),
    click.option("--min", "least", multiple=True, metavar="FIGURE=N", help="No less than this."),
    click.option(
        "--minimise", metavar="FIGURE", help="Rank by this; else by what it costs, or p50."
    ),
    click.option("--maximise", metavar="FIGURE", help="Rank by the most of this."),
    click.option(
        "-w",
        "--workload",
        "workloads",
        multiple=True,
        type=CommaList(),
        help="Only these workloads.",
    ),
    click.option(
        "--price", "prices", multiple=True, metavar="DEVICE=USD", help="What it costs you."
    ),
    click.option(
        "--allow-tier",
        "tiers",
        multiple=True,
        type=CommaList(metavar="TIER"),
        help="Tiers of power that count; several are ranked together, labelled.",
    ),
    click.option("--require-valid", is_flag=True, help="Suspect and imported cells fall out, too."),
    click.option("--sure", is_flag=True, help="Whole 95 % intervals must keep the limits."),
)

NAMES = (
    *("most", "least", "minimise", "maximise", "workloads", "prices", "tiers"),
    *("require_valid", "sure"),
)
"""Of the parameters that the options give."""


def asked(stated: Mapping[str, Any], front: tuple[Objective, ...] = ()) -> Asked:
    """What the options say.

    Args:
        stated: Their values, by `NAMES`.
        front: Where nothing says what to rank by, the first of these does.

    Raises:
        UsageError: A limit or a price is none, or two figures would rank.
    """
    return Asked(
        limits=_limits(stated["most"], stated["least"]),
        objective=choosing.objective(stated["minimise"], stated["maximise"], front),
        workloads=flatten(stated["workloads"]),
        prices_usd=dict(_price(words) for words in stated["prices"]),
        allow_tiers=flatten(stated["tiers"]),
        require_valid=stated["require_valid"],
        sure=stated["sure"],
        front=front,
    )


def _limits(most: Sequence[str], least: Sequence[str]) -> tuple[Constraint, ...]:
    found = [constraints.parse(words, "max") for words in most]
    return (*found, *(constraints.parse(words, "min") for words in least))


def _price(words: str) -> tuple[str, float]:
    device, equals, number = words.strip().rpartition("=")
    try:
        price = float(number)
    except ValueError:
        price = math.nan
    if not equals or not device or math.isnan(price):
        raise UsageError(f"{words!r} is no price", remedy="write --price raspberry-pi-5=80")
    return device, price

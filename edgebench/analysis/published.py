"""What is published of a device and needs no run: its price, its powers, its TOPS."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from edgebench import resources
from edgebench.analysis.figure import PRICE, Figure
from edgebench.errors import UsageError
from edgebench.specs import DeviceSpec

_MOST_USD = 1_000_000_000
__all__ = ["PRICE", "of_device", "of_devices"]


def of_device(spec: DeviceSpec) -> dict[str, Figure]:
    """The descriptor's facts that are figures, each with its source and year."""
    return {
        fact.key: Figure(float(fact.value), exact=True, source=f"{fact.source} ({fact.year})")
        for fact in spec.facts
        if not isinstance(fact.value, str)
    }


def of_devices(
    names: Iterable[str], prices_usd: Mapping[str, float] | None = None
) -> dict[str, dict[str, Figure]]:
    """Facts by device; a device without a descriptor has none but the price that is stated.

    Args:
        names: Kinds of devices.
        prices_usd: Prices that the user states, by device; they go before published ones.

    Raises:
        UsageError: A stated price is none, or of a device that is not among the names.
    """
    kinds = dict.fromkeys(names)
    prices = prices_usd or {}
    _check(prices, kinds)
    files = resources.device_files()
    found = {}
    for name in kinds:
        facts = of_device(resources.open_device(name)) if name in files else {}
        if name in prices:
            facts[PRICE] = Figure(float(prices[name]), exact=True, source="as stated")
        found[name] = facts
    return found


def _check(prices: Mapping[str, float], kinds: Iterable[str]) -> None:
    known = list(kinds)
    for name, price in prices.items():
        if not 0 <= price <= _MOST_USD:
            raise UsageError(
                f"{price:g} USD is no price of {name}", remedy=f"from 0 to {_MOST_USD:,}"
            )
        if name not in known:
            like = difflib.get_close_matches(name, known) or known
            raise UsageError(
                f"a price is stated of {name!r}, of which there is no result",
                remedy=f"one of {', '.join(like)}",
            )

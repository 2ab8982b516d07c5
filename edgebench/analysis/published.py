"""What is published of a device and needs no run: its price, its powers, its TOPS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edgebench import resources
from edgebench.analysis.candidates import Figure
from edgebench.errors import UsageError
from edgebench.specs import DeviceSpec

PRICE = "price_usd"


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
    """
    found = {}
    for name in dict.fromkeys(names):
        try:
            facts = of_device(resources.open_device(name))
        except UsageError:
            facts = {}
        if name in (prices_usd or {}):
            facts[PRICE] = Figure((prices_usd or {})[name], exact=True, source="as stated")
        found[name] = facts
    return found

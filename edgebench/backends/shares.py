"""Which type most of a model's multiplications were computed in, and how many of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Share(NamedTuple):
    """Both are None where no multiplication's type is known."""

    precision: str | None = None
    ratio: float | None = None
    """Multiplications in that precision over all of them."""


def of(multiplications: Mapping[str, float]) -> Share:
    """The largest share, of multiplications by precision.

    Those of an unknown type (an empty name) count among all, so a share is never too large.
    """
    total = sum(multiplications.values())
    known = {name: count for name, count in multiplications.items() if name and count}
    if not known:
        return Share()
    most = max(known, key=lambda name: known[name])
    return Share(most, known[most] / total)

"""Top-1 of two cells on the same images: what one got right and the other did not decides.

Two cells of one network agree on nearly every image, so their top-1 differs by far less than two
independent samples of as many images would: an interval of each alone says next to nothing.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

from edgebench.records import Accuracy
from edgebench.stats import CONFIDENCE, Interval, binomial_cdf

_BISECTIONS = 80


class Discordant(NamedTuple):
    """Images on which two cells differ."""

    lost: int
    """Right in the reference, wrong here."""
    won: int
    """Wrong in the reference, right here."""
    samples: int
    """All images, those on which both agree among them."""


def discordant(reference: Accuracy | None, other: Accuracy | None) -> Discordant | None:
    """Where two cells differ; None where they did not see the same images, or none was kept."""
    if reference is None or other is None or reference.hits is None or other.hits is None:
        return None
    if (reference.samples, reference.source) != (other.samples, other.source):
        return None
    before, after = reference.right, other.right
    return Discordant(
        (before & ~after).bit_count(), (after & ~before).bit_count(), reference.samples
    )


def p_value(found: Discordant) -> float:
    """McNemar's test, mid-p: two-sided, against being wrong equally often.

    The exact binomial test with half the weight on what was seen. It keeps its level without the
    plain exact test's waste, for few and for many discordant images alike, so there is no switch
    to an approximation.

    Source: Fagerland, Lydersen & Laake (2013), "The McNemar test for binary matched-pairs data:
    mid-p and asymptotic are better than exact conditional", BMC Medical Research Methodology 13:91.
    """
    n, fewer = found.lost + found.won, min(found.lost, found.won)
    if n == 0:
        return 1.0
    cdf = binomial_cdf(n, 0.5)
    seen = float(cdf[fewer] - (cdf[fewer - 1] if fewer else 0.0))
    if found.lost == found.won:
        return 1 - seen / 2
    return 2 * float(cdf[fewer]) - seen


def loss(found: Discordant, confidence: float = CONFIDENCE) -> Interval:
    """Top-1 lost against the reference (a ratio), with Tango's score interval.

    It holds exactly those losses that the score test (at 0: McNemar's own) does not reject, and is
    wider than nothing where no image differs.

    Source: Tango (1998), "Equivalence test and confidence interval for the difference in
    proportions for the paired-sample design", Statistics in Medicine 17(8).

    Args:
        found: Of at least one image.
        confidence: Two-sided.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    value = (found.lost - found.won) / found.samples
    return Interval(value, _limit(found, value, -1.0, z), _limit(found, value, 1.0, -z))


def _limit(found: Discordant, inside: float, outside: float, wanted: float) -> float:
    """The loss between two at which the score, falling with it, is ``wanted``."""
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if abs(_score(found, middle)) <= abs(wanted):
            inside = middle
        else:
            outside = middle
    return inside


def _score(found: Discordant, supposed: float) -> float:
    """The score statistic of what was seen if the loss is ``supposed``; standard normal then."""
    lost, won, n = found
    # The likeliest share of won images under it: the larger root of 2n q^2 + b q + c.
    b = (2 * n - lost + won) * supposed - lost - won
    c = -won * supposed * (1 - supposed)
    share = (math.sqrt(max(0.0, b * b - 8 * n * c)) - b) / (4 * n)
    variance = n * (2 * share + supposed * (1 - supposed))
    away = lost - won - n * supposed
    if variance <= 0:
        return math.copysign(math.inf, away) if away else 0.0
    return away / math.sqrt(variance)

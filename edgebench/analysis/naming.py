"""Which figures there are to name, and what to say of a name that is none."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Collection, Iterable, Sequence

from edgebench.analysis.candidates import Candidate
from edgebench.analysis.figure import FACTS
from edgebench.errors import UsageError

_ENDS = ("_lo_", "_hi_")
_SOME = "such as latency_p99_ms, top1_ratio, power_w, price_usd; the README names them all"


def figures(candidates: Sequence[Candidate]) -> frozenset[str]:
    """Every name that may stand for a figure of some candidates, measured or not.

    A column that holds text in any row is none; one that is empty throughout may be.
    """
    named = set(FACTS)
    texts: set[str] = set()
    for candidate in candidates:
        named.update(candidate.told)
        for row in candidate.rows:
            named.update(row)
            texts.update(name for name, value in row.items() if _is_text(value))
    return frozenset(named - texts)


def check(names: Iterable[str], known: Collection[str]) -> None:
    """Refuse the name of a figure that there is not.

    Raises:
        UsageError: It names those that are like it.
    """
    for name in names:
        if name in known:
            continue
        shown = sorted(one for one in known if not any(end in one for end in _ENDS))
        like = difflib.get_close_matches(name, shown)
        like += [one for one in shown if name and name in one and one not in like]
        some = f"did you mean {' or '.join(like[:3])}?" if like else _SOME
        raise UsageError(f"no figure is named {name!r}", remedy=some)


def _is_text(value: object) -> bool:
    return isinstance(value, (str, bool)) or not (value is None or isinstance(value, numbers.Real))

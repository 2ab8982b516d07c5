"""What every choice must keep, on made-up devices: no example breaks it, with seeds 1, 2 and 3.

No candidate that breaks a limit is chosen; one that others beat changes nothing about them; the
order of rows and of folders changes nothing; ties are symmetrical; a tighter limit lets nobody in;
the front is that of a search through all pairs. `--plant` puts known faults in the place of
`recommend` and of the front, each of which must be found; `--examples N` for a shorter look.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from verdict import Verdict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from choosing import CHECKS, FAULTS, Asked, Recommend, asked

from edgebench.analysis import pareto, refusals
from edgebench.analysis.candidates import Candidate
from edgebench.analysis.recommend import Objective, recommend

SEEDS = (1, 2, 3)
EXAMPLES = 500
_AXES = ("latency_p50_ms", "energy_net_mj", "top1_ratio", "price_usd")
Members = Callable[[Sequence[Candidate], Sequence[Objective]], set[str]]


def of_product(candidates: Sequence[Candidate], objectives: Sequence[Objective]) -> set[str]:
    """Names on the product's front."""
    return {one.name for one in pareto.front(candidates, objectives).members}


def of_first_only(candidates: Sequence[Candidate], objectives: Sequence[Objective]) -> set[str]:
    """The planted fault: as if the last objective did not count."""
    return of_product(candidates, objectives[:-1] or objectives)


def by_all_pairs(candidates: Sequence[Candidate], objectives: Sequence[Objective]) -> set[str]:
    """The definition: whom no other one beats, being nowhere worse and somewhere better."""
    points = {}
    for one in candidates:
        figures = [one.figure(objective.name) for objective in objectives]
        if not refusals.unfit(one) and None not in figures:
            signs = (objective.sign for objective in objectives)
            known = (figure.value for figure in figures if figure is not None)
            points[one.name] = tuple(s * value for s, value in zip(signs, known, strict=True))
    return {
        name
        for name, mine in points.items()
        if not any(
            other != mine and all(a <= b for a, b in zip(other, mine, strict=True))
            for other in points.values()
        )
    }


def failures(check: Callable[[Asked, random.Random], None], number: int, examples: int) -> str:
    """What the first example that fails says; empty where none of them does."""
    phases = (Phase.generate,)
    known = [HealthCheck.too_slow]

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=known,
        report_multiple_bugs=False,
    )
    @given(asked(), st.randoms(use_true_random=False))
    def judged(given: Asked, rng: random.Random) -> None:
        ran.append(1)
        check(given, rng)

    ran: list[int] = []
    try:
        judged()
    except AssertionError as error:
        said = (str(error).splitlines() or ["it does not hold"])[0][:60]
        return f"example {len(ran)}: {said}"
    return ""


def fronts_agree(members: Members) -> Callable[[Asked, random.Random], None]:
    """A check that a front is that of all pairs, in two to four objectives."""

    def check(given: Asked, rng: random.Random) -> None:
        names = rng.sample(_AXES, rng.randint(2, len(_AXES)))
        objectives = [Objective(name, name == "top1_ratio") for name in names]
        candidates = given.candidates()
        found, wanted = members(candidates, objectives), by_all_pairs(candidates, objectives)
        assert found == wanted, f"{len(found)} on the front, {len(wanted)} by all pairs"

    return check


def bound(name: str, chosen: Recommend) -> Callable[[Asked, random.Random], None]:
    """A check on one `recommend`."""
    return lambda given, rng: CHECKS[name](chosen, given, rng)


def main() -> int:
    """Judge every property with every seed; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    parser.add_argument("--plant", action="store_true", help="each check gets a known fault")
    given = parser.parse_args()
    verdict = Verdict()
    rules = [
        (f"{name}{f', planted {chosen.__name__}' if given.plant else ''}", bound(name, chosen))
        for name in CHECKS
        for chosen in (FAULTS[name] if given.plant else (recommend,))
    ]
    front = of_first_only if given.plant else of_product
    rules.append(("the front is that of all pairs", fronts_agree(front)))
    for name, check in rules:
        for number in SEEDS:
            found = failures(check, number, given.examples)
            figure = found or f"0 of {given.examples} examples break it"
            verdict.check(f"{name}, seed {number}", figure, "0", passed=not found)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

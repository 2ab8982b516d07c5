"""What every choice must keep, whatever was measured and asked; and that each check can fail."""

from __future__ import annotations

import random

import choosing
import pytest
from choosing import CHECKS, FAULTS, Asked, Recommend
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from edgebench.analysis.recommend import recommend

_EXAMPLES = 60
_RANDOM = st.randoms(use_true_random=False)


@pytest.mark.parametrize("name", CHECKS)
def test_a_choice_keeps_what_every_choice_must(name: str) -> None:
    @settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(choosing.asked(), _RANDOM)
    def check(asked: Asked, rng: random.Random) -> None:
        CHECKS[name](recommend, asked, rng)

    check()


@pytest.mark.parametrize(
    ("name", "fault"), [(name, fault) for name, faults in FAULTS.items() for fault in faults]
)
def test_each_check_finds_a_planted_fault(name: str, fault: Recommend) -> None:
    def fails(one: tuple[Asked, random.Random]) -> bool:
        try:
            CHECKS[name](fault, *one)
        except AssertionError:
            return True
        return False

    drawn = st.tuples(choosing.asked(), _RANDOM)
    phases = (Phase.generate,)  # the first one that is found will do
    config = settings(max_examples=2_000, deadline=None, database=None, phases=phases)
    try:
        find(drawn, fails, settings=config)
    except NoSuchExample:
        pytest.fail(f"{name}: does not find {fault.__name__}")

"""McNemar's mid-p test and Tango's interval: published examples, scipy, and what must hold."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from edgebench.analysis import mcnemar
from edgebench.analysis.mcnemar import Discordant
from edgebench.records import Accuracy
from edgebench.samples import deflate_bits


@st.composite
def tables(draw: st.DrawFn, most: int = 300) -> Discordant:
    lost, won = draw(st.integers(0, most)), draw(st.integers(0, most))
    return Discordant(lost, won, max(1, lost + won) + draw(st.integers(0, 10_000)))


def judged(answers: list[bool], source: str = "x", *, kept: bool = True) -> Accuracy:
    hits = deflate_bits(answers) if kept else None
    return Accuracy(samples=len(answers), correct=sum(answers), source=source, hits=hits)


# Fagerland, Lydersen & Laake, Statistical Analysis of Contingency Tables (2017), chapter 8: airway
# hyper-responsiveness (Bentur et al. 2009) and response to therapy (Cavo et al. 2012).
@pytest.mark.parametrize(
    ("found", "p_value", "loss", "low", "high"),
    [
        (Discordant(1, 7, 21), 0.0391, -0.2857, -0.5172, -0.0260),
        (Discordant(6, 16, 161), 0.034690, -0.0621, -0.1240, -0.0054),
    ],
)
def test_published_examples(
    found: Discordant, p_value: float, loss: float, low: float, high: float
) -> None:
    assert mcnemar.p_value(found) == pytest.approx(p_value, abs=4e-5)
    assert mcnemar.loss(found) == pytest.approx((loss, low, high), abs=5e-5)


@given(tables())
@example(Discordant(3000, 3100, 50_000))
def test_the_p_value_is_scipys_exact_one_less_half_of_what_was_seen(found: Discordant) -> None:
    n = found.lost + found.won
    assume(n > 0)
    exact = scipy_stats.binomtest(found.lost, n).pvalue
    seen = float(scipy_stats.binom.pmf(found.lost, n, 0.5))
    wanted = exact - seen if found.lost != found.won else 1 - seen / 2
    assert mcnemar.p_value(found) == pytest.approx(wanted, rel=1e-8, abs=1e-12)
    assert 0 <= mcnemar.p_value(found) <= 1


@given(tables())
def test_changing_sides_mirrors_the_answer(found: Discordant) -> None:
    other = Discordant(found.won, found.lost, found.samples)
    assert mcnemar.p_value(found) == mcnemar.p_value(other)
    ours, theirs = mcnemar.loss(found), mcnemar.loss(other)
    assert (ours.low, ours.high) == pytest.approx((-theirs.high, -theirs.low), abs=1e-12)


@given(tables())
def test_the_interval_holds_what_the_score_test_does_not_reject(found: Discordant) -> None:
    value, low, high = mcnemar.loss(found)
    assert -1 <= low <= value <= high <= 1
    assert high > low
    n = found.lost + found.won
    if n:
        score = (found.lost - found.won) / n**0.5
        assume(abs(abs(score) - 1.959963984540054) > 1e-6)
        assert (low <= 0 <= high) == (abs(score) < 1.959963984540054)


@given(tables(most=60))
def test_more_certainty_is_a_wider_interval(found: Discordant) -> None:
    narrow, wide = mcnemar.loss(found, 0.8), mcnemar.loss(found, 0.99)
    assert wide.low <= narrow.low <= narrow.high <= wide.high


def test_no_image_on_which_two_differ_still_leaves_room_for_a_difference() -> None:
    value, low, high = mcnemar.loss(Discordant(0, 0, 10_000))
    assert value == 0
    assert high == -low == pytest.approx(3.84e-4, rel=1e-2)  # z^2 / (n + z^2)
    assert mcnemar.p_value(Discordant(0, 0, 10_000)) == 1


def test_a_table_of_extremes_has_its_estimate_as_a_limit() -> None:
    assert mcnemar.loss(Discordant(5, 0, 5))[::2] == (1.0, 1.0)
    assert mcnemar.loss(Discordant(0, 5, 5))[:2] == (-1.0, -1.0)


@pytest.mark.parametrize("share", [0.002, 0.02])
def test_the_interval_covers_and_the_test_keeps_its_level(share: float) -> None:
    # Two cells that are equally good, of 10,000 images: discordant ones as often either way.
    from numpy.random import default_rng

    for seed in (1, 2, 3):
        rng = default_rng(seed)
        drawn = rng.multinomial(10_000, [share / 2, share / 2, 1 - share], 1500)
        found = [Discordant(int(lost), int(won), 10_000) for lost, won, _ in drawn]
        alarms = sum(mcnemar.p_value(one) < 0.05 for one in found)
        assert 0.02 <= alarms / len(found) <= 0.065
        covered = sum(one.low <= 0 <= one.high for one in map(mcnemar.loss, found))
        assert 0.93 <= covered / len(found) <= 0.975


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=300))
def test_discordant_images_are_counted_image_by_image(pairs: list[tuple[bool, bool]]) -> None:
    before, after = ([pair[side] for pair in pairs] for side in (0, 1))
    found = mcnemar.discordant(judged(before), judged(after))
    assert found == Discordant(pairs.count((True, False)), pairs.count((False, True)), len(pairs))


def test_other_images_or_none_kept_are_no_pairs() -> None:
    one = judged([True, False])
    assert mcnemar.discordant(one, judged([True, False], "y")) is None
    assert mcnemar.discordant(one, judged([True])) is None
    assert mcnemar.discordant(one, judged([True, False], kept=False)) is None
    assert mcnemar.discordant(None, one) is None

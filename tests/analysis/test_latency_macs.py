"""How profiles are held against outliers of latency over MACs: what they explain, and what not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

# Behind all others: a script there is named like the package `packaging`.
sys.path.append(str(Path(__file__).resolve().parents[1] / "acceptance"))
import latency_macs
import outliers
from outliers import Explanation, Profile

from edgebench.analysis.work import Standing

Kinds = dict[str, tuple[float, float | None]]
USUAL: Kinds = {"pointwise": (50.0, 5.0), "depthwise": (30.0, 0.5), "Relu": (10.0, None)}
"""Times in us and MMACs of a cell on the line, 10 us of whose 100 lie between operators."""


def profile(kinds: Kinds, plain_us: float, name: str = "net") -> Profile:
    told: dict[str, Any] = {
        "case": {"workload": name},
        "plain_us": plain_us,
        "kinds": [
            {"kind": kind, "duration_us": us, "work_mmac": mmac}
            for kind, (us, mmac) in kinds.items()
        ],
        "operators": [
            {"operator": f"{kind} 1", "kind": kind, "work_kind": kind, "duration_us": us * 0.6}
            for kind, (us, _) in kinds.items()
        ],
    }
    return outliers.profile_of(told)


def explained(kinds: Kinds, plain_us: float, ratio: float, ran_us: float = 0.0) -> Explanation:
    usual = profile(USUAL, 100.0, "usual")
    ran_ms = (ran_us or plain_us) / 1e3
    return outliers.explain(ratio, ran_ms, profile(kinds, plain_us), usual)


def test_a_kind_that_is_slower_per_mac_is_named_with_its_rates_and_its_operator() -> None:
    found = explained(USUAL | {"depthwise": (230.0, 0.5)}, 300.0, 3.0)
    assert found.explained
    (sentence,) = found.sentences
    assert sentence == (
        "depthwise: 2.174 GMAC/s, 7.7 times slower per MAC than in usual (16.67 GMAC/s), "
        "takes 77% of the call (30% in usual), most of it `depthwise 1` (46%)"
    )


def test_what_multiplies_nothing_is_named_with_its_share() -> None:
    found = explained(USUAL | {"Transpose": (200.0, None)}, 300.0, 3.0)
    assert found == Explanation(
        True, ("Transpose: takes 67% of the call (0% in usual) and multiplies nothing",)
    )
    between = explained(USUAL, 300.0, 3.0)
    assert between.explained
    assert between.sentences[0].startswith("what lies between operators: takes 70% of the call")


def test_more_of_a_slow_kind_is_told_from_a_kind_that_is_slower() -> None:
    kinds = {"pointwise": (25.0, 2.5), "depthwise": (180.0, 3.0), "Relu": (5.0, None)}
    found = explained(kinds, 215.0, 2.15)
    assert found.explained
    (sentence,) = found.sentences
    assert "16.67 GMAC/s (16.67 GMAC/s there), 55% of its MACs (9% there)" in sentence


def test_a_cell_that_is_faster_is_explained_by_what_multiplies_faster() -> None:
    found = explained({"convolution": (30.0, 5.5), "Relu": (5.0, None)}, 40.0, 0.4)
    assert not any("slower" in sentence for sentence in found.sentences)
    assert found.sentences[0] == (
        "convolution: 183.3 GMAC/s, usual has none and multiplies at 68.75 GMAC/s as a whole, "
        "takes 75% of the call (0% in usual)"
    )
    assert found.explained


def test_slower_all_over_explains_nothing() -> None:
    kinds: Kinds = {name: (us * 3, mmac) for name, (us, mmac) in USUAL.items()}
    found = explained(kinds, 300.0, 3.0)
    assert found == Explanation(False, ("all its operators are 3.0 times slower alike",))


def test_an_outlier_that_is_none_when_it_is_profiled_stays_open() -> None:
    found = explained(USUAL | {"depthwise": (40.0, 0.5)}, 110.0, 3.0, ran_us=300.0)
    assert not found.explained
    assert "no outlier when it was profiled: 0.3000 ms in the run, 0.1100 ms" in found.sentences[0]


def test_a_line_that_does_not_fit_is_no_fault_of_an_operator() -> None:
    """It lies off the line, and takes as much per MAC as a cell that lies on it."""
    kinds: Kinds = {name: (us * 9, mmac and mmac * 9) for name, (us, mmac) in USUAL.items()}
    found = explained(kinds, 900.0, 0.3)
    assert found.sentences == (
        "per MAC it takes 1.000 times what usual takes, which lies on the line",
    )
    assert not found.explained


def test_light_kinds_that_multiply_nothing_are_one_cause_together() -> None:
    """As in a network of many activations: the line is drawn by MACs and sees none of them."""
    small: Kinds = {f"Odd{n}": (25.0, None) for n in range(12)}
    found = explained(USUAL | small, 400.0, 4.0)
    assert found.explained
    (sentence,) = found.sentences
    assert sentence.startswith("the other kinds that multiply nothing (Odd0, Odd1, Odd2 and ")
    assert sentence.endswith("take 80% of the call (20% in usual)")


def test_many_small_differences_of_what_multiplies_are_no_explanation() -> None:
    kinds: Kinds = {name: (us * 2, mmac) for name, (us, mmac) in USUAL.items()}
    found = explained(kinds | {"Odd": (20.0, None)}, 220.0, 2.2)
    assert not found.explained


def test_products_of_unknown_work_are_taken_as_those_of_the_whole_network() -> None:
    kinds: Kinds = {"product": (60.0, None), "depthwise": (20.0, None), "Swish": (900.0, None)}
    mine = profile(kinds, 980.0)._replace(network_mmac=6.0)
    found = outliers.explain(9.0, 0.98, mine, profile(USUAL, 100.0, "usual"))
    assert found.explained
    assert found.sentences[0].startswith("Swish: takes 92% of the call (0% in usual)")


def test_without_work_nothing_is_explained() -> None:
    found = explained({"Conv": (300.0, None)}, 300.0, 3.0)
    assert found == Explanation(False, ("nobody can tell which of its operators multiply",))


def test_products_that_one_side_cannot_tell_apart_are_compared_as_one() -> None:
    kinds: Kinds = {"product": (250.0, 5.0), "depthwise": (30.0, 0.5), "Relu": (10.0, None)}
    found = explained(kinds, 300.0, 3.0)
    assert found.explained
    assert found.sentences[0].startswith("product: 20.00 GMAC/s, 5.0 times slower per MAC")


def standing(name: str, mmac: float, ratio: float, backend: str = "one") -> Standing:
    row: dict[str, Any] = {"workload": name, "backend": backend, "precision": "fp32"}
    row |= {"work_mmac": mmac, "batch": 1, "scenario": "single_stream", "region": "invoke"}
    return Standing(row, 1.0, ratio, 6)


def test_an_outlier_is_held_against_a_cell_on_the_line_with_as_much_work() -> None:
    odd = standing("odd", 100.0, 3.0)
    others = [
        odd,
        standing("off", 100.0, 2.5),
        standing("near", 100.0, 1.6),
        standing("small", 5.0, 1.0),
        standing("like", 60.0, 0.9),
        standing("elsewhere", 100.0, 1.0, "another"),
    ]
    found = [one.row["workload"] for one in latency_macs.on_the_line(odd, others)]
    assert found == ["like", "small", "near"]

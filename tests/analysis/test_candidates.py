"""What may be chosen: units of a kind together, names that differ, figures and published facts."""

from __future__ import annotations

import random

import pytest
from choosing import Row, row, spread

from edgebench import resources
from edgebench.analysis import candidates, published
from edgebench.analysis.candidates import Candidate, Figure
from edgebench.analysis.figure import FACTS
from edgebench.errors import UsageError


def of(*rows: Row, each_unit: bool = False) -> list[Candidate]:
    (found,) = candidates.of_rows(rows, each_unit=each_unit)
    return found


def unit(name: str, **changes: object) -> Row:
    return row(device_id=name, **changes)


def test_units_of_a_kind_are_one_candidate_in_the_order_of_their_names() -> None:
    (found,) = of(unit("b"), unit("a"))
    assert found.units == ("a", "b")
    assert found.name == "pi5 litert fp32"


def test_each_unit_is_a_candidate_where_that_is_asked() -> None:
    found = of(unit("pi5"), unit("pi5-b"), unit("ab12"), each_unit=True)
    assert candidates.names(found) == (
        *("pi5 ab12 litert fp32", "pi5 litert fp32", "pi5-b litert fp32"),
    )


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"precision": "int8"}, "pi5 litert int8"),
        ({"accelerator": "npu"}, "pi5 litert fp32 npu"),
        ({"threads": 4}, "pi5 litert fp32 4 threads"),
        ({"options": "xnnpack=off"}, "pi5 litert fp32 xnnpack=off"),
        ({"format": "onnx"}, "pi5 litert fp32 onnx"),
        ({"device_setup": "2 of 4 CPUs"}, "pi5 litert fp32 2 of 4 CPUs"),
        ({"imported_from": "mlperf: x.txt:3"}, "pi5 litert fp32 imported"),
        ({"run_id": "20260202T000000Z-000002"}, "pi5 litert fp32 20260202T000000Z-000002"),
    ],
)
def test_what_is_not_alike_is_another_candidate_with_another_name(changes: Row, name: str) -> None:
    found = of(row(), row(**changes))
    assert len(found) == len(set(candidates.names(found))) == 2
    assert name in candidates.names(found)


def test_rows_that_nothing_tells_apart_have_names_all_the_same() -> None:
    found = of(row(), row(), row())
    assert len(set(candidates.names(found))) == 3


def test_a_name_does_not_hang_on_the_other_candidates() -> None:
    alone = candidates.names(of(row(threads=4)))
    assert set(alone) < set(candidates.names(of(row(threads=4), row(), row(backend="ncnn"))))


def test_other_questions_are_apart_and_in_one_order() -> None:
    rows = [row(), row(batch=8), row(workload="cifar10_cnn")]
    asked = candidates.of_rows(rows)
    assert len(asked) == 3
    for seed in range(5):
        mixed = random.Random(seed).sample(rows, 3)  # noqa: S311 - an order, no secret
        assert candidates.of_rows(mixed) == asked


def test_a_figure_is_the_mean_of_units_and_none_where_one_lacks_it() -> None:
    both = of(unit("a", latency_p50_ms=4.0), unit("b", latency_p50_ms=9.0))[0]
    assert both.figure("latency_p50_ms") == Figure(6.0, launches=6)
    assert of(unit("a", latency_p50_ms=4.0), unit("b"))[0].figure("latency_p50_ms") is None
    between = both.spread("latency_p50_ms")
    assert between is not None
    assert (between.smallest, between.largest, between.ratio) == (4.0, 9.0, 2.25)


def test_what_is_told_goes_before_what_is_measured_and_holds_for_every_unit() -> None:
    one = Candidate(name="one", rows=(row(power_w=3.0),), told={"power_w": Figure(9.0)})
    assert one.figure("power_w") == Figure(9.0)
    assert one.by_unit("price_usd") == (("", None),)


def test_an_interval_is_read_from_the_columns_beside_it() -> None:
    found = candidates.figure_of(row(**spread("latency_p50_ms", 10.0, 0.1)), "latency_p50_ms")
    assert found == Figure(10.0, 9.0, 11.0, 6)


def test_facts_are_of_the_descriptor_and_a_stated_price_goes_before_it() -> None:
    found = published.of_devices(["raspberry-pi-5", "my-board"], {"raspberry-pi-5": 60.0})
    facts = found["raspberry-pi-5"]
    assert facts["price_usd"] == Figure(60.0, exact=True, source="as stated")
    assert facts["idle_w"].exact
    assert facts["idle_w"].source.endswith("(2023)")
    assert "soc" not in facts
    assert found["my-board"] == {}


@pytest.mark.parametrize(
    ("prices", "words"),
    [
        ({"raspberry-pi-5": -1.0}, "-1 USD is no price"),
        ({"raspberry-pi-5": float("nan")}, "nan USD is no price"),
        ({"rasberry-pi-5": 60.0}, "one of raspberry-pi-5"),
    ],
)
def test_a_price_that_is_none_or_of_no_device_is_refused(
    prices: dict[str, float], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        published.of_devices(["raspberry-pi-5"], prices)


def test_every_fact_of_a_shipped_descriptor_that_is_a_figure_may_be_named() -> None:
    shipped = {
        fact.key
        for device in resources.open_devices()
        for fact in device.facts
        if not isinstance(fact.value, str)
    }
    assert shipped == FACTS

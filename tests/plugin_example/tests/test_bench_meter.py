"""What the tests of a meter are, at the least."""

from __future__ import annotations

from edgebench_bench import BenchMeter

from edgebench.testing import check_meter


def test_the_contract_on_a_planted_supply() -> None:
    tree = {"run/bench-supply/power_mw": "2500\n"}
    check_meter(BenchMeter(), tree=tree, values={"output": 2_500_000})

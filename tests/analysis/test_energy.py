"""Energy of a window: exact where it can be, additive, and refused where readings carry none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.analysis import energy
from edgebench.analysis.energy import RefusedError
from edgebench.metering import Channel, Power, Quantity, Series, Tier
from edgebench.samples import Samples
from edgebench.units import NS_PER_MS, NS_PER_S

START_NS = 5_000 * NS_PER_S


def channel(name: str = "package-0", quantity: Quantity = "power_uw", **more: object) -> Channel:
    fields = {"tier": "board_measured", "covers": ("board",), **more}
    return Channel(name=name, quantity=quantity, **fields)  # type: ignore[arg-type]


def series(
    values: Sequence[int],
    *,
    every_ms: float = 100,
    offset_ms: float = -250,
    meter: str = "rapl",
    of: Channel | None = None,
) -> Series:
    """Readings on a grid that begins before the window."""
    t_ns = [START_NS + round((offset_ms + i * every_ms) * NS_PER_MS) for i in range(len(values))]
    return Series(meter=meter, channel=of or channel(), t_ns=Samples(t_ns), value=Samples(values))


def power(*parts: Series, seconds: float = 30.0, **more: object) -> Power:
    fields = {"inferences": 1000, **more}
    return Power(
        start_ns=START_NS,
        end_ns=START_NS + int(seconds * NS_PER_S),
        series=parts,
        **fields,  # type: ignore[arg-type]
    )


def mean_w(one: Series, start_s: float, end_s: float) -> float:
    start_ns, end_ns = (START_NS + round(s * NS_PER_S) for s in (start_s, end_s))
    return energy.mean_power(one, start_ns, end_ns).power_w


watts = st.integers(min_value=0, max_value=500_000_000)
traces = st.lists(watts, min_size=320, max_size=320)


@given(level=watts, offset_ms=st.floats(-400, 0), every_ms=st.floats(1, 300))
def test_a_constant_power_is_exact_wherever_the_edges_fall(
    level: int, offset_ms: float, every_ms: float
) -> None:
    count = math.ceil(31_000 / every_ms) + 2
    one = series([level] * count, every_ms=every_ms, offset_ms=offset_ms)
    assert mean_w(one, 0, 30) == pytest.approx(level / 1e6, rel=1e-12)


@given(trace=traces, cut_s=st.floats(5, 25))
def test_splitting_a_window_adds_up(trace: list[int], cut_s: float) -> None:
    cut_s = round(cut_s, 6)
    counted = (np.cumsum(trace) // 10_000).tolist()  # 0.1 s each: within what a device can draw
    for one in (series(trace), series(counted, of=channel(quantity="energy_uj"))):
        whole = 30 * mean_w(one, 0, 30)
        parts = cut_s * mean_w(one, 0, cut_s) + (30 - cut_s) * mean_w(one, cut_s, 30)
        assert parts == pytest.approx(whole, rel=1e-9, abs=1e-9)


@given(a=traces, b=traces, k=st.integers(1, 7))
def test_energy_is_linear_in_power(a: list[int], b: list[int], k: int) -> None:
    both = series([x + k * y for x, y in zip(a, b, strict=True)])
    apart = mean_w(series(a), 0, 30) + k * mean_w(series(b), 0, 30)
    assert mean_w(both, 0, 30) == pytest.approx(apart, rel=1e-9, abs=1e-9)


@given(
    steps=st.lists(st.integers(0, 900_000), min_size=320, max_size=320),
    first=st.integers(0, 1_000_000),
)
def test_a_counter_that_wraps_anywhere_gives_what_one_without_end_gives(
    steps: list[int], first: int
) -> None:
    endless = [first + int(total) for total in np.cumsum(steps)]
    wraps = channel(quantity="energy_uj", wrap_uj=1_000_000)
    wrapped = series([total % 1_000_000 for total in endless], of=wraps)
    whole = series(endless, of=channel(quantity="energy_uj"))
    assert mean_w(wrapped, 0, 30) == pytest.approx(mean_w(whole, 0, 30), rel=1e-12, abs=1e-12)


def test_a_ramp_between_two_readings_is_cut_at_the_edge() -> None:
    """1 W a second: the mean over 0.5 to 10.5 s is the power at 5.5 s."""
    ramp = series([i * 1_000_000 for i in range(12)], every_ms=1000, offset_ms=0)
    assert mean_w(ramp, 0.5, 10.5) == pytest.approx(5.5)


@pytest.mark.parametrize(
    ("t_ms", "words"),
    [
        ([*range(0, 3000, 100), 2900], "not in order"),
        ([*range(0, 3000, 100), 2800], "not in order"),
        (range(0, 3000, 400), "8 readings in 3 s, 10 needed"),
        ([*range(0, 1000, 50), *range(1500, 3100, 50)], "no reading for 0.55 of 3 s"),
        (range(0, 2500, 100), "cover 80.0%"),
        (range(300, 3300, 100), "cover 90.0%"),
        ([*range(0, 2800, 100), 2849], "cover 94.9% of the window, 95% needed"),
        ([], "0 readings"),
    ],
)
def test_readings_that_carry_no_figure_are_refused(t_ms: Sequence[int], words: str) -> None:
    t_ns = [START_NS + t * NS_PER_MS for t in t_ms]
    one = Series(
        meter="m", channel=channel(), t_ns=Samples(t_ns), value=Samples([3_000_000] * len(t_ns))
    )
    with pytest.raises(RefusedError, match=words):
        mean_w(one, 0, 3)


@pytest.mark.parametrize("quantity", ["power_uw", "energy_uj"])
def test_what_says_0_all_the_time_was_not_measured(quantity: Quantity) -> None:
    level = 0 if quantity == "power_uw" else 7_000_000
    still = series([level] * 40, of=channel(quantity=quantity))
    with pytest.raises(RefusedError, match="0 all the time"):
        energy.summed([still], START_NS, START_NS + 3 * NS_PER_S)


def test_a_counter_that_went_back_is_refused_not_wrapped() -> None:
    going_back = [*range(0, 16_000_000, 100_000), *range(0, 16_000_000, 100_000)]
    endless = series(going_back, of=channel(quantity="energy_uj"))
    with pytest.raises(RefusedError, match="went back"):
        mean_w(endless, 0, 30)
    wide = series(going_back, of=channel(quantity="energy_uj", wrap_uj=1 << 40))
    with pytest.raises(RefusedError, match="set back"):
        mean_w(wide, 0, 30)


def test_readings_of_another_stage_do_not_reach_into_the_window() -> None:
    """A counter that idled for a minute at 1 W, then worked at 5 W from the window's first ms."""
    t_ns = [START_NS - 60 * NS_PER_S, *(START_NS + (50 + 100 * i) * NS_PER_MS for i in range(300))]
    value = [0, *(60_000_000 + 500_000 * i for i in range(300))]
    one = Series(
        meter="rapl",
        channel=channel(quantity="energy_uj"),
        t_ns=Samples(t_ns),
        value=Samples(value),
    )
    assert mean_w(one, 0, 30) == pytest.approx(5.0)


def test_gross_holds_idle_and_net_does_not() -> None:
    t_ns = [START_NS + i * 100 * NS_PER_MS for i in range(-150, 301)]
    value = [2_000_000 if t < START_NS - NS_PER_S else 5_000_000 for t in t_ns]
    one = Series(meter="m", channel=channel(), t_ns=Samples(t_ns), value=Samples(value))
    idle = {"idle_start_ns": START_NS - 12 * NS_PER_S, "idle_end_ns": START_NS - 2 * NS_PER_S}
    found = energy.of_meter(power(one, inferences=500, **idle), "m")
    assert (found.power_w, found.idle_w) == pytest.approx((5.0, 2.0))
    assert found.gross_mj == pytest.approx(1000 * 5 * 30 / 500)
    assert found.net_mj == pytest.approx(1000 * 3 * 30 / 500)
    assert energy.of_meter(power(one), "m").net_mj is None


def test_only_counted_channels_are_added_and_the_worst_tier_is_the_sums() -> None:
    level = [1_000_000] * 310
    parts = (
        series(level, of=channel("package-0", tier="partial_measured", excludes=("fan",))),
        series(level, of=channel("dram")),
        series(level, of=channel("core", counted=False, tier="model_calibrated")),
    )
    found = energy.of_meter(power(*parts), "rapl")
    assert found.power_w == pytest.approx(2.0)
    assert (found.tier, found.channels) == ("partial_measured", ("package-0", "dram"))
    assert found.excludes == ("fan",)


def test_a_sum_that_lacks_a_part_is_refused() -> None:
    parts = (series([1_000_000] * 310), series([1_000_000] * 8, of=channel("dram")))
    with pytest.raises(RefusedError, match="readings"):
        energy.of_meter(power(*parts), "rapl")


def test_a_die_that_mirrors_another_ones_counter_counts_once() -> None:
    def counter(name: str, offset_uj: int) -> Series:
        values = [7_000_000_000 + offset_uj + i * 1_370_000 for i in range(310)]
        return series(values, of=channel(name, "energy_uj"))

    a, mirror, other = counter("die-0", 0), counter("die-1", 30_000), counter("die-2", 90_000_000)
    assert energy.of_meter(power(a, mirror), "rapl").power_w == pytest.approx(13.7)
    found = energy.of_meter(power(a, mirror, other), "rapl")
    assert found.power_w == pytest.approx(27.4)
    assert found.channels == ("die-0", "die-2")


def pass_of(meter: str, tier: Tier, watts: float, covers: tuple[str, ...] = ("board",)) -> Series:
    of = channel("c", tier=tier, covers=covers)
    return series([int(watts * 1e6)] * 310, meter=meter, of=of)


def test_tiers_are_never_mixed_and_what_is_left_out_is_told() -> None:
    both = power(pass_of("hwmon", "board_measured", 5), pass_of("rapl", "partial_measured", 3))
    alone = power(pass_of("rapl", "partial_measured", 3))
    cell = energy.of_launches([both, both, alone])
    assert (cell.tier, cell.source, cell.launches) == ("board_measured", "hwmon: c", 2)
    assert cell.gross_mj.value == pytest.approx(150.0)
    assert any("rapl: c says 90 mJ gross (partial_measured)" in note for note in cell.notes)


def test_the_interval_is_students_over_launches_and_one_launch_has_none() -> None:
    launches = [power(pass_of("m", "board_measured", w)) for w in (4.9, 5.0, 5.1)]
    gross = energy.of_launches(launches).gross_mj
    assert gross.value == pytest.approx(150.0)
    half = 4.302652729911275 * 3.0 / math.sqrt(3)
    assert (gross.low, gross.high) == pytest.approx((150 - half, 150 + half))
    assert math.isnan(energy.of_launches(launches[:1]).gross_mj.low)


def test_a_meter_that_does_not_see_what_computed_says_nothing_of_the_case() -> None:
    gpu = power(pass_of("nvml", "partial_measured", 60, covers=("gpu",)))
    assert energy.of_launches([gpu], "gpu").source == "nvml: c"
    assert energy.of_launches([gpu], "CUDAExecutionProvider").source == "nvml: c"
    with pytest.raises(RefusedError, match="nvml sees gpu, this ran on cpu"):
        energy.of_launches([gpu], "cpu")
    cpu = power(pass_of("rapl", "partial_measured", 60, covers=("cpu",)))
    for accelerator in ("gpu", "npu", "CUDAExecutionProvider"):
        with pytest.raises(RefusedError, match="rapl sees cpu"):
            energy.of_launches([cpu], accelerator)


def test_without_any_reading_there_is_a_reason_and_no_zero() -> None:
    with pytest.raises(RefusedError, match="no meter gave a reading"):
        energy.of_launches([power()])
    none_ended = power(pass_of("m", "board_measured", 5), inferences=0)
    with pytest.raises(RefusedError, match="no inference"):
        energy.of_launches([none_ended])

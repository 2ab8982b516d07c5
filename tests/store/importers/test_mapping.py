"""The user's words for another tool's columns: exact factors, no unit taken for granted."""

from __future__ import annotations

import promptly
import pytest

from edgebench.errors import UsageError
from edgebench.store.importers import mapping
from edgebench.store.importers.mapping import Template


@pytest.mark.parametrize(
    ("column", "told", "value", "figure"),
    [
        ("latency_p50_ms", "median:us", "1234.5", 1.2345),
        ("latency_p50_ms", "median:ns", "100", 0.0001),
        ("latency_p50_ms", "median:s", "0.1", 100.0),
        ("latency_p50_ms", "median", "0.1", 0.1),
        ("rss_peak_mib", "rss:byte", "1048576", 1.0),
        ("rss_peak_mib", "rss:kb", "1048.576", 1.0),
        ("top1_ratio", "top1:percent", "70.1", 0.701),
        ("top1_ratio", "acc:%", "70.1", 0.701),
        ("energy_net_mj", "energy:J", "0.0025", 2.5),
        ("power_w", "p:mW", "2500", 2.5),
        ("throughput_ips", "rate:fps", "30.5", 30.5),
        ("latency_min_ms", "latency_min", 1.5, 1.5),
        ("latency_p50_ms", "median_us:us", 3, 0.003),
    ],
)
def test_a_figure_is_converted_exactly(
    column: str, told: str, value: str | float, figure: float
) -> None:
    assert mapping.scaled(mapping.source(column, told), value, "here") == figure


@pytest.mark.parametrize(
    ("column", "told", "words"),
    [
        ("latency_p50_ms", "median_us", r"latency_p50_ms=median_us:us"),
        ("latency_p50_ms", "Median (s)", r":s"),
        ("latency_p50_ms", "medianUs", r"latency_p50_ms=medianUs:us"),
        ("latency_p50_ms", "latency [microseconds]", r"microseconds\]:us"),
        ("latency_p50_ms", "p50 latency in \u03bcs", r":us"),
        ("latency_p50_ms", "latency_us_p50", r"latency_us_p50:us"),
        ("latency_p50_ms", "median seconds", r"median seconds:s"),
        ("power_w", "power_mW", r"power_w=power_mW:mw"),
        ("energy_net_mj", "energy in joules", r":j"),
        ("top1_ratio", "top1 %", r"top1 %:%"),
        ("latency_p50_ms", "energy:mj", "not told in mj"),
        ("threads", "n:ms", "not told in ms"),
    ],
)
def test_an_unfit_unit_is_refused(column: str, told: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        mapping.source(column, told)


@pytest.mark.parametrize(
    "name",
    ["median", "latency_min", "p50 (ms)", "p50Ms", "latency msec", "us east, ms", "s 1 median"],
)
def test_a_name_that_holds_our_unit_or_none_is_taken_as_it_is(name: str) -> None:
    assert mapping.source("latency_p50_ms", name).factor is None


def test_a_unit_may_be_spelt_out() -> None:
    assert mapping.scaled(mapping.source("latency_p50_ms", "t:msec"), "2", "here") == 2
    assert mapping.scaled(mapping.source("latency_p50_ms", "t:microseconds"), "2", "here") == 0.002


def test_a_colon_may_be_part_of_a_name() -> None:
    assert mapping.source("workload", "model:name").theirs == "model:name"
    assert mapping.source("latency_p50_ms", "p50:ms", ("p50:ms",)).theirs == "p50:ms"


@pytest.mark.parametrize("text", ["1_000", "1,5", "nan", "inf", "0x10", "٣", "1e999", "", "9" * 99])
def test_what_is_no_plain_number_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no number"):
        mapping.scaled(mapping.source("latency_p50_ms", "x:us"), text, "here")


def test_a_template_reads_a_name() -> None:
    read = Template("test_{workload}[{backend}-{_}-{precision}]").read
    assert read("test_mnist_cnn[litert-x-int8]", "here") == {
        "workload": "mnist_cnn",
        "backend": "litert",
        "precision": "int8",
    }
    with pytest.raises(UsageError, match="is not like"):
        read("test_mnist_cnn[litert]", "here")
    assert Template("{workload}").read("a.b", "here") == {"workload": "a.b"}


@pytest.mark.parametrize("words", ["", "test", "{workload}{backend}", "{workload}-{workload}"])
def test_a_template_that_tells_nothing_is_refused(words: str) -> None:
    with pytest.raises(UsageError, match="write it like"):
        Template(words)


def test_no_name_keeps_a_template_busy() -> None:
    names = Template("-".join(f"{{c{i}}}" for i in range(30)) + "!")
    with promptly.at_once(1.0), pytest.raises(UsageError):
        names.read("a-" * 500_000, "here")

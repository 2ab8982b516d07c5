"""Logs of external meters: every form that people's meters write, and rows that are none."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.errors import UsageError
from edgebench.metering import Power
from edgebench.meters.csv_ import Csv, Log
from edgebench.protocols import Meter

UTC_S = 1_795_342_500
NS = 10**9
FORMS = {
    "names and seconds": "timestamp,power_w\n1795342500,2.5\n1795342501.5,3\n",
    "ms and mW": "time_ms;Power (mW)\n1795342500000;2500\n1795342501500;3000\n",
    "by its size": "t\tP\n1795342500000000\t2.5\n1795342501500000\t3.0\n",
    "ns": "t,W\n1795342500000000000,2.5\n1795342501500000000,3\n",
    "no names": "1795342500 2.5\n1795342501.5 3\n",
    "ISO with Z": "Time,Watts\n2026-11-22T10:15:00Z,2.5\n2026-11-22T10:15:01.5Z,3\n",
    "a zone": "Time,Watts\n2026-11-22 11:15:00+01:00,2.5\n2026-11-22 11:15:01.500+0100,3\n",
    "ISO without a zone": "Date;Power [W]\n2026-11-22 10:15:00;2,5\n2026-11-22 10:15:01,5;3,0\n",
    "volts and amperes": "ts,voltage,current\n1795342500,5.0,0.5\n1795342501.5,5.0,0.6\n",
    "mV and mA": "ts,U (mV),I (mA)\n1795342500,5000,500\n1795342501.5,5000,600\n",
    "power beside its factors": "ts,V,A,W\n1795342500,9,9,2.5\n1795342501.5,9,9,3\n",
    "a preamble": "Meter 7\n# made by hand\n\nUnix time,Power\n1795342500,2.5\n1795342501.5,3\n",
    "quotes": '"Time","Power, W"\n"1795342500","2.5"\n"1795342501.5","3"\n',
    "a header behind a sign": "# logger 3\n# time_s,power_mW\n1795342500,2500\n1795342501.5,3e3\n",
    "a unit that is not last": "time,power_mW_avg\n1795342500,2500\n1795342501.5,3000\n",
    "a unit in words": "time,Power (Milliwatts)\n1795342500,2500\n1795342501.5,3000\n",
    "only a unit in words": "time,kilowatt\n1795342500,0.0025\n1795342501.5,0.003\n",
    "a comment and no names": "# a log, by hand\n1795342500,2.5\n1795342501.5,3\n",
    "empty cells at the end": "time,power,\n1795342500,2.5,,\n1795342501.5,3,\n",
    "a BOM and CRLF": "\ufefftime,power\r\n1795342500,2.5\r\n1795342501.5,3\r\n",
}


def log_of(folder: Path, text: str, *, columns: tuple[str, ...] = (), offset_s: float = 0.0) -> Log:
    path = folder / "power.csv"
    path.write_bytes(text.encode())
    return Csv(path, columns=columns, offset_s=offset_s).log()


@pytest.mark.parametrize("form", FORMS)
def test_each_form_says_the_same(tmp_path: Path, form: str) -> None:
    log = log_of(tmp_path, FORMS[form])
    assert list(log.utc_ns) == [UTC_S * NS, UTC_S * NS + 1_500_000_000]
    assert list(log.power_uw) == [2_500_000, 3_000_000]
    assert log.problems == ()


@pytest.mark.parametrize("columns", [("when", "load"), ("3", "1"), ("when", "1")])
def test_columns_can_be_told_by_name_or_number(tmp_path: Path, columns: tuple[str, str]) -> None:
    text = "load,other,when\n2.5,7,1795342500\n3,7,1795342501.5\n"
    assert list(log_of(tmp_path, text, columns=columns).power_uw) == [2_500_000, 3_000_000]


def test_three_told_columns_are_a_product(tmp_path: Path) -> None:
    text = "1795342500 5 0.5 7\n1795342501 5 0.6 7\n"
    assert list(log_of(tmp_path, text, columns=("1", "2", "3")).power_uw) == [2_500_000, 3_000_000]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "time,power\n",
        "just words\nand more\n",
        "1795342500,1,2\n",
        "time,power_a_w,power_b_w\n1795342500,1,2\n",
        "time,temperature\n1795342500,40\n",
        "time,power factor\n1795342500,0.9\n",
    ],
)
def test_columns_that_cannot_be_told_apart_are_asked_for(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as error:
        log_of(tmp_path, text)
    assert "--power-columns" in str(error.value)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("1795342501,abc", "'abc' is no number"),
        ("1795342501,", "'' is no number"),
        ("1795342501,nan", "'nan' is no number"),
        ("1795342501,inf", "'inf' is no number"),
        ("1795342501,-0.2", "-0.2 W is no power of a device"),
        ("1795342501", "1 column(s) only"),
        ("1795342501,3,5", "3 columns where 2 are named"),
        ("yesterday,2", "'yesterday' is no time"),
        ("22.11.2026 10:15,2", "'22.11.2026 10:15' is no time"),
        ("2026-13-40T10:15:00,2", "'2026-13-40T10:15:00' is no time"),
        ("1795342500,2", "its time is not after the reading before"),
        ("1795342400,2", "its time is not after the reading before"),
    ],
)
def test_a_row_that_is_no_reading_is_named_by_its_line(tmp_path: Path, row: str, why: str) -> None:
    log = log_of(tmp_path, f"time,power\n1795342500,2.5\n{row}\n1795342502,3\n")
    assert list(log.power_uw) == [2_500_000, 3_000_000]
    assert log.problems == (f"power.csv:3: {why}",)


def test_a_line_that_is_still_being_written_is_left_out_and_named(tmp_path: Path) -> None:
    log = log_of(tmp_path, "time,power\n1795342500,2.5\n1795342501,2.6\n1795342502,1")
    assert len(log.power_uw) == 2
    assert log.problems == ("power.csv:4: no end of the line: it is still being written",)


def test_a_log_that_grew_is_read_anew(tmp_path: Path) -> None:
    first = log_of(tmp_path, "time,power\n1795342500,2.5\n1795342501,2.6\n")
    with (tmp_path / "power.csv").open("a") as file:
        file.write("1795342502,2.7\n")
    assert len(first.power_uw) == 2
    assert len(Csv(tmp_path / "power.csv").log().power_uw) == 3


def test_a_gap_is_named(tmp_path: Path) -> None:
    times = [*range(20), *range(50, 70)]
    rows = "".join(f"{UTC_S + t},2\n" for t in times)
    log = log_of(tmp_path, f"time,power\n{rows}")
    assert log.problems == ("power.csv: no reading for 31 s after 2026-11-22T10:15:19Z",)


def test_the_offset_is_added_and_starts_a_log_that_counts_from_0(tmp_path: Path) -> None:
    behind = log_of(tmp_path, FORMS["names and seconds"], offset_s=1.25)
    assert next(iter(behind.utc_ns)) == UTC_S * NS + 1_250_000_000
    counting = log_of(tmp_path, "s,W\n0,2.5\n1.5,3\n", columns=("s", "W"), offset_s=UTC_S)
    assert list(counting.utc_ns) == [UTC_S * NS, UTC_S * NS + 1_500_000_000]
    with pytest.raises(UsageError, match="counts from its own start"):
        log_of(tmp_path, "time,power\n0,2.5\n1.5,3\n")


def test_the_windows_of_a_launch_are_cut_with_a_reading_at_either_end(tmp_path: Path) -> None:
    rows = "".join(f"{UTC_S + t},{2 + t}\n" for t in range(20))
    csv = Csv(tmp_path / "power.csv", covers="board")
    log = log_of(tmp_path, f"time,power\n{rows}")
    mono_ns = 500 * NS
    power = Power(
        start_ns=mono_ns + 5_500_000_000,
        end_ns=mono_ns + 8_500_000_000,
        inferences=10,
        utc_offset_ns=UTC_S * NS - mono_ns,
    )
    series = csv.series(log, power)
    assert series is not None
    assert [(t - mono_ns) // NS for t in series.t_ns] == [5, 6, 7, 8, 9]
    assert list(series.value) == [7_000_000, 8_000_000, 9_000_000, 10_000_000, 11_000_000]
    assert series.channel.tier == "board_measured"
    later = Power(start_ns=1, end_ns=2, inferences=1, utc_offset_ns=UTC_S * NS)
    assert csv.series(log, later) is None
    blind = Power(start_ns=mono_ns, end_ns=mono_ns + 9 * NS, inferences=1)
    assert csv.series(log, blind) is None


def test_a_planted_trace_keeps_its_energy(tmp_path: Path) -> None:
    """A square wave of 2 and 5 W at 10 Hz: mW that were rounded by the meter, 30 s of it."""
    times = np.arange(0, 40, 0.1)
    watts = np.where(times % 2 < 1, 2.0, 5.0)
    stamps = [
        datetime(2026, 11, 22, 10, 15, tzinfo=timezone.utc) + timedelta(seconds=t) for t in times
    ]
    pairs = zip(stamps, watts, strict=True)
    rows = "".join(f"{at.isoformat(timespec='milliseconds')};{1000 * w:.0f}\n" for at, w in pairs)
    csv = Csv(tmp_path / "power.csv")
    log = log_of(tmp_path, f"Zeit time;power_mw\n{rows}")
    power = Power(start_ns=5 * NS, end_ns=35 * NS, inferences=1, utc_offset_ns=UTC_S * NS)
    series = csv.series(log, power)
    assert series is not None
    inside_s = np.linspace(5, 35, 30_001)
    found = np.interp(
        inside_s, np.asarray(series.t_ns, float) / NS, np.asarray(series.value, float)
    )
    assert float(found.mean()) * 30 / 1e6 == pytest.approx(105, rel=1e-3)


def test_as_a_meter_it_holds_a_place(tmp_path: Path) -> None:
    csv = Csv(str(tmp_path / "later.csv"))
    assert isinstance(csv, Meter)
    assert (csv.channels, csv.read()) == ((), ())
    assert csv.probe(Path("/")).available
    assert [one.name for one in csv.channels] == ["wall"]
    assert csv.read() == (None,)
    assert "--power-csv" in Csv().probe(Path("/")).remedy
    assert not Csv(tmp_path / "nowhere" / "later.csv").probe(Path("/")).available


def test_a_log_that_cannot_be_one_is_refused_before_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "power.csv").write_text("Meter 7\n")
    Csv(tmp_path / "power.csv").check()  # its header may still come
    (tmp_path / "power.csv").write_text("time,power_a_w,power_b_w\n1795342500,1,2\n")
    with pytest.raises(UsageError, match="may both be the power"):
        Csv(tmp_path / "power.csv").check()
    with pytest.raises(UsageError, match="No such file"):
        Csv(tmp_path / "none.csv").check()


@given(st.text(max_size=200))
def test_any_text_is_a_log_or_one_line_that_says_why_not(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder, words, log = tmp_path_factory.mktemp("log"), "", None
    try:
        log = log_of(folder, text.encode(errors="replace").decode())
    except UsageError as error:
        words = error.message
    assert (log is None) == bool(words)
    assert "\n" not in words
    assert log is None or len(log.utc_ns) == len(log.power_uw) > 0


@given(
    st.lists(st.integers(0, 10**9), min_size=2, max_size=30, unique=True).map(sorted),
    st.data(),
)
def test_what_a_meter_wrote_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, steps_us: list[int], data: st.DataObject
) -> None:
    some = st.lists(st.integers(0, 10**8), min_size=len(steps_us), max_size=len(steps_us))
    powers = data.draw(some)
    pairs = list(zip(steps_us, powers, strict=True))
    rows = "".join(f"{UTC_S * 10**6 + t},{uw / 1e3:.3f}\n" for t, uw in pairs)
    log = log_of(tmp_path_factory.mktemp("log"), f"unix_us,load_mw\n{rows}")
    assert list(log.power_uw) == powers
    assert [t // 1000 - UTC_S * 10**6 for t in log.utc_ns] == steps_us

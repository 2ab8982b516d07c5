"""The sampler's own process: keeps its rate, outlives sick meters, and never its parent."""

from __future__ import annotations

import itertools
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from edgebench import sampling
from edgebench.metering import Channel
from edgebench.meters import sampler
from edgebench.runner.power import Process
from edgebench.testing import write_tree
from edgebench.testing.meters import PLANTED

FAKE = "edgebench.testing:FakeMeter"
OWN = """
import os, time
from pathlib import Path
from edgebench.metering import Channel
from edgebench.protocols import Probe


class Base:
    name = "own"
    channels = (Channel(name="c", tier="board_measured", quantity="power_uw", covers=("board",)),)

    def probe(self, root):
        return Probe(name=self.name, available=True)

    def close(self):
        pass


class Prints(Base):
    def read(self):
        os.write(1, b"a library's greeting\\n")
        return ((time.perf_counter_ns(), 1),)


class TellsItsCpu(Base):
    def read(self):
        (cpu,) = os.sched_getaffinity(0)
        return ((time.perf_counter_ns(), cpu),)


class Twins(Base):
    channels = Base.channels * 2

    def read(self):
        return ((time.perf_counter_ns(), 1), (time.perf_counter_ns(), 2))


class Stale(Base):
    def read(self):
        return ((time.perf_counter_ns() // 10**9 * 10**9, 1),)


class Negative(Base):
    def read(self):
        return ((time.perf_counter_ns(), -1),)


class SlowToProbe(Base):
    def probe(self, root):
        time.sleep(60)
"""


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Process]:
    """A sampler that also knows the meters of `OWN`, as ``own_meters:NAME``."""
    (tmp_path / "own_meters.py").write_text(OWN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    made = Process()
    yield made
    made.end()


def opened(
    process: Process, *wanted: sampling.Wanted, root: Path = Path("/"), rate_hz: float = 50.0
) -> tuple[sampling.Found, ...]:
    process.tell(
        sampling.Open(parent_pid=os.getpid(), meters=wanted, root=str(root), rate_hz=rate_hz)
    )
    answer = process.answer(60.0)
    assert isinstance(answer, sampling.Opened)
    return answer.meters


def taken(
    process: Process, *names: str, seconds: float = 0.5, cpus: tuple[int, ...] = ()
) -> sampling.Taken:
    process.tell(sampling.Begin(meters=names, cpus=cpus))
    time.sleep(seconds)
    process.tell(sampling.Halt())
    answer = process.answer(10.0)
    assert isinstance(answer, sampling.Taken)
    return answer


def fake(called: str, **arguments: object) -> sampling.Wanted:
    return sampling.Wanted(name=FAKE, called=called, arguments=arguments)


def own(name: str) -> sampling.Wanted:
    return sampling.Wanted(name=f"own_meters:{name}", called=name)


def test_it_reads_at_its_rate_between_begin_and_halt(process: Process) -> None:
    opened(process, fake("a"), rate_hz=100.0)
    before = time.perf_counter_ns()
    (a,) = taken(process, "a", seconds=1.0).series
    between = time.perf_counter_ns()
    (b,) = taken(process, "a", seconds=0.2).series
    assert set(a.value) == {3_000_000}
    assert before < a.t_ns[0]
    assert before + 1e9 < a.t_ns[-1] < between < b.t_ns[0], "it reads once more when it is told"
    assert len(a.t_ns) <= 2 + (a.t_ns[-1] - a.t_ns[0]) / 1e7
    # A busy machine lets it miss some.
    gaps_ns = [late - early for early, late in itertools.pairwise(a.t_ns)]
    assert statistics.median(gaps_ns) == pytest.approx(1e7, rel=0.3)


def test_a_planted_counter_is_read_from_its_root(process: Process, tmp_path: Path) -> None:
    files = {f"{PLANTED}/soc/energy_uj": "4200", f"{PLANTED}/ram/power_uw": "7"}
    (found,) = opened(process, fake("a"), root=write_tree(tmp_path / "root", files))
    assert [(one.name, one.quantity) for one in found.channels] == [
        ("ram", "power_uw"),
        ("soc", "energy_uj"),
    ]
    assert [set(one.value) for one in taken(process, "a").series] == [{7}, {4200}]


def test_a_sick_meter_loses_its_own_channels_and_is_named(process: Process) -> None:
    sick = (fake("raises", fault="raises"), fake("hangs", fault="hangs"))
    opened(process, fake("well"), *sick)
    for _ in range(2):  # the one that hangs still does
        found = taken(process, "well", "raises", "hangs")
        assert {one.meter for one in found.series} == {"well"}
        assert len(found.series[0].t_ns) > 5
        assert found.lost == {
            "raises": "OSError: the fake sensor has come loose",
            "hangs": "it hangs",
        }


def test_what_cannot_be_read_or_makes_no_sense_is_counted_and_never_0(process: Process) -> None:
    opened(process, fake("blind", fault="blind"), own("Negative"))
    for one in taken(process, "blind", "Negative").series:
        assert (len(one.t_ns), len(one.value)) == (0, 0)
        assert one.failed_reads > 5


def test_a_sensor_that_repeats_itself_has_said_nothing_new(process: Process) -> None:
    opened(process, own("Stale"))
    start = time.monotonic()
    (one,) = taken(process, "Stale", seconds=1.2).series
    assert 1 <= len(one.t_ns) <= 2 + (time.monotonic() - start), "one a second, and not 50"
    assert one.failed_reads == 0


def test_what_is_not_there_says_so_and_costs_no_other(process: Process) -> None:
    absent, unknown, slow, well = opened(
        process,
        fake("absent", fault="absent"),
        sampling.Wanted(name="no-such-meter"),
        own("SlowToProbe"),
        fake("well"),
    )
    assert (absent.probe.available, absent.probe.reason) == (False, "no fake sensor")
    assert absent.probe.remedy
    assert "no meter named 'no-such-meter'" in unknown.probe.reason
    assert "no answer for 5 s" in slow.probe.reason
    assert well.probe.available
    assert {one.meter for one in taken(process, "absent", "SlowToProbe", "well").series} == {"well"}


def test_what_a_meter_prints_does_not_stand_between_answers(process: Process) -> None:
    opened(process, own("Prints"))
    assert len(taken(process, "Prints").series[0].t_ns) > 5


def test_two_channels_of_one_name_stay_two(process: Process) -> None:
    (found,) = opened(process, own("Twins"))
    assert [one.name for one in found.channels] == ["c", "c #2"]
    assert [set(one.value) for one in taken(process, "Twins").series] == [{1}, {2}]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU: there is no other to go to")
def test_it_reads_on_the_cpus_that_it_is_given(process: Process) -> None:
    opened(process, own("TellsItsCpu"))
    for cpu in sorted(os.sched_getaffinity(0))[:2]:
        (one,) = taken(process, "TellsItsCpu", cpus=(cpu,)).series
        assert set(one.value) == {cpu}


PARENT = """
import os, sys, time
from edgebench import sampling
from edgebench.runner.power import Process
process = Process()
meters = (sampling.Wanted(name="edgebench.testing:FakeMeter", arguments={"fault": sys.argv[1]}),)
process.tell(sampling.Open(parent_pid=os.getpid(), meters=meters))
process.answer(60)
process.tell(sampling.Begin(meters=("edgebench.testing:FakeMeter",)))
print(process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("fault", ["", "hangs"])
def test_it_dies_with_its_parent(fault: str) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, fault], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert not psutil.wait_procs([child], timeout=60)[1]


def test_it_imports_nothing_heavy() -> None:
    code = "import sys, edgebench.meters.sampler; print({'numpy', 'psutil'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


def channel(**fields: object) -> Channel:
    base = {"name": "c", "tier": "board_measured", "quantity": "energy_uj", "covers": ("board",)}
    return Channel(**{**base, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("updates_ms", "rate_hz", "seconds"),
    [((), 10, 0.1), ((1.0,), 10, 0.1), ((1000.0,), 10, 1.0), ((1000.0, 200.0), 10, 0.2)],
)
def test_a_sensor_is_read_no_oftener_than_it_has_something_new(
    updates_ms: tuple[float, ...], rate_hz: float, seconds: float
) -> None:
    channels = [channel(update_ms=each) for each in updates_ms]
    assert sampler.interval_s(channels, rate_hz) == pytest.approx(seconds)


def test_a_counter_is_read_twice_before_it_can_come_round() -> None:
    wide, narrow = channel(wrap_uj=65_536_000_000), channel(wrap_uj=100_000_000)
    assert sampler.interval_s([wide], 0.001) == pytest.approx(32.768)
    assert sampler.interval_s([narrow, channel(update_ms=1000.0)], 1.0) == pytest.approx(0.05)

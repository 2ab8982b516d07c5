"""What the CPUs do, from the kernel's books: planted, and of any content."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebench.meters import activity
from edgebench.meters.activity import Look
from edgebench.testing import write_tree

POLICY = "sys/devices/system/cpu/cpufreq/policy"


def big_little(root: Path, ticks: int) -> Path:
    """Two fast CPUs, one busy for 0.5 s of every second at 2 GHz, and one slow one that sleeps."""
    return write_tree(
        root,
        {
            "proc/stat": f"cpu  9 9 9 9\ncpu0 0 0 0 {ticks}\ncpu1 {ticks // 2} 0 0 5 7 0 0 99\n"
            f"cpu2 1 0 0 {ticks}\nintr 5 5\n",
            f"{POLICY}0/affected_cpus": "0 1\n",
            f"{POLICY}0/cpuinfo_max_freq": "2000000\n",
            f"{POLICY}0/stats/time_in_state": f"1000000 5\n2000000 {ticks}\n",
            f"{POLICY}2/affected_cpus": "2\n",
            f"{POLICY}2/cpuinfo_max_freq": "1000000\n",
            f"{POLICY}2/scaling_cur_freq": "600000\n",
        },
    )


def test_clusters_are_told_apart_by_their_top_speed_fastest_first(tmp_path: Path) -> None:
    found = activity.clusters(big_little(tmp_path, 0))
    assert [[domain.cpus for domain in cluster] for cluster in found] == [[(0, 1)], [(2,)]]


def test_cpus_without_cpufreq_are_one_cluster_of_unknown_frequency(tmp_path: Path) -> None:
    write_tree(tmp_path, {"proc/stat": "cpu0 5 0 0 0\ncpu1 5 0 0 0\n"})
    known = activity.clusters(tmp_path)
    before = activity.look(tmp_path, known)
    assert before is not None
    write_tree(tmp_path, {"proc/stat": "cpu0 55 0 0 0\ncpu1 30 0 0 0\n"})
    after = activity.look(tmp_path, known)
    assert after is not None
    (seen,) = activity.between(before, after._replace(t_ns=before.t_ns + 10**9), known) or ()
    assert seen.busy == pytest.approx(0.75)
    assert seen.busy_ghz == seen.busy_ghz3 == seen.busy
    assert seen.min_ghz is None


def test_a_stretch_is_the_books_difference_over_its_time(tmp_path: Path) -> None:
    known = activity.clusters(big_little(tmp_path, 100))
    before = activity.look(tmp_path, known)
    assert before is not None
    big_little(tmp_path, 200)
    after = activity.look(tmp_path, known)
    assert after is not None
    seen = activity.between(before, after._replace(t_ns=before.t_ns + 10**9), known)
    assert seen is not None
    fast, slow = seen
    assert (fast.busy, fast.busy_ghz, fast.busy_ghz3) == pytest.approx((0.5, 1.0, 4.0))
    assert (fast.min_ghz, fast.max_ghz) == pytest.approx((2.0, 2.0))
    assert slow.busy == 0
    assert slow.min_ghz is None


@pytest.mark.parametrize("gone", ["proc/stat", f"{POLICY}0/stats/time_in_state"])
def test_books_that_vanish_are_no_idle_cpu(tmp_path: Path, gone: str) -> None:
    known = activity.clusters(big_little(tmp_path, 100))
    (tmp_path / gone).unlink()
    assert activity.look(tmp_path, known) is None


def test_looks_at_the_same_moment_tell_nothing(tmp_path: Path) -> None:
    known = activity.clusters(big_little(tmp_path, 100))
    look = activity.look(tmp_path, known)
    assert look is not None
    assert activity.between(look, look, known) is None
    assert activity.mean([look], known) is None
    later = look._replace(t_ns=look.t_ns + 10**9)
    assert activity.between(look, later, known) is None  # the books of frequencies stood still


def test_frequency_counts_while_a_cpu_is_busy(tmp_path: Path) -> None:
    """Busy at 2 GHz, then idle at 1: the whole's mean frequency would be 1.5 GHz, wrongly."""
    known = activity.clusters(big_little(tmp_path, 0))[:1]
    folder = known[0][0].folder
    assert folder is not None

    def look(s: int, busy_s: int, at_khz: dict[int, int]) -> Look:
        return Look(s * 10**9, {0: busy_s * 10**9, 1: 0}, {folder: at_khz})

    start = look(0, 0, {1_000_000: 0, 2_000_000: 0})
    middle = look(1, 1, {1_000_000: 0, 2_000_000: 10**9})
    end = look(2, 1, {1_000_000: 10**9, 2_000_000: 10**9})
    (seen,) = activity.mean([start, middle, end], known) or ()
    assert (seen.busy, seen.busy_ghz) == pytest.approx((0.5, 1.0))
    assert (seen.min_ghz, seen.max_ghz) == (2.0, 2.0)


lines = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.builds("cpu{} {} {} 0 {}".format, st.integers(0, 9), *[st.integers(-5, 10**9)] * 3),
        st.builds("{} {}".format, st.integers(0, 3_000_000), st.integers(0, 10**9)),
    ),
    max_size=6,
).map("\n".join)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(stat=lines, later=lines, states=lines, cpus=st.text(max_size=9))
def test_no_content_of_the_files_ends_a_reading(
    tmp_path: Path, stat: str, later: str, states: str, cpus: str
) -> None:
    files = {
        f"{POLICY}0/affected_cpus": cpus,
        f"{POLICY}0/stats/time_in_state": states,
        f"{POLICY}0/cpuinfo_max_freq": "x",
    }
    known = activity.clusters(write_tree(tmp_path, {**files, "proc/stat": stat}))
    before = activity.look(tmp_path, known)
    after = activity.look(write_tree(tmp_path, {"proc/stat": later}), known)
    if before is not None and after is not None:
        for seen in activity.between(before, after, known) or ():
            assert seen.busy >= 0

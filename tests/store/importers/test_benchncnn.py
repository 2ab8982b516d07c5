"""benchncnn's table: settings hold for the rows below them, and its mean is no median."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebench.errors import UsageError
from edgebench.protocols import Imported, Importer
from edgebench.store.importers.benchncnn import BenchNcnn

SETTINGS = """\
loop_count = 16
num_threads = 2
powersave = 1
gpu_device = -1
cooling_down = 0
"""
ROWS = """\
            tinynet  min =    3.25  max =    9.75  avg =    4.50
       tinynet_int8  min =    2.00  max =    3.00  avg =    2.25
"""


def read(tmp_path: Path, text: str, **stated: str) -> Imported:
    path = tmp_path / "log.txt"
    path.write_text(text, encoding="utf-8")
    return BenchNcnn().read(path, stated)


def test_it_is_an_importer() -> None:
    assert isinstance(BenchNcnn(), Importer)


def test_a_table_tells_least_and_mean_and_no_median(tmp_path: Path) -> None:
    first, second = read(tmp_path, SETTINGS + ROWS).rows
    told = {
        "workload": "tinynet",
        "latency_min_ms": 3.25,
        "latency_mean_ms": 4.5,
        "samples": 16,
        "threads": 2,
        "accelerator": "cpu",
        "options": "powersave=1 gpu_device=-1",
        "batch": 1,
        "weights": "random",
    }
    assert {name: first.values[name] for name in told} == told
    assert "latency_p50_ms" not in first.values
    assert "precision" not in first.values  # fp16 on some cores, fp32 on others
    assert json.loads(str(first.values["engine_figures"])) == {"min": 3.25, "max": 9.75, "avg": 4.5}
    assert first.origin["latency_min_ms"] == "log.txt: line 6"
    assert (second.values["workload"], second.values["precision"]) == ("tinynet", "int8")


def test_of_a_stated_precision_only_the_networks_are_taken_that_have_it(tmp_path: Path) -> None:
    found = read(tmp_path, SETTINGS + ROWS, precision="fp16")
    assert [row.origin["workload"] for row in found.rows] == ["log.txt: line 6"]
    assert "line 7" in found.notes[0]
    (row,) = read(tmp_path, SETTINGS + ROWS, precision="int8").rows
    assert row.values["precision"] == "int8"


def test_a_second_runs_settings_begin_anew(tmp_path: Path) -> None:
    later = "loop_count = 8\ngpu_device = 0\n" + ROWS
    found = read(tmp_path, SETTINGS + ROWS + later)
    assert len(found.rows) == 4
    assert found.rows[2].values["accelerator"] == "vulkan"
    assert "threads" not in found.rows[2].values  # of the first run


def test_without_settings_nothing_of_them_is_told(tmp_path: Path) -> None:
    row = read(tmp_path, ROWS).rows[0]
    assert not {"threads", "accelerator", "samples", "options"} & set(row.values)


def test_what_a_gpu_says_of_itself_is_passed_over_and_counted(tmp_path: Path) -> None:
    noise = "[0 Some GPU]  queueC=2[8]  queueG=0[16]\nuser@board:~$ ./benchncnn 16 2 1 -1 0\n"
    assert "2 lines" in read(tmp_path, noise + SETTINGS + ROWS).notes[0]


def test_a_time_of_nothing_is_left_out(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "n  min =    0.00  max =    0.02  avg =    0.01\n").rows
    assert "latency_min_ms" not in row.values
    assert row.values["latency_mean_ms"] == 0.01


def test_a_hostile_name_is_inert(tmp_path: Path) -> None:
    row = read(tmp_path, ROWS.replace("     tinynet ", "\x1b[31m</script> ", 1)).rows[0]
    assert str(row.values["workload"]).isprintable()


BROKEN = {
    "empty": "",
    "settings only": SETTINGS,
    "cut within a row": (SETTINGS + ROWS)[:-8],
    "another unit": ROWS.replace("4.50", "4.50us"),
    "NaN": ROWS.replace("4.50", "nan"),
    "infinite": ROWS.replace("9.75", "inf"),
    "below 0": ROWS.replace("3.25", "-3.2"),
    "other digits": ROWS.replace("3.25", "3.2534"),
    "no digits": ROWS.replace("3.25", "3"),
    "mean beyond the most": ROWS.replace("4.50", "9.99"),
    "mean below the least": ROWS.replace("4.50", "1.00"),
    "least missing": ROWS.replace("min =    3.25  ", ""),
    "order": ROWS.replace("min", "xxx").replace("max", "min").replace("xxx", "max"),
    "another setting": "loop_count = 4\nblocks = 2\n" + ROWS,
    "no loops": "loop_count = 0\n" + ROWS,
    "minus one thread": "num_threads = -1\n" + ROWS,
    "a document": "### Some board\n" + ROWS,
    "the same twice": SETTINGS + ROWS + ROWS,
    "two on a line": ROWS.replace("\n", ""),
    "a median": ROWS.replace("avg", "median"),
    "a name of spaces": "  min =    3.25  max =    9.75  avg =    4.50\n",
    "endless digits": ROWS.replace("3.25", "3" * 100_000 + ".25"),
    "html": "<p>" + ROWS.replace("avg =", "avg&nbsp;="),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_broken_is_refused_in_one_line(how: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        read(tmp_path, BROKEN[how])
    assert str(refused.value).isprintable()
    assert "log.txt" in str(refused.value)
    assert len(str(refused.value)) < 300


def test_binary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_bytes(b"\xff\xfe\x00" * 9)
    with pytest.raises(UsageError, match="no text"):
        BenchNcnn().read(tmp_path / "log.txt", {})


_ms = st.integers(1, 10**7).map(lambda n: n / 100)


@settings(deadline=None)  # it writes a file each time
@given(
    times=st.lists(_ms, min_size=3, max_size=3).map(sorted),
    name=st.text("abcxyz0189_.-", min_size=1, max_size=30),
)
def test_what_benchncnn_prints_is_what_is_read(
    times: list[float], name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    least, mean, most = times
    line = f"{name:>20}  min = {least:7.2f}  max = {most:7.2f}  avg = {mean:7.2f}\n"
    path = tmp_path_factory.mktemp("log") / "log.txt"
    path.write_text(SETTINGS + line, encoding="utf-8")
    (row,) = BenchNcnn().read(path, {}).rows
    assert (row.values["latency_min_ms"], row.values["latency_mean_ms"]) == (least, mean)
    assert row.values["workload"] == name.removesuffix("_int8")


@settings(deadline=None)  # it writes a file each time
@given(text=st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("log") / "log.txt"
    path.write_text(ROWS + text, encoding="utf-8")
    try:
        found = BenchNcnn().read(path, {})
    except UsageError:
        return
    assert len(found.rows) == 2

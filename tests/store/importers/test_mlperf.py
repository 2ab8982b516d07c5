"""MLPerf's trees and LoadGen's logs: a row a scenario, and no bound is a percentile."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlperf_tree import detail, plant, spl, summary

from edgebench.errors import UsageError
from edgebench.protocols import Imported, Importer
from edgebench.store.importers.mlperf import MLPerf

STATED = {"device": "board", "workload": "net", "backend": "runtime", "precision": "int8"}


def read(path: Path, **stated: str) -> Imported:
    return MLPerf().read(path, stated)


def alone(tmp_path: Path, text: str) -> Imported:
    path = tmp_path / "mlperf_log_summary.txt"
    path.write_text(text, encoding="utf-8")
    return MLPerf().read(path, STATED)


def test_it_is_an_importer() -> None:
    assert isinstance(MLPerf(), Importer)


def test_a_tree_tells_system_benchmark_precision_figures_and_accuracy(tmp_path: Path) -> None:
    plant(tmp_path / "closed" / "Someone")
    found = read(tmp_path)
    (row,) = found.rows
    told = {
        "device": "Some Board",
        "device_id": "board_x",
        "workload": "resnet50",
        "backend": "Runtime 1.2",
        "accelerator": "NPU",
        "precision": "int8",
        "scenario": "single_stream",
        "engine": "loadgen",
        "latency_p50_ms": 2.0,
        "latency_p90_ms": 2.1,
        "latency_p99_ms": 2.5,
        "latency_mean_ms": 2.000001,
        "throughput_ips": 490.25,
        "samples": 1000,
        "top1_ratio": 0.755,
        "top1_samples": 2000,
        "started_at_utc": "2031-02-03T04:05:06Z",
    }
    assert {name: row.values[name] for name in told} == told
    run = "closed/Someone/results/board_x/resnet50/SingleStream/performance/run_1"
    assert row.origin["latency_p50_ms"] == f"{run}/mlperf_log_summary.txt: line 22"
    assert set(row.values) == set(row.origin)
    assert len(found.files) == 5
    assert "Some CPU" in found.notes[0]


def test_loadgens_estimates_keep_their_names(tmp_path: Path) -> None:
    (row,) = alone(tmp_path, summary()).rows
    own = json.loads(str(row.values["engine_figures"]))
    assert own["Early stopping 90.0th percentile estimate"] == 2200000
    assert own["90.0th percentile latency (ns)"] == 2100000
    assert own["Result is VALID"] == 1
    assert "SUT name" not in own
    assert row.values["latency_p90_ms"] == 2.1


def test_a_percentile_of_too_few_queries_is_not_told(tmp_path: Path) -> None:
    (row,) = alone(tmp_path, summary().replace("(1000)", "(100)")).rows
    assert "latency_p95_ms" in row.values  # 72 do
    assert "latency_p99_ms" not in row.values  # 368 are needed


def test_offline_tells_a_rate_and_no_latency_of_an_inference(tmp_path: Path) -> None:
    (row,) = alone(tmp_path, summary("Offline")).rows
    assert row.values["throughput_ips"] == 4000.25
    assert not any(name.startswith("latency") for name in row.values)


def test_a_server_holds_its_rate_only_where_the_run_is_valid(tmp_path: Path) -> None:
    (row,) = alone(tmp_path, summary("Server")).rows
    assert (row.values["server_rate_hz"], row.values["server_offered_hz"]) == (250, 250)
    assert row.values["parameters"] == "bound_ms=15"
    (row,) = alone(tmp_path, summary("Server", valid=False)).rows
    assert "server_rate_hz" not in row.values
    assert row.values["server_offered_hz"] == 250


def test_an_invalid_run_says_why_in_loadgens_words(tmp_path: Path) -> None:
    (row,) = alone(tmp_path, summary(valid=False)).rows
    words = str(row.values["caveats"])
    assert row.values["status"] == "ok"
    assert "INVALID: Min duration satisfied: NO; Increase ?[31mthe duration." in words


def test_power_is_the_mean_within_the_window_and_energy_is_per_sample(tmp_path: Path) -> None:
    place = plant(tmp_path, "MultiStream")
    (place / "performance" / "run_1" / "spl.txt").write_text(spl())
    (row,) = read(tmp_path).rows
    assert row.values["power_samples"] == 20  # seconds 11 to 30
    assert row.values["power_w"] == 11.0
    assert row.values["power_tier"] == "wall_measured"
    assert row.values["power_coverage_ratio"] == 0.95
    assert row.values["energy_gross_mj"] == pytest.approx(11.0 * 20.0 * 1000 / 8000)
    assert row.values["parameters"] == "samples_per_query=8"
    assert "per sample" in str(row.values["caveats"])


@pytest.mark.parametrize("lacking", ["window", "samples", "readings", "coverage"])
def test_without_window_samples_or_readings_there_is_no_energy(
    lacking: str, tmp_path: Path
) -> None:
    place = plant(tmp_path) / "performance" / "run_1"
    ends = {"readings": (5, 18), "coverage": (13, 40)}.get(lacking, (5, 40))
    (place / "spl.txt").write_text(spl(*ends))
    gone = {"window": "power_begin", "samples": "effective_samples_per_query"}.get(lacking, "-")
    lines = (line for line in detail().splitlines() if gone not in line)
    (place / "mlperf_log_detail.txt").write_text("\n".join(lines))
    (row,) = read(tmp_path).rows
    assert "energy_gross_mj" not in row.values
    assert ("power_w" in row.values) == (lacking == "samples")


def test_readings_below_zero_are_no_power(tmp_path: Path) -> None:
    place = plant(tmp_path) / "performance" / "run_1"
    (place / "spl.txt").write_text(spl().replace("Watts,12.0", "Watts,-1.0"))
    (row,) = read(tmp_path).rows
    assert (row.values["power_w"], row.values["power_samples"]) == (10.0, 10)


def test_an_accuracy_that_is_no_top1_keeps_its_name(tmp_path: Path) -> None:
    place = plant(tmp_path)
    (place / "accuracy" / "accuracy.txt").write_text("Done\nmAP=37.500%\n")
    (row,) = read(tmp_path).rows
    assert "map50_ratio" not in row.values  # MLPerf's is over overlaps of 0.5 to 0.95
    assert json.loads(str(row.values["engine_figures"]))["accuracy mAP (%)"] == 37.5


def test_a_result_inferred_from_another_scenario_is_not_told_twice(tmp_path: Path) -> None:
    plant(tmp_path)
    place = plant(tmp_path, "Offline")
    (place / "performance/run_1/mlperf_log_summary.txt").write_text(summary("SingleStream"))
    for scenario in ("singlestream", "SingleStream"):
        (place.parent / "SingleStream").rename(place.parent / scenario)
        for root in (tmp_path, place.parent):
            found = read(root, **STATED)
            assert [row.values["scenario"] for row in found.rows] == ["single_stream"]
            assert any("neighbour" in note for note in found.notes)
        (place.parent / scenario).rename(place.parent / "SingleStream")


def test_of_several_runs_the_first_counts(tmp_path: Path) -> None:
    place = plant(tmp_path) / "performance"
    (place / "run_2").mkdir()
    (place / "run_2" / "mlperf_log_summary.txt").write_text(summary())
    found = read(tmp_path)
    assert "run_1" in found.rows[0].origin["latency_p50_ms"]
    assert len(found.rows) == 1
    assert any("run_2" in note for note in found.notes)


def test_tests_of_the_rules_and_accuracy_runs_are_no_results(tmp_path: Path) -> None:
    place = plant(tmp_path)
    for aside in (place / "TEST01" / "performance" / "run_1", place / "performance" / "ranging"):
        aside.mkdir(parents=True)
        (aside / "mlperf_log_summary.txt").write_text(summary())
    (place / "accuracy" / "mlperf_log_summary.txt").write_text("\nNo warnings encountered\n")
    found = read(tmp_path)
    assert len(found.rows) == 1
    assert any("2 runs of compliance" in note for note in found.notes)


def test_what_the_user_calls_the_device_stands_for_its_name(tmp_path: Path) -> None:
    plant(tmp_path)
    (row,) = read(tmp_path, device="some-board", workload="resnet").rows
    assert not {"device", "workload"} & set(row.values)


def test_a_row_whose_precision_nobody_tells_is_left_out_of_a_tree(tmp_path: Path) -> None:
    plant(tmp_path)
    plant(tmp_path, "Offline")
    (told,) = (tmp_path / "measurements/board_x/resnet50/Offline").iterdir()
    told.write_text('{"weight_data_types": "int8 and fp16"}')
    found = read(tmp_path)
    assert len(found.rows) == 1
    assert any("does not tell the precision" in note for note in found.notes)
    assert len(read(tmp_path, precision="int8").rows) == 2


def test_a_part_of_a_tree_tells_what_its_path_tells(tmp_path: Path) -> None:
    place = plant(tmp_path)
    (row,) = read(place, device="board", backend="runtime", precision="int8").rows
    assert (row.values["workload"], row.values["device_id"]) == ("resnet50", "board_x")
    assert row.values["top1_ratio"] == 0.755


def test_a_log_of_before_1_0_is_named(tmp_path: Path) -> None:
    place = plant(tmp_path)
    (place / "performance/run_1/mlperf_log_detail.txt").write_text("pid=1 : key : value\n")
    assert any("before 1.0" in note for note in read(tmp_path).notes)


BROKEN: dict[str, Callable[[str], str]] = {
    "empty": lambda _: "",
    "another file": lambda _: "hello\nworld\n",
    "cut before its parameters": lambda text: text[: text.index("Test Parameters")],
    "cut within its figures": lambda text: text[: text.index("Mean latency")],
    "another scenario": lambda text: text.replace("SingleStream", "Interactive"),
    "no scenario": lambda text: text.replace("Scenario :", "Szenario :"),
    "no mode": lambda text: text.replace("Mode     :", "Modus    :"),
    "no result": lambda text: text.replace("Result is :", "Result was :"),
    "neither valid nor not": lambda text: text.replace(": VALID", ": PERHAPS"),
    "no median": lambda text: text.replace("50.00 percentile", "50 percentile"),
    "another unit": lambda text: text.replace("Mean latency (ns)", "Mean latency (us)"),
    "a word": lambda text: text.replace("2000001", "two"),
    "NaN": lambda text: text.replace("2000001", "nan"),
    "infinite": lambda text: text.replace("2000001", "1e999"),
    "hexadecimal": lambda text: text.replace("2000001", "0x1E8481"),
    "below 0": lambda text: text.replace(": 1500000", ": -1500000"),
    "nothing": lambda text: text.replace(": 1500000", ": 0"),
    "no rate": lambda text: text.replace("QPS w/ loadgen", "QPS with loadgen"),
    "no title": lambda text: text.replace("MLPerf Results Summary", "Results Summary"),
    "a hostile scenario": lambda text: text.replace("SingleStream", "\x1b[31m=cmd()"),
    "accuracy only": lambda text: text.replace("PerformanceOnly", "AccuracyOnly"),
    "an endless line": lambda text: text.replace("VALID", "VALID" + " " * 1_000_000 + "."),
    "endless digits": lambda text: text.replace("2000001", "9" * 100_000),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_broken_is_refused_in_one_line(how: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        alone(tmp_path, BROKEN[how](summary()))
    assert str(refused.value).isprintable()
    assert "mlperf_log_summary.txt" in str(refused.value)
    assert len(str(refused.value)) < 400


_RUN = "performance/run_1"
OTHERS: dict[str, tuple[str, str]] = {
    "another scenario's detail": (f"{_RUN}/mlperf_log_detail.txt", detail("Offline")),
    "another result's detail": (
        f"{_RUN}/mlperf_log_detail.txt",
        detail(result_validity="INVALID"),
    ),
    "a count of words": (f"{_RUN}/mlperf_log_detail.txt", detail(result_query_count="many")),
    "a window that ends before": (
        f"{_RUN}/mlperf_log_detail.txt",
        detail(power_end="02-03-2031 04:05:01.000"),
    ),
    "a window of no time": (f"{_RUN}/mlperf_log_detail.txt", detail(power_end="soon")),
    "an endless count": (
        f"{_RUN}/mlperf_log_detail.txt",
        detail().replace("1000}", "9" * 5000 + "}"),
    ),
    "a damaged entry": (f"{_RUN}/mlperf_log_detail.txt", detail().replace("1000}", "1000")),
    "a deep entry": (
        f"{_RUN}/mlperf_log_detail.txt",
        ':::MLLOG {"key": "power_begin", "value": ' + "[" * 200_000,
    ),
    "watts in words": (f"{_RUN}/spl.txt", spl().replace("Watts,12.0", "Watts,many")),
    "watts without number": (f"{_RUN}/spl.txt", spl().replace("Watts,12.0", "Watts,nan")),
    "volts for watts": (f"{_RUN}/spl.txt", spl().replace("Watts", "Volts")),
    "another date": (f"{_RUN}/spl.txt", spl().replace("02-03-2031", "2031-02-03")),
    "more right than asked": ("accuracy/accuracy.txt", "accuracy=100.000%, good=9, total=8\n"),
    "another share": ("accuracy/accuracy.txt", "accuracy=70.000%, good=9, total=10\n"),
    "of none": ("accuracy/accuracy.txt", "accuracy=0.000%, good=0, total=0\n"),
    "no number": ("accuracy/accuracy.txt", "mAP=3.7.5%\n"),
}


@pytest.mark.parametrize("how", OTHERS)
def test_what_is_broken_beside_it_is_refused_and_named(how: str, tmp_path: Path) -> None:
    place = plant(tmp_path)
    (place / _RUN / "spl.txt").write_text(spl())
    name, text = OTHERS[how]
    (place / name).write_text(text)
    with pytest.raises(UsageError, match=Path(name).name) as refused:
        read(tmp_path)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("text", ["{", "[]", '{"system_name": 7}', "{}", "[" * 100_000])
def test_a_broken_system_is_refused_and_named(text: str, tmp_path: Path) -> None:
    plant(tmp_path)
    (tmp_path / "systems" / "board_x.json").write_text(text)
    with pytest.raises(UsageError, match=r"board_x\.json"):
        read(tmp_path)


def test_without_a_tree_the_user_must_say_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / "mlperf_log_summary.txt"
    path.write_text(summary())
    with pytest.raises(UsageError, match="does not tell the device"):
        read(path)


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no"):
        read(tmp_path, **STATED)


@settings(deadline=None)  # it writes a file each time
@given(lines=st.lists(st.sampled_from(summary().split("\n"))), noise=st.text(max_size=30))
def test_any_summary_is_read_or_refused(
    lines: list[str], noise: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = summary().split("\n")
    try:
        (row,) = alone(tmp_path_factory.mktemp("log"), "\n".join([*whole[:3], noise, *lines])).rows
    except UsageError as refused:
        told = str(refused)
    else:
        told = str(row.values["scenario"])
    assert told.isprintable()

"""`edgebench history` and `edgebench.history`, of planted runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import edgebench
from edgebench.analysis import history
from edgebench.cli.main import cli
from edgebench.errors import UsageError
from edgebench.report import gather
from edgebench.report import history as report
from edgebench.report.history import FRAME
from edgebench.testing.fleet import Cell, Device, write

DAYS, STEP = 12, 7


def _plant(folder: Path, unit: str = "pi-a", *, step: float = 1.2, days: int = DAYS) -> None:
    for day in range(days):
        slower = step if day >= STEP else 1.0
        cells = (
            Cell(backend="litert", precision="int8", latency_ms=4 * slower),
            Cell(latency_ms=9.0),
        )
        write(
            folder,
            Device(name="raspberry-pi-5", unit=unit, cells=cells),
            started_at_utc=f"2026-01-{day + 1:02}T08:00:00Z",
            seed=100 * ord(unit[-1]) + day,  # a run_id is of its seed
            samples=40,
        )


def _history(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["history", *map(str, words)])


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    _plant(folder)
    return folder


def test_a_case_is_shown_with_all_its_runs_and_its_change(planted: Path) -> None:
    lines = _history(planted, "mnist_cnn/litert/int8").stdout.splitlines()
    assert lines[0] == "pi-a: mnist_cnn/litert/int8 (standard), latency_p50_ms, 12 runs"
    assert [line for line in lines if line.startswith("  2026")] == [
        line for line in lines if "|" in line
    ]
    place = next(place for place, line in enumerate(lines) if line.startswith("  -> slower"))
    assert lines[place + 1].startswith(f"  2026-01-{STEP + 1:02} 08:00")
    assert max(map(len, lines)) <= 80


def test_without_a_case_only_what_changed_is_shown(planted: Path) -> None:
    done = _history(planted)
    assert "litert" in done.stdout
    assert "onnxruntime" not in done.stdout
    assert "1 history without a change" in done.stderr


def test_each_unit_has_a_history_of_its_own(tmp_path: Path) -> None:
    _plant(tmp_path / "a", "pi-a", step=1.0, days=5)
    _plant(tmp_path / "b", "pi-b", step=1.0, days=5)
    case = "mnist_cnn/litert/int8"
    headings = [line for line in _history(tmp_path, case).stdout.splitlines() if "runs" in line]
    assert [line.split(":")[0] for line in headings] == ["pi-a", "pi-b"]
    one = _history(tmp_path, case, "--device", "pi-b").stdout.splitlines()
    assert [line.split(":")[0] for line in one if "runs" in line] == ["pi-b"]


def test_json_is_the_frame(planted: Path) -> None:
    rows = json.loads(_history(planted, "--json").stdout)
    frame = edgebench.history(edgebench.load(planted))
    assert list(frame.columns) == list(rows[0]) == list(FRAME)
    assert [row["value"] for row in rows] == frame["value"].tolist()
    steps = frame[frame["ratio"].notna()]
    assert steps["ratio"].tolist() == pytest.approx([1.2], rel=0.02)
    assert steps["started_at_utc"].tolist() == [f"2026-01-{STEP + 1:02}T08:00:00Z"]
    assert frame[frame["case"].str.contains("litert")]["level"].tolist() == [0] * 7 + [1] * 5


def test_too_few_runs_are_said_to_be_too_few(tmp_path: Path) -> None:
    _plant(tmp_path, days=3)
    assert "2 histories with fewer than 5 runs" in _history(tmp_path).stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "'nothing' is no folder, and no case either"),
        (["mnist_cnn/ncnn/fp32"], "no run of 'mnist_cnn/ncnn/fp32'"),
        (["--metric", "speed"], "there is no figure 'speed'"),
        (["--metric", "backend"], "there is no figure 'backend'"),
        (["--device", "pi-z"], "no run of 'pi-z'"),
    ],
)
def test_a_mistake_is_named_with_what_there_is(
    planted: Path, words: list[str], message: str
) -> None:
    done = _history(planted, *words)
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert done.exception.remedy


def test_a_hostile_unit_cannot_steer_a_terminal(tmp_path: Path) -> None:
    _plant(tmp_path, "\x1b[2J\nevil", days=1)
    done = _history(tmp_path, "mnist_cnn/litert/int8")
    assert "\x1b" not in done.stdout
    assert not any(line.startswith("evil") for line in done.stdout.splitlines())


def test_a_run_that_does_not_say_when_it_began_has_a_line_all_the_same(planted: Path) -> None:
    row = gather.read([planted])[0][0] | {"started_at_utc": None}
    (one,) = history.of_rows([row], "latency_p50_ms")
    assert report.lines(one)[1].startswith("  -          ")


def test_a_frame_of_something_else_is_refused(planted: Path) -> None:
    frame = edgebench.load(planted)
    with pytest.raises(UsageError, match="no column 'device_id'"):
        edgebench.history(frame.drop(columns="device_id"))
    with pytest.raises(UsageError, match="no figure 'caveats'"):
        edgebench.history(frame, metric="caveats")

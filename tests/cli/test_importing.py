"""`edgebench import` as a user meets it, and its rows wherever results are read."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgebench.records import Case, Manifest, Record
from edgebench.report import gather
from edgebench.runner.journal import Journal
from edgebench.store import imported
from edgebench.testing import fleet

TABLE = """\
board,model,runtime,prec,median_us,p99_us,top1 %
pi5,mnist_cnn,litert,int8,900,1200,98.5
pi5,mnist_cnn,litert,fp32,2900,4200,98.9
"""
MAP = """\
[map]
device = "board"
workload = "model"
backend = "runtime"
precision = "prec"
latency_p50_ms = "median_us:us"
latency_p99_ms = "p99_us:us"
top1_ratio = "top1 %:percent"
[set]
threads = 1
scenario = "single_stream"
"""


def run(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


IMPORT = (
    *("import", "csv", "fleet.csv", "-o", "results"),
    *("--mapping", "map.toml", "--device-name", "pi5-a"),
)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with its mapping, imported as ``results``."""
    folder = tmp_path_factory.mktemp("once")
    (folder / "fleet.csv").write_text(TABLE)
    (folder / "map.toml").write_text(MAP)
    run(*IMPORT, cwd=folder)
    return folder


@pytest.fixture
def folder(once: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(once, tmp_path / "copy"))


def test_imported_rows_are_reported_and_each_figure_is_traced(folder: Path) -> None:
    done = run("report", "results", "--json", cwd=folder)
    first, second = json.loads(done.stdout)
    assert (first["latency_p50_ms"], first["latency_p99_ms"]) == (0.9, 1.2)
    assert (first["top1_ratio"], first["threads"]) == (0.985, 1)
    assert first["imported_from"] == "csv: fleet.csv: row 1, median_us (and 2 more)"
    assert first["validity"] is None
    assert first["caveats"] == "imported: not checked by edgebench"
    assert first["case_id"] != second["case_id"]
    (stored,) = json.loads(run("import", "--show", "results", "--json", cwd=folder).stdout)
    assert stored["rows"][1]["origin"]["top1_ratio"] == "fleet.csv: row 2, top1 %"
    assert stored["rows"][1]["origin"]["threads"] == "as stated"
    shown = run("import", "--show", "results", cwd=folder).stdout
    assert "latency_p50_ms = 0.9  (fleet.csv: row 1, median_us)" in shown
    assert f"sha256 {stored['files']['fleet.csv']}" in shown


def test_the_table_the_page_and_the_csv_have_them(folder: Path) -> None:
    done = run("report", "results", "--csv", "f.csv", "--html", "f.html", cwd=folder)
    with (folder / "f.csv").open(encoding="utf-8") as file:
        assert [row["latency_p50_ms"] for row in csv.DictReader(file)] == ["0.9", "2.9"]
    page = (folder / "f.html").read_text(encoding="utf-8")
    assert "csv: fleet.csv: row 2, median_us" in page
    assert "There are no results yet" not in page
    done = run("report", "results", cwd=folder)
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.count("(imported)") == 2
    assert "imported: csv: fleet.csv: row 1" in done.stderr
    assert "--accuracy full" not in done.stderr


def test_they_stand_beside_measured_ones(
    folder: Path,
    case: Callable[..., Case],
    record: Callable[..., Record],
    manifest: Callable[..., Manifest],
) -> None:
    import edgebench

    one = case()
    store = Journal.create(folder / "results", manifest(one))
    for launch in range(3):
        store.append(record(one, launch=launch))
    frame = edgebench.load(folder / "results")
    assert len(frame) == 3
    assert frame.imported_from.isna().sum() == 1
    assert len(json.loads(run("report", "results", "--json", cwd=folder).stdout)) == 3
    page = run("report", "results", "--html", "-", cwd=folder).stdout
    assert "Imported: another tool measured" in page


def test_compare_and_recommend_see_them(folder: Path) -> None:
    (folder / "fleet.csv").write_text(TABLE.replace(",900,", ",1800,"))
    words = (*IMPORT[:3], "-o", "later", *IMPORT[5:])
    run(*words, cwd=folder)
    done = run("compare", "results", "later", "--json", cwd=folder)
    pairs = json.loads(done.stdout)["rows"]
    assert sorted(pair["ratio"] for pair in pairs) == [1.0, 2.0]
    assert all("imported in A and B, as its tool defines it" in pair["reason"] for pair in pairs)
    done = run("recommend", "results", "--max", "latency_p99_ms=2", cwd=folder)
    assert "latency_p99_ms 4.2 > 2" in done.stdout


def test_a_later_import_takes_the_place_of_the_earlier(folder: Path) -> None:
    (stored,), _ = imported.read_all((folder / "results").iterdir())
    later = msgspec.structs.replace(stored.content, run_id="20990101T000000Z-000000")
    imported.write(folder / "results", later)
    rows, problems = gather.read([folder / "results"])
    assert {str(row["run_id"])[:4] for row in rows} == {"2099"}
    assert len(rows) == 2
    assert problems == ()
    assert len(gather.read([folder / "results"], all_runs=True)[0]) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("csv", "fleet.csv"), "there is no column 'board'"),
        (("csv", "gone.csv"), "gone.csv does not exist"),
        (("cvs", "fleet.csv"), "no importer named 'cvs' (known:"),
        (("csv",), "formats: "),
        (("pyperf", "fleet.csv"), "is no JSON"),
        (("pyperf", "fleet.csv", "--map", "threads=x"), "pyperf takes no --map"),
        (("csv", "fleet.csv", "--map", "latency=x"), "did you mean"),
        (("csv", "fleet.csv", "--mapping", "fleet.csv"), "[map]"),
        (("csv", "fleet.csv", "--map", "device=board"), "tells no workload (state it: --set work"),
        ((*IMPORT[1:], "--set", "precision=fp16"), "stated as 'fp16'"),
        ((*IMPORT[1:], "fleet.csv"), "are the same cell"),
        ((*IMPORT[1:], "--map", "precision=top1 %"), "precision cannot be '98.5'"),
        ((*IMPORT[1:], "--map", "top1_ratio=p99_us:ratio"), "a share is 0 to 1"),
    ],
)
def test_a_mistake_is_one_line_and_stores_nothing(
    folder: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = sorted((folder / "results").iterdir())
    done = run("import", *arguments, cwd=folder, code=2)
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted((folder / "results").iterdir()) == before
    assert not (folder / "edgebench-results").exists()


def test_a_damaged_import_is_named_and_costs_no_other(folder: Path) -> None:
    (good,) = (folder / "results").iterdir()
    bad = folder / "results" / "20990101T000000Z-000000"
    bad.mkdir()
    document: dict[str, Any] = json.loads((good / "import.json").read_text())
    document["run_id"] = bad.name
    document["rows"][0]["values"]["latency_p50_ms"] = "</script>"
    (bad / "import.json").write_text(json.dumps(document))
    done = run("report", "results", "--json", cwd=folder)
    assert len(json.loads(done.stdout)) == 2
    assert f"{bad.name}: fleet.csv: row 1, median_us: '</script>' is no number" in done.stderr
    (good / "import.json").write_text("")
    run("report", "results", cwd=folder, code=2)


def test_hostile_names_are_inert_wherever_they_are_shown(folder: Path) -> None:
    name = "=cmd()</script><b>[red]x[/red]"
    (folder / "fleet.csv").write_text(TABLE.replace("mnist_cnn", name))
    run(*IMPORT[:3], "-o", "odd", *IMPORT[5:], cwd=folder)
    run("report", "odd", "--csv", "odd.csv", "--html", "odd.html", cwd=folder)
    assert "<b>[red]" not in (folder / "odd.html").read_text(encoding="utf-8")
    assert ",=cmd" not in (folder / "odd.csv").read_text(encoding="utf-8")
    (folder / "fleet.csv").write_text(TABLE.replace("mnist_cnn", "a\x1b[31mb"))
    done = run(*IMPORT, cwd=folder, code=2)
    assert "\x1b" not in done.stderr


def test_formats_are_listed_and_a_third_partys_is_named_by_its_class(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run("import", "--list", cwd=folder)
    assert {"csv", "pyperf", "pytest-benchmark"} <= {
        line.split()[0] for line in done.stdout.splitlines()
    }
    monkeypatch.setenv("PYTHONPATH", str(folder))
    (folder / "mine.py").write_text(OWN)
    stated = ("--set", "device=pi5", "--device-name", "pi5-b", "--set", "precision=int8")
    run("import", "mine:Mine", "fleet.csv", "-o", "own", *stated, cwd=folder)
    (row,) = json.loads(run("report", "own", "--json", cwd=folder).stdout)
    assert (row["latency_p50_ms"], row["imported_from"]) == (3.0, "mine 1: f: line 1")
    done = run("import", "mine:Broken", "fleet.csv", *stated, cwd=folder, code=2)
    assert "failed: KeyError: 'x'" in done.stderr
    done = run("import", "mine:Silent", "fleet.csv", *stated, cwd=folder, code=2)
    assert "no origin of latency_p50_ms" in done.stderr


OWN = """
from edgebench.protocols import Imported, ImportedRow

class Mine:
    name, wants = "mine", ("device",)
    origin = {"workload": "f: line 1", "backend": "f: line 1", "latency_p50_ms": "f: line 1"}

    def read(self, path, stated):
        values = {"workload": "net", "backend": "own", "latency_p50_ms": 3}
        row = ImportedRow(values=values, origin=self.origin)
        return Imported(tool="mine 1", files={}, rows=(row,))

class Silent(Mine):
    origin = {"workload": "f: line 1", "backend": "f: line 1"}

class Broken(Mine):
    def read(self, path, stated):
        return {}["x"]
"""


def test_a_baseline_says_that_it_leaves_imports_out_and_a_twin_is_named_imported(
    tmp_path: Path,
) -> None:
    cells = (fleet.Cell(backend="litert", precision="int8", latency_ms=10.0),)
    fleet.write(tmp_path / "results", fleet.Device(name="pi5", unit="pi5-a", cells=cells))
    (tmp_path / "f.csv").write_text(
        "workload,backend,precision,device,device_id,threads,batch,streams,scenario,region,format,"
        "latency_p50_ms\n"
        "mnist_cnn,litert,int8,pi5,pi5-a,1,1,1,single_stream,invoke,tflite,9\n"
    )
    run("import", "csv", "f.csv", "-o", "results", cwd=tmp_path)
    done = run("baseline", "save", "main", "results", cwd=tmp_path)
    assert "1 import left out: a baseline holds what edgebench measured" in done.stderr
    assert "1 cell in" in done.stderr
    chosen = run("recommend", "results", "--minimise", "latency_p50_ms", cwd=tmp_path)
    assert "take pi5 litert int8 imported: " in chosen.stdout
    assert "int8 onnx" not in chosen.stdout

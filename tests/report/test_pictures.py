"""Charts as pictures: what the page draws, whole or not at all, and a line where nothing is."""

from __future__ import annotations

import csv
import json
import re
import struct
import subprocess
import sys
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import altair as alt
import pytest

import edgebench
from edgebench.cli import files
from edgebench.cli.main import cli
from edgebench.errors import UsageError
from edgebench.report import charts, gather, picture
from edgebench.report.charts.base import HOLLOW, fewer, first_rows
from edgebench.report.picture import Style
from edgebench.report.sections import SECTIONS
from edgebench.report.sections.base import Material
from edgebench.report.sections.drawings import DRAWINGS, figure, figures, spec
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

STAGES_MS = {"decode": 2.0, "resize": 1.0, "normalise": 0.5, "invoke": 3.0, "copy_out": 0.1}
WORKLOADS = ("mnist_cnn", "cifar10_cnn", "resnet8", "mobilenet_v2")


def planted(folder: Path) -> Path:
    """Two devices with all that any chart draws."""
    for seed, (name, factor) in enumerate((("raspberry-pi-5", 1.0), ("rock-5b", 1.7))):
        cells = [
            Cell(
                workload=workload,
                backend=backend,
                precision=precision,
                latency_ms=latency * factor * at,
                top1_ratio=0.9,
                power_w=5.0,
            )
            for latency, workload in enumerate(WORKLOADS, 1)
            for backend, at in (("onnxruntime", 1.0), ("litert", 1.3))
            for precision in ("fp32", "int8")
        ]
        cells.append(Cell(workload="resnet8", latency_ms=6 * factor, stages_ms=STAGES_MS))
        cells.append(Cell(workload="resnet8", batch=4, latency_ms=9 * factor, top1_ratio=0.9))
        device = Device(name=name, cells=tuple(cells), tier="board_measured", idle_w=2.0)
        fleet.write(folder, device, launches=3, samples=100, seed=seed)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Planted results."""
    return planted(tmp_path_factory.mktemp("planted"))


def material(folder: Path) -> Material:
    """What a report is made from."""
    found = gather.gather([folder], keep_runs=True)
    return Material(found.runs, found.rows)


def report(
    folder: Path, *words: str, cwd: Path, text: bool = True
) -> subprocess.CompletedProcess[str]:
    """The command as a user types it."""
    command = [sys.executable, "-m", "edgebench", "report", str(folder), *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=text, check=False)


def elements(svg: str) -> list[tuple[str, str]]:
    """Every element of a picture: its name, and its own text."""
    whole = ET.fromstring(svg).iter()  # noqa: S314 - made here; what is no XML must fail
    return [(one.tag.rpartition("}")[2], one.text or "") for one in whole]


def words_of(svg: str) -> list[str]:
    """Every text of a picture."""
    return [words for tag, words in elements(svg) if tag == "text"]


def size_of(png: bytes) -> tuple[int, ...]:
    """Width and height; every chunk's sum must be right, and the pixels all there."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    place, pixels = 8, b""
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        kind, data = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", png, place + 8 + length) == (zlib.crc32(kind + data),)
        pixels += data if kind == b"IDAT" else b""
        place += length + 12
    width, height = struct.unpack_from(">II", png, 16)
    assert len(zlib.decompress(pixels)) == height * (4 * width + 1)
    return width, height


def test_every_chart_of_the_page_can_be_had_as_a_picture(folder: Path) -> None:
    made = material(folder)
    sections = [one for section in SECTIONS if (one := section(made)) is not None]
    names = [found.id for one in sections for found in figures(one.context)]
    assert len(names) == len(set(names)) >= 4
    assert {name.removeprefix("chart-") for name in names} <= set(DRAWINGS)


def test_every_chart_that_a_section_names_is_known() -> None:
    sections = Path(picture.__file__).parent / "sections"
    source = "".join(path.read_text(encoding="utf-8") for path in sections.glob("*.py"))
    named = re.findall(r'material\.figure\(\s*"([^"]+)"', source)
    named += re.findall(r'id="chart-([^"]+)"', source)
    assert named
    assert set(named) <= set(DRAWINGS)


@pytest.mark.parametrize("name", sorted(DRAWINGS))
def test_a_chart_is_drawn_or_says_what_it_takes(name: str, folder: Path) -> None:
    made = material(folder)
    if figure(made, name) is None:
        with pytest.raises(UsageError, match=f"chart {name} has nothing to draw.*it takes"):
            picture.svg(made, name, Style())
        return
    drawn = picture.svg(made, name, Style())
    assert "currentColor" not in drawn
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", drawn)
    assert any("raspberry-pi-5" in words for words in words_of(drawn)) or name != "latency"
    # A name that is cut off, or one that only the page's script would put there.
    assert not [words for words in words_of(drawn) if words.endswith("…") or "undefined" in words]
    assert picture.png(drawn, Style()).startswith(b"\x89PNG")


def test_a_picture_has_the_size_and_the_rows_that_were_asked_for(folder: Path) -> None:
    made = material(folder)
    whole = picture.svg(made, "latency", Style())
    few = picture.svg(made, "latency", Style(rows=2, width_px=500))
    cells = [words for words in words_of(whole) if "onnxruntime/" in words or "litert/" in words]
    left = [words for words in words_of(few) if "onnxruntime/" in words or "litert/" in words]
    assert len(left) < len(cells)
    panels = [words for words in words_of(few) if words.startswith(WORKLOADS)]
    assert len(left) <= 2 * len(panels)
    assert 'width="500"' in few[:200]
    assert size_of(picture.png(few, Style(scale=1)))[0] == 500
    assert size_of(picture.png(few, Style(scale=3)))[0] == 1500
    with pytest.raises(UsageError, match="no row a cell"):
        picture._fewer({"mark": "point"}, 2, "x")


@pytest.mark.parametrize("name", ["latency", "spread", "memory", "power", "stages"])
def test_a_chart_with_a_row_a_cell_tells_its_limits_and_keeps_to_fewer(
    folder: Path, name: str
) -> None:
    whole = spec(material(folder), name)
    assert whole is not None
    told = whole["usermeta"]
    assert told["rows"] >= told["panels"] > 0
    assert "question" in told["by"]
    few = fewer({**whole, "datasets": {}, "title": first_rows(told["rows"])}, 1)
    assert json.dumps(few).count(first_rows(told["rows"])) == 1  # the title: no filter
    assert json.dumps(few).count(first_rows(1)) == 1


def test_a_picture_says_what_is_hollow_where_something_is(tmp_path: Path) -> None:
    def words(*cells: Cell) -> str:
        folder = tmp_path / str(len(cells))
        fleet.write(folder, Device(name="board", cells=cells), samples=50)
        return picture.svg(material(folder), "latency", Style())

    assert HOLLOW not in words(Cell())
    assert HOLLOW in words(Cell(), Cell(precision="fp16", effective_precision="fp32"))


def test_a_dark_picture_has_another_paper_ink_and_brighter_colours(folder: Path) -> None:
    made = material(folder)
    light, dark = (picture.svg(made, "latency", Style(dark=one)) for one in (False, True))
    assert 'fill="#ffffff"' in light
    assert 'fill="#14171b"' in dark
    assert "#0072B2" in light
    assert "#0072B2" not in dark
    assert words_of(light) == words_of(dark)


def test_what_was_not_measured_is_in_no_words_of_a_mark(tmp_path: Path) -> None:
    fleet.write(tmp_path, Device(name="x", cells=(Cell(latency_ms=1.0),)), launches=1, samples=20)
    drawn = picture.svg(material(tmp_path), "latency", Style())
    told = re.findall('aria-label="([^"]*verdict: [^"]*)"', drawn)
    assert told
    assert all("median (ms): " in one and "NaN" not in one for one in told)


def test_a_hostile_name_stays_text(tmp_path: Path) -> None:
    hostile = "</text><script>alert(1)</script>\x1b[31m"
    cells = tuple(Cell(workload=name, latency_ms=1.0) for name in (hostile, "currentColor"))
    fleet.write(tmp_path, Device(name=hostile, cells=cells))
    made = material(tmp_path)
    drawn = picture.svg(made, "latency", Style())
    assert "script" not in {tag for tag, _ in elements(drawn)}
    assert any("</text><script>" in words for words in words_of(drawn))
    assert "currentColor" in words_of(drawn)
    assert "\x1b" not in drawn


def test_the_command_draws_what_is_asked_and_keeps_what_is_named(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "latency.png").write_text("of yesterday")
    words = ("--png", "latency,stages=e2e.png", "--svg", "latency=l.svg", "--scale", "1")
    done = report(folder, *words, "--only", "workload=resnet8", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "latency in latency.png" in done.stderr
    assert {one.name for one in tmp_path.iterdir()} == {"latency.png", "e2e.png", "l.svg"}
    panels = words_of((tmp_path / "l.svg").read_text(encoding="utf-8"))
    assert "resnet8" in panels
    assert not [words for words in panels if words.startswith("mnist")]
    width, height = size_of((tmp_path / "latency.png").read_bytes())
    assert width > 400
    assert height > 100
    umask = (tmp_path / "l.svg").stat().st_mode & 0o777
    plain = tmp_path / "plain"
    plain.touch()
    assert umask == plain.stat().st_mode & 0o777


def test_a_picture_goes_to_stdout_as_it_is(folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgebench", "report", str(folder), "--png", "latency=-"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    size_of(done.stdout)
    assert done.stderr == b""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--png", "lateny"), "no chart 'lateny' (did you mean latency? there is "),
        (("--svg", "latency="), "names no file (--svg latency=FILE)"),
        (("--svg", "latency=no/such/x.svg"), "cannot write no/such/x.svg: no folder "),
        (("--svg", "latency=."), "it is a folder"),
        (("--svg", "latency=a,stages=a"), "two of --svg go to a (name a file for each)"),
        (("--png", "heat"), "the chart heat has nothing to draw of these results (it takes "),
        (("--svg", "latency", "--scale", "3"), "--scale is of PNG (add --png CHART; "),
        (("--svg", "latency=-", "--html", "-"), "--html and --svg go to stdout (name a file "),
        (("--csv", "-", "--json"), "--csv and --json go to stdout (name a file for each)"),
        (("--csv", "a", "--svg", "latency=./a"), "--csv and --svg go to ./a (name a file for"),
        (("--html", "."), "cannot write .: it is a folder"),
        (("--csv", "no/such/x.csv"), "cannot write no/such/x.csv: no folder "),
        (("--dark",), "--dark is of pictures (add --svg CHART or --png CHART)"),
        (("--only", "workload=mnist"), "no workload 'mnist' here (there is cifar10_cnn, "),
        (("--only", "wrkload=mnist"), "there is no column 'wrkload'"),
        (("--only", "workload=mnist_cnn", "--only", "batch=4"), "no cell is left"),
        (("--only", "meter=x"), "there is no column 'meter'"),
        (("--only", "imported_from=x"), "no imported_from 'x' here (no cell has one)"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        cli.main(("report", str(folder), *words), standalone_mode=False)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_one_chart_without_data_keeps_the_others_from_being_written(
    folder: Path, tmp_path: Path
) -> None:
    done = report(folder, "--svg", "latency,heat", cwd=tmp_path)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_replaced_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, link = tmp_path / "old.svg", tmp_path / "link.svg"
    target.write_bytes(b"old")
    link.symlink_to(target)

    def full(self: Path, other: Path) -> Path:
        del self, other
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(UsageError, match="No space left"):
            files.write(link, b"new")
    assert target.read_bytes() == b"old"
    assert {one.name for one in tmp_path.iterdir()} == {"old.svg", "link.svg"}
    files.write(link, b"new")
    assert target.read_bytes() == b"new"
    assert link.is_symlink()
    files.write(Path("/dev/null"), b"gone")
    assert Path("/dev/null").is_char_device()


def test_the_list_tells_every_chart_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(("report", "--list-charts"), standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(DRAWINGS)
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("package", ["altair", "vl_convert"])
def test_a_missing_package_is_one_line_that_mends_it(
    folder: Path, tmp_path: Path, package: str
) -> None:
    block = (
        f"import sys; sys.modules[{package!r}] = None; "
        f"sys.argv = ['edgebench', 'report', {str(folder)!r}, '--svg', 'latency']; "
        "from edgebench.cli.main import main; main()"
    )
    run = [sys.executable, "-c", block]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'edgebench[report]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_only_keeps_rows_in_every_output(folder: Path, tmp_path: Path) -> None:
    words = ("--only", "device=rock-5b", "--only", "batch=4", "--only", "batch=1")
    done = report(folder, *words, "--only", "precision=int8", "--csv", "-", cwd=tmp_path)
    lines = list(csv.DictReader(done.stdout.splitlines()))
    assert len(lines) == len(WORKLOADS) * 2
    assert {(line["device"], line["precision"]) for line in lines} == {("rock-5b", "int8")}
    told = report(folder, "--only", "latency_p50_ms=1", "--json", cwd=tmp_path)
    assert "no latency_p50_ms '1' here (there is " in told.stderr
    exact = lines[0]["latency_p50_ms"]
    told = report(folder, "--only", f"latency_p50_ms={exact}", "--json", cwd=tmp_path)
    assert len(json.loads(told.stdout)) == 1
    page = report(folder, "--only", "device=rock-5b", "--html", "-", cwd=tmp_path).stdout
    assert '"rock-5b"' in page
    assert '"raspberry-pi-5"' not in page


@pytest.mark.parametrize("dark", [False, True])
def test_a_notebook_may_have_the_look_of_the_report_for_one_chart(folder: Path, dark: bool) -> None:
    frame = edgebench.load(folder)
    chart = charts.latency(frame)
    before, theme = chart.to_dict(), alt.theme.active
    told = charts.styled(chart, dark=dark).to_dict()
    assert "currentColor" not in json.dumps(told)
    assert told["config"]["background"] == ("#14171b" if dark else "#ffffff")
    assert told["datasets"] == before["datasets"]
    assert chart.to_dict() == before
    assert alt.theme.active == theme

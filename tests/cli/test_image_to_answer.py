"""Region e2e as a user meets it: shares below the table and in the page, mistakes in a line."""

from __future__ import annotations

import io
import json
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import promptly
import pytest
from PIL import Image

import edgebench
from edgebench import resources
from edgebench.errors import UsageError
from edgebench.report import rows
from edgebench.report.columns import STAGES
from edgebench.runner import picture
from edgebench.runner.config import BackendConfig, RunConfig
from edgebench.store.read import read_all

LIMIT_S = 1.0
E2E = ("run", "-w", "mnist_cnn", "-b", "litert", "-p", "int8", "--region", "e2e")


def run(*arguments: str, cwd: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own."""
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_a_run_tells_where_the_time_of_an_image_goes(tmp_path: Path) -> None:
    two = ("-w", "cifar10_cnn", "-b", "litert,onnxruntime", "-p", "fp32")
    done = run("run", *two, "--region", "invoke,e2e", cwd=tmp_path)
    assert max(map(len, done.stdout.splitlines())) <= 80
    _, _, below = done.stdout.partition("Share of the end-to-end time (opencv ")
    told = [line.split() for line in below.splitlines() if "/fp32" in line]
    assert len(told) == 2
    for line in told:
        shares = [float(share.rstrip("%").lstrip("<")) for share in line[1:]]
        assert sum(shares) == pytest.approx(100, abs=3)  # each is rounded
    found = edgebench.load(tmp_path / "edgebench-results")
    assert found["status"].tolist() == ["ok"] * 4
    assert found[found["region"] == "invoke"]["pipeline"].isna().all()
    whole = found[found["region"] == "e2e"]
    assert whole["stage_crop_ms"].isna().all()  # the workload does not crop: not 0
    for stage in STAGES:
        assert stage == "crop" or (whole[f"stage_{stage}_ms"] > 0).all()
    assert (whole["stage_decode_ms"] > 0.2 * whole["latency_p50_ms"]).all()
    assert whole["image_sha256"].nunique() == 1
    assert (whole["parity_cosine"] > 0.9999).all()
    page = tmp_path / "report.html"
    run("report", "--html", str(page), cwd=tmp_path)
    text = page.read_text(encoding="utf-8")
    assert 'id="chart-stages"' in text
    assert re.search(r"decoded and resized by opencv \d", text)


def test_without_region_e2e_nothing_is_said_of_stages(tmp_path: Path) -> None:
    done = run(*E2E[:-2], cwd=tmp_path)
    assert "Share of" not in done.stdout
    run("report", "--html", "report.html", cwd=tmp_path)
    assert "chart-stages" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_ones_own_image_is_another_case_and_is_resumed_with_it(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "mine.png")
    run(*E2E, "--image", "mine.png", cwd=tmp_path)
    run(*E2E, cwd=tmp_path)
    found = edgebench.load(tmp_path / "edgebench-results")
    assert found["case_id"].nunique() == found["image_sha256"].nunique() == 2
    (folder,) = (
        run_.folder for run_ in read_all([tmp_path])[0] if run_.manifest.config["image"] is not None
    )
    run("run", "--resume", str(folder), cwd=tmp_path)
    Image.fromarray(255 - noise).save(tmp_path / "mine.png")
    done = run("run", "--resume", str(folder), cwd=tmp_path, code=2)
    assert "the image is not the one" in done.stderr


def test_shares_are_parts_of_one_whole_and_none_where_nothing_was_measured() -> None:
    row: rows.Row = {"stage_decode_ms": 3.0, "stage_invoke_ms": 1.0, "stage_crop_ms": None}
    assert rows.shares(row) == {"decode": 0.75, "invoke": 0.25}
    assert rows.shares({"stage_decode_ms": None}) == {}


def png_of(width: int, height: int) -> bytes:
    """A PNG that declares more than it holds."""
    made = b"\x89PNG\r\n\x1a\n"
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(9999))), (b"IEND", b"")):
        made += struct.pack(">I", len(data)) + kind + data
        made += struct.pack(">I", zlib.crc32(kind + data))
    return made


def jpeg(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (9, 99, 199)).save(buffer, "JPEG", progressive=True)
    return buffer.getvalue()


def many_scans() -> bytes:
    """A progressive JPEG of 16 million pixels whose last scan comes 3,000 times more."""
    whole = jpeg(4096, 4096)
    last = whole.rindex(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * 3000 + whole[-2:]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        (b"", "no JPEG"),
        (b"\x00" * 999, "no JPEG"),
        (resources.scene_file().read_bytes()[:100_000], "truncated"),
        (png_of(60_000, 60_000), "exceeds limit"),
        (png_of(5000, 640), "at most 4096 a side"),
        (png_of(640, 480), "truncated"),
        (jpeg(20, 20), "takes 28 x 28"),
        (many_scans(), "more than 20 scans"),
    ],
    ids=["missing", "empty", "zeros", "cut", "huge", "wide", "belied", "small", "scans"],
)
def test_an_image_that_is_none_is_refused_in_a_line_at_once(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "\x1b[31mred.jpg"
    if content is not None:
        path.write_bytes(content)
    workload = resources.open_workload("mnist_cnn")
    config = RunConfig(region=("e2e",), image=str(path))
    with promptly.at_once(LIMIT_S), pytest.raises(UsageError) as caught:
        picture.choose(config, {"mnist_cnn": workload})
    assert words in str(caught.value)
    assert not re.search(r"[\x00-\x1f]", str(caught.value))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*E2E, "--image", "missing.jpg"), "does not exist"),
        ((*E2E, "--image", "."), "it is no file"),
        ((*E2E[:-2], "--image", "missing.jpg"), "add --region e2e"),
        ((*E2E, "--scenario", "offline"), "one image after the other"),
    ],
)
def test_a_mistake_is_told_before_anything_is_measured(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = run(*arguments, cwd=tmp_path, code=2)
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def _without(*names: str) -> Callable[[str], object]:
    return lambda name: None if name in names else object()


def test_a_device_without_pillow_and_opencv_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = RunConfig(region=("e2e",))
    find = "edgebench.runner.picture.importlib.util.find_spec"
    monkeypatch.setattr(find, _without("cv2"))
    assert picture.choose(config, {}) is not None
    monkeypatch.setattr(find, _without("cv2", "PIL"))
    assert picture.choose(RunConfig(), {}) is None  # nobody asked for it
    with pytest.raises(UsageError, match="pip install pillow"):
        picture.choose(config, {})
    elsewhere = RunConfig(region=("e2e",), backends={"x": BackendConfig(python="other/python")})
    assert picture.choose(elsewhere, {}) is not None


def test_the_rows_as_json_hold_each_stage(tmp_path: Path) -> None:
    (row,) = json.loads(run(*E2E, "--json", cwd=tmp_path).stdout)
    assert list(rows.shares(row)) == [stage for stage in STAGES if stage != "crop"]
    assert sum(rows.shares(row).values()) == pytest.approx(1)

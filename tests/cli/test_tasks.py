"""Detection and segmentation as a user meets them: two workloads whose right figures are known."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import handmade
import numpy as np
import pytest

SEVEN_TWELFTHS = 7 / 12
RED, DIM_RED, DIM_GREEN, DIM_PURPLE = (255, 0, 0), (204, 0, 0), (0, 204, 0), (204, 0, 204)


def scenes() -> dict[str, np.ndarray[Any, Any]]:
    """Five scenes: red comes to 2/3, green to 1/2.

    The best red box is where green should be; two worse ones are right, one of them moved by its
    blue. One of two greens is found. One scene is empty.
    """
    coloured = ((0, 0, DIM_RED), (1, 1, DIM_GREEN), (0, 0, DIM_PURPLE), None, (0, 0, RED))
    boxes = np.zeros((5, 2, 4), np.float32)
    classes = np.full((5, 2), -1)
    for scene, place, label, corners in (
        (0, 0, 0, [0, 0, 0.5, 0.5]),
        (1, 1, 1, [0.5, 0.5, 1, 1]),
        (2, 0, 0, [0, 0.25, 0.5, 0.75]),
        (4, 0, 1, [0.5, 0, 1, 0.5]),
    ):
        boxes[scene, place], classes[scene, place] = corners, label
    images = np.stack([handmade.picture(*filter(None, [one])) for one in coloured])
    return {"images": images, "boxes": boxes, "classes": classes}


def stripes() -> dict[str, np.ndarray[Any, Any]]:
    """Three columns should be red and two are found: red 2/3, dark 1/2."""
    images, masks = np.zeros((1, 4, 4, 3), np.uint8), np.zeros((1, 4, 4), np.uint8)
    images[:, :, :2], masks[:, :, :3] = RED, 1
    return {"images": images, "masks": masks}


def edgebench(*arguments: str, folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both workloads, and a run of both in both regions."""
    made = tmp_path_factory.mktemp("tasks")
    handmade.detector(made, scenes())
    handmade.segmenter(made, stripes())
    return made


@pytest.fixture(scope="module")
def ran(folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEBENCH_PATH", str(folder))
        patch.setenv("EDGEBENCH_LOCK", str(folder / "lock"))
        asked = (
            "-w",
            "quarters,pixels",
            "-b",
            "onnxruntime",
            "-p",
            "fp32",
            "--region",
            "invoke,e2e",
        )
        done = edgebench("run", *asked, folder=folder)
    (folder / "table.txt").write_text(done.stdout)
    return folder


@pytest.fixture(autouse=True)
def _found(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEBENCH_PATH", str(folder))


def rows(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(edgebench("report", "--json", folder=folder).stdout)
    return found


def test_a_run_judges_boxes_and_masks(ran: Path) -> None:
    found = {(row["workload"], row["region"]): row for row in rows(ran)}
    assert len(found) == 4
    for (workload, region), row in found.items():
        figure, samples = ("map50_ratio", 5) if workload == "quarters" else ("miou_ratio", 1)
        assert row["status"] == "ok", row["reason"]
        assert row[figure] == pytest.approx(SEVEN_TWELFTHS)
        assert row["quality_samples"] == samples
        assert (row["quality_loss_ratio"], row["quality_loss_against"]) == (0, "onnxruntime")
        assert row["top1_ratio"] is None
        assert row["parity_cosine"] == pytest.approx(1)
        assert row["parity_top1_ratio"] == (1 if workload == "pixels" else None)
        assert row["validity"] != "invalid"
        assert (row["stage_postprocess_ms"] is not None) == (region == "e2e")
    assert {row["task"] for row in found.values()} == {"detection", "segmentation"}


def test_the_table_has_each_figure_under_its_own_name_in_80_columns(ran: Path) -> None:
    lines = (ran / "table.txt").read_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert sum("mAP50 0.583" in line for line in lines) == 2
    assert sum("mIoU 0.583" in line for line in lines) == 2


def test_the_page_and_the_csv_have_them(ran: Path) -> None:
    csv = edgebench("report", "--csv", "-", folder=ran).stdout.splitlines()
    names = csv[0].split(",")
    assert {"task", "map50_ratio", "miou_ratio", "quality_loss_ratio"} <= set(names)
    edgebench("report", "--html", "page.html", folder=ran)
    page = (ran / "page.html").read_text()
    for words in ("mAP50 %", "mIoU %", "58.3", "agreement"):
        assert words in page


def test_compare_and_baselines_take_them(ran: Path) -> None:
    twice = ["edgebench-results"] * 2
    assert "quarters/onnxruntime" in edgebench("compare", *twice, folder=ran).stdout
    told = edgebench("compare", *twice, "--metric", "map50_ratio", folder=ran).stderr
    assert "map50_ratio has no interval" in " ".join(told.split())
    edgebench("baseline", "save", "before", folder=ran)
    against = edgebench("compare", "--baseline", "before", "edgebench-results", folder=ran)
    assert "pixels/onnxruntime" in against.stdout


def test_two_detectors_are_compared_in_turns(ran: Path) -> None:
    asked = ("quarters/onnxruntime/fp32", "quarters/opencv-dnn/fp32", "--budget", "1s")
    done = edgebench("ab", *asked, folder=ran)
    assert "mAP50           0.583333                        0.583333" in done.stdout


def test_there_is_no_full_data_set_for_them_and_one_line_says_so(folder: Path) -> None:
    asked = ("run", "-w", "quarters", "-b", "onnxruntime", "--accuracy", "full")
    done = edgebench(*asked, folder=folder, code=2)
    assert "there is no full data set for detection (workload quarters)" in done.stderr
    assert "--accuracy samples" in done.stderr


def test_other_runtimes_give_the_same_figures(tmp_path: Path) -> None:
    asked = ("-w", "quarters,pixels", "-b", "openvino,opencv-dnn", "-p", "fp32", "--json")
    found = json.loads(edgebench("run", *asked, folder=tmp_path).stdout)
    figures = [row["map50_ratio"] or row["miou_ratio"] for row in found]
    assert figures == pytest.approx([SEVEN_TWELFTHS] * 4)
    assert [row["parity_top1_ratio"] for row in found] == [None, None, 1, 1]


def test_random_weights_have_no_accuracy(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "workloads", tmp_path / "workloads")
    toml = tmp_path / "workloads/pixels/workload.toml"
    toml.write_text(toml.read_text().replace("version = 1", 'version = 1\nweights = "random"', 1))
    asked = ("-w", str(tmp_path / "workloads/pixels"), "-b", "onnxruntime", "-p", "fp32")
    done = edgebench("run", *asked, folder=tmp_path)
    assert "random" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    (row,) = rows(tmp_path)
    assert (row["miou_ratio"], row["accuracy"]) == (None, "random weights")
    assert row["parity_top1_ratio"] == 1

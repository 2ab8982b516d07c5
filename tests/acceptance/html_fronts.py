"""Fronts and speeds on the page are those of the analysis, whatever its filters and reference.

Plants five devices, makes their page and opens it in Chromium. For several filters the cells that
have a ring must be the members of `edgebench.pareto` over the same cells; for each reference the
table of speeds must tell the ratios and verdicts of `edgebench.compare`. A comparison of a filtered
page with the front of all cells must be caught. Takes a minute.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
from browser import browser, edgebench, requests
from selenium import webdriver
from verdict import Verdict

import edgebench as eb
from edgebench.metering import Tier
from edgebench.records import Precision, Task
from edgebench.report.labels import labels
from edgebench.testing.fleet import Cell, Device, write_all

BACKENDS = ("onnxruntime", "litert", "ncnn")
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")
WATTS: dict[str, tuple[Tier, float]] = {
    "raspberry-pi-5": ("board_measured", 4.0),
    "jetson-orin-nano": ("board_measured", 7.0),
    "rock-5b": ("wall_measured", 5.0),
    "intel-n100": ("wall_measured", 9.0),
    "mine": ("wall_measured", 2.0),
}
FILTERS: tuple[Mapping[str, Sequence[str]], ...] = (
    {},
    {"device": ["raspberry-pi-5", "rock-5b", "intel-n100"]},
    {"precision": ["fp32", "fp16"]},
    {"workload": ["resnet50", "ssd", "deeplab"], "backend": ["litert", "ncnn"]},
)
FIGURES = {
    "chart-front-energy": "energy_net_mj",
    "chart-front-top1": "top1_ratio",
    "chart-front-map50": "map50_ratio",
    "chart-front-miou": "miou_ratio",
}
TASKS: dict[str, tuple[float, Task, str]] = {
    "mnist_cnn": (1.0, "classification", "top1_ratio"),
    "resnet50": (40.0, "classification", "top1_ratio"),
    "ssd": (60.0, "detection", "map50_ratio"),
    "deeplab": (300.0, "segmentation", "miou_ratio"),
}
"""ms, task, and the figure that its answers are judged by."""
RINGS = """
const box = document.getElementById(arguments[0]);
box.scrollIntoView();
// A chart is one image to a screen reader: what a ring is of, only its own datum tells.
const told = [...box.querySelectorAll(".role-mark path")].map(e => e.__data__?.datum?.told);
return [...new Set(told.filter(words => words?.startsWith("on the front of ")))];
"""
DRAWN = "return document.getElementById(arguments[0]).dataset.drawn ?? ''"
SPEEDS = """
const table = document.getElementById("chart-devices").closest("figure").querySelector("table");
table.closest("details").open = true;
table.scrollIntoView();
table.parentNode.nextElementSibling.click(); // all rows, not the first ones
document.getElementById("reference").value = arguments[0];
document.getElementById("reference").dispatchEvent(new Event("change", { bubbles: true }));
return [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent));
"""
LABEL = re.compile(r"on the front of (.*?)(?:, (?:board|wall)_measured)?: (.*)")
REL = 2e-3
"""The page has four digits of a ratio."""


def devices() -> list[Device]:
    """Devices with cells of all sorts, no two alike."""
    rng = np.random.default_rng(9)
    made = []
    for name, (tier, watts) in WATTS.items():
        cells = []
        for workload, (ms, task, judged) in TASKS.items():
            for backend in BACKENDS:
                for precision in PRECISIONS:
                    ratio: dict[str, Any] = {judged: round(rng.uniform(0.6, 0.98), 3)}
                    cell = Cell(
                        workload=workload,
                        task=task,
                        **ratio,
                        backend=backend,
                        precision=precision,
                        latency_ms=ms * rng.uniform(0.5, 2),
                        power_w=watts * rng.uniform(0.8, 1.2),
                        cosine=0.5 if rng.uniform() < 0.1 else 0.9999,
                        effective_precision="fp32" if rng.uniform() < 0.1 else None,
                    )
                    cells.append(cell)
        made.append(Device(name=name, cells=tuple(cells), tier=tier, idle_w=0.2 * watts))
    return made


def rings(
    driver: webdriver.Chrome, page: Path, chart: str, chosen: Mapping[str, Sequence[str]]
) -> set[str]:
    """``workload: cell`` of each ring that the page draws with these filters."""
    driver.get("about:blank")
    driver.get(f"{page.as_uri()}#{urlencode(dict(chosen) | {'at': 'fronts'}, doseq=True)}")
    driver.execute_script(RINGS, chart)
    end = time.monotonic() + 30
    while not driver.execute_script(DRAWN, chart) and time.monotonic() < end:
        time.sleep(0.1)
    found = [LABEL.fullmatch(words) for words in driver.execute_script(RINGS, chart)]
    return {f"{one[1]}: {one[2]}" for one in found if one}


def members(frame: pd.DataFrame, figure: str, chosen: Mapping[str, Sequence[str]]) -> set[str]:
    """The same by `edgebench.pareto`, a tier of power at a time."""
    names = frame.assign(cell=labels(frame.to_dict("records")))
    for name, values in chosen.items():
        frame = frame[frame[name].isin(values)]
    tiers = frame["power_tier"].unique() if figure.startswith("energy") else [None]
    found = set()
    for tier in tiers:
        some = frame if tier is None else frame[frame["power_tier"] == tier]
        fronts = eb.pareto(some, ["latency_p50_ms", figure], each_unit=True, require_valid=True)
        for _, one in fronts[fronts["place"] == "member"].iterrows():
            same = names["workload"] == one["question"]
            for column in ("device", "backend", "precision"):
                same &= names[column] == one[column]
            found.add(f"{one['question']}: {names[same]['cell'].item()}")
    return found


def check_fronts(driver: webdriver.Chrome, page: Path, frame: pd.DataFrame, told: Verdict) -> None:
    """Rings against members, for each filter; and that a wrong one would be seen."""
    for chart, figure in FIGURES.items():
        for chosen in FILTERS:
            drawn, expected = rings(driver, page, chart, chosen), members(frame, figure, chosen)
            words = urlencode(chosen, doseq=True) or "no filter"
            differing = len(drawn ^ expected)
            what = f"{figure}, {words}: cells on one front only, of {len(expected)}"
            told.check(what, str(differing), "0", passed=not differing and bool(expected))
    drawn = rings(driver, page, "chart-front-energy", FILTERS[1])
    caught = drawn != members(frame, "energy_net_mj", {})
    told.check("the front of all cells is another one", str(caught), "True", passed=caught)


def check_speeds(driver: webdriver.Chrome, page: Path, frame: pd.DataFrame, told: Verdict) -> None:
    """The table of each reference against `edgebench.compare`."""
    wrong: list[tuple[object, ...]] = []
    seen = 0
    driver.get("about:blank")
    driver.get(page.as_uri())
    for reference in WATTS:
        rows = driver.execute_script(SPEEDS, reference)
        time.sleep(0.5)
        rows = driver.execute_script(SPEEDS, reference)
        for device in set(WATTS) - {reference}:
            a, b = (frame[frame["device"] == name] for name in (reference, device))
            expected = eb.compare(a, b)
            for _, one in expected.iterrows():
                case = f"{one['workload']} {one['backend']}/{one['precision']}"
                shown = [row for row in rows if row[0] == device and row[2] == case]
                seen += len(shown)
                if len(shown) != 1 or not agrees(shown[0], one):
                    wrong.append((device, reference, case, shown, one["ratio"], one["verdict"]))
    told.check(
        f"speeds unlike edgebench.compare's, of {seen}",
        str(len(wrong)),
        "0",
        passed=not wrong and seen > 0,
    )
    for detail in wrong[:3]:
        print(f"  {detail}")


def agrees(shown: Sequence[str], one: pd.Series) -> bool:
    """Whether a row of the page's table tells a comparison: its ratio upside down."""
    if shown[5] != one["verdict"]:
        return False
    if pd.isna(one["ratio"]):
        return shown[3] == "\N{EN DASH}"
    return bool(abs(float(shown[3]) * one["ratio"] - 1) < REL)


def main() -> int:
    """Plant, make the page, look; give the exit code."""
    told = Verdict()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_all(folder / "results", devices())
        edgebench("report", "results", "--html", "report.html", cwd=folder)
        page, frame = folder / "report.html", eb.load(folder / "results")
        with browser(folder) as driver:
            check_fronts(driver, page, frame, told)
            check_speeds(driver, page, frame, told)
            asked = requests(driver, page)
        told.check("network requests", str(len(asked)), "0", passed=not asked)
    return told.exit_code


if __name__ == "__main__":
    sys.exit(main())

"""The HTML page of odd results: one cell, none that is ok, no samples, names beyond all measure.

Each is planted, its page is opened in Chromium and drawn whole, and every word of it is read, those
of charts too: none may be JavaScript's or Python's for a value that is missing, no section may be
empty, and the console stays silent. Then the page is called with addresses that say nothing.

    python tests/acceptance/html_odd.py

``--every 3`` takes a third of them, ``NAME ...`` those alone.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec
from browser import browser, commands, draw_all, edgebench, go, messages
from selenium import webdriver
from verdict import Verdict

from edgebench.codec import decode_line, encode_line
from edgebench.machine import DeviceFacts
from edgebench.records import Precision, Scenario
from edgebench.samples import Samples
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

MISSING_WORDS = ("undefined", "NaN", "null", "None", "nan", "Infinity", "[object Object]")
STRAY = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, MISSING_WORDS))})(?![\w-])")
ONE_OF_MANY = re.compile(
    r"(?<![\d.,=/%-] )(?<![\d.,=/-])\b1 "
    r"(?:cells|devices|units|workloads|rows|candidates|runs|launches)\b"
)
ADDRESSES = (
    "#",
    "#%",
    "#%E0%A4%A",
    "#at=%00&at=x&device=nobody&=&&&",
    "#sort=cells:constructor:toString&sort=__proto__:__proto__:up&sort=::",
    "#at=__proto__&device=__proto__&verdict=toString",
    "#by=nothing&of=nobody&tier=x&max.latency_p99_ms=1e999",
    "#by=min.latency_p50_ms&max.latency_p99_ms=-1e99&max.power_w=0&valid=x&sure=0",
    "#" + "&".join(f"device={number}" for number in range(5_000)),
    "#at=" + "x" * 100_000,
)
WORDS = """
const found = [];
for (const details of document.querySelectorAll("main details")) details.open = true;
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const { parentElement: one, data } = walk.currentNode;
  if (!one.closest("script,style,template") && data.trim()) found.push(data.trim());
}
for (const one of document.querySelectorAll("[title],[aria-label]"))
  found.push(...["title", "aria-label"].map((name) => one.getAttribute(name)).filter(Boolean));
return found;
"""
EMPTY = """
return [...document.querySelectorAll("main section")]
  .filter((one) => one.innerText.trim().split("\\n").length < 2).map((one) => one.id);
"""
MOST_TOLD = 8
Plant = Callable[[Path], object]


def _device(*cells: Cell, name: str = "raspberry-pi-5", facts: DeviceFacts | None = None) -> Device:
    return Device(name=name, cells=cells, facts=facts)


def _one(folder: Path, *cells: Cell, launches: int = 3) -> None:
    fleet.write(folder, _device(*cells), launches=launches, samples=60)


def _records(folder: Path, **changes: Any) -> None:  # noqa: ANN401 - fields of a record
    """A run whose records lack what most have."""
    _one(folder, Cell(), Cell(backend="litert"), Cell(precision="int8"))
    for journal in folder.rglob("results.jsonl"):
        lines = [decode_line(line) for line in journal.read_bytes().splitlines()]
        journal.write_bytes(
            b"".join(encode_line(msgspec.structs.replace(one, **changes)) for one in lines)
        )


def _imports(folder: Path) -> None:
    folder.mkdir()
    table = folder / "t.csv"
    table.write_text("model,ms,dev\nresnet,3.5,orin\nmobilenet,1.5,orin\n")
    told = {"workload": "model", "latency_p50_ms": "ms:ms", "device": "dev"}
    words = [word for pair in told.items() for word in ("--map", "=".join(pair))]
    words += ["--set", "backend=tensorrt", "--set", "precision=fp16", "-o", str(folder)]
    edgebench("import", "csv", str(table), *words, cwd=folder)


def _two_modes(folder: Path) -> None:
    for seed, mode in enumerate(("15W", "MAXN")):
        facts = DeviceFacts(device="", device_id="", power_mode=mode)
        device = _device(Cell(latency_ms=5.0 + seed), Cell(precision="int8"), facts=facts)
        fleet.write(folder, device, seed=seed, launches=3, samples=60)


def _again(folder: Path) -> None:
    device = _device(Cell(), Cell(backend="litert"))
    fleet.write_history(folder, device, (1.0, 1.1, 1.2))


def _many_backends(folder: Path) -> None:
    _one(folder, *(Cell(backend=f"runtime-{n}", latency_ms=1.0 + n) for n in range(40)))


def _square(folder: Path) -> None:
    _one(
        folder,
        *(Cell(backend=f"b{n}", precision=p) for n in range(9) for p in get_args(Precision)),
    )


def _sixty(folder: Path) -> None:
    for n in range(60):
        device = _device(Cell(latency_ms=1.0 + n), Cell(precision="int8"), name=f"board-{n}")
        fleet.write(folder, device, seed=n, launches=2, samples=30)


def _units(folder: Path) -> None:
    fleet.write_all(folder, fleet.units(_device(Cell(power_w=4.0), Cell(precision="int8")), 2))


def _interrupted(folder: Path) -> None:
    _one(folder, Cell(), Cell(backend="litert"), Cell(backend="ncnn"))
    (journal,) = folder.rglob("results.jsonl")
    journal.write_bytes(journal.read_bytes()[:-400])


def _scenario(name: Scenario) -> Plant:
    cell = Cell(scenario=name, holds_hz=30.0, power_w=4.0)
    return lambda folder: _one(folder, cell, replace(cell, backend="litert", latency_ms=20.0))


FAILED = "MemoryError: no"
PLANTS: dict[str, Plant] = {
    "one cell": lambda folder: _one(folder, Cell()),
    "one launch": lambda folder: _one(folder, Cell(), Cell(precision="int8"), launches=1),
    "all failed": lambda folder: _one(folder, Cell(reason=FAILED), Cell(backend="x", reason="")),
    "only failed": lambda folder: _one(
        folder, Cell(reason=FAILED), Cell(backend="x", reason=FAILED)
    ),
    "one failed": lambda folder: _one(folder, Cell(reason=FAILED)),
    "all skipped": lambda folder: _records(folder, status="skipped", reason="not installed"),
    "none valid": lambda folder: _one(folder, Cell(cosine=0.5), Cell(precision="int8", cosine=0.5)),
    "imports": _imports,
    "two units": _units,
    "two power modes": _two_modes,
    "40 backends": _many_backends,
    "9 x 5": _square,
    "60 devices": _sixty,
    "detection": lambda folder: _one(
        folder,
        Cell(task="detection", map50_ratio=0.5, power_w=4.0),
        Cell(task="segmentation", workload="seg", miou_ratio=0.6),
    ),
    "random weights": lambda folder: _one(folder, Cell(weights="random", top1_ratio=None)),
    "three runs": _again,
    "interrupted": _interrupted,
    "no samples": lambda folder: _records(folder, latency_ns=Samples()),
    "nothing told": lambda folder: _records(
        folder,
        effective=None,
        parity=None,
        accuracy=None,
        rss_peak_byte=None,
        rss_load_byte=None,
        rss_baseline_byte=None,
        load_ns=None,
        first_inference_ns=None,
        environment_before=None,
        environment_after=None,
        cpu_ns=None,
        window_ns=None,
    ),
    "a long name": lambda folder: fleet.write(
        folder, _device(Cell(workload="w" * 300, backend="b" * 300), name="d" * 300), samples=60
    ),
    **{f"only {name}": _scenario(name) for name in get_args(Scenario)},
}
MORE = {"three runs": ("--all-runs",), "none valid": ("--max", "latency_p99_ms=33")}


def _faults(driver: webdriver.Chrome) -> list[str]:
    """Words that should not be there, and sections without any."""
    words = driver.execute_script(WORDS)
    stray = {one for one in words if STRAY.search(one) or ONE_OF_MANY.search(one)}
    empty = (f"nothing in section {name}" for name in driver.execute_script(EMPTY))
    broken = (one for one in words if "could not be drawn" in one)
    return [*sorted(stray), *empty, *broken]


def _judge(verdict: Verdict, what: str, faults: Sequence[str]) -> None:
    verdict.check(what, f"{len(faults)} faults", "0", passed=not faults)
    for line in faults[:MOST_TOLD]:
        print(f"  {line[:200]}")


def _made(plants: Mapping[str, Plant], root: Path) -> dict[str, Path]:
    """The page of each."""
    pages, lines = {}, []
    for number, (what, plant) in enumerate(plants.items()):
        folder, page = root / str(number), root / f"{number}.html"
        plant(folder)
        lines.append(("report", str(folder), "--html", str(page), *MORE.get(what, ())))
        pages[what] = page
    commands(lines, root)
    return pages


def main() -> int:
    """Open the page of each; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th")
    given = parser.parse_args()
    chosen = given.only or list(PLANTS)[:: given.every]
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="edgebench-odd-") as root:
        pages = _made({what: plant for what, plant in PLANTS.items() if what in chosen}, Path(root))
        with browser(Path(root)) as driver:
            for what, page in pages.items():
                go(driver, page)
                draw_all(driver)
                _judge(verdict, f"page of {what}", [*_faults(driver), *messages(driver)])
            for address in ADDRESSES if not given.only else ():
                go(driver, page, address)
                _judge(verdict, f"address {address[:40]}", messages(driver))
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

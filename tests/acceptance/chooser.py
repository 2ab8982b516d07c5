"""The page's chooser against `edgebench recommend`: the same winner, ranks, rejections and changes.

Plants a fleet (several units of a kind, two tiers of power, a device without a meter or a price,
failed, invalid, suspect and fallback cells, a hostile name), makes the page, asks it by its address
what the command is asked, and compares what is read in the page with the command's JSON: once for
each question, once as the page starts with stated limits, and once under a filter. With ``--plant``
the page is asked with other limits than the command, which must FAIL. Takes two minutes.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from browser import browser, commands, edgebench, messages, requests
from selenium.webdriver import Chrome
from verdict import Verdict

from edgebench.report.page.wording import sentence
from edgebench.report.table import clean
from edgebench.testing.fleet import Cell, Device, units, write_all

HOSTILE = "board\x1b[31m\n=cmd() </script><b>"
WORKLOADS = {"mnist_cnn": 0.4, "mobilenet_v2": 28.0, "resnet50": 340.0}
CHANGES = 5
"""Shown of what would have to change, here and there."""
NUMBER = re.compile(r"-?\d[\d,.]*\d|\d")
TOLD_ALIKE = re.compile(r" the next in rank, |\bits (accuracy|weights)\b", re.IGNORECASE)
"""Of the lines beside the first sentence, those that are the command's word by word."""
PLANT = 0.8
"""Times every limit, in the page alone."""
ASK = """
const [hash, done] = arguments;
addEventListener("hashchange", () => {
  document.getElementById("choose").scrollIntoView();
  const look = () => {
    if (document.documentElement.dataset.settling !== undefined) return requestAnimationFrame(look);
    for (const more of document.querySelectorAll("#chosen .more")) more.click();
    const fallen = document.getElementById("fallen");
    if (fallen) fallen.open = true;
    return setTimeout(done, 50);
  };
  setTimeout(look, 150);
}, { once: true });
location.hash = hash;
"""
READ = """
const named = (td) => (td.querySelector("span") ?? td).firstChild.textContent.trim();
const rows = (id) => [...document.querySelectorAll(`#${id} tbody tr`)].map((tr) => [...tr.cells]);
return {
  words: document.getElementById("chosen-words").textContent,
  kept: rows("kept").map(([rank, name]) => [parseInt(rank.textContent), named(name)]),
  out: rows("fallen").map(([name]) => name.textContent.trim()),
  beside: [...document.querySelectorAll("#chosen > p")].map((line) => line.textContent),
  order: document.querySelector("#kept p")?.textContent ?? "",
  changes: [...document.querySelectorAll("#changes li")].map((line) => [
    line.querySelector("strong").textContent, line.lastChild.textContent,
  ]),
};
"""
START = """
document.getElementById("choose").scrollIntoView();
const rows = [...document.querySelectorAll("#chosen tbody tr")];
return Object.fromEntries(rows.map(({ cells: [question, take] }) => {
  const name = take.querySelector("strong span") ?? take.querySelector("strong");
  return [question.textContent, name && name.firstChild.textContent.trim()];
}));
"""


class Ask(NamedTuple):
    """A question, as the command and as the page's address have it."""

    limits: tuple[tuple[str, str, float], ...] = ()
    by: str = "latency_p50_ms"
    most: bool = False
    tier: str = ""
    valid: bool = False
    sure: bool = False
    price: str = ""
    """Of the command line alone: a page holds the prices that it was made with."""

    @property
    def words(self) -> list[str]:
        """Of the command line."""
        found = [f"--{sense}={name}={bound!r}" for sense, name, bound in self.limits]
        found += [f"--{'maximise' if self.most else 'minimise'}={self.by}"]
        found += [f"--allow-tier={self.tier}"] if self.tier else []
        found += [f"--price={self.price}"] if self.price else []
        return found + ["--require-valid"] * self.valid + ["--sure"] * self.sure

    def hash(self, question: str, times: float = 1.0, **filters: str) -> str:
        """Of the page."""
        told = {f"{sense}.{name}": repr(bound * times) for sense, name, bound in self.limits}
        told |= {"by": self.by, "of": question, "tier": self.tier, **filters}
        told |= {"valid": "1"} if self.valid else {}
        told |= {"sure": "1"} if self.sure else {}
        return urlencode({name: value for name, value in told.items() if value})


POWER = (("max", "power_w", 5.0), ("min", "throughput_ips", 30.0))
ASKS = (
    Ask(valid=True),
    Ask((("max", "latency_p99_ms", 33.0), ("max", "top1_loss_ratio", 0.01))),
    Ask(POWER, tier="board_measured"),
    Ask((*POWER, ("max", "price_usd", 100.0)), by="energy_gross_mj", tier="board_measured"),
    Ask(by="energy_net_mj", tier="wall_measured", valid=True),
    Ask((("max", "latency_p99_ms", 20.0),), by="price_usd"),
    Ask((("max", "price_usd", 150.0), ("max", "rss_peak_mib", 60.0)), by="rss_peak_mib"),
    Ask((("max", "latency_p99_ms", 30.0),), by="throughput_ips", most=True, sure=True),
    Ask((("max", "latency_p99_ms", 0.001),)),
)


def rack() -> list[Device]:
    """Seven kinds of devices, one of them twice."""
    kinds = (
        ("raspberry-pi-5", 1.0, 3.0, "board_measured"),
        ("jetson-orin-nano", 0.35, 7.0, "board_measured"),
        ("rock-5b", 0.8, 4.5, "wall_measured"),
        ("intel-n100", 0.5, 9.0, "wall_measured"),
        ("pi-zero-2w", 9.0, None, "board_measured"),
        (HOSTILE, 0.82, 4.6, "board_measured"),
    )
    found: list[Device] = []
    for name, factor, watt, tier in kinds:
        made = Device(name=name, cells=cells(factor, watt), tier=tier, idle_w=0.8)  # type: ignore[arg-type]
        found += units(made, 2) if name == "raspberry-pi-5" else [made]
    # Ties with faster ones that are told apart: its figures stand above theirs.
    return [*found, Device(name="unsteady", cells=cells(0.42, None), launch_spread_ratio=0.3)]


def cells(factor: float, watt: float | None) -> tuple[Cell, ...]:
    """All workloads on three runtimes in three precisions, some with a fault."""
    runtimes = {"onnxruntime": 1.0, "litert": 0.9, "ncnn": 1.005}
    precisions = {"fp32": (1.0, 0.76), "fp16": (0.8, 0.759), "int8": (0.45, 0.72)}
    found = []
    for at, (workload, ms) in enumerate(WORKLOADS.items()):
        for place, (backend, slower) in enumerate(runtimes.items()):
            for level, (precision, (times, top1)) in enumerate(precisions.items()):
                fault = FAULTS.get((at + 3 * place + level + int(10 * factor)) % 11, {})
                one = {
                    "workload": workload,
                    "backend": backend,
                    "precision": precision,
                    "latency_ms": ms * factor * slower * times,
                    "top1_ratio": top1,
                    "rss_mib": 30 + 20 * times + 5 * place,
                    "power_w": watt and watt * (1 + 0.05 * level),
                }
                found.append(Cell(**{**one, **fault}))
    return tuple(found)


FAULTS: dict[int, dict[str, Any]] = {
    3: {"reason": "libgomp.so.1: cannot open shared object file"},
    5: {"cosine": 0.71},
    7: {"intruders_ratio": {"apt": 0.5}},
    9: {"effective_precision": "bf16"},
    10: {"top1_ratio": None},
}


def recommended(paths: Sequence[Path], asks: Sequence[Ask]) -> list[list[dict[str, Any]]]:
    """The command's answers to each."""
    lines = [["recommend", *map(str, paths), *ask.words, "--json"] for ask in asks]
    told = commands(lines, paths[0], codes=(0, 1))
    return [json.loads(text)["answers"] for text in told]


def stands(answer: dict[str, Any]) -> dict[str, Any]:
    """What the page must show of an answer."""
    known = [(clean(one["name"]), one["rank"]) for one in answer["candidates"]]
    return {
        "kept": [[rank, name] for name, rank in known if rank is not None],
        "out": sorted(name for name, rank in known if rank is None),
        "changes": [changed(one) for one in answer["alternatives"][:CHANGES]],
        "beside": sorted(said(one) for one in answer["beside"] if TOLD_ALIKE.search(one)),
        "order": [f"{clean(sentence(one))}." for one in answer["order"]],
    }


def said(line: str) -> str:
    """A line of the command as the page says it."""
    return f"I{clean(sentence(line))[1:]}."


def changed(change: dict[str, Any]) -> list[str]:
    """Who would have to change, and what: the figures of it."""
    if change["kind"] == "objective":
        told = [change["to_tie"], change["to_win"]]
        kind = "would tie"
    else:
        told = [one["needed"] for one in change["breaks"]]
        kind = "were mended" if change["refusals"] else "would rank"
    figures = [f"{value:.3g}" for value in told if value is not None]
    return [clean(change["candidate"]), kind, *figures]


def seen_change(name: str, words: str, told: list[str]) -> list[str]:
    """What the page says of a change, as far as it says what the command tells."""
    _, kind, *figures = told
    # A bound is rounded so that the value keeps it: 1 in the fourth digit is no difference.
    known = [float(one.replace(",", "")) for one in NUMBER.findall(words)]
    scales = (1.0, 100.0)
    alike = [
        one
        for one in figures
        if any(abs(float(one) * s - value) <= 0.006 * abs(value) for s in scales for value in known)
    ]
    return [name, kind if kind in words else words, *alike]


def shown(driver: Chrome, hash_: str) -> dict[str, Any]:
    """What the page shows, asked by its address."""
    driver.execute_script("location.hash = 'none'")
    driver.execute_async_script(ASK, hash_)
    seen: dict[str, Any] = driver.execute_script(READ)
    seen["beside"] = sorted(one for one in seen["beside"] if TOLD_ALIKE.search(one))
    seen["order"] = [seen["order"]] if seen["order"] else []
    return {**seen, "out": sorted(seen["out"])}


def difference(seen: dict[str, Any], told: dict[str, Any]) -> str:
    """The first thing in which they are unlike; empty where they are alike."""
    changes = zip(seen["changes"], told["changes"], strict=False)
    lines = [seen_change(name, words, one) for (name, words), one in changes]
    seen = {**seen, "changes": lines + seen["changes"][len(lines) :]}
    for what in ("kept", "out", "changes", "beside", "order"):
        if seen[what] != told[what]:
            only = [one for one in seen[what] if one not in told[what]]
            lacks = [one for one in told[what] if one not in seen[what]]
            return f"{what}: the page alone {only[:3]}, the command alone {lacks[:3]}"
    return ""


def compare(driver: Chrome, folder: Path, verdict: Verdict, times: float) -> None:
    """Each question of each workload, by the page and by the command."""
    lines: list[str] = []
    for ask, answers in zip(ASKS, recommended([folder], ASKS), strict=True):
        wrong, kept, many = [], 0, 0
        for answer in answers:
            told = stands(answer)
            many, kept = many + len(answer["candidates"]), kept + len(told["kept"])
            seen = shown(driver, ask.hash(clean(answer["question"]), times))
            if unlike := difference(seen, told):
                wrong.append(f"{answer['question']}: {unlike}")
        words = " ".join(ask.words)
        figure = f"{len(wrong)} workloads unlike ({kept} of {many} candidates kept)"
        verdict.check(words, figure, "0 unlike", passed=not wrong)
        for line in wrong:
            print(f"      {line}")
        lines += [line for one in answers for line in (*one["beside"], *one["order"])]
    for what in ("next in rank", "accuracy", "stands above"):
        many = sum(what in line for line in lines)
        verdict.check(f"lines with {what!r} that were compared", str(many), ">= 1", passed=many > 0)


def filtered(driver: Chrome, folder: Path, verdict: Verdict) -> None:
    """A device alone: the filter against the command on that device's folder."""
    [[first, *_]] = recommended([folder / "rock-5b"], ASKS[:1])
    hash_ = ASKS[0].hash(clean(first["question"]), device="rock-5b")
    unlike = difference(shown(driver, hash_), stands(first))
    verdict.check("under a filter by device", unlike or "alike", "alike", passed=not unlike)


def started(folder: Path, page: Path, driver: Chrome, verdict: Verdict) -> None:
    """A page with stated limits: its static answer, and what its chooser starts with."""
    both = ASKS[2]._replace(tier="wall_measured,board_measured")
    asks = (ASKS[1], both, ASKS[5]._replace(price="intel-n100=10"), ASKS[8])
    pages = [page.with_name(f"stated-{number}.html") for number in range(len(asks))]
    lines = [
        ["report", str(folder), "--html", str(made), *ask.words]
        for ask, made in zip(asks, pages, strict=True)
    ]
    commands(lines, folder)
    for ask, made, answers in zip(asks, pages, recommended([folder], asks), strict=True):
        driver.get(made.replace(page).as_uri())
        driver.execute_async_script(ASK, "at=choose")
        seen = driver.execute_script(START)
        names = [one.text for one in driver.find_elements("css selector", "#answer .take")]
        told = {clean(one["question"]): one["best"] and clean(one["best"]) for one in answers}
        best = [name for name in told.values() if name]
        alike = seen == told and sorted(names) == sorted(best)
        what = f"{len(told)} start with {len(best)} chosen" if alike else f"{seen} {names} {told}"
        verdict.check(f"stated: {' '.join(ask.words)}", what, "as the command", passed=alike)


def main() -> int:
    """Plant, ask and compare; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", action="store_true", help="ask the page otherwise; must FAIL")
    given = parser.parse_args()
    verdict = Verdict()
    with tempfile.TemporaryDirectory() as name:
        folder, page = Path(name) / "results", Path(name) / "report.html"
        folder.mkdir()
        write_all(folder, rack())
        edgebench("report", str(folder), "--html", str(page), cwd=folder)
        with browser(Path(name)) as driver:
            driver.set_script_timeout(30)
            driver.get(page.as_uri())
            compare(driver, folder, verdict, PLANT if given.plant else 1.0)
            filtered(driver, folder, verdict)
            started(folder, page, driver, verdict)
            found = [*requests(driver, page), *messages(driver)]
    verdict.check("requests and messages", f"{len(found)} {found[:2]}", "0", passed=not found)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

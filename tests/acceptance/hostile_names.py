"""Hostile names stay names: in the page, pictures, CSV, JSON, Markdown and the terminal.

Markup, scripts, formulas, escape sequences, reversed writing, names of JavaScript's own objects,
template and Vega expressions and 10,000 letters are planted wherever a stranger's text can stand in
runs, in an import and in the names of their folders. Chromium opens the page and ticks every
filter; every other form is read as its reader would.

    python tests/acceptance/hostile_names.py

``--plant raw`` shows each check what it must find: the same names written as they are.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from browser import browser, command, requests
from hostile_forms import edgebench, judge_pictures, judge_texts
from hostile_plant import NAMES, plant
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait
from verdict import Verdict

from edgebench.report.table import clean

WAIT_S = 60
SPACE = "\N{NO-BREAK SPACE}"
"""Ends names that are those of JavaScript's own objects."""
PAUSE_S = 0.15
"""Chromium takes no more than 200 changes of the address in 10 s."""
COUNT_DIALOGS = "window.dialogs = 0; window.alert = window.prompt = () => { dialogs += 1; }"
STRANGE = """
const odd = document.querySelectorAll("img,iframe,object,embed,base,marquee,svg[onload]");
const handlers = [...document.querySelectorAll("*")].filter((one) =>
  [...one.attributes].some(({ name }) => name.startsWith("on")));
const links = [...document.querySelectorAll("a")].filter((one) =>
  !(one.getAttribute("href") ?? one.getAttribute("xlink:href") ?? "#").startsWith("#"));
const scripts = document.querySelectorAll("script:not([type])").length;
return {
  "elements made of a name": odd.length + handlers.length + links.length,
  "scripts beside our two": scripts - 2,
  "dialogs": dialogs + (window.hacked ? 1 : 0),
  "objects of JavaScript changed": "polluted" in {} ? 1 : 0,
};
"""
DRAW_ALL = """
for (const details of document.querySelectorAll("main details")) details.open = true;
dispatchEvent(new Event("beforeprint"));
"""
DRAWN = 'return [...document.querySelectorAll("[data-chart]")].every((box) => box.dataset.drawn)'
BOXES = (
    'return [...document.querySelectorAll("#filters input")].map(({name, value}) => [name, value])'
)
TICK = """
const box = document.querySelectorAll("#filters input")[arguments[0]];
box.click();
const told = [parseInt(document.getElementById("shown").textContent), location.hash];
box.click();
return told;
"""
RESTORED = """
const done = arguments[arguments.length - 1];
addEventListener("hashchange", () => {
  const shown = parseInt(document.getElementById("shown").textContent);
  document.getElementById("reset").click();
  done(shown);
}, { once: true });
location.hash = arguments[0];
"""
TEXTS = (
    'return [...document.querySelectorAll("#cells td:first-child")].map((one) => one.textContent)'
)


class Page:
    """The page in Chromium, and what is found there."""

    def __init__(
        self, driver: webdriver.Chrome, page: Path, rows: Sequence[dict[str, Any]]
    ) -> None:
        self.driver, self.page, self.rows = driver, page, rows

    def look(self) -> dict[str, int]:
        """By what must not be, how often it is."""
        source = {"source": COUNT_DIALOGS}
        command(self.driver, "Page.addScriptToEvaluateOnNewDocument", **source)
        self.driver.get(self.page.as_uri())
        self.driver.execute_script(DRAW_ALL)
        WebDriverWait(self.driver, WAIT_S).until(lambda d: d.execute_script(DRAWN))
        shown = self.driver.execute_script(TEXTS)  # a workload, and what else was asked of it
        planted = {clean(str(row["workload"])) for row in self.rows}
        lost = [name for name in planted if not any(text.startswith(name) for text in shown)]
        found = {"names that the table of all cells lacks": len(lost)}
        found |= self._filters()
        found |= self.driver.execute_script(STRANGE)
        found["requests"] = len(requests(self.driver, self.page))
        logged = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
        found["messages in the console"] = len(logged)
        return found

    def _filters(self) -> dict[str, int]:
        """Tick every one of them, and come back to it by its address."""
        boxes = self.driver.execute_script(BOXES)
        wrong, lost = [], []
        for place, (name, value) in enumerate(boxes):
            field = {"verdict": "validity"}.get(name, name)
            if field in {"validity", "question", "ranked"}:
                continue  # ours, not a stranger's, or made of a workload's, which is ticked
            wanted = sum(clean(str(row[field])) == value.rstrip(SPACE) for row in self.rows)
            shown, told = self.driver.execute_script(TICK, place)
            wrong += [value] if shown != wanted else []
            if name == "workload":
                back = self.driver.execute_async_script(RESTORED, told)
                lost += [value] if back != wanted else []
            time.sleep(PAUSE_S)
        if len(boxes) < len(NAMES):
            raise SystemExit(f"FAIL  only {len(boxes)} filters were there to be ticked")
        return {"filters that miss their cells": len(wrong), "views lost in the hash": len(lost)}


def spoilt_page(page: Path) -> None:
    """The names as they are, and no policy."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"<meta http-equiv[^>]*>", "", text)
    raw = "".join(f"<p>{name}</p>" for name in NAMES if "<!--" not in name)
    page.write_text(text.replace("<main>", f"<main>{raw}"), encoding="utf-8")


def main() -> int:
    """Judge every form; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plant", choices=["", "raw"], default="")
    planted = parser.parse_args().plant
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="edgebench-hostile-") as root:
        results, page = Path(root) / "results", Path(root) / "report.html"
        plant(results)
        rows = json.loads(edgebench("report", str(results), "--json"))
        edgebench("report", str(results), "--html", str(page))
        if planted:
            spoilt_page(page)
        with browser(Path(root)) as driver:
            driver.set_script_timeout(WAIT_S)
            seen = Page(driver, page, rows).look()
        for what, count in seen.items():
            verdict.check(f"page: {what}", str(count), "0", passed=count == 0)
        judge_texts(verdict, results, planted)
        judge_pictures(verdict, results, Path(root), planted)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

"""axe-core, the accessibility checker: fetched for the check, never part of the package."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from selenium import webdriver

CARRIER = "axe-playwright-python==0.1.8"
"""A package that holds a current axe.min.js (4.12.1, MPL-2.0); its own code is not used."""
SCRIPT = "axe_playwright_python/axe.min.js"
CHECK = """
const [colours, done] = arguments;
const resultTypes = ["violations"];
const rules = { "color-contrast": { enabled: false } };
// Most of its time goes into colours, and rows without a mark are coloured as those above them.
const alike = "tbody tr:nth-child(n+9):not(:has(a, span))";
const contrast = () => axe.run({ include: [colours], exclude: [alike] },
  { resultTypes, runOnly: ["color-contrast"] });
(async () => {
  const found = [await axe.run(document, { resultTypes, rules })];
  if (colours) found.push(await contrast());
  return [found.flatMap(one => one.violations), Math.min(...found.map(one => one.passes.length))];
})().catch(error => [[{ id: String(error), nodes: [] }], 0]).then(one => done(JSON.stringify(one)));
"""
MOST_TOLD = 3


def fetched(folder: Path) -> str:
    """The checker's script."""
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), CARRIER]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("axe_playwright_python-*.whl"))
    if done.returncode or not wheels:
        raise SystemExit(f"FAIL  {CARRIER} could not be fetched: {done.stderr.strip()}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        return wheel.read(SCRIPT).decode()


def violations(driver: webdriver.Chrome, script: str, colours: str) -> list[str]:
    """A line for each rule that the page breaks as it is now, with where.

    Args:
        driver: Where it is open.
        script: The checker's.
        colours: The part whose colours are looked at; empty for none.
    """
    driver.execute_script(script)
    driver.set_script_timeout(120)
    broken, passed = json.loads(driver.execute_async_script(CHECK, colours))
    if not passed and not broken:
        return ["axe checked nothing"]
    return [_told(one) for one in broken]


def _told(one: dict[str, Any]) -> str:
    where = [str(node["target"]) for node in one["nodes"]]
    some = ", ".join(where[:MOST_TOLD]) + (f" and {len(where) - MOST_TOLD} more" * (len(where) > 3))
    return f"{one['id']}: {some}"

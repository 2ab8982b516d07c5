"""The HTML report opens offline, asks for nothing, draws all and logs no error.

Measures a few cells (a failing and a skipped one among them) or takes ``--results``, makes the
report and opens it in a headless Chromium whose network is off. Needs selenium, chromium and
chromedriver. Prints its figures, and exits with 1 where a limit is broken.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

FAULTY = "edgebench.testing:FaultyBackend"
LARGEST_DRAWN_MS = 5_000
LARGEST_BYTE = 2_000_000
LARGEST_BUILD_S = 30.0
EXIT_FAILED_CELLS = 3
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
)
INERT = ("data:", "blob:", "chrome:", "about:")
ALL_DRAWN = """
return [...document.querySelectorAll("[data-chart]")].every(box => box.dataset.drawn)
"""
DRAWN_MS = """
return Math.max(0, ...[...document.querySelectorAll("[data-chart]")].map(b => +b.dataset.drawn))
"""
WIDER_THAN_SCREEN = "return document.documentElement.scrollWidth > innerWidth"
PAGE_SIZE = "return [innerWidth, document.documentElement.scrollHeight]"
SORTED = """
const head = document.querySelectorAll("#cells th.number")[0];
head.querySelector("button").click();
const cells = [...head.closest("table").tBodies[0].rows].map(r => r.cells[head.cellIndex]);
const values = cells.map(c => c.dataset.sort === undefined ? Infinity : +c.dataset.sort);
return head.ariaSort === "ascending" && values.every((v, i) => !i || values[i - 1] <= v);
"""


def edgebench(*arguments: str, cwd: Path, codes: Sequence[int] = (0,)) -> None:
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        raise SystemExit(f"edgebench {' '.join(arguments)}: {done.stderr}")


def measure(folder: Path) -> Path:
    """A short real run with a cell that fails and cells that are skipped."""
    config = folder / "faulty.toml"
    config.write_text(f'[backends."{FAULTY}"]\noptions = {{ fault = "segv" }}\n')
    backends = f"onnxruntime,litert,{FAULTY}"
    chosen = ("-w", "mnist_cnn", "-b", backends, "-p", "fp32,fp16,bf16,int8,int8_dynamic")
    edgebench(
        "run", *chosen, "--quick", "--config", str(config), cwd=folder, codes=(EXIT_FAILED_CELLS,)
    )
    return folder / "edgebench-results"


def browser(folder: Path) -> webdriver.Chrome:
    """A headless Chromium that logs its requests and its console."""
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))


def command(driver: webdriver.Chrome, name: str, **parameters: object) -> dict[str, Any]:
    """One command of the DevTools protocol."""
    answer: dict[str, Any] = driver.execute_cdp_cmd(name, parameters)
    return answer


def open_page(driver: webdriver.Chrome, page: Path, scheme: str, width: int) -> float:
    """Open the page on a screen of this width; give the ms until all charts were drawn."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    command(driver, "Emulation.setDeviceMetricsOverride", **size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    command(driver, "Emulation.setEmulatedMedia", media="screen", features=[feature])
    driver.get(page.as_uri())
    WebDriverWait(driver, 30).until(lambda d: d.execute_script(ALL_DRAWN))
    return float(driver.execute_script(DRAWN_MS))


def shoot(driver: webdriver.Chrome, target: Path | None) -> None:
    """The whole page as a picture."""
    if target is None:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    width, height = driver.execute_script(PAGE_SIZE)
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    command(driver, "Emulation.setDeviceMetricsOverride", **size)
    shot = command(driver, "Page.captureScreenshot")
    target.write_bytes(base64.b64decode(shot["data"]))


def requests(driver: webdriver.Chrome, page: Path) -> list[str]:
    """Addresses asked for, but for the page itself and what needs no network."""
    found = []
    for entry in driver.get_log("performance"):  # type: ignore[no-untyped-call]
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(str(message["params"]["request"]["url"]))
    return [url for url in found if url != page.as_uri() and not url.startswith(INERT)]


def offline(driver: webdriver.Chrome) -> None:
    """Turn the network off; requests are still logged."""
    command(driver, "Network.enable")
    nothing = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    command(driver, "Network.emulateNetworkConditions", offline=True, **nothing)


def violations(driver: webdriver.Chrome, page: Path) -> tuple[list[str], list[str]]:
    """``(requests, console messages)`` since the last call."""
    console = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return requests(driver, page), [str(entry["message"]) for entry in console]


def planted_is_seen(folder: Path) -> bool:
    """Whether a page that asks for a picture and logs an error is caught at both."""
    page = folder / "planted.html"
    page.write_text('<img src="http://192.0.2.1/x.png"><script>console.error("planted")</script>')
    driver = browser(folder)
    try:
        offline(driver)
        driver.get(page.as_uri())
        asked, console = violations(driver, page)
    finally:
        driver.quit()
    return len(asked) == 1 and any("planted" in line for line in console)


def look(page: Path, folder: Path, screenshots: Path | None) -> dict[str, Any]:
    """Open the page light, dark and narrow; count what must not be."""

    def name(kind: str) -> Path | None:
        return screenshots / f"{kind}.png" if screenshots else None

    driver = browser(folder)
    try:
        offline(driver)
        drawn_ms = open_page(driver, page, "light", 1280)
        charts = int(driver.execute_script("return document.querySelectorAll('svg.marks').length"))
        shoot(driver, name("light"))
        open_page(driver, page, "dark", 1280)
        shoot(driver, name("dark"))
        open_page(driver, page, "light", 390)
        wide = bool(driver.execute_script(WIDER_THAN_SCREEN))
        shoot(driver, name("narrow"))
        ordered = bool(driver.execute_script(SORTED))
        open_page(driver, page, "light", 1280)
        command(driver, "Emulation.setEmulatedMedia", media="")
        if screenshots:
            pdf = command(driver, "Page.printToPDF", printBackground=False)
            (screenshots / "print.pdf").write_bytes(base64.b64decode(pdf["data"]))
        asked, console = violations(driver, page)
    finally:
        driver.quit()
    return {
        "requests": asked,
        "console": console,
        "charts": charts,
        "drawn_ms": drawn_ms,
        "wide": wide,
        "ordered": ordered,
    }


def judge(page: Path, build_s: float, seen: dict[str, Any]) -> bool:
    """Print each figure with its limit."""
    size_byte, drawn_ms = page.stat().st_size, round(seen["drawn_ms"])
    lines = [
        ("a planted violation is seen", seen["planted"], "True", seen["planted"]),
        ("network requests", len(seen["requests"]), "0", not seen["requests"]),
        ("console messages", len(seen["console"]), "0", not seen["console"]),
        ("charts drawn", seen["charts"], ">= 2", seen["charts"] >= 2),
        ("wider than a screen of 390 px", seen["wide"], "False", not seen["wide"]),
        ("a heading's button sorts", seen["ordered"], "True", seen["ordered"]),
        ("size of the file, byte", size_byte, f"<= {LARGEST_BYTE}", size_byte <= LARGEST_BYTE),
        ("until drawn, ms", drawn_ms, f"<= {LARGEST_DRAWN_MS}", drawn_ms <= LARGEST_DRAWN_MS),
        ("to build, s", round(build_s, 2), f"<= {LARGEST_BUILD_S}", build_s <= LARGEST_BUILD_S),
    ]
    for what, figure, limit, good in lines:
        print(f"{what:32} {figure!s:>10}  limit {limit:12} {'PASS' if good else 'FAIL'}")
    for detail in (*seen["requests"], *seen["console"]):
        print(f"  {detail}")
    return all(good for *_, good in lines)


def main() -> int:
    """Make the report, look at it; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, help="instead of a run of its own")
    parser.add_argument("--screenshots", type=Path, help="folder for pictures of the page")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = given.results.resolve() if given.results else measure(folder)
        page = folder / "report.html"
        start = time.monotonic()
        edgebench("report", str(results), "--html", str(page), cwd=folder)
        build_s = time.monotonic() - start
        seen = look(page, folder, given.screenshots) | {"planted": planted_is_seen(folder)}
        return 0 if judge(page, build_s, seen) else 1


if __name__ == "__main__":
    sys.exit(main())

"""A headless Chromium for acceptance scripts: offline, and every request and message is kept."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

FAULTY = "edgebench.testing:FaultyBackend"
EXIT_FAILED_CELLS = 3
HEIGHT_PX, PHONE_PX = 900, 390
TALLEST_PX = 16_000
"""Of a picture: below, Chromium leaves it white."""
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
PATIENCE_S = 60
DRAW_ALL = "dispatchEvent(new Event('beforeprint'))"
PRINTED = "dispatchEvent(new Event('afterprint'))"
ALL_DRAWN = """
return [...document.querySelectorAll("[data-chart]")].every(box => box.dataset.drawn)
"""
COMMANDS = """
import contextlib, io, json, sys
from edgebench.cli.main import main
told = []
for words in json.load(sys.stdin):
    sys.argv = ["edgebench", *words]
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    with contextlib.redirect_stdout(out):
        try:
            main()
        except SystemExit as end:
            told.append([end.code or 0, ""])
        out.flush()
    told[-1][1] = out.buffer.getvalue().decode()
json.dump(told, sys.stdout)
"""
"""Not this script's own process: `packaging.py` beside it would be taken for the package."""
SETTLED = """
const { ready, settling } = document.documentElement.dataset;
return ready !== undefined && settling === undefined
  && !document.querySelector("[aria-busy=true]")
"""
PAGE_SIZE = "return [innerWidth, document.documentElement.scrollHeight]"


def edgebench(*arguments: str, cwd: Path, codes: Sequence[int] = (0,)) -> None:
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "edgebench.cli.main", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode not in codes:
        raise SystemExit(f"edgebench {' '.join(arguments)}: {done.stderr}")


def commands(lines: Sequence[Sequence[str]], cwd: Path, codes: Sequence[int] = (0,)) -> list[str]:
    """What several command lines print, run in one process: most of a short one is its start."""
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS],
        input=json.dumps(lines),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"edgebench: {done.stderr}")
    told = json.loads(done.stdout)
    for line, (code, _) in zip(lines, told, strict=True):
        if code not in codes:
            raise SystemExit(f"edgebench {' '.join(line)}: exit code {code}; {done.stderr}")
    return [text for _, text in told]


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


@contextmanager
def browser(folder: Path) -> Iterator[webdriver.Chrome]:
    """A Chromium with a profile of its own and no network, which is still asked."""
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        command(driver, "Network.enable")
        nothing = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        command(driver, "Network.emulateNetworkConditions", offline=True, **nothing)
        yield driver
    finally:
        driver.quit()


def command(driver: webdriver.Chrome, name: str, **parameters: object) -> dict[str, Any]:
    """One command of the DevTools protocol."""
    answer: dict[str, Any] = driver.execute_cdp_cmd(name, parameters)
    return answer


def screen(driver: webdriver.Chrome, width: int, scheme: str = "light") -> None:
    """A screen of this width in px, light or dark."""
    size = {"width": width, "height": HEIGHT_PX, "deviceScaleFactor": 1}
    command(driver, "Emulation.setDeviceMetricsOverride", **size, mobile=width <= PHONE_PX)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    command(driver, "Emulation.setEmulatedMedia", media="screen", features=[feature])


def go(driver: webdriver.Chrome, page: Path, view: str = "") -> None:
    """Open the page anew, with a hash; return once what is seen of it is drawn."""
    driver.get("about:blank")  # else a new hash would not load it again
    driver.get(page.as_uri() + view)
    settle(driver)


def settle(driver: webdriver.Chrome) -> None:
    """Wait until nothing is being drawn."""
    WebDriverWait(driver, PATIENCE_S).until(lambda d: d.execute_script(SETTLED))


def draw_all(driver: webdriver.Chrome) -> None:
    """Have every chart drawn, as before printing, wherever it is scrolled to."""
    driver.execute_script(DRAW_ALL)
    WebDriverWait(driver, PATIENCE_S).until(lambda d: d.execute_script(ALL_DRAWN))
    settle(driver)
    driver.execute_script(PRINTED)
    settle(driver)


def shoot(driver: webdriver.Chrome, target: Path) -> None:
    """The whole page as a picture, or as much of it as a picture can hold."""
    target.parent.mkdir(parents=True, exist_ok=True)
    width, height = driver.execute_script(PAGE_SIZE)
    size = {"width": width, "height": min(height, TALLEST_PX), "deviceScaleFactor": 1}
    command(driver, "Emulation.setDeviceMetricsOverride", **size, mobile=width <= PHONE_PX)
    settle(driver)
    target.write_bytes(base64.b64decode(command(driver, "Page.captureScreenshot")["data"]))


def print_(driver: webdriver.Chrome, target: Path, **options: object) -> None:
    """What the page is on paper."""
    target.parent.mkdir(parents=True, exist_ok=True)
    command(driver, "Emulation.setEmulatedMedia", media="")
    made = command(driver, "Page.printToPDF", printBackground=False, **options)
    target.write_bytes(base64.b64decode(made["data"]))


def requests(driver: webdriver.Chrome, page: Path) -> list[str]:
    """Addresses asked for since the last call, but for the page and what needs no network."""
    found = []
    for entry in driver.get_log("performance"):  # type: ignore[no-untyped-call]
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            found.append(str(message["params"]["request"]["url"]))
    return [url for url in found if url != page.as_uri() and not url.startswith(INERT)]


def messages(driver: webdriver.Chrome) -> list[str]:
    """What the console was told since the last call."""
    console = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return [str(entry["message"]) for entry in console]

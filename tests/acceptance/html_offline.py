"""The HTML report opens offline, asks for nothing, draws all and logs no error.

Measures a few cells (a failing and a skipped one among them) or takes ``--results``, makes the
report and opens it in a headless Chromium whose network is off. Needs selenium, chromium and
chromedriver. Prints its figures, and exits with 1 where a limit is broken.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from browser import (
    PHONE_PX,
    browser,
    draw_all,
    edgebench,
    go,
    measure,
    messages,
    print_,
    requests,
    screen,
    settle,
    shoot,
)
from page_view import TO_CELLS

LARGEST_DRAWN_MS = 5_000
LARGEST_BYTE = 2_000_000
LARGEST_BUILD_S = 30.0
CHARTS = "return document.querySelectorAll('[data-chart]:has(.role-mark)').length"
NOW_MS = "return performance.now()"
WIDER_THAN_SCREEN = "return document.documentElement.scrollWidth > innerWidth"
SORTED = """
const head = document.querySelectorAll("#cells th.number")[0];
head.querySelector("button").click();
const cells = [...head.closest("table").tBodies[0].rows].map(r => r.cells[head.cellIndex]);
const values = cells.map(c => parseFloat(c.textContent.replaceAll(",", "")));
const shown = values.map(v => isNaN(v) ? Infinity : v); // what is missing stays last
return head.ariaSort === "ascending" && shown.length > 1 && isFinite(shown[0])
  && shown.every((v, i) => !i || shown[i - 1] <= v);
"""


def planted_is_seen(folder: Path) -> bool:
    """Whether a page that asks for a picture and logs an error is caught at both."""
    page = folder / "planted.html"
    page.write_text('<img src="http://192.0.2.1/x.png"><script>console.error("planted")</script>')
    with browser(folder / "planted") as driver:
        driver.get(page.as_uri())
        asked, console = requests(driver, page), messages(driver)
    return len(asked) == 1 and any("planted" in line for line in console)


def look(page: Path, folder: Path, screenshots: Path | None) -> dict[str, Any]:
    """Open the page light, dark and narrow; count what must not be."""
    seen: dict[str, Any] = {}
    with browser(folder / "seen") as driver:
        views = (("light", 1280, "light"), ("dark", 1280, "dark"), ("narrow", PHONE_PX, "light"))
        for name, width, scheme in views:
            screen(driver, width, scheme)
            go(driver, page)
            draw_all(driver)
            seen.setdefault("drawn_ms", float(driver.execute_script(NOW_MS)))
            seen.setdefault("charts", int(driver.execute_script(CHARTS)))
            if screenshots:
                shoot(driver, screenshots / f"{name}.png")
        seen["wide"] = bool(driver.execute_script(WIDER_THAN_SCREEN))
        driver.execute_async_script(TO_CELLS)
        settle(driver)
        seen["ordered"] = bool(driver.execute_script(SORTED))
        if screenshots:
            print_(driver, screenshots / "print.pdf")
        return seen | {"requests": requests(driver, page), "console": messages(driver)}


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
        (
            "until all is drawn, ms",
            drawn_ms,
            f"<= {LARGEST_DRAWN_MS}",
            drawn_ms <= LARGEST_DRAWN_MS,
        ),
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

"""The HTML page as a reader uses it: filters, sorting, keyboard, address, print, accessibility.

Plants results of six devices (or takes ``--results``), makes the report and drives it in a
headless Chromium whose network is off: each view is held against what the CSV says. ``--plant``
plants faults into the page instead, and each must be seen; ``--screenshots DIR`` only takes
pictures. Needs selenium, chromium and chromedriver; fetches axe-core.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import page_axe
from browser import PHONE_PX, browser, edgebench, go, print_, screen, shoot
from page_charts import charts
from page_checks import (
    CHECKS,
    WIDE_PX,
    Check,
    Page,
    accessible,
    address,
    anchors,
    cards,
    figures,
    filters,
    keyboard,
    narrow,
    quiet,
    sorting,
)
from page_choosing import choosing
from page_paper import printing
from page_phone import phone
from page_view import Expected
from planted_cells import plant
from verdict import Verdict

RAIL_PX = 1680
FEW, MANY = 150, 450
"""Cells: more than a table shows at first; as many as a real comparison has."""
MOST_TOLD = 8
VIEW = "#at=latency&device=rock-5b&device=raspberry-pi-5&precision=int8"
PICTURES = (
    ("light", WIDE_PX, "light", ""),
    ("dark", WIDE_PX, "dark", ""),
    ("rail", RAIL_PX, "light", VIEW),
    ("phone", PHONE_PX, "light", ""),
    ("phone-dark", PHONE_PX, "dark", VIEW),
)
ALL = {
    "every chart shows its marks, a long one unfolds": charts,
    "what is typed and picked in the chooser": choosing,
    "print": printing,
    "names, legends, targets and answers on small screens": phone,
    **CHECKS,
}
POLICY = 'http-equiv="Content-Security-Policy"'


class Fault(NamedTuple):
    """A change to the page, and the check that must see it."""

    what: str
    old: str
    new: str
    check: Check


FAULTS = (
    Fault("a chart is left empty", "tooltip(pointed).runAsync()", "tooltip(pointed)", charts),
    Fault("nothing unfolds", "this.unfolded = !this.unfolded", "this.unfolded = false", charts),
    Fault("a change is not heard", 'of ["input", "change"]', 'of ["input"]', choosing),
    Fault("a comma is no point", 'Number(typed.replace(",", "."))', "Number(typed)", choosing),
    Fault("thousands become ones", "if (THOUSANDS.test(typed))", "if (false)", choosing),
    Fault("a fault is not told", "told.textContent = words;", "", choosing),
    Fault("a fault is not marked", "String(Boolean(fault))", '"false"', choosing),
    Fault("a fault is forgotten", "if (anew || ", "if (true || ", choosing),
    Fault("a question is forgotten", "keep(at)", "keep()", choosing),
    Fault("a filter does nothing", "values.has(valueOf(cell, name))", "true", filters),
    Fault("charts are not filtered", "shown(name)]))", "sets[name]]))", filters),
    Fault("three digits", "const SIGNIFICANT = 4", "const SIGNIFICANT = 3", figures),
    Fault("sorting does nothing", "found.sort(this.order)", "found", sorting),
    Fault("the order is not kept", 'hash.append("sort"', 'hash.has("sort"', address),
    Fault("a card leads to all cells", "filtered(view);", "", cards),
    Fault("anchors lead elsewhere", "target.scrollIntoView()", "scrollTo(0, 0)", anchors),
    Fault(
        "focus is not seen",
        "</style>",
        ":focus-visible { outline: none !important }</style>",
        keyboard,
    ),
    Fault("Escape is not heard", '"Escape"', '"F13"', keyboard),
    Fault("paper is forgotten", '"beforeprint"', '"beforeprinting"', printing),
    Fault("a table wider than paper", "if (most < 1) return;", "return;", printing),
    Fault("reasons are not printed", ".groups :is(summary, details)", ".nobody", printing),
    Fault("a head printed once", "th button { display: contents; }", "", printing),
    Fault("words printed in pieces", ":root:not(.paper) table, .cut", "table", printing),
    Fault("a chart too high for paper", "max-height: 84vh;", "", printing),
    Fault("a wide page", "<main>", '<main><div style="width: 500px">x</div>', narrow),
    Fault("names are cut", "if (narrow) wrap(", "if (0) wrap(", phone),
    Fault("a legend is cut", "this.legend in SLIMMER", "this.legend in {}", phone),
    Fault("long answers", "one.open = !phone.matches", "one.open = true", phone),
    Fault("long captions", "details:is(.least, .reading)", "details.least", phone),
    Fault("paper without readings", "one of folding) one.open = true", "one of [])", phone),
    Fault("a control without a name", "<main>", "<main><input>", accessible),
    Fault(
        "pale words",
        "<main>",
        '<main><p style="color: #bbb; background: #fff">words</p>',  # axe lets a letter pass
        accessible,
    ),
    Fault("an error", "restore(true);", 'restore(true); console.error("x");', quiet),
    Fault("a request", "<main>", '<main><img alt="" src="http://192.0.2.1/x.png">', quiet),
)


def made(results: Path, folder: Path) -> tuple[Path, Expected]:
    """The page of these results, and what it should show."""
    page, table = folder / "report.html", folder / "cells.csv"
    edgebench("report", str(results), "--html", str(page), "--csv", str(table), cwd=folder)
    return page, Expected.of(table)


def spoilt(page: Page, fault: Fault) -> Page:
    """The page with a fault, which its policy would not have let run."""
    text = page.path.read_text(encoding="utf-8")
    if fault.old not in text:
        raise SystemExit(f"FAIL  {fault.what!r} cannot be planted: the page has no {fault.old!r}")
    path = page.folder / "spoilt.html"
    text = text.replace(POLICY, 'name="policy"').replace(fault.old, fault.new)
    path.write_text(text, encoding="utf-8")
    return replace(page, path=path, heard=[])


def judge(page: Page, chosen: Sequence[str]) -> Verdict:
    """Each check, and its faults."""
    verdict = Verdict()
    for what, check in ALL.items():
        if chosen and check.__name__ not in chosen:
            continue
        faults = check(page)
        verdict.check(what, f"{len(faults)} faults", "0", passed=not faults)
        for line in faults[:MOST_TOLD]:
            print(f"  {line}")
    return verdict


def judge_planted(page: Page) -> Verdict:
    """Whether each fault is seen by the check that is there for it."""
    verdict = Verdict()
    for fault in FAULTS:
        faults = fault.check(spoilt(page, fault))
        what = f"planted: {fault.what}"
        verdict.check(what, f"{len(faults)} faults", ">= 1", passed=bool(faults))
    return verdict


def picture(page: Path, folder: Path, profile: Path) -> None:
    """Light, dark, wide, on a phone and on paper."""
    with browser(profile) as driver:
        for name, width, scheme, view in PICTURES:
            screen(driver, width, scheme)
            go(driver, page, view)
            shoot(driver, folder / f"{name}.png")
        screen(driver, WIDE_PX)
        go(driver, page)
        print_(driver, folder / "print.pdf")


def main() -> int:
    """Make the report and look at it; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checks", nargs="*", help=f"only these of {', '.join(_names())}")
    parser.add_argument("--results", type=Path, help="instead of planted ones")
    parser.add_argument("--plant", action="store_true", help="instead, whether faults are seen")
    parser.add_argument("--screenshots", type=Path, help="only pictures, in this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        results = given.results or folder / "results"
        if not given.results:
            plant(results, MANY if given.screenshots else FEW)
        path, expected = made(results.resolve(), folder)
        if given.screenshots:
            picture(path, given.screenshots, folder / "profile")
            return 0
        with browser(folder / "profile") as driver:
            page = Page(path, expected, folder, driver, page_axe.fetched(folder))
            verdict = judge_planted(page) if given.plant else judge(page, given.checks)
        return verdict.exit_code


def _names() -> list[str]:
    return [check.__name__ for check in ALL.values()]


if __name__ == "__main__":
    sys.exit(main())

"""What must hold of the page on paper, seen in a browser that lays it out as for a printer."""

from __future__ import annotations

import re
from typing import Any

from browser import ALL_DRAWN, DRAW_ALL, command, print_, settle
from page_checks import WIDER, Page

PAPER_PX = 718
BLANK = """
return [...document.querySelectorAll("[data-chart]")].filter(box =>
  box.checkVisibility() && !box.querySelector(".role-mark *") && !box.querySelector("p"))
  .map(box => box.id);
"""
ON_PAPER = """
const line = document.getElementById("printed");
return { told: line.textContent, seen: line.checkVisibility(),
  bar: document.getElementById("bar").checkVisibility(),
  back: getComputedStyle(document.body).backgroundColor,
  ink: getComputedStyle(document.body).color,
  rows: document.querySelector("#cells table").tBodies[0].rows.length };
"""
# What a printer's pages would cut or leave alone: Chromium repeats no head that has boxes in it.
PIECES = """
const lines = (one) => {
  const range = document.createRange();
  range.selectNodeContents(one);
  return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
};
const seen = (all) => [...document.querySelectorAll(all)].filter((one) => one.checkVisibility());
const told = (one) => one.textContent.trim().slice(0, 40);
const bare = seen("main :is(h2, h3)").filter((one) => {
  const found = [...one.parentNode.querySelectorAll(":scope > *")];
  const shows = (other) => other.innerText?.trim() || other.querySelector("svg");
  const next = found.slice(found.indexOf(one) + 1).find(shows);
  return !next || (/H[23]/.test(next.tagName) && next.tagName <= one.tagName);
});
const tall = (one) => one.getBoundingClientRect().height > innerHeight * .85;
const high = seen(".chart svg").filter(tall);
return {
  "heading of nothing": bare.map(told),
  "word cut in two": seen("td :is(.warn, .bad)").filter((one) => lines(one) > 1).map(told),
  "head only once": seen("th button").filter((one) => one.getClientRects().length).map(told),
  "chart higher than a page": high.map((one) => one.closest("[data-chart]").id),
};
"""


def printing(page: Page) -> list[str]:
    """On paper: every chart and row, nothing cut, what the filters are, black on white."""
    devices = sorted({str(row["device"]) for row in page.expected.rows})
    count = len(page.expected.rows)
    should = f"Shown: device {' or '.join(devices)}; {count} of {count} cells"
    found = []
    with page.open(hash_="#" + "&".join(f"device={one}" for one in devices), scheme="dark") as view:
        pdf = page.folder / "print.pdf"
        print_(view.driver, pdf)
        if not view.run(ALL_DRAWN) or not re.search(rb"/Type\s*/Page\b", pdf.read_bytes()):
            found.append("not all charts were drawn for paper")
        command(view.driver, "Emulation.setDeviceMetricsOverride", **_paper())
        dark = {"name": "prefers-color-scheme", "value": "dark"}
        command(view.driver, "Emulation.setEmulatedMedia", media="print", features=[dark])
        view.run(DRAW_ALL)
        settle(view.driver)
        paper = view.run(ON_PAPER)
        if not paper["seen"] or paper["told"] != should or paper["bar"]:
            found.append(f"paper tells {paper['told']!r}, not {should!r}, or shows the bar")
        if paper["back"] != "rgb(255, 255, 255)" or paper["ink"] != "rgb(27, 31, 36)":
            found.append(f"paper is {paper['back']}, ink {paper['ink']}")
        if paper["rows"] != count:
            found.append(f"{paper['rows']} of {count} rows are printed")
        found += [f"cut on the right: {one}" for one in view.run(WIDER)]
        found += [f"blank on paper: {name}" for name in view.run(BLANK)]
        found += [f"{what}: {some[:3]}" for what, some in view.run(PIECES).items() if some]
    return found


def _paper() -> dict[str, Any]:
    return {"width": PAPER_PX, "height": 1000, "deviceScaleFactor": 1, "mobile": False}

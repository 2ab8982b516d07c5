"""What must hold of the page as a reader uses it; each check gives a line for each fault."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import page_axe
from browser import (
    PHONE_PX,
    browser,
    draw_all,
    go,
    messages,
    requests,
    screen,
    settle,
)
from page_view import CELLS, FILTERS, STATUS, Expected, View, told
from selenium import webdriver
from selenium.webdriver.common.keys import Keys

from edgebench.report.grid import MISSING

WIDE_PX = 1280
HOSTILE = (
    "#at=%3Cimg%20src=x%20onerror=alert(1)%3E&device=nope&device=%22onx=1&verdict=%ZZ"
    "&sort=cells:__proto__:up&sort=constructor:x:down&sort=&__proto__=1&toString=2"
)
WHERE = "return new URLSearchParams(location.hash.slice(1)).get('at')"
SEEN_TARGET = """
const row = document.querySelector("tr.target");
if (!row) return null;
const { top, bottom } = row.getBoundingClientRect();
const bar = document.getElementById("bar").getBoundingClientRect();
return { id: row.id, text: row.textContent, seen: top >= bar.bottom - 2 && bottom <= innerHeight };
"""
TO_CARD_LINK = """
const link = document.querySelectorAll("a[data-shows]")[arguments[0]];
for (let up = link.closest("details"); up; up = up.parentNode.closest("details")) up.open = true;
link.scrollIntoView({ block: "center" });
link.focus();
return link.textContent;
"""
CONTROLS = """
const all = "a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex='-1'])";
return [...document.querySelectorAll(all)].filter(e => e.checkVisibility({
  visibilityProperty: true, contentVisibilityAuto: false }) && !e.disabled && e.tabIndex >= 0);
"""
FOCUS = """
const e = document.activeElement;
if (e === document.body) return null;
const style = getComputedStyle(e), box = e.getBoundingClientRect();
const bar = document.getElementById("bar");
const over = bar.getBoundingClientRect();
const under = !bar.contains(e) && box.bottom > over.top && box.bottom <= over.bottom;
return { e, bare: style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1,
  under, off: box.bottom < 0 || box.top > innerHeight };
"""
WIDER = """
const most = document.documentElement.clientWidth;
const over = [...document.querySelectorAll("body *")].filter(e => {
  if (!e.checkVisibility()) return false;
  for (let up = e.parentElement; up; up = up.parentElement)
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(up).overflowX)) return false;
  return !e.closest("svg") && e.getBoundingClientRect().right > most + 1 && !e.closest(".skip");
});
return over.map(e => e.tagName + "#" + e.id + "." + e.className + " " + e.textContent.slice(0, 30));
"""
FEW = "#device=rock-5b&precision=int8"
MENU = """
const narrow = document.getElementById("filters-open");
if (narrow.checkVisibility()) narrow.click();
document.querySelector("#filters .menu").open = %s;
"""
STATES = (
    ("as it opens", "", ""),
    ("with a menu open", MENU % "true", "#bar"),
    (
        "with all details open",
        MENU % "false"
        + """
        for (const one of document.querySelectorAll("main details")) one.open = true;
        const limit = document.querySelector("#chooser input");
        limit.value = "5 W";
        limit.dispatchEvent(new Event("input", { bubbles: true }));
        document.querySelector(".unfold:not([hidden])")?.click();""",
        "body",
    ),
)
"""Name, how it is reached from the one before, and what of it shows colours in no other."""
TALLEST_BAR_PX = 60


@dataclass
class Page:
    """A page, what it should show, the browser, and where another one may keep its files."""

    path: Path
    expected: Expected
    folder: Path
    driver: webdriver.Chrome
    axe: str = ""
    heard: list[str] = field(default_factory=list)

    @contextmanager
    def open(self, width: int = WIDE_PX, hash_: str = "", scheme: str = "light") -> Iterator[View]:
        """It anew; what it asked for or logged must be nothing."""
        screen(self.driver, width, scheme)
        go(self.driver, self.path, hash_)
        yield View(self.driver, self.expected)
        self.heard += [*requests(self.driver, self.path), *messages(self.driver)]

    @contextmanager
    def elsewhere(self, hash_: str) -> Iterator[View]:
        """In another browser."""
        with (
            tempfile.TemporaryDirectory(dir=self.folder) as profile,
            browser(Path(profile)) as driver,
            replace(self, driver=driver).open(hash_=hash_) as view,
        ):
            yield view

    def some(self) -> Iterator[tuple[dict[str, list[str]], bool]]:
        """Choices, and whether charts are drawn of them: a value of each filter, and some together.

        Of the last value of each status and table are enough: charts are told the same cells.
        """
        for name in FILTERS:
            values = sorted({str(row[name]) for row in self.expected.rows})
            if len(values) > 1:
                yield {name: [values[0]]}, True
                yield {name: [values[-1]]}, False
        devices = sorted({str(row["device"]) for row in self.expected.rows})[:2]
        yield {"device": devices, "precision": ["int8"], "verdict": ["valid"]}, True


Check = Callable[[Page], list[str]]


def filters(page: Page) -> list[str]:
    """Each filter drives status, table and charts together."""
    found = []
    with page.open() as view:
        found += view.differs({})
        for chosen, charts in page.some():
            for name, values in chosen.items():
                for value in values:
                    view.tick(name, value)
            found += view.differs(chosen, charts=charts)
            view.click("#reset")
        found += view.differs({}, charts=False)
    return found


def figures(page: Page) -> list[str]:
    """Every figure of the table of all cells is the CSV's, rounded as the command line does."""
    with page.open() as view:
        table = view.table()
    found, compared = [], 0
    for row, shown in zip(page.expected.rows, table["rows"], strict=True):
        for column, text in zip(table["columns"], shown, strict=True):
            should = told(row, column)
            compared += should is not None
            if should is not None and text != should:
                found.append(f"{column['names'][0]}: {text!r} is shown, not {should!r}")
    return found or ([] if compared > len(page.expected.rows) else ["no figure was compared"])


def sorting(page: Page) -> list[str]:
    """Headings sort up, down and back by mouse and by keyboard, also after a filter."""
    found = []
    with page.open() as view:
        columns = view.table()["columns"]
        names = [column["names"][0] for column in columns]
        place = names.index("latency_p99_ms")
        button = f"{CELLS} th:nth-child({place + 1}) button"
        ways = {"ascending": 1, "descending": -1, None: 0}
        for press in (view.click, _by_key(view, Keys.ENTER), _by_key(view, Keys.SPACE)):
            for way, sign in ways.items():
                press(button)
                found += _out_of_order(view, names, way, sign)
        view.click(button)
        view.tick("device", "rock-5b")
        found += _out_of_order(view, names, "ascending", 1)
    return found


def _by_key(view: View, key: str) -> Callable[[str], None]:
    def press(selector: str) -> None:
        view.run("document.querySelector(arguments[0]).focus()", selector)
        view.press(key)
        settle(view.driver)

    return press


def _out_of_order(view: View, names: Sequence[str], way: str | None, sign: int) -> list[str]:
    table, place = view.table(), list(names).index("latency_p99_ms")
    if table["order"][place] != way or sum(one is not None for one in table["order"]) > bool(sign):
        return [f"aria-sort is {table['order']}, not {way} alone"]
    shown = [row[place] for row in table["rows"]]
    values = [float(text.replace(",", "")) for text in shown if text != MISSING]
    if MISSING in shown and sign and MISSING in shown[: len(values)]:
        return ["what was not measured does not come last"]
    return [] if not sign or values == sorted(values, reverse=sign < 0) else [f"not {way}"]


def address(page: Page) -> list[str]:
    """A view is in its address: read anew and in another browser; back leads back."""
    found = []
    with page.open() as view:
        view.tick("device", "rock-5b")
        view.tick("precision", "int8")
        columns = [column["names"][0] for column in view.table()["columns"]]
        view.click(f"{CELLS} th:nth-child({columns.index('latency_p99_ms') + 1}) button")
        url, seen = view.driver.current_url, view.whole()
        view.driver.refresh()
        settle(view.driver)
        if view.whole() != seen:
            found.append("read anew, the view is another")
        view.run("document.querySelector('#cells tbody a').click()")
        if view.run(WHERE) is None or "device=rock-5b" not in view.driver.current_url:
            found.append("an anchor that was gone to is not in the address beside the filters")
        view.driver.back()
        settle(view.driver)
        if view.driver.current_url != url or view.whole() != seen:
            found.append("back does not lead back")
    with page.elsewhere(url[url.index("#") :]) as view:
        if view.whole() != seen:
            found.append("in another browser, the view is another")
    for hash_, chosen in (("#device=rock-5b", {"device": ["rock-5b"]}), (HOSTILE, {})):
        with page.open(hash_=hash_) as view:
            found += view.differs(chosen)
    return found


def anchors(page: Page) -> list[str]:
    """The verdict of a cell leads to its reason."""
    found = []
    with page.open() as view:
        view.table()
        links = view.run(
            f"return [...document.querySelectorAll('{CELLS} tbody a')].map(a => [a.hash,"
            " a.closest('tr').cells[0].textContent])"
        )
        for hash_, _ in links[:: max(1, len(links) // 8)]:
            view.run("scrollTo(0, 0)")
            view.run(f"document.querySelector('{CELLS} tbody a[href=\"{hash_}\"]').click()")
            settle(view.driver)
            row = page.expected.rows[int(hash_.rpartition("-")[2])]
            reason = str(row["reason"] if row["status"] != "ok" else row["caveats"])
            first = reason.split(";", maxsplit=1)[0].removeprefix("parity: ")  # the group's word
            target = view.run(SEEN_TARGET)
            if target is None or f"#{target['id']}" != hash_ or not target["seen"]:
                found.append(f"{hash_} leads to {target}")
            elif first[:40] not in target["text"]:
                found.append(f"{hash_} does not tell {reason!r}")
    return found if links else ["no cell leads to a reason"]


def cards(page: Page) -> list[str]:
    """A link of a card leads, by keyboard, to as many cells as it says; back leads back."""
    found = []
    with page.open() as view:
        links = view.run("return document.querySelectorAll('a[data-shows]').length")
        for at in range(0, links, max(1, links // 8)):
            words = view.run(TO_CARD_LINK, at)
            settle(view.driver)
            url, before = view.driver.current_url, view.run("return scrollY")
            view.press(Keys.ENTER)
            settle(view.driver)
            should = f"{words.split()[0]} of {len(page.expected.rows)} cells"
            if words[0].isdigit() and (said := view.run(STATUS)) != should:
                found.append(f"{words!r} leads to {said!r}")
            if not view.run("return document.activeElement.id === 'exceptions'"):
                found.append(f"{words!r} leads elsewhere")
            view.driver.back()
            settle(view.driver)
            if view.driver.current_url != url or abs(view.run("return scrollY") - before) > 1:
                found.append(f"back does not lead back to {words!r}")
    return found if links else ["no card has a link to its cells"]


def keyboard(page: Page) -> list[str]:
    """Tab reaches every control in order and is seen; menus open, tick and close by keys."""
    found = []
    for width in (WIDE_PX, PHONE_PX):
        with page.open(width, "#device=rock-5b&precision=fp16") as view:
            draw_all(view.driver)
            found += [f"{width} px: {line}" for line in _walk(view)]
    with page.open() as view:
        summary = "#filters details:has(input[name=device]) > summary"
        view.run(f"document.querySelector('{summary}').focus()")
        view.press(Keys.ENTER)
        for _ in range(3):  # all, none, the first value
            view.tab()
        value = view.run("return document.activeElement.value")
        view.press(Keys.SPACE)
        settle(view.driver)
        if view.run("return document.activeElement.value") != value:
            found.append("the focus is lost when a box is ticked")
        found += view.differs({"device": [value]})
        view.press(Keys.ESCAPE)
        focus = f"return document.activeElement === document.querySelector('{summary}')"
        if not view.run(focus) or view.run("return !!document.querySelector('#bar details[open]')"):
            found.append("Escape does not close the menu and give the focus back")
    return found


def _walk(view: View) -> list[str]:
    """Tab through the whole page; what is not reached, not seen or out of order."""
    order: list[object] = []
    found = []
    view.run("document.activeElement.blur(); scrollTo(0, 0)")
    view.driver.set_script_timeout(60)
    while len(order) < 2_000:
        view.tab()
        now = view.run(FOCUS)
        if now is None or now["e"] in order[:1]:
            break
        order.append(now["e"])
        wrong = [fault for fault in ("under", "off", "bare") if now[fault]]
        found += [f"focus is {fault} at {_name(view, now['e'])}" for fault in wrong]
    controls = view.run(CONTROLS)
    if order != controls:
        left = [_name(view, one) for one in controls if one not in order]
        more = [_name(view, one) for one in order if one not in controls]
        found.append(f"{len(order)} of {len(controls)} reached; not: {left[:4]}; more: {more[:4]}")
    return found


def _name(view: View, element: object) -> str:
    return str(view.run("return arguments[0].outerHTML.slice(0, 90)", element))


def narrow(page: Page) -> list[str]:
    """A phone's screen is not left on the right, and the bar leaves the page room."""
    found = []
    with page.open(PHONE_PX) as view:
        draw_all(view.driver)
        found += [f"wider than the screen: {one}" for one in view.run(WIDER)]
        high = view.run("return document.getElementById('bar').offsetHeight")
        if high > TALLEST_BAR_PX:
            found.append(f"the bar is {high} px high")
        view.click("#filters-open")
        view.tick("device", "rock-5b")
        if view.run("return document.getElementById('filters-open').textContent") != "Filters (1)":
            found.append("the button does not tell how many filters are used")
        found += view.differs({"device": ["rock-5b"]})
    return found


def accessible(page: Page) -> list[str]:
    """axe-core finds nothing: light, dark, narrow; menus and details open, a chart unfolded."""
    found = []
    for width, scheme in ((WIDE_PX, "light"), (WIDE_PX, "dark"), (PHONE_PX, "light")):
        with page.open(width, FEW, scheme) as view:
            for state, script, colours in STATES:
                view.run(script)
                settle(view.driver)
                draw_all(view.driver)
                broken = page_axe.violations(view.driver, page.axe, colours)
                found += [f"{width} px, {scheme}, {state}: {line}" for line in broken]
    return found


def quiet(page: Page) -> list[str]:
    """Neither browser asked the network for anything or logged a message."""
    with page.open():
        pass
    return page.heard


CHECKS: dict[str, Check] = {
    "filters drive status, table and charts alike": filters,
    "figures are the CSV's, rounded as the terminal's": figures,
    "sorting by mouse and keyboard": sorting,
    "the address restores a view; back; hostile ones": address,
    "verdicts lead to reasons": anchors,
    "cards lead to their cells": cards,
    "every control by keyboard, in order and seen": keyboard,
    "a phone's screen": narrow,
    "axe-core, nine states": accessible,
    "requests and console messages": quiet,
}
"""What each holds, in the order run: the last one counts what was heard during all."""

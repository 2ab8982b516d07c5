"""The chooser as its reader types and picks; the command's answers are held by `chooser.py`."""

from __future__ import annotations

from browser import PHONE_PX, settle
from page_checks import Page
from page_view import View
from selenium.webdriver.common.by import By

from edgebench.report.page import wording

LIMIT = "max.latency_p99_ms"
TYPED = {
    "0": "0",
    "-5": "-5",
    "1e99": "1e+99",
    "1e3": "1000",
    " 7 ": "7",
    "": None,
    " ": None,
    "5,5": "5.5",
    "5.5": "5.5",
    "0,125": "0.125",
    "0.125": "0.125",
    ",5": "0.5",
    "-2,5": "-2.5",
    "five": None,
    "5 W": None,
    "1,000.5": None,
    "1.000,5": None,
    "1,000,000": None,
    "1,000": None,
    "12,345": None,
    "1e400": None,
    "0x10": None,
    "Infinity": None,
    "33": "33",
}
"""And what of it is a limit; what is none and not empty must be told."""
TWO_WAYS = {"1,000": ("1000 or 1.",), "12,345": ("12345 or 12.345.",)}
FAULT = """
const field = document.getElementsByName(arguments[0])[0];
const line = document.getElementById(field.getAttribute("aria-describedby"));
return [field.ariaInvalid === "true", line.closest("[role=status]") ? line.textContent : ""];
"""
TOLD = "return new URLSearchParams(location.hash.slice(1)).get(arguments[0])"
VALUE = "return document.getElementsByName(arguments[0])[0].value"
ONLY_CHANGED = """
const list = document.querySelector("#chooser [name=by]");
list.selectedIndex = 1;
list.dispatchEvent(new Event("change", { bubbles: true }));
return list.value;
"""
TIERS_TOLD = """
const list = document.querySelector("#chooser [name=tier]");
const words = document.getElementById(list.getAttribute("aria-describedby"));
const told = words.checkVisibility() ? words.textContent : "";
return [
  [...list.options].slice(1).map(({ value }) => [value, told]),
  [...document.querySelectorAll("#mixed li")].map(({ firstChild, lastChild }) => [
    firstChild.textContent.split(" ").at(-1), lastChild.textContent,
  ]),
];
"""
COUNT_STEPS = """
window.steps = 0;
const push = history.pushState.bind(history);
history.pushState = (...all) => {
  window.steps += 1;
  push(...all);
};
"""


def choosing(page: Page) -> list[str]:
    """What is typed is a limit or none; a list that only tells that it changed is answered."""
    found = []
    with page.open(hash_="#at=choose") as view:
        for text, should in TYPED.items():
            found += _typed(view, text, should)
        found += _kept_to_be_mended(view)
        _type(view, "33")
        picked = view.run(ONLY_CHANGED)
        if (by := view.run(TOLD, "by")) != picked:
            found.append(f"{picked} was picked, {by} is asked")
        view.run(COUNT_STEPS)
        view.click("#chosen tbody button")  # a workload's name
        asked = view.run(TOLD, "of")
        if not view.run("return window.steps"):  # "back" would leave the page
            return [*found, f"{asked} is no step to go back from"]
        view.driver.back()
        settle(view.driver)
        back = [view.run(TOLD, name) for name in ("of", LIMIT)]
        if asked is None or back != [None, TYPED["33"]]:
            found.append(f"back from {asked} leads to {back}, not to the question before")
    with page.open(hash_="#by=latency_p50_ms&max.power_w=5,5&max.price_usd=1,000&of=all") as view:
        seen = [view.run(VALUE, name) for name in ("max.power_w", "max.price_usd")]
        lines = [view.run(FAULT, name)[0] for name in ("max.power_w", "max.price_usd")]
        if (seen, lines) != (["5.5", "1,000"], [False, True]):
            found.append(f"an address of 5,5 and 1,000 is {seen} in the form, faults {lines}")
    return found + _tiers_told(page)


def _tiers_told(page: Page) -> list[str]:
    """What tiers of power mean stands by the list, and by each button that lets in one of them."""
    with page.open(PHONE_PX, "#at=choose&by=latency_p50_ms&max.power_w=5&of=all") as view:
        listed, buttons = view.run(TIERS_TOLD)
    lacks = [tier for tier, words in listed if wording.TIERS[tier] not in words]
    lacks += [tier for tier, words in buttons if words != wording.TIERS[tier]]
    if len(listed) < 2 or len(buttons) < 2:
        return [f"{len(listed)} tiers and {len(buttons)} buttons: nothing to look at"]
    return [f"what {tier} means is not told where it is chosen" for tier in lacks]


def _type(view: View, text: str) -> None:
    field = view.driver.find_element(By.NAME, LIMIT)
    field.clear()
    field.send_keys(text)


def _typed(view: View, text: str, should: str | None) -> list[str]:
    """Whether it became this limit; if it is none, whether field and line say so."""
    _type(view, text)
    if (limit := view.run(TOLD, LIMIT)) != should:
        return [f"{text!r} typed as a limit is {limit!r}, not {should!r}"]
    wrong, line = view.run(FAULT, LIMIT)
    lacks = should is None and text.strip() != ""
    if wrong is not lacks or bool(line) is not lacks:
        return [f"{text!r} is {'in' * wrong}valid, and told as {line!r}"]
    names = ("p99 latency", text.strip(), *TWO_WAYS.get(text, ("5,5",))) if lacks else ()
    return [f"{text!r} is told without {one!r}: {line!r}" for one in names if one not in line]


def _kept_to_be_mended(view: View) -> list[str]:
    """A button that asks otherwise leaves what is to be mended, and its line; a reset does not."""
    _type(view, "5 W")
    view.click("#chosen tbody button")
    found = [] if all(view.run(FAULT, LIMIT)) else ["what is to be mended is gone after a button"]
    view.click("#chooser [type=reset]")
    return found + (["a reset leaves a fault"] if any(view.run(FAULT, LIMIT)) else [])

"""The chooser as its reader types and picks; the command's answers are held by `chooser.py`."""

from __future__ import annotations

from browser import settle
from page_checks import Page
from selenium.webdriver.common.by import By

LIMIT = "max.latency_p99_ms"
TYPED = {"0": "0", "-5": "-5", "1e99": "1e+99", "": None, "abc": None, "1e400": None, "33": "33"}
"""And what of it is a limit."""
TOLD = "return new URLSearchParams(location.hash.slice(1)).get(arguments[0])"
ONLY_CHANGED = """
const list = document.querySelector("#chooser [name=by]");
list.selectedIndex = 1;
list.dispatchEvent(new Event("change", { bubbles: true }));
return list.value;
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
        field = view.driver.find_element(By.NAME, LIMIT)
        for text, should in TYPED.items():
            field.clear()
            field.send_keys(text)
            if (limit := view.run(TOLD, LIMIT)) != should:
                found.append(f"{text!r} typed as a limit is {limit!r}, not {should!r}")
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
    return found

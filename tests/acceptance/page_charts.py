"""What must hold of the page's charts: each shows its marks, and a long one unfolds."""

from __future__ import annotations

from browser import draw_all
from page_checks import Page

EMPTY = """
return [...document.querySelectorAll("[data-chart] svg")]
  .filter(svg => !svg.querySelector("path, rect, text")).map(svg => svg.closest("[data-chart]").id);
"""
UNFOLD = """
const done = arguments[arguments.length - 1];
const seen = box => Math.round(box.querySelector("svg").parentNode.getBoundingClientRect().height);
const whole = box => box.querySelector("svg").height.baseVal.value;
const drawn = async box => {
  while (box.ariaBusy === "true") await new Promise(requestAnimationFrame);
};
(async () => {
  const found = [];
  const buttons = document.querySelectorAll("button.unfold:not([hidden])");
  for (const button of buttons) {
    const box = button.previousElementSibling;
    const few = seen(box);
    button.click();
    await drawn(box);
    if (few > whole(box) * .8 || seen(box) < whole(box) - 1)
      found.push(`${box.id}: ${few}, then ${seen(box)} of ${whole(box)} px`);
    button.click();
    if (Math.abs(seen(box) - few) > 1)
      found.push(`${box.id} does not fold again: ${few}, then ${seen(box)}`);
  }
  done([found, buttons.length]);
})();
"""


def charts(page: Page) -> list[str]:
    """None is an empty picture; those of many panels show the first, and all when asked to."""
    with page.open() as view:
        draw_all(view.driver)
        found = [f"nothing is drawn in {name}" for name in view.run(EMPTY)]
        broken, folded = view.driver.execute_async_script(UNFOLD)
    return [*found, *broken, *([] if folded else ["no chart is folded"])]

"""What must hold of the page on small screens: names are whole, and what is tapped is hit."""

from __future__ import annotations

from browser import DRAW_ALL, PHONE_PX, PRINTED, draw_all, settle
from page_checks import Page
from page_view import View

TABLET_PX = 768
FEWEST_PX = 24
"""Of what is tapped (WCAG 2.2, 2.5.8); words within a sentence or a table's cell may be lower."""
TALLEST_CARD_PX = 320
TALLEST_CAPTION_PX = 160
"""Below a chart while its reading is folded away: six lines and a summary."""
MOST_CUT = 0.1
"""Of the names beside a chart's rows."""
SMALL = """
const found = [...document.querySelectorAll("main :is(button, select, summary, input)")].filter(e =>
  e.checkVisibility() && e.type !== "checkbox" && e.getBoundingClientRect().height < arguments[0]);
return found.map(e => `${e.tagName} ${e.textContent.trim().slice(0, 30)}`);
"""
CARDS = """
const cards = [...document.querySelectorAll("#answer .claims > li")];
return cards.map(e => e.getBoundingClientRect().height);
"""
CAPTIONS = """
const seen = [...document.querySelectorAll("figcaption")].filter(e => e.checkVisibility());
const readings = [...document.querySelectorAll(".reading > p")];
return { tallest: Math.max(...seen.map(e => e.getBoundingClientRect().height)),
  count: readings.length, read: readings.filter(e => e.checkVisibility()).length };
"""
NAMES = """
const texts = [...document.querySelectorAll(".role-axis-label text, .role-row-header text")];
return texts.map(e => e.textContent).filter(words => /[a-z]/i.test(words));
"""
# The legends, whole, and panels that have what they leave of the width.
CRAMPED = """
const found = [];
for (const box of document.querySelectorAll("[data-chart]")) {
  if (!box.querySelector("svg")) continue;
  const { right } = box.getBoundingClientRect();
  const legends = [...box.querySelectorAll(".role-legend")].map(e => e.getBoundingClientRect());
  if (legends.some(e => e.right > right)) found.push(`${box.id}: a legend is cut`);
  const seen = [...box.querySelectorAll("text:not([opacity='0']), .role-mark *")];
  const drawn = seen.map(e => e.getBoundingClientRect());
  if (drawn.some(e => e.right > right + 1)) found.push(`${box.id}: must be scrolled`);
}
return found;
"""
# An axis for each column of panels, above the fold.
BARE = """
return [...document.querySelectorAll("[data-chart]")].filter(box => {
  const clip = box.firstElementChild?.getBoundingClientRect();
  const labels = [...box.querySelectorAll(".role-axis-label text")];
  return labels.length && !labels.some(e => {
    const { top, bottom } = e.getBoundingClientRect();
    return top >= clip.top && bottom <= clip.bottom && /^[\\d.,%]+$/.test(e.textContent);
  });
}).map(box => box.id).filter(id => id !== "chart-devices-matrix" && id !== "chart-heat-map");
"""


def phone(page: Page) -> list[str]:
    """Cards are short, targets large, and charts whole: on a phone and on a tablet."""
    found = []
    for width in (PHONE_PX, TABLET_PX):
        with page.open(width) as view:
            draw_all(view.driver)
            told = [f"too low to be tapped: {one}" for one in view.run(SMALL, FEWEST_PX)]
            told += view.run(CRAMPED)
            told += [f"no axis is seen: {one}" for one in view.run(BARE)]
            names = view.run(NAMES)
            cut = [name for name in names if "\N{HORIZONTAL ELLIPSIS}" in name]
            if not names or len(cut) > MOST_CUT * len(names):
                told.append(f"{len(cut)} of {len(names)} names are cut: {cut[:5]}")
            tall = [one for one in view.run(CARDS) if one > TALLEST_CARD_PX]
            if width == PHONE_PX and tall:
                told.append(f"answers are up to {max(tall):.0f} px high")
            told += _captions(view, width)
            found += [f"{width} px: {line}" for line in told]
    return found


def _captions(view: View, width: int) -> list[str]:
    """How charts are read: a tap away on a phone, in sight on wider screens and on all paper."""
    found = []
    here = view.run(CAPTIONS)
    folded = width == PHONE_PX
    if not here["count"] or here["read"] != (0 if folded else here["count"]):
        found.append(f"{here['read']} of {here['count']} readings are seen")
    if folded and here["tallest"] > TALLEST_CAPTION_PX:
        found.append(f"captions are up to {here['tallest']:.0f} px high")
    view.run(DRAW_ALL)
    settle(view.driver)
    if view.run(CAPTIONS)["read"] != here["count"]:
        found.append("paper lacks readings")
    view.run(PRINTED)
    settle(view.driver)
    if view.run(CAPTIONS)["read"] != here["read"]:
        found.append("after printing, readings are not as before")
    return found

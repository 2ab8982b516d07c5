"""What a page shows, read in the browser, and what it should show, computed from the results."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from browser import command, draw_all, settle
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from edgebench.analysis import questions
from edgebench.report import answers, grid
from edgebench.report.columns import BY_NAME
from edgebench.report.judged import verdict
from edgebench.report.rows import Row, Value

FILTERS = ("device", "workload", "backend", "precision", "verdict")
CELLS = "#cells table"
ROWS, PANELS = 40, 12
"""That the chart of latencies draws at most."""
IN_THE_MIDDLE = "arguments[0].scrollIntoView({ block: 'center', inline: 'center' })"
STATUS = "return document.getElementById('shown').textContent"
# It is filled once it is seen.
TO_CELLS = """
document.getElementById("cells").scrollIntoView();
requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(arguments[0])));
"""
TABLE = """
const table = document.querySelector("#cells table");
const more = table.parentNode.nextElementSibling;
if (!more.hidden) more.click();
return {
  columns: JSON.parse(table.dataset.listing).columns,
  rows: [...table.tBodies[0].rows].map(row => [...row.cells].map(cell => cell.textContent)),
  order: [...table.tHead.rows[0].cells].map(head => head.ariaSort),
};
"""
# A chart of many panels draws the first of them, until all are asked for.
UNFOLD = """
const button = document.querySelector("#chart-latency + button.unfold");
if (button && !button.hidden && button.ariaExpanded !== "true") button.click();
"""
# The renderer of Vega keeps what a mark stands for in its element.
DRAWN = """
const found = {};
for (const box of document.querySelectorAll("[data-chart]")) {
  const rows = new Set();
  for (const one of box.querySelectorAll(".role-mark *")) {
    const row = one.__data__?.datum?.row;
    if (row !== undefined) rows.add(row);
  }
  found[box.id] = [...rows];
}
return found;
"""


@dataclass(frozen=True)
class Expected:
    """The results of a page, a mapping a cell in the order of the CSV."""

    rows: Sequence[Row]

    @classmethod
    def of(cls, table: Path) -> Expected:
        """Read from the CSV."""
        with table.open(newline="", encoding="utf-8") as file:
            read = [
                {name: _value(name, text) for name, text in one.items()}
                for one in csv.DictReader(file)
            ]
        asked = questions.names(read)
        places = {name: place for place, name in enumerate(dict.fromkeys(asked))}
        return cls(
            [
                {**one, "verdict": verdict(one), "question": places[name]}
                for one, name in zip(read, asked, strict=True)
            ]
        )

    def left(self, chosen: Mapping[str, Sequence[str]]) -> list[int]:
        """Places of the cells that these filters leave."""
        found = enumerate(self.rows)
        return [at for at, one in found if all(one[name] in some for name, some in chosen.items())]

    def latency(self, left: Sequence[int]) -> set[int]:
        """Places of the cells that the chart of latencies draws of these."""
        panels: dict[Any, list[int]] = {}
        for at in left:
            if self.rows[at]["latency_p50_ms"] and answers.by_latency(self.rows[at]):
                panels.setdefault(self.rows[at]["question"], []).append(at)
        drawn = [panels[name] for name in sorted(panels)[:PANELS]]
        return {at for some in drawn for at in sorted(some, key=self._p50_ms)[:ROWS]}

    def _p50_ms(self, at: int) -> float:
        return float(self.rows[at]["latency_p50_ms"] or 0)


def _value(name: str, text: str) -> Value:
    kind = BY_NAME[name].kind
    if text == "":
        return None
    return text if kind == "str" else int(text) if kind == "int" else float(text)


def told(row: Row, column: Mapping[str, Any]) -> str | None:
    """What the page should show in a column of figures; None for words."""
    names = column["names"]
    if column["kind"] == "interval":
        low, high = (row[name] for name in names)
        if low is None or high is None:
            return grid.MISSING
        return f"{grid.figure(low).text} to {grid.figure(high).text}"
    if column["kind"] == "verdict":
        return str(row["verdict"])
    if column["kind"] != "number" or names[0] not in row:
        return None
    digits = column["digits"] if isinstance(column["digits"], int) else None
    value = row[names[0]]
    if isinstance(value, int) and digits == 0:
        digits = None
    return grid.figure(value, column["scale"], digits).text


@dataclass
class View:
    """A page that is open in a browser."""

    driver: webdriver.Chrome
    expected: Expected

    def run(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever it returns
        """Run a script in the page."""
        return self.driver.execute_script(script, *arguments)

    def table(self) -> dict[str, Any]:
        """The table of all cells, with all of its rows."""
        self.driver.execute_async_script(TO_CELLS)
        settle(self.driver)
        found: dict[str, Any] = self.run(TABLE)
        return found

    def click(self, selector: str) -> None:
        """Click on the first one by mouse, and wait for what it causes."""
        found = self.driver.find_element(By.CSS_SELECTOR, selector)
        self.run(IN_THE_MIDDLE, found)  # not below the bar
        found.click()
        settle(self.driver)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def tab(self, *, back: bool = False) -> None:
        """Go to the next control, or to the one before."""
        shift = {"modifiers": 8} if back else {}
        key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
        for kind in ("keyDown", "keyUp"):
            command(self.driver, "Input.dispatchKeyEvent", type=kind, **key, **shift)

    def tick(self, name: str, value: str) -> None:
        """Tick a value of a filter by mouse, and leave its menu."""
        box = f'input[name="{name}"][value="{value}"]'
        self.click(f"#filters details:has({box}) > summary")
        self.click(f"#filters {box}")
        self.press(Keys.ESCAPE)

    def differs(self, chosen: Mapping[str, Sequence[str]], *, charts: bool = True) -> list[str]:
        """Where status, table and, if asked, charts are not what these filters leave."""
        left, found = self.expected.left(chosen), []
        status = f"{len(left)} of {len(self.expected.rows)} cells"
        if (said := self.run(STATUS)) != status:
            found.append(f"{chosen}: the status says {said!r}, not {status!r}")
        table = self.table()
        names = [column["names"][0] for column in table["columns"]]
        for column in ("workload", "backend", "verdict", "latency_p50_ms"):
            shown = [row[names.index(column)] for row in table["rows"]] if column in names else None
            one = table["columns"][names.index(column)] if column in names else {}
            rows = [self.expected.rows[at] for at in left]
            should = [told(row, one) or str(row[column]) for row in rows] if one else None
            if shown != should:
                found.append(f"{chosen}: the table shows other cells by {column}")
        return found + (self._drawn(chosen, left) if charts else [])

    def _drawn(self, chosen: Mapping[str, Sequence[str]], left: Sequence[int]) -> list[str]:
        found = []
        self.run(UNFOLD)
        draw_all(self.driver)
        drawn = {name: set(rows) for name, rows in self.run(DRAWN).items()}
        if drawn["chart-latency"] != (should_draw := self.expected.latency(left)):
            wrong = len(drawn["chart-latency"] ^ should_draw)
            found.append(f"{chosen}: {wrong} cells are drawn that should not be, or the other way")
        stray = [name for name, places in drawn.items() if places - set(left)]
        return found + [f"{chosen}: {name} draws cells that are filtered out" for name in stray]

    def whole(self) -> dict[str, Any]:
        """All that a view is: to be the same when its address is opened elsewhere."""
        said, table = self.run(STATUS), self.table()
        draw_all(self.driver)
        drawn = {name: sorted(rows) for name, rows in self.run(DRAWN).items()}
        return {"status": said, "table": table, "drawn": drawn}

"""What others wrote and a page hands on goes with its notices."""

from __future__ import annotations

from pathlib import Path

import pytest
from page import Page

from edgebench.report import gather, html
from edgebench.report.page import bundle
from edgebench.testing import fleet
from edgebench.testing.fleet import Cell, Device

OWNERS = ("University of Washington", "Mike Bostock", "Simon Lydell", "Joachim Wester", "Mapbox")
LICENCES = ("BSD-3-Clause", "ISC", "MIT", "Apache License")


@pytest.fixture(autouse=True)
def _small_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "javascript", lambda _: "window.vegaEmbed = 0;")


def test_what_draws_the_charts_is_handed_on_with_its_notices(tmp_path: Path) -> None:
    fleet.write(tmp_path, Device(name="a", cells=(Cell(),)), launches=2, samples=20)
    found = gather.gather([tmp_path], keep_runs=True)
    page = Page(html.build(found.runs, found.rows))
    [script] = [text for _, text in page.scripts if "window.vegaEmbed =" in text]
    notices, _, code = script.partition("*/")
    assert notices.startswith("/*")
    assert code.strip() == "window.vegaEmbed = 0;"
    assert [one for one in (*OWNERS, *LICENCES) if one not in notices] == []


def test_a_page_without_charts_has_nothing_to_hand_on() -> None:
    assert OWNERS[0] not in html.build((), ())

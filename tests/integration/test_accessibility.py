# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All pages work for people who see little, use a keyboard only, or have the page read to them: axe-core finds nothing.

Screenshots are kept in .cache/captures.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import chrome
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from ansible_collections.patchfleet.windows.plugins.module_utils._history.page import to_page
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._report.html import to_html
from months import Months, missing
from report_sample import estate, fleet

CAPTURES = Path(__file__).parents[2] / ".cache" / "captures"

pytestmark = [pytest.mark.skipif(chrome.IS_MISSING, reason=chrome.WHERE_FROM), pytest.mark.xdist_group("accessibility")]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chrome.browser(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of one account, of several ones, and of two months."""
    folder = tmp_path_factory.mktemp("pages")
    months = Months(SqliteLedger(str(folder / "ledger.sqlite")))
    for days in (0, 30):
        months.run(days, "i-1", name="web-1", **missing("KB5097002", severities={"KB5097002": "critical"}))
        months.run(
            days,
            "i-2",
            name="web-2",
            facts={"missing": [], "installed": ["KB5097001"], "on_since": 0.0, "off_at": 3600.0},
        )
    texts = {
        "fleet": to_html(fleet(24)),
        "estate": to_html(estate(24)),
        "history": to_page(months.history(31, {"critical": 14.0})),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800, 400])
@pytest.mark.parametrize("name", ["fleet", "estate", "history"])
def test_axe_finds_nothing(
    browser: webdriver.Chrome, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    browser.get(pages[name].as_uri())
    with chrome.shown_as(browser, width, scheme):
        for button in browser.find_elements(By.CSS_SELECTOR, ".open-details")[:2]:
            button.click()
        CAPTURES.mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(str(CAPTURES / f"{name}-{width}-{scheme}.png"))
        assert chrome.axe_violations(browser) == []


def test_a_page_that_cannot_be_read_is_found(browser: webdriver.Chrome, tmp_path: Path) -> None:
    page = tmp_path / "pale.html"
    page.write_text(
        "<title>x</title><main><h1>x</h1><p style='color:#ccc;background:#fff'>pale</p></main>", encoding="utf-8"
    )
    browser.get(page.as_uri())
    rules = {violation.partition(":")[0] for violation in chrome.axe_violations(browser)}
    assert rules == {"color-contrast", "html-has-lang"}


def test_a_host_is_opened_and_closed_with_the_keyboard_alone(browser: webdriver.Chrome, pages: dict[str, Path]) -> None:
    browser.get(pages["fleet"].as_uri())
    body = browser.find_element(By.TAG_NAME, "body")
    for _press in range(60):
        body.send_keys(Keys.TAB)
        focused = browser.switch_to.active_element
        if "open-details" in (focused.get_attribute("class") or ""):
            break
    assert focused.get_attribute("aria-expanded") == "false"
    focused.send_keys(Keys.ENTER)
    assert focused.get_attribute("aria-expanded") == "true"
    focused.send_keys(Keys.SPACE)
    assert focused.get_attribute("aria-expanded") == "false"

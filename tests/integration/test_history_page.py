# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of the history in a real browser: it shows every host as text, sorts, filters, and asks for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import chrome
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from ansible_collections.patchfleet.windows.plugins.module_utils._history.page import to_page
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from months import Months, missing
from report_sample import HOSTILE_NAMES

NAMES = ["web-2", "web-10", *HOSTILE_NAMES]

pytestmark = [pytest.mark.skipif(chrome.IS_MISSING, reason=chrome.WHERE_FROM), pytest.mark.xdist_group("history page")]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two months, in which one host fails twice."""
    folder = tmp_path_factory.mktemp("history")
    months = Months(SqliteLedger(str(folder / "ledger.sqlite")))
    for days in (0, 30):
        for number, name in enumerate(NAMES):
            failed = missing("KB5097002", severities={"KB5097002": "critical"})
            done = {"facts": {"missing": [], "installed": ["KB5097001"], "on_since": 0.0, "off_at": 3600.0}}
            months.run(days, f"i-{number}", name=name, **(failed if name == "web-10" else done))
    path = folder / "history.html"
    path.write_text(to_page(months.history(31, {"critical": 14.0})), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chrome.browser(tmp_path_factory.mktemp("chromium")) as driver:
        driver.get(file.as_uri())
        yield driver


def hosts(page: webdriver.Chrome) -> list[str]:
    """The hosts of the table, as it stands."""
    cells = page.find_elements(By.CSS_SELECTOR, "table[aria-labelledby=all-hosts-title] tbody th")
    return [cell.text for cell in cells if cell.is_displayed()]


def test_it_shows_every_host_as_text_and_asks_for_nothing(page: webdriver.Chrome) -> None:
    assert len(hosts(page)) == len(NAMES)
    assert "<script>alert(1)</script>" in hosts(page)
    assert page.get_log("browser") == []
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_it_names_what_is_late_and_who_fails_again(page: webdriver.Chrome) -> None:
    text = page.find_element(By.TAG_NAME, "main").text
    assert "web-10 failed in its last 2 runs: still_missing. Missing: KB5097002." in text
    (row,) = page.find_elements(By.CSS_SELECTOR, "table[aria-labelledby=late-title] tbody tr")
    assert row.text.split()[:2] == ["KB5097002", "critical"]


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_it_round(page: webdriver.Chrome) -> None:
    button = page.find_element(By.CSS_SELECTOR, "table[aria-labelledby=all-hosts-title] thead button")
    button.click()
    rising = hosts(page)
    assert rising.index("web-2") < rising.index("web-10")
    button.click()
    assert hosts(page) == rising[::-1]


def test_a_text_shows_the_rows_that_have_it(page: webdriver.Chrome) -> None:
    query = page.find_element(By.ID, "query")
    query.send_keys("web-10 still")
    assert hosts(page) == ["web-10"]
    query.clear()
    query.send_keys(" ")
    assert len(hosts(page)) == len(NAMES)


@pytest.mark.parametrize("width", [400, 800, 1280])
def test_it_is_no_wider_than_the_window(page: webdriver.Chrome, width: int) -> None:
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    assert page.execute_script("return document.documentElement.scrollWidth") <= width

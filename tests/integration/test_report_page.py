# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's page in a real browser: it renders, sorts, filters, logs no error and sends no request."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chrome
import pytest
from pypdf import PdfReader
from selenium import webdriver
from selenium.webdriver.common.by import By

from ansible_collections.patchfleet.windows.plugins.module_utils._report.html import to_html
from report_sample import estate, fleet

CAPTURES = Path(__file__).parents[2] / ".cache" / "captures"

pytestmark = [pytest.mark.skipif(chrome.IS_MISSING, reason=chrome.WHERE_FROM), pytest.mark.xdist_group("report page")]


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return fleet(60)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chrome.browser(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture
def page(browser: webdriver.Chrome, report: dict[str, Any], tmp_path: Path) -> Iterator[webdriver.Chrome]:
    file = tmp_path / "report.html"
    file.write_text(to_html(report), encoding="utf-8")
    browser.get(file.as_uri())
    yield browser
    assert browser.get_log("browser") == []
    asked = browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert asked == []


def names(page: webdriver.Chrome) -> list[str]:
    """The hosts of the table as they stand."""
    return [cell.text for cell in page.find_elements(By.CSS_SELECTOR, "#hosts tbody tr[id^=h] th b")]


def header(page: webdriver.Chrome, title: str) -> Any:
    cells = page.find_elements(By.CSS_SELECTOR, "#hosts thead th")
    return next(cell for cell in cells if title in cell.text)


def test_it_shows_every_host_and_the_hostile_names_as_text(page: webdriver.Chrome, report: dict[str, Any]) -> None:
    shown = names(page)
    assert len(shown) == len(report["hosts"])
    assert "<script>alert(1)</script>" in shown
    assert page.find_elements(By.CSS_SELECTOR, ".bar")


def test_a_click_on_a_header_sorts_and_a_second_one_turns_it_round(page: webdriver.Chrome) -> None:
    header(page, "Host").find_element(By.TAG_NAME, "button").click()
    rising = names(page)
    assert header(page, "Host").get_attribute("aria-sort") == "ascending"
    assert rising.index("dev-02") < rising.index("dev-10") < rising.index("dev-30")
    header(page, "Host").find_element(By.TAG_NAME, "button").click()
    assert names(page).index("dev-30") < names(page).index("dev-10")
    assert header(page, "Host").get_attribute("aria-sort") == "descending"


def test_a_tile_shows_the_hosts_of_its_outcome_only(page: webdriver.Chrome, report: dict[str, Any]) -> None:
    page.find_element(By.CSS_SELECTOR, ".tile[data-o=failed]").click()
    assert len(names(page)) == report["totals"]["failed"]
    page.find_element(By.ID, "clear").click()
    assert len(names(page)) == len(report["hosts"])


def test_a_text_shows_the_hosts_that_have_it(page: webdriver.Chrome) -> None:
    page.find_element(By.ID, "query").send_keys("dev-17")
    assert names(page) == ["dev-17"]
    page.find_element(By.ID, "query").send_keys("nowhere")
    assert names(page) == []
    assert page.find_element(By.ID, "none").is_displayed()


def test_a_host_opens_its_details(page: webdriver.Chrome) -> None:
    page.find_element(By.CSS_SELECTOR, "#hosts .open-details").click()
    assert page.find_elements(By.CSS_SELECTOR, "#hosts tr.details dl")


def test_two_thousand_hosts_are_shown_too(browser: webdriver.Chrome, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(to_html(fleet(2000, batch=50)), encoding="utf-8")
    browser.get(file.as_uri())
    browser.find_element(By.ID, "query").send_keys("dev-1999")
    assert names(browser) == ["dev-1999"]


def test_accounts_and_regions_are_filters_that_work_together(browser: webdriver.Chrome, tmp_path: Path) -> None:
    report = estate(60)
    file = tmp_path / "report.html"
    file.write_text(to_html(report), encoding="utf-8")
    browser.get(file.as_uri())

    def click(kind: str, value: str) -> None:
        browser.find_element(By.CSS_SELECTOR, f".where[data-{kind}='{value}']").click()

    def matching(**fields: str) -> int:
        return sum(all(host[key] == value for key, value in fields.items()) for host in report["hosts"])

    click("a", "210987654321")
    assert len(names(browser)) == matching(account="210987654321")
    pressed = browser.find_elements(By.CSS_SELECTOR, ".where[aria-pressed=true]")
    assert {button.text for button in pressed} == {"210987654321"}
    click("r", "us-east-1")
    assert len(names(browser)) == matching(account="210987654321", region="us-east-1")
    click("a", "210987654321")
    assert len(names(browser)) == matching(region="us-east-1")
    browser.find_element(By.ID, "clear").click()
    assert len(names(browser)) == len(report["hosts"])
    header(browser, "Region").find_element(By.TAG_NAME, "button").click()
    assert header(browser, "Region").get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize(("size", "pages"), [(12, 2), (60, 3), (500, 10)])
def test_a_print_has_few_pages_and_a_host_is_a_line(
    browser: webdriver.Chrome, tmp_path: Path, size: int, pages: int
) -> None:
    file = tmp_path / "report.html"
    file.write_text(to_html(fleet(size)), encoding="utf-8")
    browser.get(file.as_uri())
    options = {"preferCSSPageSize": True, "printBackground": True}
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", options)["data"])
    CAPTURES.mkdir(parents=True, exist_ok=True)
    (CAPTURES / f"print-{size}.pdf").write_bytes(printed)
    texts = [page.extract_text() for page in PdfReader(io.BytesIO(printed)).pages]
    assert len(texts) <= pages
    assert [f"{number} / {len(texts)}" in text for number, text in enumerate(texts, 1)] == [True] * len(texts)
    first = next(number for number, text in enumerate(texts) if re.search(r"^Host Outcome", text, re.MULTILINE))
    assert all("Reason" in text for text in texts[first:]), "each page repeats the head of the table"
    ids = [host["instance_id"] for host in fleet(size)["hosts"] if host["outcome"] == "patched"]
    named = re.findall(r"^(dev-\d+) .*patched", "\n".join(texts), re.MULTILINE)
    assert len(named) == len(set(named)) > len(ids) // 2, "no row is cut by the end of a page"
    assert "button" in browser.find_element(By.CSS_SELECTOR, "#hosts thead th").get_attribute("innerHTML")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        browser.save_screenshot(str(CAPTURES / f"print-{size}.png"))
        shown = browser.execute_script("return getComputedStyle(document.querySelector('#hosts tbody small')).display")
        assert shown == "inline"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("width", [400, 800, 1280])
@pytest.mark.parametrize("report", [fleet(24), estate(24)], ids=["fleet", "estate"])
def test_nothing_is_wider_than_the_window_and_the_details_have_the_rest(
    browser: webdriver.Chrome, tmp_path: Path, report: dict[str, Any], width: int
) -> None:
    file = tmp_path / "report.html"
    file.write_text(to_html(report), encoding="utf-8")
    command = {"width": width, "height": 1400, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", command)
    browser.get(file.as_uri())
    try:
        browser.find_element(By.CSS_SELECTOR, "#hosts .open-details").click()
        wider = "const e = arguments[0]; return e.scrollWidth - e.clientWidth"
        for selector in ("html", ".scroll", ".sums > div"):
            for part in browser.find_elements(By.CSS_SELECTOR, selector):
                assert browser.execute_script(wider, part) <= 0, selector
        columns = {cell.text.strip() for cell in browser.find_elements(By.CSS_SELECTOR, "#hosts thead th")}
        details = {term.text for term in browser.find_elements(By.CSS_SELECTOR, "#hosts .details dt")}
        assert {"Host", "Outcome", "Reason"} <= columns
        hidden = {"Reboots", "Free after, GiB", "State", "Idle time", "Installed", "Missing", "Failed updates"}
        assert hidden - details <= columns
        for head in browser.find_elements(By.CSS_SELECTOR, "#hosts thead th[data-below]"):
            assert head.is_displayed() == (width >= int(head.get_attribute("data-below") or 0)), head.get_attribute(
                "class"
            )
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

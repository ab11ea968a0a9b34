# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All pages work for people who see little, use a keyboard only, or have the page read to them: axe-core finds nothing.

Screenshots are kept in .cache/captures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import chrome
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from ansible_collections.patchfleet.windows.plugins.module_utils._history.page import to_page
from ansible_collections.patchfleet.windows.plugins.module_utils._ledger.sqlite import SqliteLedger
from ansible_collections.patchfleet.windows.plugins.module_utils._report.html import to_html
from months import Months, missing
from report_sample import at_work, estate, fleet

PAGES = ["fleet", "at-work", "estate", "history"]
HEADINGS = {
    "fleet": ["Hosts that need a person", "Updates, by hosts", "Timeline", "Hosts"],
    "at-work": ["Hosts that need a person", "Updates, by hosts", "Timeline", "Hosts"],
    "estate": ["Hosts that need a person", "Accounts and regions", "Updates, by hosts", "Timeline", "Hosts"],
    "history": [
        "Missing longer than their limit",
        "Hosts that fail again and again",
        "Compliance",
        "Why hosts failed",
        "Hours on because of runs",
        "Hosts",
        "Updates",
    ],
}
"""The sections of each page, in the order in which they are read."""
WITH_NAMES = {"button", "link", "searchbox", "table", "region", "image", "img", "DisclosureTriangle"}
CLOSED_TABLES = {"history": 1}
FOCUSABLE = """
return [...document.querySelectorAll('button:enabled, a[href], input, summary, [tabindex="0"]')]
    .filter((part) => part.tabIndex >= 0 && part.checkVisibility()).length"""
WIDER = """
return [document.documentElement, ...document.querySelectorAll("body *")]
    .filter((part) => ["auto", "scroll"].includes(getComputedStyle(part).overflowX) || part === document.documentElement)
    .filter((part) => part.scrollWidth > part.clientWidth)
    .map((part) => `${part.tagName}.${part.className}`)"""
WATCH_FOCUS = """
window.focused = [];
document.addEventListener("focusin", ({ target }) => {
  const { outlineStyle, outlineWidth } = getComputedStyle(target);
  const { top, bottom } = target.getBoundingClientRect();
  const isVisible = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && bottom > 0 && top < innerHeight;
  focused.push([target.ariaLabel ?? target.textContent.slice(0, 40), isVisible, [...document.all].indexOf(target)]);
});"""
CAPTURES = Path(__file__).parents[2] / ".cache" / "captures"

pytestmark = [pytest.mark.skipif(chrome.IS_MISSING, reason=chrome.WHERE_FROM), pytest.mark.xdist_group("accessibility")]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with chrome.browser(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of a run that has ended, of one at work, of one in several accounts, and of two months."""
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
        "at-work": to_html(at_work(24)),
        "estate": to_html(estate(24)),
        "history": to_page(months.history(31, {"critical": 14.0})),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (800, "light"), (400, "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(
    browser: webdriver.Chrome, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    browser.get(pages[name].as_uri())
    with chrome.shown_as(browser, width, scheme):
        for button in browser.find_elements(By.CSS_SELECTOR, ".open-details")[:2]:
            button.click()
        browser.execute_script("for (const part of document.querySelectorAll('details')) part.open = true")
        assert browser.execute_script(WIDER) == [], "nothing scrolls sideways"
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


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("name", PAGES)
def test_a_screen_reader_finds_names_headings_in_order_and_no_chatter(
    browser: webdriver.Chrome, pages: dict[str, Path], name: str, width: int
) -> None:
    with chrome.shown_as(browser, width):
        browser.get(pages[name].as_uri())
        for button in browser.find_elements(By.CSS_SELECTOR, ".open-details")[:2]:
            button.click()
        spoken = chrome.read_aloud(browser)
        headings = [(one.properties["level"], one.name) for one in spoken if one.role == "heading"]
        assert headings[0][0] == 1
        assert headings[1:] == [(2, title) for title in HEADINGS[name]]
        assert [one for one in spoken if one.role in WITH_NAMES and not one.name.strip()] == []
        assert [one.name for one in spoken if one.role == "button" and set(one.name) & set("↕▲▼")] == []
        roles = Counter(one.role for one in spoken)
        assert roles["table"] == len(browser.find_elements(By.CSS_SELECTOR, "table")) - CLOSED_TABLES.get(name, 0)
        assert roles["rowheader"] > roles["table"]
        assert roles["main"] == 1
        if width == 1280:
            assert roles["columnheader"] >= 2 * roles["table"]
        if name != "history":
            assert [one for one in spoken if one.properties.get("live", "off") != "off"] == [], (
                "loaded, it says nothing"
            )
            (query,) = browser.find_elements(By.ID, "query")
            query.send_keys("dev")
            assert [one.properties["live"] for one in chrome.read_aloud(browser) if one.role == "status"] == ["polite"]


@pytest.mark.parametrize("name", PAGES)
def test_the_keyboard_reaches_everything_in_order_and_shows_where_it_is(
    browser: webdriver.Chrome, pages: dict[str, Path], name: str
) -> None:
    with chrome.shown_as(browser, 1280):
        browser.get(pages[name].as_uri())
        browser.execute_script(WATCH_FOCUS)
        number = browser.execute_script(FOCUSABLE)
        chrome.press_tab(browser, number)
        focused = browser.execute_script("return focused")
    assert len(focused) == number > 20
    assert [label for label, is_visible, _index in focused if not is_visible] == []
    indexes = [index for _label, _is_visible, index in focused]
    assert indexes == sorted(set(indexes)), "each once, in the order of the page"


def reload_now(browser: webdriver.Chrome, focus: str) -> None:
    """Let the time pass after which the page of a run at work loads itself again."""
    browser.execute_script(
        """
        const pause = document.querySelector("#pause");
        document.querySelector(".live").dataset.seconds = 0;
        pause.click();
        pause.click();
        document.querySelector(arguments[0]).focus();
        window.isOld = true;
        """,
        focus,
    )
    ready = "return !window.isOld && document.documentElement.classList.contains('ready')"
    WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(ready))


def test_what_was_opened_chosen_and_focused_survives_until_the_run_has_ended(
    browser: webdriver.Chrome, tmp_path: Path
) -> None:
    page, report = tmp_path / "report.html", at_work(24)
    page.write_text(to_html(report), encoding="utf-8")
    browser.get(page.as_uri())
    browser.find_element(By.ID, "query").send_keys("dev")
    browser.find_element(By.CSS_SELECTOR, ".c-host button").click()
    (row,) = (one for one in browser.find_elements(By.CSS_SELECTOR, "#hosts tr[id]") if "dev-20" in one.text)
    row.find_element(By.CSS_SELECTOR, ".open-details").click()
    for change in ({"outcome": "failed", "step": "patch", "reason": "It broke."}, {"outcome": "patched"}):
        next(one for one in report["hosts"] if one["host"] == "dev-20").update(change)
        if change["outcome"] == "patched":
            report.update(as_of=None, finished_at="2026-11-15T01:00:00Z")
        page.write_text(to_html(report), encoding="utf-8")
        before = browser.find_element(By.CSS_SELECTOR, ".open-details[aria-expanded=true]").find_element(
            By.XPATH, "../.."
        )
        reload_now(browser, f"#{before.get_attribute('id')} .open-details")
        focused = browser.switch_to.active_element
        assert focused.get_attribute("aria-label") == "Details of dev-20"
        assert focused.get_attribute("aria-expanded") == "true"
        assert change["outcome"] in focused.find_element(By.XPATH, "../..").text
        assert browser.find_element(By.ID, "query").get_attribute("value") == "dev"
        assert browser.find_element(By.CSS_SELECTOR, ".c-host").get_attribute("aria-sort") == "ascending"
        assert len(browser.find_elements(By.CSS_SELECTOR, "#hosts tr.details")) == 1
    assert browser.find_elements(By.CSS_SELECTOR, ".live") == []
    assert browser.execute_script("return history.state") is None


def test_the_viewer_can_stop_the_page_from_loading_itself_again(
    browser: webdriver.Chrome, pages: dict[str, Path]
) -> None:
    browser.get(pages["at-work"].as_uri())
    timers = browser.execute_script(
        """
        const pause = document.querySelector("#pause"), started = [], stopped = [], pressed = [];
        window.setTimeout = (_task, milliseconds) => started.push(milliseconds);
        window.clearTimeout = (timer) => stopped.push(timer);
        for (let press = 0; press < 3; press += 1) {
          pause.click();
          pressed.push(pause.ariaPressed);
        }
        return { started, stopped: stopped.slice(1), pressed };
        """
    )
    assert timers == {"started": [30000], "stopped": [1], "pressed": ["true", "false", "true"]}

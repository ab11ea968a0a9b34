# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser for tests of the pages, which asks for nothing on its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
IS_MISSING = not (CHROMIUM and DRIVER)
WHERE_FROM = "no Chromium: apt-get install chromium chromium-driver brings one"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--window-size=1300,1400",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def axe_violations(driver: webdriver.Chrome) -> list[str]:
    """What axe-core finds on the page that the browser shows: the rule, and the elements that break it."""
    if not driver.execute_script("return Boolean(window.axe)"):
        driver.execute_script(files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8"))
    found = driver.execute_async_script("axe.run().then(arguments[0])")
    return [
        f"{violation['id']}: {violation['help']}: {', '.join(' '.join(node['target']) for node in violation['nodes'])}"
        for violation in found["violations"]
    ]


@dataclass(frozen=True)
class Spoken:
    """An element as a screen reader has it, with its properties: ``level`` of a heading, ``live`` of a region."""

    role: str
    name: str
    properties: dict[str, Any]


def read_aloud(driver: webdriver.Chrome) -> list[Spoken]:
    """The elements of the page that are in the browser's accessibility tree, in the order in which they are read."""
    driver.execute_cdp_cmd("Accessibility.enable", {})
    nodes = driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    by_id = {node["nodeId"]: node for node in nodes}

    def walk(node: dict[str, Any]) -> Iterator[Spoken]:
        if not node["ignored"]:
            properties = {one["name"]: one["value"].get("value") for one in node.get("properties", ())}
            yield Spoken(node["role"]["value"], node.get("name", {}).get("value", ""), properties)
        for child in node.get("childIds", ()):
            if child in by_id:
                yield from walk(by_id[child])

    return list(walk(nodes[0]))


def press_tab(driver: webdriver.Chrome, times: int) -> None:
    """Press the tab key as a user does."""
    key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
    for _press in range(times):
        driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyDown", **key})
        driver.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyUp", **key})


@contextmanager
def shown_as(driver: webdriver.Chrome, width: int, scheme: str = "light") -> Iterator[None]:
    """A window of this width in pixels, for a user who prefers this color scheme."""
    size = {"width": width, "height": 1400, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wanted = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@contextmanager
def browser(profile: Path) -> Iterator[webdriver.Chrome]:
    """A browser with a profile of its own, which keeps its log."""
    options = Options()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()

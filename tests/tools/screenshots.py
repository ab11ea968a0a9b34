# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes pictures of the documentation site in FOLDER/html into FOLDER/screenshots: its main pages, and the end of each start page.

A picture is for people; what a program can check, it checks: each page has a heading and no log of errors, and no part of it is
wider than the window.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

ROOT = Path(__file__).parents[2]
PAGES = ("docs/docsite/index", "docs/start/README", "docs/variables", "docs/awx", "docs/runbook", "docs/glossary")
COLLECTION = ("collection/index", "collection/patch_run_module", "collection/patch_role")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
WIDTH, HEIGHT = 1280, 1000
TO_THE_END = "document.querySelectorAll('h2')[document.querySelectorAll('h2').length - 1].scrollIntoView()"
TOO_WIDE = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


def main(folder: Path) -> int:
    """1 when a page is missing or looks wrong to a program."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        print("No Chromium: apt-get install chromium chromium-driver brings one", file=sys.stderr)
        return 1
    pictures = folder / "screenshots"
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir()
    starts = [f"docs/start/{page.stem}" for page in sorted((ROOT / "docs" / "start").glob("*.md"))]
    with tempfile.TemporaryDirectory(prefix="patchfleet-chromium-") as profile:
        browser = _browser(chromium, driver, profile)
        try:
            problems = [problem for page in (*PAGES, *COLLECTION) for problem in _picture(browser, folder, page)]
            problems += [problem for page in starts for problem in _picture(browser, folder, page, end=True)]
        finally:
            browser.quit()
    print(*problems or [f"{len(list(pictures.iterdir()))} pictures: {pictures}"], sep="\n")
    return int(bool(problems))


def _browser(chromium: str, driver: str, profile: str) -> webdriver.Chrome:
    options = Options()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--window-size={WIDTH},{HEIGHT}", f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=Service(driver))


def _picture(browser: webdriver.Chrome, folder: Path, page: str, *, end: bool = False) -> list[str]:
    file = folder / "html" / f"{page}.html"
    if not file.exists():
        return [f"{page}: there is no {file}"]
    browser.get(file.as_uri())
    if end:
        browser.execute_script(TO_THE_END)
    name = page.replace("/", "-") + ("-end" if end else "")
    browser.save_screenshot(str(folder / "screenshots" / f"{name}.png"))
    problems = [f"{page}: {entry['message']}" for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    if not browser.find_elements(By.TAG_NAME, "h1"):
        problems.append(f"{page}: it has no heading")
    if browser.execute_script(TOO_WIDE) > 0:
        problems.append(f"{page}: it is wider than a window of {WIDTH} pixels")
    return problems


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))

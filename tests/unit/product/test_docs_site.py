# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation site has every page; that each link leads somewhere `make docs` shows."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
INDEX = ROOT / "docs" / "docsite" / "index.md"
TREE = re.compile(r"```\{toctree\}\n(?P<options>(?::.*\n)*)\n(?P<pages>[^`]*)```")
GENERATED = "collection/index"


def listed() -> list[str]:
    """The pages of the site in its order, from the root of the repository."""
    names = [name for tree in TREE.finditer(INDEX.read_text(encoding="utf-8")) for name in tree["pages"].split()]
    return [str((INDEX.parent / name).resolve().relative_to(ROOT)) for name in names]


def test_every_page_is_in_the_site_once() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "roles").glob("*/README.md")]
    expected = {str(page.relative_to(ROOT).with_suffix("")) for page in pages if page != INDEX}
    assert sorted(listed()) == sorted({*expected, "tests/README", GENERATED})


def test_every_group_of_pages_has_a_title() -> None:
    assert all(":caption:" in tree["options"] for tree in TREE.finditer(INDEX.read_text(encoding="utf-8")))

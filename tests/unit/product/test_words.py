# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The word list of docs/style.md holds for texts and for names; the linter finds what it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import lint_words as lint

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "style.md").read_text(encoding="utf-8")
NAMES = lint.avoided(GUIDE, "### In names")
FIXED = frozenset({"others_patching", "rungs"})


def test_each_table_has_its_own_words() -> None:
    words = lint.avoided(GUIDE, "## Words to avoid")
    assert {"told", "begun", "somebody"} <= set(words)
    assert {"way", "ways", "seen", "others", "told", "look", "place", "begun", "tell"} <= set(NAMES)
    assert "way" not in words


def test_a_word_of_the_list_is_found_in_a_text() -> None:
    words = lint.avoided(GUIDE, "## Words to avoid")
    assert lint.findings("a.md", "One.\nThe host is TOLD to stop.", words) == [
        f"a.md:2: 'TOLD': write {words['told']}",
    ]


@pytest.mark.parametrize(
    "source",
    [
        "def keep_way(): ...",
        "class WayBack: ...",
        "def keep(ways): ...",
        "others = 1",
        "print(f'{seen_at}')",
        "record.last_place",
        "async def look(): ...",
        "TOLD: int = 1",
    ],
)
def test_a_word_of_the_list_is_found_in_a_name(source: str) -> None:
    assert len(lint.name_findings("a.py", source, NAMES, FIXED)) == 1


@pytest.mark.parametrize(
    "source",
    ["rungs = 1", "class OthersPatching: ...", "OTHERS_PATCHING = 1", "text = 'way'", "always = 1", "replaced = 1"],
)
def test_fixed_names_and_longer_words_are_allowed(source: str) -> None:
    assert lint.name_findings("a.py", source, NAMES, FIXED) == []

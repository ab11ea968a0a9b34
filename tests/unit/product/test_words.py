# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The word list of docs/style.md holds for texts and for names; the linter finds what it is for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tools import lint_words as lint

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "style.md").read_text(encoding="utf-8")
NAMES = lint.avoided(GUIDE, "### In names")
FIXED = lint.fixed_names()


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
    [
        "rungs = 1",
        "spec.pending_by_others",
        "class OthersPatching: ...",
        "OTHERS_PATCHING = 1",
        "text = 'way'",
        "always = 1",
        "replaced = 1",
    ],
)
def test_fixed_names_and_longer_words_are_allowed(source: str) -> None:
    assert lint.name_findings("a.py", source, NAMES, FIXED) == []


TEST = '''"""What it is told."""

LIMIT = "nobody"  # somebody else's
"""How it was begun."""


def test_the_host_is_told() -> None:
    """Wherever
    it is."""
    assert "told" in "it is told"
'''


def test_comments_and_docstrings_of_tests_are_read_and_their_data_is_not() -> None:
    words = lint.avoided(GUIDE, "## Words to avoid")
    found = lint.findings("test_a.py", lint.prose_of_tests("test_a.py", TEST), words)
    assert [line.partition(": write")[0] for line in found] == [
        "test_a.py:1: 'told'",
        "test_a.py:3: 'somebody'",
        "test_a.py:4: 'begun'",
        "test_a.py:8: 'Wherever'",
    ]


def test_the_name_of_a_test_is_read_as_a_sentence() -> None:
    words = lint.avoided(GUIDE, "## Words to avoid")
    assert lint.sentence_findings("test_a.py", TEST, words, FIXED) == [f"test_a.py:7:1: 'told': write {words['told']}"]
    assert lint.name_findings("test_a.py", TEST, NAMES, FIXED) == []
    assert lint.sentence_findings("test_a.py", "def test_a_host_is_seen_by_others(): ...", words, FIXED) == []


def test_of_a_scenario_its_name_its_reason_and_its_comments_are_read() -> None:
    scenario = "name: Somebody\nwhy: It is told.\n# begun\nsteps:\n  - {limit: nobody}\n"
    words = lint.avoided(GUIDE, "## Words to avoid")
    assert len(lint.findings("a.yml", lint.prose_of_tests("a.yml", scenario), words)) == 3


def star_tuples(source: str) -> list[int]:
    """The lines on which a tuple or list of constants is unpacked where it stands, and those that switch the formatter off."""
    if not re.search(r"^\s*\*[(\[]|[(\[{,] ?\*[(\[]|# fmt:", source, re.MULTILINE):  # faster than the parser
        return []
    unpacked = [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Starred)
        and isinstance(node.value, ast.Tuple | ast.List)
        and not any(isinstance(part, ast.Starred) for part in node.value.elts)
    ]
    switched_off = [
        number for number, line in enumerate(source.splitlines(), 1) if re.search(r"# fmt: (skip|off)", line)
    ]
    return unpacked + switched_off


def test_no_tuple_is_unpacked_to_please_the_formatter() -> None:
    files = [path for folder in ("plugins", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
    found = {str(path.relative_to(ROOT)): lines for path in files if (lines := star_tuples(path.read_text("utf-8")))}
    assert found == {}


def test_a_tuple_that_is_unpacked_where_it_stands_is_found() -> None:
    assert star_tuples('call(*("ec2", "start"), *[name, 1])') == [1, 1]
    assert star_tuples("x = [1, 2]  # fmt: " + "skip") == [1]
    assert star_tuples('[*(name for name in names), *(["a"] if names else [])]') == []

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests that the pages name as proof of a promise exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
NAMED = sorted(
    set(re.findall(r"`([\w./-]+\.(?:py|yml)(?:::\w+)?)`", (TESTS / "README.md").read_text(encoding="utf-8")))
)
SAFETY = (TESTS.parent / "docs" / "safety.md").read_text(encoding="utf-8")
NAMED_IN_SAFETY = sorted(set(re.findall(r"\b(test_\w+\.py)\b", SAFETY)))


def test_the_map_names_tests() -> None:
    assert len(NAMED) > 60
    assert len(NAMED_IN_SAFETY) > 10


def test_what_the_map_names_exists() -> None:
    assert [name for name in NAMED if not exists(name)] == []


def exists(name: str) -> bool:
    """Whether there is such a file, with the function behind its name."""
    path, _, function = name.removeprefix("tests/").partition("::")
    file = TESTS / path
    if not file.is_file() or not function:
        return file.is_file()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_a_name_without_a_test_is_found() -> None:
    assert not exists("unit/test_promises.py::test_that_is_not_there")
    assert not exists("unit/test_nothing.py")


def test_what_the_page_on_safety_names_exists() -> None:
    files = {path.name for path in TESTS.rglob("*")}
    assert set(NAMED_IN_SAFETY) - files == set()

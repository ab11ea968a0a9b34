# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests that the pages name as proof of a promise exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
NAMED = sorted(
    set(re.findall(r"`([\w./-]+\.(?:py|yml)(?:::\w+)?)`", (TESTS / "README.md").read_text(encoding="utf-8")))
)
SAFETY = (TESTS.parent / "docs" / "safety.md").read_text(encoding="utf-8")
NAMED_IN_SAFETY = sorted(set(re.findall(r"\b(test_\w+\.py)\b", SAFETY)))


def test_the_map_names_tests() -> None:
    assert len(NAMED) > 60
    assert len(NAMED_IN_SAFETY) > 10


@pytest.mark.parametrize("name", NAMED)
def test_what_the_map_names_exists(name: str) -> None:
    path, _, function = name.removeprefix("tests/").partition("::")
    file = TESTS / path
    assert file.is_file()
    if function:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", NAMED_IN_SAFETY)
def test_what_the_page_on_safety_names_exists(name: str) -> None:
    assert list(TESTS.rglob(name))

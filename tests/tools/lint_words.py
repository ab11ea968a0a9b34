# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse the words of docs/style.md's tables "Words to avoid" in code, roles, playbooks, docs and names."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "style.md"
CHECKED = ("plugins", "roles", "playbooks", "docs", "web", "README.md", "CONTRIBUTING.md", "changelogs/fragments")
ENDINGS = frozenset({".py", ".yml", ".yaml", ".md", ".ps1", ".js", ".css", ".template"})


REASONS = ROOT / "plugins" / "module_utils" / "_model" / "reasons.py"
FIELDS = frozenset({"rungs"})
"""Fields of the report whose names are fixed."""


def avoided(guide: str, heading: str) -> dict[str, str]:
    """Each word of the table below a heading, and what to write instead."""
    table = re.split(r"^##", guide.partition(heading)[2], maxsplit=1, flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| (?!avoid|-)([^|]+) \| ([^|]+) \|$", table, re.MULTILINE)
    return {word.strip(): instead.strip() for words, instead in rows for word in words.split(",")}


def findings(name: str, text: str, words: dict[str, str]) -> list[str]:
    """One line for each word of ``words`` in ``text``: file, line, word and what to write."""
    pattern = re.compile(r"\b(" + "|".join(re.escape(word) for word in words) + r")\b", re.IGNORECASE)
    return [
        f"{name}:{number}: '{found.group(0)}': write {words[found.group(0).lower()]}"
        for number, line in enumerate(text.splitlines(), 1)
        for found in pattern.finditer(line)
    ]


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Each name that a module defines or uses, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr


def snake_case(name: str) -> str:
    """``OthersPatching`` and ``OTHERS_PATCHING`` are ``others_patching``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def name_findings(file: str, source: str, words: dict[str, str], fixed: frozenset[str]) -> list[str]:
    """One line for each name in ``source`` that has one of ``words`` in it and is not ``fixed``."""
    return [
        f"{file}:{line}: the name '{name}': instead of {word} write {words[word]}"
        for line, name in sorted(set(names(ast.parse(source))))
        if snake_case(name) not in fixed
        for word in snake_case(name).split("_")
        if word in words
    ]


def main() -> int:
    """Print what is found in the files that Git tracks; the exit code is 1 when there is something."""
    guide = GUIDE.read_text(encoding="utf-8")
    words, in_names = avoided(guide, "## Words to avoid"), avoided(guide, "### In names")
    fixed = FIELDS | frozenset(re.findall(r'= "([a-z_]+)"', REASONS.read_text(encoding="utf-8")))
    tracked = subprocess.run(["git", "ls-files", *CHECKED], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in tracked.stdout.splitlines()]
    found = [
        line
        for path in files
        if path.suffix in ENDINGS and path != GUIDE and path.is_file()
        for line in findings(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"), words)
    ]
    found += [
        line
        for path in files
        if path.suffix == ".py" and "plugins" in path.relative_to(ROOT).parts and path.is_file()
        for line in name_findings(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"), in_names, fixed)
    ]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

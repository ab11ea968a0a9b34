# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse the words of docs/style.md's tables "Words to avoid" in code, roles, playbooks, docs, tests and names."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "style.md"
CHECKED = ("plugins", "roles", "playbooks", "docs", "web", "README.md", "CONTRIBUTING.md", "changelogs/fragments")
TESTS = "tests"
EARLIER = "tests/integration/earlier"
"""Files of an earlier release, as it was."""
ENDINGS = frozenset({".py", ".yml", ".yaml", ".md", ".ps1", ".js", ".css", ".template"})
REASONS = ROOT / "plugins" / "module_utils" / "_model" / "reasons.py"
SCHEMA = ROOT / "tests" / "scenarios" / "scenario.schema.json"
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


def prose_of_tests(path: str, source: str) -> str:
    """What a person wrote to be read, on the lines where it stands: comments, docstrings, and what a scenario is for.

    Other strings are data: what users mistype, what AWS and Windows answer, what a test expects to be printed.
    """
    lines = source.splitlines()
    if path.endswith(".py"):
        return "\n".join(_comments_and_docstrings(source, len(lines)))
    if path.endswith((".yml", ".yaml")):
        return "\n".join(line if re.match(r"(name|why): |\s*#", line) else "" for line in lines)
    return source


def _comments_and_docstrings(source: str, count: int) -> list[str]:
    kept = [""] * count
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            kept[token.start[0] - 1] += token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for number, line in enumerate(node.value.value.splitlines(), node.lineno - 1):
                kept[min(number, count - 1)] += line
    return kept


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
    """One line for each name in ``source`` that has one of ``words`` in it and is not ``fixed``.

    The names of test functions are sentences: ``sentence_findings`` reads them.
    """
    return [
        f"{file}:{line}: the name '{name}': instead of {word} write {words[word]}"
        for line, name in sorted(set(names(ast.parse(source))))
        if snake_case(name) not in fixed and not name.startswith("test_")
        for word in snake_case(name).split("_")
        if word in words
    ]


def sentence_findings(file: str, source: str, words: dict[str, str], fixed: frozenset[str]) -> list[str]:
    """One line for each test function whose name, read as a sentence, has one of ``words`` in it."""
    return [
        finding
        for line, name in sorted(set(names(ast.parse(source))))
        if name.startswith("test_") and name not in fixed
        for finding in findings(f"{file}:{line}", name.replace("_", " "), words)
    ]


def fixed_names() -> frozenset[str]:
    """Names that others rely on: reason codes, fields of the report, keys of scenarios."""
    keys = set(re.findall(r'"([a-z_]+)": \{', SCHEMA.read_text(encoding="utf-8")))
    return FIELDS | keys | frozenset(re.findall(r'= "([a-z_]+)"', REASONS.read_text(encoding="utf-8")))


def _tracked(*paths: str) -> dict[str, str]:
    """The text of each file that Git tracks below ``paths``, by its name."""
    listed = subprocess.run(["git", "ls-files", *paths], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in listed.stdout.splitlines() if not name.startswith(EARLIER)]
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in files
        if path.suffix in ENDINGS and path != GUIDE and path.is_file()
    }


def main() -> int:
    """Print what is found in the files that Git tracks; the exit code is 1 when there is something."""
    guide = GUIDE.read_text(encoding="utf-8")
    words, in_names, fixed = avoided(guide, "## Words to avoid"), avoided(guide, "### In names"), fixed_names()
    product, tests = _tracked(*CHECKED), _tracked(TESTS)
    prose = {**product, **{name: prose_of_tests(name, text) for name, text in tests.items()}}
    python = {name: text for name, text in {**product, **tests}.items() if name.endswith(".py")}
    found = [line for name, text in prose.items() for line in findings(name, text, words)]
    found += [line for name, text in python.items() for line in name_findings(name, text, in_names, fixed)]
    found += [line for name, text in python.items() for line in sentence_findings(name, text, words, fixed)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

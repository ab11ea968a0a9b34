# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse the words of docs/style.md's table "Words to avoid" in code, roles, playbooks and docs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "style.md"
CHECKED = ("plugins", "roles", "playbooks", "docs", "web", "README.md", "CONTRIBUTING.md", "changelogs/fragments")
ENDINGS = frozenset({".py", ".yml", ".yaml", ".md", ".ps1", ".js", ".css"})


def avoided(guide: str) -> dict[str, str]:
    """Each word of the table, and what to write instead."""
    table = guide.partition("## Words to avoid")[2]
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


def main() -> int:
    """Print what is found in the files that Git tracks; the exit code is 1 when there is something."""
    words = avoided(GUIDE.read_text(encoding="utf-8"))
    tracked = subprocess.run(["git", "ls-files", *CHECKED], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / name for name in tracked.stdout.splitlines()]
    found = [
        line
        for path in files
        if path.suffix in ENDINGS and path != GUIDE and path.is_file()
        for line in findings(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"), words)
    ]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

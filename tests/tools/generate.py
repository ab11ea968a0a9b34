# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write every file, or part of a file, that follows from what is said elsewhere; ``--check`` only names those that are old.

A generated part of a file lies between two comments, ``<!-- generated: NAME -->`` and ``<!-- end -->``. What is generated: see
GENERATORS.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.generate_actions import action_files
from tools.generate_aws_fragment import aws_fragment
from tools.generate_facts import ledger_page
from tools.generate_options import options_file
from tools.generate_proof import proof_files
from tools.generate_settings import settings_file
from tools.generate_surveys import survey_files
from tools.generate_variables import variable_files

ROOT = Path(__file__).parents[2]
GENERATORS: tuple[Callable[[Path], Iterator[tuple[Path, str]]], ...] = (
    variable_files,
    settings_file,
    options_file,
    ledger_page,
    survey_files,
    aws_fragment,
    proof_files,
    action_files,
)
"""Each yields the files that it makes, with their whole text."""


def outdated() -> list[tuple[Path, str]]:
    """The files that are not as they would be generated, with their right text."""
    return [
        (path, text)
        for generator in GENERATORS
        for path, text in generator(ROOT)
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    """Write the files that are old, or with --check only name them and end with 1."""
    only_check = "--check" in sys.argv[1:]
    old = outdated()
    for path, text in old:
        print(f"{'out of date' if only_check else 'written'}: {path.relative_to(ROOT)}")
        if not only_check:
            path.write_text(text, encoding="utf-8")
    return int(only_check and bool(old))


if __name__ == "__main__":
    sys.exit(main())

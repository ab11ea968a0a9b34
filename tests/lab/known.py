# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge finds and the product is known to do wrong: said at each run, and no reason to fail it.

A fix of one takes its entry out. A key is what a line of the judge begins with.
"""

from __future__ import annotations

from collections.abc import Iterable

KNOWN_DEFECTS: dict[str, str] = {}


def known_defect(problem: str) -> str | None:
    """What is known of the defect that a line of the judge speaks of; None of an unknown one."""
    found = [sentence for key, sentence in KNOWN_DEFECTS.items() if problem.startswith((f"{key}.", f"{key}:"))]
    return found[0] if found else None


def split(problems: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those that fail a run, and those that are known."""
    lines = list(problems)
    known = [line for line in lines if known_defect(line) is not None]
    return [line for line in lines if line not in known], known

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuse code below tests/ that nothing uses, by vulture; ``[tool.vulture]`` in pyproject.toml names what libraries look up.

Plugins count as users and are not judged: what vulture finds there is data that is read by keys, which test_model_facts.py judges.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OF_POWERSHELL = ("windows", "cluster", "workload")
BY_NAME = tuple(f"tests/lab/powershell/{name}.py" for name in OF_POWERSHELL)
"""Windows.psm1 calls their methods by their names; test_powershell_guests.py compares both."""


def judged(report: str) -> list[str]:
    """The lines of vulture's report that count."""
    return [line for line in report.splitlines() if line.startswith("tests/") and not line.startswith(BY_NAME)]


def main() -> int:
    """Print what is found; the exit code is 1 when there is something, or when vulture failed."""
    ended = subprocess.run(["vulture"], cwd=ROOT, capture_output=True, text=True, check=False)
    found = judged(ended.stdout)
    print("\n".join(found) + ended.stderr, end="\n" if found else "")
    return 1 if found or ended.returncode not in (0, 3) else 0


if __name__ == "__main__":
    sys.exit(main())

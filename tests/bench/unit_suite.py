# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the unit tests take on two cores, as `make test` runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORES = 2
SUMMARY = re.compile(r"^(\d+) passed\b.* in ([\d.]+)s", re.MULTILINE)


def unit_suite() -> tuple[int, float]:
    """How many unit tests there are, and the seconds that all of them take; SystemExit where one fails."""
    cores = sorted(os.sched_getaffinity(0))[:CORES]
    command = [sys.executable, "-m", "pytest", "-q", "-n", str(CORES), "--dist", "loadgroup", "tests/unit"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    return figures_of(ended.stdout)


def figures_of(output: str) -> tuple[int, float]:
    """Tests and seconds from pytest's last line; SystemExit where it does not say that all passed."""
    summary = SUMMARY.search(output)
    if summary is None:
        raise SystemExit(f"the unit tests did not pass:\n{output[-2000:]}")
    return int(summary[1]), float(summary[2])

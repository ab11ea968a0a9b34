# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The molecule scenario, in a lab of its own: the lab gives Ansible a home elsewhere, so no copy masks this checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_second_run_finds_nothing_to_do(tmp_path: Path) -> None:
    lab = [ROOT / "tests/lab/run", "extensions/molecule/default/fleet.yml", "--out", tmp_path, "--"]
    molecule = [Path(sys.prefix) / "bin/molecule", "test"]
    ended = subprocess.run([*lab, *molecule], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The molecule scenario, as `molecule test` alone runs it: it starts and ends its own lab."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_second_run_finds_nothing_to_do_and_leaves_no_lab(tmp_path: Path) -> None:
    tools = Path(sys.prefix) / "bin"
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.pathsep.join([str(tools), os.defpath]),
        "PATCHFLEET_VENV": sys.prefix,
        "LC_ALL": "C.UTF-8",
    }
    ended = subprocess.run(
        [tools / "molecule", "test"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert list(tmp_path.rglob("lab/pid")) == []
    copy = tmp_path / ".ansible/collections/ansible_collections/patchfleet/windows"
    assert not copy.exists() or copy.resolve() == ROOT, "a copy would mask later edits of the checkout"

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenarios of crashes, with real processes, on the ledger in DynamoDB (two runs at once: test_two_at_once.py)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SCENARIOS = ["46-killed-then-restored.yml", "47-killed-then-run-again.yml"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_holds_with_the_ledger_in_a_table(name: str, tmp_path: Path) -> None:
    command = [str(TESTS / "lab" / "run"), str(TESTS / "scenarios" / name), "--out", str(tmp_path / "run")]
    table = ["-e", "patch_ledger=dynamodb://PatchFleet-ledger"]
    ended = subprocess.run([*command, *table], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (tmp_path / "run" / "ledger.json").exists()

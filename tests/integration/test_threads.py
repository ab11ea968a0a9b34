# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts as threads of one process that share clients of AWS, a ledger and a poller: the judge finds what it finds with Ansible."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.checker import check
from lab.runner import Runner
from lab.scenario import Step, load
from lab.workplace import Workplace

TESTS = Path(__file__).parents[1]
SCENARIOS = (
    "01-seed-fleet",
    "02-priority-order",
    "03-in-between-states",
    "05-hosts-that-do-not-come-up",
    "46-killed-then-restored",
)
LIMIT_SECONDS = 300


class ThreadsRunner(Runner):
    """Plays a scenario with bench.workflow in place of the playbook patch."""

    def _command(self, workplace: Workplace, name: str, step: Step, variables: dict[str, Any]) -> list[str]:
        if step.playbook != "patch":
            return super()._command(workplace, name, step, variables)
        assert (step.limit, step.check) == (None, False)
        paths = os.pathsep.join([str(TESTS), *sys.path])
        run = [sys.executable, "-m", "bench.workflow", json.dumps({"patch_batch_size": 10, **variables})]
        return ["env", f"PYTHONPATH={paths}", *run]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_holds_with_hosts_as_threads(name: str, tmp_path: Path) -> None:
    scenario = load(TESTS / "scenarios" / f"{name}.yml")
    secrets = ThreadsRunner(scenario, tmp_path, limit_seconds=LIMIT_SECONDS).run()
    assert check(scenario, tmp_path, secrets) == [], (tmp_path / "step-1.log").read_text(encoding="utf-8")

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller of these tests takes a host through the tasks of the playbook, all of them and in their order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from ansible_collections.patchfleet.windows.plugins.plugin_utils._host_steps import COLLECTION, ROLES
from chaos.controller import Controller
from chaos.night import Night
from host_workflow import LEFT_OUT, read_workflow


class Watched(Controller):
    """Writes down its steps."""

    def step(self, step: Operation, **given: Any) -> dict[str, Any]:
        steps.append((step.name, given.get("state")))
        return super().step(step, **given)


steps: list[tuple[str, str | None]] = []


@pytest.fixture(autouse=True)
def no_steps() -> None:
    steps.clear()


def test_a_host_goes_through_the_workflow_of_the_playbook(tmp_path: Path) -> None:
    with Night(tmp_path, hosts=[{"name": "a", "state": "stopped"}], account={"lag_seconds": 0}) as night:
        Watched(night).patch()
    workflow = read_workflow()
    tasks = [(task.module, task.state) for task in (workflow.admission, *workflow.work, *workflow.restore)]
    started = steps.index(("host_admission", None))
    assert steps[started : started + len(tasks)] == tasks


def test_the_workflow_starts_works_and_restores() -> None:
    workflow = read_workflow()
    assert [task.module for task in workflow.work] == [
        "instance_power",
        "managed_node_wait",
        "system_drive_space",
        "windows_update_health",
        "patch_baseline",
    ]
    assert [(task.module, task.state) for task in workflow.restore] == [
        ("instance_power", "restored"),
        ("host_result", "finished"),
    ]


@pytest.mark.parametrize("module", LEFT_OUT)
def test_what_is_left_out_is_in_the_playbook(module: str) -> None:
    used = [path for path in ROLES.glob("*/tasks/*.yml") if f"{COLLECTION}{module}:" in path.read_text()]
    assert used

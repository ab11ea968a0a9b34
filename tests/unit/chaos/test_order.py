# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller of these tests takes a host through the same steps in the same order as the playbook does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import Operation
from chaos.controller import Controller
from chaos.night import Night

ROOT = Path(__file__).parents[3]
COLLECTION = "patchfleet.windows."
LEFT_OUT = {
    "windows_sessions": "nobody is logged on in the night",
    "host_power": "for hosts without EC2",
    "windows_script": "the user's own",
    "patch_compliance_info": "instead of patch_baseline, when a run only scans",
}
"""Steps that the controller of the tests does not take, and why."""
USERS_TASKS = {("patch_run", "tasks_begun"), ("patch_run", "tasks_done")}


def modules_of(path: Path) -> Iterator[tuple[str, str | None]]:
    """Our modules that a file of tasks calls, with their ``state``; roles that it imports are followed, its rescues are not."""
    yield from _in_tasks(yaml.safe_load(path.read_text()), path)


def _in_tasks(tasks: list[dict[str, Any]], path: Path) -> Iterator[tuple[str, str | None]]:
    for task in tasks:
        for name, options in task.items():
            if name in {"block", "always"}:
                yield from _in_tasks(options, path)
            elif name == "ansible.builtin.import_tasks":
                yield from modules_of(path.parent / options)
            elif name == "ansible.builtin.import_role":
                role = options["name"].removeprefix(COLLECTION)
                yield from modules_of(ROOT / "roles" / role / "tasks" / f"{options['tasks_from']}.yml")
            elif name.startswith(COLLECTION):
                yield name.removeprefix(COLLECTION), (options or {}).get("state")


class Watched(Controller):
    """Writes down its steps."""

    def step(self, step: Operation, **given: Any) -> dict[str, Any]:
        steps.append((step.name, given.get("state")))
        return super().step(step, **given)


steps: list[tuple[str, str | None]] = []


@pytest.fixture(autouse=True)
def no_steps() -> None:
    steps.clear()


def without_repeats(found: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    return list(dict.fromkeys(found))


def test_a_host_goes_the_playbooks_way(tmp_path: Path) -> None:
    with Night(tmp_path, hosts=[{"name": "a", "state": "stopped"}], account={"lag_seconds": 0}) as night:
        Watched(night).patch()
    started_at = next(at for at, (name, _state) in enumerate(steps) if name == "host_admission")
    ended = steps.index(("patch_run", "host_done")) + 1
    planned = [step for step in modules_of(ROOT / "playbooks/tasks/host.yml") if step[0] not in LEFT_OUT]
    planned.remove(("windows_update_health", "restored"))  # for hosts without EC2
    assert without_repeats(steps[started_at:ended]) == without_repeats(
        [step for step in planned if step not in USERS_TASKS]
    )

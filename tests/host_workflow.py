# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks of a host in the playbook patch, as the runs of these tests do them without Ansible."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from jinja2 import Template

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_admission import OPERATION as ADMISSION
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_power import OPERATION as HOST_POWER
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_result import OPERATION as RESULT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.instance_power import OPERATION as POWER
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.managed_node_wait import OPERATION as WAIT
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_baseline import OPERATION as INSTALL
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.system_drive_space import OPERATION as SPACE
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.windows_sessions import OPERATION as SESSIONS
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.windows_update_health import (
    OPERATION as HEALTH,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.operation import Operation
from ansible_collections.patchfleet.windows.plugins.plugin_utils import _host_steps

OF_CLUSTERS = "windows_sessions"
LEFT_OUT = {
    OF_CLUSTERS: "no user is logged on in the night; where nodes of clusters are drained it is done",
    "user_tasks_result": "the user's own tasks",
    "patch_compliance_info": "instead of patch_baseline, when a run only scans",
}
"""Modules that the runs of these tests do not use, and why."""
OPERATION = "install"
"""What the runs of these tests do."""
OPERATIONS = {
    operation.name: operation
    for operation in (ADMISSION, POWER, HOST_POWER, WAIT, SESSIONS, SPACE, HEALTH, INSTALL, RESULT)
}
SET_FOR_ALL = frozenset({"instance_id", "setup_prefix"})
"""Options that the host's variables and module_defaults give each task."""
BY_TASKS = re.compile(r"(not )?\w+__by_tasks \| bool")
"""In conditions: whether tasks of the user's start and stop the host. An instance has none."""


@dataclass(frozen=True)
class Task:
    """A task of this collection: its module, its option ``state``, and the names of all options that it sets."""

    module: str
    state: str | None
    options: frozenset[str]

    @property
    def operation(self) -> Operation:
        """What the module does."""
        return OPERATIONS[self.module]

    def chosen(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """What the task sets of these options, with its own state."""
        known = self.options | (SET_FOR_ALL & self.operation.arguments.keys())
        given = {name: value for name, value in options.items() if name in known}
        return {**given, "state": self.state} if self.state else given


Workflow: TypeAlias = _host_steps.Workflow[Task]


def read_workflow(kind: str = "ec2", *, by_tasks: bool = False, drains: bool = False) -> Workflow:
    """The workflow of the playbook patch for hosts of this kind. A task that is there twice is done once.

    A host that needs nothing more than the usual steps gets the file that the playbook chooses for it.

    Args:
        kind: of the host.
        by_tasks: whether tasks of the user's start and stop it.
        drains: whether nodes of failover clusters are drained.
    """
    file = _host_steps.TASKS / "host.yml" if by_tasks or drains else _host_steps.usual_file(kind, OPERATION)
    found = _host_steps.read_workflow(file, partial(_is_for, kind, by_tasks))
    work, restore = (
        tuple(dict.fromkeys(task for task in map(_task, tasks) if _is_done(task, drains)))
        for tasks in (found.work, found.restore)
    )
    return Workflow(_task(found.admission), work, restore)


def _task(found: _host_steps.Task) -> Task:
    state = found.options.get("state") and Template(found.options["state"]).render(patch_operation=OPERATION)
    return Task(found.module, state, frozenset(found.options))


def _is_for(kind: str, by_tasks: bool, condition: str) -> bool:
    """Whether a task with this condition is for hosts of the kind."""
    wanted = "ec2" if "patch__host.kind == 'ec2'" in condition else kind
    unwanted = "ec2" if "patch__host.kind != 'ec2'" in condition else None
    of_tasks = BY_TASKS.search(condition)
    return kind == wanted != unwanted and (not of_tasks or by_tasks is not bool(of_tasks[1]))


def _is_done(task: Task, drains: bool) -> bool:
    return task.module not in LEFT_OUT or (task.module == OF_CLUSTERS and task.state is None and drains)

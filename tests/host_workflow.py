# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks of a host in the playbook patch, read from playbooks/tasks and the roles that these files import.

The files of the playbook are the one list of a host's steps; what takes a host through them without Ansible reads it here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Template

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import PatchFleetError
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

ROOT = Path(__file__).parents[1]
COLLECTION = "patchfleet.windows."
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


@dataclass(frozen=True)
class Workflow:
    """What the playbook does with a host: the module that lets it in, what it does then, and what it does in any case."""

    admission: Task
    work: tuple[Task, ...]
    restore: tuple[Task, ...]

    def take_through(self, do: Callable[[Task], object], fail: Callable[[PatchFleetError], None]) -> bool:
        """Take an admitted host through its tasks: after a failure it is restored, as it is without one.

        Args:
            do: a task.
            fail: what the playbook does after a failure, except that the host comes again.

        Returns:
            Whether the host comes again when the other hosts are done.
        """
        retry_later = False
        try:
            for task in self.work:
                do(task)
        except PatchFleetError as error:
            retry_later = error.code.retry_later
            fail(error)
        for task in self.restore:
            try:
                do(task)
            except PatchFleetError as error:
                fail(error)
        return retry_later


def read_workflow(kind: str = "ec2", *, by_tasks: bool = False, drains: bool = False) -> Workflow:
    """The workflow of the playbook patch for hosts of this kind. A task that is there twice is done once.

    A host that needs nothing more than the usual steps gets the file that the playbook chooses for it.

    Args:
        kind: of the host.
        by_tasks: whether tasks of the user's start and stop it.
        drains: whether nodes of failover clusters are drained.
    """
    return _Reader(kind, by_tasks, drains).read()


@dataclass(frozen=True)
class _Reader:
    kind: str
    by_tasks: bool
    drains: bool

    def read(self) -> Workflow:
        tasks = ROOT / "playbooks/tasks"
        usual = f"usual/{'instance' if self.kind == 'ec2' else 'other'}_{OPERATION}.yml"
        path = tasks / ("host.yml" if self.by_tasks or self.drains else usual)
        admission, _include = yaml.safe_load((tasks / "admission.yml").read_text())
        (host,) = yaml.safe_load(path.read_text())
        (let_in,) = self._in_tasks([admission], path)
        work, restore = (tuple(dict.fromkeys(self._in_tasks(host[part], path))) for part in ("block", "always"))
        return Workflow(let_in, work, restore)

    def _is_for_it(self, condition: str) -> bool:
        """Whether a task with this condition is for hosts of the kind."""
        wanted = "ec2" if "patch__host.kind == 'ec2'" in condition else self.kind
        unwanted = "ec2" if "patch__host.kind != 'ec2'" in condition else None
        by_tasks = BY_TASKS.search(condition)
        return self.kind == wanted != unwanted and (not by_tasks or self.by_tasks is not bool(by_tasks[1]))

    def _in_tasks(self, tasks: list[dict[str, Any]], path: Path) -> Iterator[Task]:
        """Imported files and roles are followed; what is done only after a failure (rescue) is left out, as is LEFT_OUT."""
        for task in tasks:
            if self._is_for_it(str(task.get("when"))):
                yield from self._in_task(task, path)

    def _in_task(self, task: dict[str, Any], path: Path) -> Iterator[Task]:
        for name, options in task.items():
            if name in {"block", "always"}:
                yield from self._in_tasks(options, path)
            elif name == "ansible.builtin.import_tasks" or (
                name == "ansible.builtin.include_tasks" and options == "install_or_scan.yml"
            ):
                yield from self._in_file(path.parent / options)
            elif name == "ansible.builtin.import_role":
                role = options["name"].removeprefix(COLLECTION)
                yield from self._in_file(ROOT / "roles" / role / "tasks" / f"{options['tasks_from']}.yml")
            elif name.startswith(COLLECTION):
                given = options or {}
                state = given.get("state") and Template(given["state"]).render(patch_operation=OPERATION)
                if self._is_done(module := name.removeprefix(COLLECTION), state):
                    yield Task(module, state, frozenset(given))

    def _is_done(self, module: str, state: str | None) -> bool:
        return module not in LEFT_OUT or (module == OF_CLUSTERS and state is None and self.drains)

    def _in_file(self, path: Path) -> Iterator[Task]:
        yield from self._in_tasks(yaml.safe_load(path.read_text()), path)

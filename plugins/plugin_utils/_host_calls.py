# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of hosts as calls of operations: the options of the playbook's tasks, rendered with the variables of each host.

All of it is done before the first host starts, in one thread: Ansible's templates are for one thread at a time. Hosts with the same
variables share one rendering, and the texts of its scripts.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import yaml
from ansible.template import Templar

from ansible_collections.patchfleet.windows.plugins.module_utils._operation.arguments import TRACKING_ARGUMENTS
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation
from ansible_collections.patchfleet.windows.plugins.plugin_utils._host_steps import (
    Task,
    Workflow,
    read_workflow,
    usual_file,
)
from ansible_collections.patchfleet.windows.plugins.plugin_utils._operation_call import OperationCall
from ansible_collections.patchfleet.windows.plugins.plugin_utils._play_variables import rendered, variables_of_host
from ansible_collections.patchfleet.windows.plugins.plugin_utils._progress import name_in_progress
from ansible_collections.patchfleet.windows.plugins.plugin_utils._tracking import tracking_options

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core 2.18 and earlier take each text for a template

    def trust_as_template(value: str) -> str:
        return value


ACTIONS = "ansible_collections.patchfleet.windows.plugins.action"
OF_A_HOST = frozenset({*TRACKING_ARGUMENTS, "instance_id", "region"})
"""Options that differ between all hosts; see tracking_options."""
RECORD_FAILURE = Task("host_result", {"state": "failed", "failure": {}}, shows_changes=False)
"""That of playbooks/tasks/failure.yml."""


CallOf: TypeAlias = Callable[[type[ControllerOperation], dict[str, Any], dict[str, Any], Templar], OperationCall]


@dataclass(frozen=True)
class Step:
    """A task as a call; for ``shows_changes`` see Task."""

    call: OperationCall
    shows_changes: bool


@dataclass(frozen=True)
class HostCalls:
    """The steps of a host: its workflow, and the one that records a failure that no step of it has recorded."""

    workflow: Workflow[Step]
    failed: Step


def calls_of_hosts(names: Iterable[str], task: Any, loader: Any, call_of: CallOf) -> dict[str, HostCalls]:
    """The calls for these hosts of the play, by their names in the inventory.

    Args:
        names: of the hosts.
        task: of Ansible, whose play has the hosts.
        loader: Ansible's, for files.
        call_of: see ControllerOperation.call_of.

    Raises:
        PatchFleetError, AnsibleError: an option cannot be rendered, or is not valid.
    """
    shared: dict[str, HostCalls] = {}
    found = {}
    for name in names:
        variables = variables_of_host(task, name)
        own = rendered(name, variables, loader)
        kind = str(variables["patch__host"]["kind"])
        # A check may be for one host alone, by its name or group.
        key = repr((kind, sorted(own.items()), name if own.get("patch_checks") else None))
        if key not in shared:
            shared[key] = _Renderer(loader, call_of, variables, own).calls(kind)
        found[name] = _for_host(shared[key], {**variables, **own})
    return found


def _for_host(calls: HostCalls, variables: Mapping[str, Any]) -> HostCalls:
    name = name_in_progress(variables)

    def own(step: Step) -> Step:
        call = step.call
        tracking = tracking_options(call.operation, {}, variables)
        reset = dict.fromkeys(OF_A_HOST & call.params.keys())
        return replace(step, call=replace(call, name=name, params={**call.params, **reset, **tracking}))

    workflow = calls.workflow
    work, restore = (tuple(map(own, steps)) for steps in (workflow.work, workflow.restore))
    return HostCalls(Workflow(own(workflow.admission), work, restore), own(calls.failed))


@dataclass(frozen=True)
class _Renderer:
    """Renders tasks for hosts with the same variables, of which one stands for all."""

    loader: Any
    call_of: CallOf
    variables: Mapping[str, Any]
    own: Mapping[str, Any]

    def calls(self, kind: str) -> HostCalls:
        workflow = read_workflow(usual_file(kind, self.own.get("patch_operation") or "install"))
        work, restore = (tuple(map(self._step, tasks)) for tasks in (workflow.work, workflow.restore))
        return HostCalls(Workflow(self._step(workflow.admission), work, restore), self._step(RECORD_FAILURE))

    def _step(self, task: Task) -> Step:
        """The call of a task, as the action plugin of its module makes it."""
        variables = {**_of_role(task, "defaults"), **self.variables, **self.own}
        variables |= {**_of_role(task, "vars"), **_trusted(task.variables), "role_path": str(task.role)}
        templar = Templar(loader=self.loader, variables=variables)
        options = templar.template(_trusted(task.options))
        omitted = variables.get("omit")
        given = {name: value for name, value in options.items() if omitted is None or value != omitted}
        plugin = importlib.import_module(f"{ACTIONS}.{task.module}").ActionModule
        call = self.call_of(plugin, given, variables, templar)
        return Step(replace(call, variable=self.own.get), task.shows_changes)


def _of_role(task: Task, folder: str) -> dict[str, Any]:
    """The variables of a task's role: its ``defaults``, or its ``vars``."""
    path = task.role / folder / "main.yml" if task.role else None
    if path is None or not path.exists():
        return {}
    found: dict[str, Any] = _trusted(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    return found


def _trusted(value: Any) -> Any:
    """The value of a file of this collection, whose texts are templates."""
    if isinstance(value, Mapping):
        return {name: _trusted(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_trusted(entry) for entry in value]
    return trust_as_template(value) if isinstance(value, str) else value

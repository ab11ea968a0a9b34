# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.release import __version__ as core_version

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import (
    Failed,
    InvalidOption,
)
from ansible_collections.patchfleet.windows.plugins.module_utils._model.reasons import Reason
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_settings import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import refuse_unknown
from ansible_collections.patchfleet.windows.plugins.module_utils._run.slices import sliced_job
from ansible_collections.patchfleet.windows.plugins.plugin_utils._check_scripts import refuse_unreadable_scripts
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation
from ansible_collections.patchfleet.windows.plugins.plugin_utils._play_variables import (
    decrypted,
    is_variable,
    variables_of_hosts,
    variables_of_play,
)
from ansible_collections.patchfleet.windows.plugins.plugin_utils._task_files import OPTIONS, run_on_host, task_files

MINIMUM_CORE = (2, 17)


class ActionModule(ControllerOperation):
    """The module of the same name, inside the controller; it reads the playbook's variables itself."""

    operation = OPERATION

    def prepare(self, params: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        hosts = task_vars.get("ansible_play_hosts_all", [])
        of_hosts = variables_of_hosts(self._task, hosts, self._loader)
        refuse_unknown({name for variables in of_hosts.values() for name in variables})
        if not params["partial"] and task_vars["inventory_hostname"] == "localhost":
            self._refuse_hidden_hosts(task_vars)
        if not params["partial"]:
            refuse_unreadable_scripts(of_hosts.values())
        names = [name for name in task_vars if is_variable(name)]
        return {
            **params,
            "variables": {name: decrypted(self._templar.template(task_vars[name])) for name in names},
            "host_variables": of_hosts,
            "forks": task_vars.get("ansible_forks", params["forks"]),
            "tasks_on_host": [] if params["partial"] else self._read_task_files(of_hosts),
            "slice_of": sliced_job(task_vars),
        }

    def _refuse_hidden_hosts(self, task_vars: dict[str, Any]) -> None:
        """The play that selects hosts does not see what the inventory says of patch_hosts; without this it would find none."""
        hosts = task_vars.get("patch_hosts")
        if hosts and not variables_of_play(self._task).get("patch_hosts"):
            right = "Plays do not see it in the inventory. Give it as an extra variable: -e patch_hosts=… Nothing was touched."
            raise InvalidOption("patch_hosts", hosts, right)

    def _read_task_files(self, of_hosts: dict[str, dict[str, Any]]) -> list[str]:
        """Check the users' files of all hosts; returns those that run tasks on the host itself."""
        on_host = []
        for option in OPTIONS:
            values = [variables.get(option) for variables in of_hosts.values()]
            paths = dict.fromkeys(path for value in values for path in task_files(value))
            on_host += [path for path in paths if run_on_host(option, path, self._loader)]
        for variables in of_hosts.values():
            stop = variables.get("patch_stop_tasks")
            if task_files(variables.get("patch_start_tasks")) and not task_files(stop):
                raise InvalidOption(
                    "patch_stop_tasks", stop, "Where patch_start_tasks is set, it must say what stops the host."
                )
        return on_host

    def perform(self, context: OperationContext, task_vars: dict[str, Any]) -> dict[str, Any]:
        if tuple(int(part) for part in core_version.split(".")[:2]) < MINIMUM_CORE:
            raise Failed(f"ansible-core {core_version} is too old: 2.17 or newer is needed.", Reason.CORE_TOO_OLD)
        return super().perform(context, task_vars)

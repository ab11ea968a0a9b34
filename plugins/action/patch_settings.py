# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible.release import __version__ as core_version

from ansible_collections.patchfleet.windows.plugins.module_utils._base.errors import InvalidOption, PatchFleetError
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.patch_settings import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variable import OWN_PREFIX, PREFIX
from ansible_collections.patchfleet.windows.plugins.module_utils._plan.variables import refuse_unknown
from ansible_collections.patchfleet.windows.plugins.module_utils._run.slices import sliced_job
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation
from ansible_collections.patchfleet.windows.plugins.plugin_utils._task_files import OPTIONS, run_on_host, task_files

MINIMUM_CORE = (2, 17)


class ActionModule(ControllerOperation):
    """The module of the same name, inside the controller; it reads the playbook's variables itself."""

    step = OPERATION

    def prepare(self, params: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        hosts = task_vars.get("ansible_play_hosts_all", [])
        refuse_unknown({name for host in hosts for name in task_vars["hostvars"][host]})
        names = [name for name in task_vars if name.startswith(PREFIX) and not name.startswith(OWN_PREFIX)]
        on_host = [] if params["partial"] else self._read_task_files(task_vars, hosts)
        values = {name: self._templar.template(task_vars[name]) for name in names}
        forks = task_vars.get("ansible_forks", params["forks"])
        job = sliced_job(task_vars)
        return {**params, "variables": values, "forks": forks, "tasks_on_host": on_host, "slice_of": job}

    def _read_task_files(self, task_vars: dict[str, Any], hosts: list[str]) -> list[str]:
        """Those that are set for all, and those of single hosts; returns the files that run tasks on the host itself."""
        on_host = []
        for option in OPTIONS:
            paths = dict.fromkeys(path for value in self._given(option, task_vars, hosts) for path in task_files(value))
            on_host += [path for path in paths if run_on_host(option, path, self._loader)]
        starts, stops = (self._given(f"patch_{which}_tasks", task_vars, hosts) for which in ("start", "stop"))
        for start, stop in zip(starts, stops, strict=True):
            if task_files(start) and not task_files(stop):
                raise InvalidOption(
                    "patch_stop_tasks", stop, "Where patch_start_tasks is set, it must say what stops the host."
                )
        return on_host

    def _given(self, option: str, task_vars: dict[str, Any], hosts: list[str]) -> list[Any]:
        """The option's value for all, and for each host."""
        given = [task_vars.get(option), *(task_vars["hostvars"][host].get(option) for host in hosts)]
        return [self._templar.template(value) for value in given]

    def perform(self, context: OperationContext, task_vars: dict[str, Any]) -> dict[str, Any]:
        if tuple(int(part) for part in core_version.split(".")[:2]) < MINIMUM_CORE:
            raise PatchFleetError(f"ansible-core {core_version} is too old: 2.17 or newer is needed.", "core_too_old")
        return super().perform(context, task_vars)

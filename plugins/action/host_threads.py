# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.host_threads import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import ControllerOperation
from ansible_collections.patchfleet.windows.plugins.plugin_utils._host_calls import calls_of_hosts
from ansible_collections.patchfleet.windows.plugins.plugin_utils._host_threads import HostThreads


class ActionModule(ControllerOperation):
    """The module of the same name, inside the controller; the steps of the hosts are read and performed here."""

    operation = OPERATION

    def perform(self, context: OperationContext, task_vars: dict[str, Any]) -> dict[str, Any]:
        if context.params["state"] != "patched" or context.check_mode:
            return super().perform(context, task_vars)
        calls = calls_of_hosts(context.params["names"], self._task, self._loader, self.call_of)
        results = HostThreads(calls).patch(context.params["at_once"])
        return {"changed": any(result.get("changed") for result in results.values()), "hosts": results}

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._modules.fleet_info import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import LOCAL, ControllerOperation


class ActionModule(ControllerOperation):
    """The module of the same name, inside the controller; inventory_hosts may be names here, whose variables are read."""

    step = OPERATION

    def prepare(self, params: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        entries = [self._entry(host, task_vars) for host in self._task.args.get("inventory_hosts") or []]
        return {**params, "inventory_hosts": entries}

    def perform(self, context: OperationContext, task_vars: dict[str, Any]) -> dict[str, Any]:
        result = super().perform(context, task_vars)
        hostvars = task_vars.get("hostvars", {})
        known = {
            str(hostvars[name].get("instance_id") or ""): name for name in task_vars.get("groups", {}).get("all", [])
        }
        taken = {*known.values(), *task_vars.get("groups", {}), *LOCAL}
        for host in result["hosts"]:
            host["inventory_name"] = host["inventory_name"] or known.get(host["key"]) or _free_name(host, taken)
            taken.add(host["inventory_name"])
        return result

    def _entry(self, host: Any, task_vars: dict[str, Any]) -> dict[str, Any]:
        if isinstance(host, dict):
            return host
        variables = task_vars["hostvars"][host]
        placement = variables.get("placement") or {}
        return {
            "name": host,
            "instance_id": variables.get("instance_id") or "",
            "region": variables.get("patch__region") or placement.get("region") or variables.get("region"),
            "connection": variables.get("ansible_connection"),
            "address": variables.get("ansible_host"),
            "transport": variables.get("patch_transport"),
            "by_tag": bool(variables.get("patch__by_tag")),
        }


def _free_name(host: dict[str, Any], taken: set[str]) -> str:
    """The name in the inventory of a host that the tag brought: its tag Name where that is harmless and free, else its id.

    A pattern is read as a host before it is read as a group, so a host must not be called as a group is.
    """
    harmless = re.fullmatch(r"(?!patchfleet_)[A-Za-z0-9][A-Za-z0-9._-]*", host["name"]) is not None
    return str(host["name"] if harmless and host["name"] not in taken else host["key"])

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from ansible_collections.patchfleet.windows.plugins.module_utils._model.inventory_entry import InventoryEntry
from ansible_collections.patchfleet.windows.plugins.module_utils._modules.fleet_info import OPERATION
from ansible_collections.patchfleet.windows.plugins.module_utils._operation.context import OperationContext
from ansible_collections.patchfleet.windows.plugins.plugin_utils._connection_check import (
    connection_trouble,
    refused_value,
)
from ansible_collections.patchfleet.windows.plugins.plugin_utils._controller_operation import LOCAL, ControllerOperation
from ansible_collections.patchfleet.windows.plugins.plugin_utils._inventory_entries import (
    inventory_entry,
    known_ids,
    with_addresses,
)


class ActionModule(ControllerOperation):
    """The module of the same name, inside the controller; inventory_hosts may be names here, whose variables are read."""

    operation = OPERATION

    def prepare(self, params: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        hosts = self._task.args.get("inventory_hosts") or []
        entries: list[InventoryEntry] = [
            cast("InventoryEntry", host) if isinstance(host, dict) else self._entry(host, task_vars["hostvars"][host])
            for host in hosts
        ]
        return {**params, "inventory_hosts": with_addresses(entries)}

    def _entry(self, name: str, variables: Mapping[str, Any]) -> InventoryEntry:
        entry = inventory_entry(name, variables)
        connection, transport = entry.get("connection"), entry.get("transport")
        if entry.get("unreadable"):
            return entry
        refused = refused_value(connection, variables, self._task.remote_user)
        if refused:
            return {**entry, "refused": refused}
        if not connection or (entry.get("instance_id") and transport != "connection"):
            return entry
        trouble = connection_trouble(connection, variables, self._task.remote_user)
        return {**entry, "unusable": trouble} if trouble else entry

    def perform(self, context: OperationContext, task_vars: dict[str, Any]) -> dict[str, Any]:
        result = super().perform(context, task_vars)
        groups = task_vars.get("groups", {})
        known = known_ids(task_vars.get("hostvars", {}), groups.get("all", []))
        taken = {*groups.get("all", []), *groups, *LOCAL}
        for host in result["hosts"]:
            host["inventory_name"] = host["inventory_name"] or known.get(host["key"]) or _free_name(host, taken)
            taken.add(host["inventory_name"])
        return result


def _free_name(host: dict[str, Any], taken: set[str]) -> str:
    """The name in the inventory of a host that the tag brought: its tag Name where that is harmless and free, else its id.

    A pattern is read as a host before it is read as a group, so a host must not be called as a group is.
    """
    harmless = re.fullmatch(r"(?!patchfleet_)[A-Za-z0-9][A-Za-z0-9._-]*", host["name"]) is not None
    return str(host["name"] if harmless and host["name"] not in taken else host["key"])

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventories of the stand-in: which sources a job updates, what an update leaves, and what a job gets.

After AWX 24.6.1: awx/main/scheduler/task_manager.py (``DependencyManager.gen_dep_for_job``),
awx/main/management/commands/inventory_import.py, and ``Inventory.get_script_data``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from awx.objects import Objects, Row

Document = dict[str, Any]
"""An inventory as ``ansible-inventory --list`` prints it and a script answers it."""

ENABLED_BY_DEFAULT = ("ec2_state", "running")
"""AWX's settings EC2_ENABLED_VAR and EC2_ENABLED_VALUE, which a source may replace by its own."""


def sources_of_launch(objects: Objects, inventory: int) -> list[Row]:
    """The sources that AWX updates before a job: those of the job's own inventory, none of the inputs of a constructed one."""
    return [
        source
        for source in objects.lists["inventory_sources"].values()
        if source["inventory"] == inventory and source["update_on_launch"]
    ]


def import_hosts(objects: Objects, source: Row, document: Document) -> None:
    """Keep what an update found; with ``overwrite`` hosts that this source brought earlier go when they are gone."""
    inventory = source["inventory"]
    earlier = objects.imported.get(source["id"], set())
    variables = document.get("_meta", {}).get("hostvars", {})
    found = {name: variables.get(name, {}) for name in _host_names(document)}
    hosts = {name: _keep_host(objects, source, name, values) for name, values in found.items()}
    objects.imported[source["id"]] = {row["id"] for row in hosts.values()}
    for number in earlier - objects.imported[source["id"]] if source["overwrite"] else ():
        objects.remove("hosts", objects.lists["hosts"][number])
    for name, group in document.items():
        if name in ("_meta", "all", "ungrouped") or not group.get("hosts"):
            continue
        row = _named(objects, "groups", name, inventory) or objects.create(
            "groups", {"name": name, "inventory": inventory}
        )
        if source["overwrite_vars"] or group.get("vars"):
            row["variables"] = json.dumps(group.get("vars", {}))
        members = objects.linked("groups", row, "hosts")
        members[:] = sorted({*members, *(hosts[host]["id"] for host in group["hosts"])})


def script_data(objects: Objects, inventory: int, piece: tuple[int, int] = (1, 1)) -> Document:
    """What a job gets of an inventory: its enabled hosts by name, of them the slice ``piece`` (its number, of how many)."""
    rows = sorted(
        (row for row in objects.lists["hosts"].values() if row["inventory"] == inventory and row["enabled"]),
        key=lambda row: str(row["name"]),
    )
    number, count = piece
    names = {row["id"]: row["name"] for row in rows[number - 1 :: count]}
    document: Document = {
        "all": {"hosts": list(names.values()), "children": [], "vars": _variables(objects, inventory)}
    }
    for group in objects.lists["groups"].values():
        if group["inventory"] != inventory:
            continue
        members = [names[one] for one in objects.linked("groups", group, "hosts") if one in names]
        document[group["name"]] = {"hosts": members, "vars": json.loads(group["variables"] or "{}")}
        document["all"]["children"].append(group["name"])
    document["_meta"] = {
        "hostvars": {row["name"]: json.loads(row["variables"] or "{}") for row in rows if row["id"] in names}
    }
    return document


def _variables(objects: Objects, inventory: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(objects.lists["inventories"][inventory]["variables"] or "{}")
    return found


def _host_names(document: Document) -> set[str]:
    groups = (group for name, group in document.items() if name != "_meta")
    return {host for group in groups for host in group.get("hosts", [])}


def _keep_host(objects: Objects, source: Row, name: str, variables: Mapping[str, Any]) -> Row:
    row = _named(objects, "hosts", name, source["inventory"])
    if row is None:
        row = objects.create("hosts", {"name": name, "inventory": source["inventory"], "enabled": True})
    kept = {} if source["overwrite_vars"] else json.loads(row["variables"] or "{}")
    row["variables"] = json.dumps({**kept, **variables})
    switch, on = (source["enabled_var"], source["enabled_value"]) if source["enabled_var"] else ENABLED_BY_DEFAULT
    if source["source"] == "ec2" and switch in variables:
        row["enabled"] = str(variables[switch]) == on
    return row


def _named(objects: Objects, kind: str, name: str, inventory: int) -> Row | None:
    rows = objects.lists[kind].values()
    return next((row for row in rows if row["name"] == name and row["inventory"] == inventory), None)

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts a run must speak of, and of which it may, worked out from the scenario alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from lab.records import Run, StepRun
from lab.scenario import HostSpec

# After these it cannot be known from outside whether the host still was a target when the run looked.
_MOVING_ACTS = ("terminate", "untag", "retag")


@dataclass(frozen=True)
class Targets:
    """``sure`` are targets whatever events do, ``possible`` may be targets; no other host is one."""

    sure: frozenset[str]
    possible: frozenset[str]


def targets_of(run: Run, step: StepRun) -> Targets | None:
    """The targets of a patch step; None where its variables narrow the selection in a way that is not worked out here."""
    variables = run.vars_of(step)
    by_tag = _selects_by_tag(variables)
    regions = variables.get("patch_regions") or []
    if not isinstance(regions, list) or "*" in regions or "{{" in str(variables.get("patch_hosts")):
        return None
    if any("filter" in name for name in variables) or getattr(run.scenario.account, "accounts", None):
        return None
    if step.step.limit is not None and (by_tag or not variables.get("patch_hosts")):
        return None  # the limit speaks of hosts that only the run itself has found
    selected = _of_inventory(run, step, variables)
    if by_tag:
        selected |= _tagged(run, variables)
    moving = {event.host for event in run.scenario.events if event.do in _MOVING_ACTS}
    retagged = {event.host for event in run.scenario.events if event.do == "retag"}
    possible = selected | {name for name in retagged if name is not None} if by_tag else selected
    return Targets(frozenset(selected - moving), frozenset(possible))


def _selects_by_tag(variables: dict[str, Any]) -> bool:
    return not variables.get("patch_hosts") or "patch_tag_value" in variables or "patch_tag_key" in variables


def _of_inventory(run: Run, step: StepRun, variables: dict[str, Any]) -> set[str]:
    """What Ansible itself takes the pattern and the limit for."""
    pattern = variables.get("patch_hosts")
    if not pattern or not step.step.inventory:
        return set()
    inventory = InventoryManager(loader=DataLoader(), sources=None, parse=False)
    for host in run.scenario.hosts:
        if host.groups or host.kind != "ec2":
            for group in host.groups or ("ungrouped",):
                inventory.add_group(group)
                inventory.add_host(host.name, group)
                if group not in ("all", "ungrouped"):
                    inventory.groups["all"].add_child_group(inventory.groups[group])
    if step.step.limit is not None:
        inventory.subset(step.step.limit)
    return {host.name for host in inventory.get_hosts(pattern)}


def _tagged(run: Run, variables: dict[str, Any]) -> set[str]:
    regions = variables.get("patch_regions") or [run.scenario.account.region]
    key, value = variables.get("patch_tag_key", "PatchGroup"), variables.get("patch_tag_value", "Windows")
    return {host.name for host in run.scenario.hosts if _is_tagged(host, regions, key, value)}


def _is_tagged(host: HostSpec, regions: list[str], key: str, value: str) -> bool:
    return host.kind != "winrm" and host.region in regions and host.tags.get(str(key)) == str(value)

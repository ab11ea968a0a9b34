# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts a run must speak of, worked out from the scenario alone, where it says so plainly."""

from __future__ import annotations

from typing import Any

from lab.records import Run
from lab.scenario import HostSpec, Scenario, Step

# After these nobody can say from outside whether the host still was a target when the run looked.
_MOVING_ACTS = ("terminate", "untag", "retag")


def last_patch_step(run: Run) -> tuple[int, Step] | None:
    """The step, with its number, that `report.json` is of: the last `patch`, no check, not in the background."""
    steps = [
        (number, step)
        for number, step in enumerate(run.scenario.steps, 1)
        if step.playbook == "patch" and not step.background and not step.check
    ]
    return steps[-1] if steps else None


def step_vars(scenario: Scenario, step: Step) -> dict[str, Any]:
    """The extra vars of a patch step."""
    return {**scenario.vars, **step.vars}


def expected_targets(run: Run) -> set[str]:
    """The hosts that the last patch step must have taken as targets; empty where that takes more than a look."""
    found = last_patch_step(run)
    if found is None or found[1].limit is not None:
        return set()
    variables = step_vars(run.scenario, found[1])
    moving = {event.host for event in run.scenario.events if event.do in _MOVING_ACTS}
    pattern = variables.get("patch_hosts")
    inventory = [host for host in run.scenario.hosts if host.groups or host.kind != "ec2"]
    targets = {host.name for host in inventory if pattern in ("all", host.name, *host.groups)}
    if not pattern or "patch_tag_value" in variables or "patch_tag_key" in variables:
        region = run.scenario.account.region
        targets |= {host.name for host in run.scenario.hosts if _is_tagged(host, variables, region)}
    return targets - moving


def _is_tagged(host: HostSpec, variables: dict[str, Any], region: str) -> bool:
    if any("filter" in name for name in variables):  # a filter of the user's narrows the selection
        return False
    regions = variables.get("patch_regions") or [region]
    key, value = variables.get("patch_tag_key", "PatchGroup"), variables.get("patch_tag_value", "Windows")
    return host.kind != "winrm" and host.region in regions and host.tags.get(key) == value

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SSM: what a maintenance window of a stack starts each time it opens, with the rights of the task's own role.

Source: Systems Manager user guide, "Assign tasks to a maintenance window": an Automation needs no targets, a command goes to the
nodes that carry the tag of a registered target.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from lab.aws.automation import start_automation
from lab.aws.cloudformation.resources import Resource
from lab.aws.errors import AwsError, not_implemented, validation
from lab.aws.request import Request
from lab.aws.ssm_commands import send_command
from lab.aws.windows import WINDOW, openings, tasks_of

if TYPE_CHECKING:
    from lab.aws.account import Account

TARGET = "AWS::SSM::MaintenanceWindowTarget"


def arm(account: Account, resources: list[Resource]) -> None:
    """Let the windows with tasks among a stack's resources open. ValidationException for a task whose role is not for it."""
    for window in (it for it in resources if it.type == WINDOW):
        tasks = tasks_of(account.stacks, window.physical_id)
        for task in tasks:
            if not account.stacks.is_trusted(_role(task), "ssm.amazonaws.com"):
                raise validation(f"The role {_role(task)} cannot be assumed by Systems Manager.")
        if tasks:
            _wait(account, window)


def _wait(account: Account, window: Resource) -> None:
    sim = account.world.sim
    opening = next(at for at in openings(window, sim.time.date()) if at > sim.time)
    sim.at((opening - sim.clock.start).total_seconds(), partial(_open, account, window))


def _open(account: Account, window: Resource) -> None:
    """Unless the stack has been taken down or changed since."""
    if not any(it is window for it in account.stacks.resources(WINDOW)):
        return
    for task in tasks_of(account.stacks, window.physical_id):
        try:
            _begin(account, task)
        except AwsError as error:
            if error.code == "NotImplemented":
                raise
            # Shown in the window's history alone.
    _wait(account, window)


def _begin(account: Account, task: Resource) -> None:
    properties, caller = task.properties, account.gate.session_of(_role(task))
    given = properties["TaskInvocationParameters"]
    if properties["TaskType"] == "AUTOMATION":
        parameters = given["MaintenanceWindowAutomationParameters"]["Parameters"]
        wanted = {"DocumentName": properties["TaskArn"], "Parameters": parameters}
        start_automation(account, task.region, wanted, caller)
    elif properties["TaskType"] == "RUN_COMMAND":
        _send(account, task, given["MaintenanceWindowRunCommandParameters"], caller)
    else:
        raise not_implemented(f"a task of the type {properties['TaskType']}")


def _send(account: Account, task: Resource, given: dict[str, Any], caller: str) -> None:
    (chosen,) = task.properties["Targets"]
    targets = [it for it in account.stacks.resources(TARGET) if it.physical_id in chosen["Values"]]
    nodes = [node for target in targets for node in _nodes(account, target)]
    if nodes:
        params = {"InstanceIds": nodes, "DocumentName": task.properties["TaskArn"], **given}
        request = Request(account, "ssm", "SendCommand", params, task.region, caller)
        account.carry_out(request, lambda: send_command(request))


def _nodes(account: Account, target: Resource) -> list[str]:
    """The ids of the hosts with the target's tag."""
    (condition,) = target.properties["Targets"]
    key, wanted = condition["Key"].removeprefix("tag:"), condition["Values"]
    hosts = account.world.hosts.values()
    return [
        host.id
        for host in hosts
        if host.id and host.spec.region == target.region and host.tags.latest.get(key) in wanted
    ]


def _role(task: Resource) -> str:
    return str(task.properties["ServiceRoleArn"]).rpartition("/")[2]

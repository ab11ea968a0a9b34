# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change sets: what an update of a stack would do. They are ready at once, and the lab executes none.

Source: CloudFormation API reference (CreateChangeSet, DescribeChangeSet).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lab.aws.cloudformation.resources import Resource
from lab.aws.cloudformation.stacks import Stack, check_capabilities, given_parameters
from lab.aws.errors import AwsError, not_implemented
from lab.aws.request import Operation, Request, Result

NOTHING = "The submitted information didn't contain changes. Submit different information to create a change set."


def create_change_set(request: Request) -> Result:
    check_capabilities(request)
    params = request.params
    if params.get("ChangeSetType", "UPDATE") != "UPDATE":
        raise not_implemented(f"a change set of the type {params['ChangeSetType']}")
    stack = request.account.stacks.find(request.region, params["StackName"])
    proposed = request.account.stacks.proposed(
        stack,
        params["TemplateBody"],
        given_parameters(request, stack.parameters),
        params.get("Tags") or [],
        request.sim.time,
    )
    name = params["ChangeSetName"]
    identifier = stack.id.replace(":stack/", ":changeSet/").replace(f"/{stack.name}/", f"/{name}/")
    stack.change_sets[identifier] = list(_changes(stack, proposed))
    return {"Id": identifier, "StackId": stack.id}


def _changes(stack: Stack, proposed: Stack) -> Iterator[dict[str, Any]]:
    for name in sorted(stack.resources.keys() | proposed.resources.keys()):
        before, after = stack.resources.get(name), proposed.resources.get(name)
        if before is None or after is None:
            yield _change("Add" if before is None else "Remove", before or after)
        elif (before.type, before.properties) != (after.type, after.properties):
            replaced = str(before.physical_id != after.physical_id)
            yield _change("Modify", before, Replacement=replaced)


def _change(action: str, resource: Resource | None, **more: str) -> dict[str, Any]:
    assert resource is not None
    described = {"Action": action, "LogicalResourceId": resource.logical_id, "ResourceType": resource.type, **more}
    return {"Type": "Resource", "ResourceChange": described}


def _stack_of(request: Request) -> Stack:
    for stack in request.account.stacks.all():
        if stack.region == request.region and request.params["ChangeSetName"] in stack.change_sets:
            return stack
    raise AwsError("ChangeSetNotFound", f"ChangeSet [{request.params['ChangeSetName']}] does not exist")


def describe_change_set(request: Request) -> Result:
    stack, identifier = _stack_of(request), request.params["ChangeSetName"]
    changes = stack.change_sets[identifier]
    status = {"Status": "CREATE_COMPLETE"} if changes else {"Status": "FAILED", "StatusReason": NOTHING}
    return {"ChangeSetId": identifier, "StackId": stack.id, "StackName": stack.name, "Changes": changes, **status}


def delete_change_set(request: Request) -> Result:
    del _stack_of(request).change_sets[request.params["ChangeSetName"]]
    return {}


OPERATIONS: dict[str, Operation] = {
    "CreateChangeSet": create_change_set,
    "DeleteChangeSet": delete_change_set,
    "DescribeChangeSet": describe_change_set,
}

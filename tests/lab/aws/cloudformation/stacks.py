# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks: made, changed and removed at once, with the events that a client waits for.

Source: CloudFormation API reference, and its user guide on DeletionPolicy and on stack failure options. Of a stack that cannot be
made those resources are left that its template retains, and the stack itself, unless its client wanted it deleted.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lab.aws.arns import Arns
from lab.aws.cloudformation import template as templates
from lab.aws.cloudformation.build import build
from lab.aws.cloudformation.checks import ResourceFailed, check
from lab.aws.cloudformation.resources import Resource
from lab.aws.errors import AwsError
from lab.aws.policy import Statement, statements_of
from lab.aws.request import Operation, Request, Result
from lab.aws.window_tasks import arm


@dataclass
class Stack:
    """A stack as it is now. ``events`` are the newest last."""

    arns: Arns
    name: str
    region: str
    status: str
    body: str
    parameters: dict[str, str]
    tags: list[dict[str, str]]
    created_at: datetime
    updated_at: datetime
    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: dict[str, tuple[str, str]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    change_sets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    termination_protection: bool = False

    def __post_init__(self) -> None:
        self.id = self.arns.of("cloudformation", self.region, f"stack/{self.name}/{uuid.uuid4()}")


class Stacks:
    """All stacks of the account."""

    def __init__(self, arns: Arns | None = None) -> None:
        self.arns = arns or Arns()
        self._stacks: dict[tuple[str, str], Stack] = {}
        self._gone: dict[str, Stack] = {}  # by id: they are described for a while
        self._retained: list[Resource] = []  # in the account, and in no stack any more

    def find(self, region: str, name: str) -> Stack:
        """By name or id; AwsError when there is none."""
        for stack in self._stacks.values():
            if stack.region == region and name in (stack.name, stack.id):
                return stack
        if name in self._gone:
            return self._gone[name]
        raise templates.invalid(f"Stack with id {name} does not exist")

    def all(self) -> list[Stack]:
        return list(self._stacks.values())

    def resources(self, resource_type: str) -> Iterator[Resource]:
        """Those of a type, of all stacks."""
        for stack in self._stacks.values():
            yield from (resource for resource in stack.resources.values() if resource.type == resource_type)

    def has_role(self, name: str) -> bool:
        return self.role(name) is not None

    def role(self, name: str) -> Resource | None:
        """The role of that name, of whichever stack."""
        return next((role for role in self.resources("AWS::IAM::Role") if role.physical_id == name), None)

    def is_trusted(self, role: str, service: str) -> bool:
        """Whether there is such a role, and the service may assume it. In China ec2 has two names."""
        found = self.role(role)
        statements = found.properties["AssumeRolePolicyDocument"]["Statement"] if found else ()
        return any(statement["Principal"].get("Service", "").removesuffix(".cn") == service for statement in statements)

    def policies_of_role(self, name: str) -> set[str]:
        """The ARNs of the managed policies that a stack attaches to a role."""
        roles = [role for role in self.resources("AWS::IAM::Role") if role.physical_id == name]
        return {arn for role in roles for arn in role.properties.get("ManagedPolicyArns", ())}

    def statements_of_role(self, name: str) -> list[Statement]:
        """All statements of the policies of a role: those attached to it, and its own."""
        roles = [role for role in self.resources("AWS::IAM::Role") if role.physical_id == name]
        attached = self.policies_of_role(name)
        documents = [
            policy.properties["PolicyDocument"]
            for policy in self.resources("AWS::IAM::ManagedPolicy")
            if policy.physical_id in attached or name in policy.properties.get("Roles", ())
        ]
        documents += [own["PolicyDocument"] for role in roles for own in role.properties.get("Policies", ())]
        documents += [
            policy.properties["PolicyDocument"]
            for policy in self.resources("AWS::IAM::RolePolicy")
            if policy.properties["RoleName"] == name
        ]
        return [statement for document in documents for statement in statements_of(document)]

    def policies(self) -> Iterator[tuple[str, dict[str, Any] | str]]:
        """Every policy document of all stacks, with the logical id of the resource that holds it."""
        for stack in self._stacks.values():
            for name, resource in stack.resources.items():
                if resource.type in ("AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
                    yield name, resource.properties["PolicyDocument"]
                yield from ((name, own["PolicyDocument"]) for own in resource.properties.get("Policies", ()))

    def create(
        self, region: str, name: str, body: str, given: dict[str, str], tags: list[dict[str, str]], now: datetime
    ) -> Stack:
        """A new stack; AwsError when there is one of that name.

        Raises:
            ResourceFailed: one of its resources cannot be made. The stack is there as far as it was made.
        """
        if (region, name) in self._stacks:
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
        stack = Stack(self.arns, name, region, "CREATE_COMPLETE", body, dict(given), tags, now, now)
        try:
            build(stack, lambda resource: self._check(stack, resource))
        except ResourceFailed:
            stack.status = "CREATE_FAILED"
            self._stacks[(region, name)] = stack
            raise
        self._stacks[(region, name)] = stack
        return stack

    def _check(self, stack: Stack, resource: Resource) -> None:
        existing = (it for other in self._stacks.values() if other.id != stack.id for it in other.resources.values())
        check(resource, [*existing, *self._retained])

    def roll_back(self, stack: Stack, on_failure: str) -> None:
        """After a failed create: ROLLBACK leaves an empty stack, DELETE none, DO_NOTHING all that was made."""
        if on_failure == "DO_NOTHING":
            return
        protected = any(_is_protected(resource) for resource in stack.resources.values())
        self._take_away(stack, kept=("Retain",))
        stack.status = "ROLLBACK_FAILED" if protected else "ROLLBACK_COMPLETE"
        if on_failure == "DELETE" and not protected:
            self._forget(stack)

    def _take_away(self, stack: Stack, kept: tuple[str, ...]) -> None:
        """All resources of the stack but those with such a DeletionPolicy, or that nothing deletes: they stay in the account."""
        definitions = templates.load(stack.body)["Resources"]
        for name, resource in stack.resources.items():
            if definitions[name].get("DeletionPolicy") in kept or _is_protected(resource):
                self._retained.append(resource)
        stack.resources = {}

    def _forget(self, stack: Stack) -> None:
        del self._stacks[(stack.region, stack.name)]
        stack.status = "DELETE_COMPLETE"
        self._gone[stack.id] = stack

    def update(self, stack: Stack, body: str, given: dict[str, str], tags: list[dict[str, str]], now: datetime) -> None:
        """The stack is another object afterwards; of one that cannot be changed so nothing changes.

        Raises:
            AwsError: it cannot be updated in this state, or there is nothing to change, in AWS's words.
            ResourceFailed: one of its resources cannot be made.
        """
        if stack.status == "ROLLBACK_COMPLETE":
            raise templates.invalid(f"Stack:{stack.id} is in ROLLBACK_COMPLETE state and can not be updated.")
        proposed = self.proposed(stack, body, given, tags, now)
        if _content(proposed) == _content(stack):
            raise templates.invalid("No updates are to be performed.")
        proposed.events = stack.events
        proposed.termination_protection = stack.termination_protection
        self._stacks[(stack.region, stack.name)] = proposed

    def proposed(
        self, stack: Stack, body: str, given: dict[str, str], tags: list[dict[str, str]], now: datetime
    ) -> Stack:
        """What the stack would become."""
        proposed = Stack(
            self.arns, stack.name, stack.region, "UPDATE_COMPLETE", body, dict(given), tags, stack.created_at, now
        )
        proposed.id = stack.id
        build(proposed, lambda resource: self._check(stack, resource))
        return proposed

    def delete(self, stack: Stack) -> None:
        """Remove it; what its template retains stays in the account, outside any stack."""
        self._take_away(stack, kept=("Retain", "RetainExceptOnCreate"))
        self._forget(stack)


def _is_protected(resource: Resource) -> bool:
    """Whether DynamoDB refuses to delete it (API reference, DeleteTable)."""
    return resource.properties.get("DeletionProtectionEnabled") is True


def _content(stack: Stack) -> str:
    resources = {name: (it.type, it.properties) for name, it in stack.resources.items()}
    return json.dumps([resources, stack.outputs, stack.tags], sort_keys=True, default=str)


# ---- operations


def given_parameters(request: Request, before: dict[str, str] | None = None) -> dict[str, str]:
    given = {}
    for parameter in request.params.get("Parameters") or []:
        key = parameter["ParameterKey"]
        given[key] = (before or {})[key] if parameter.get("UsePreviousValue") else parameter.get("ParameterValue", "")
    return given


def check_capabilities(request: Request) -> None:
    """Templates that name IAM resources must be acknowledged."""
    body = templates.load(request.params["TemplateBody"])
    named = any(it["Type"].startswith("AWS::IAM::") for it in body["Resources"].values())
    if named and "CAPABILITY_NAMED_IAM" not in (request.params.get("Capabilities") or []):
        raise AwsError("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]")


def _note(request: Request, stack: Stack, status: str, failed: ResourceFailed | None = None) -> None:
    """An event of the stack, or of the resource that could not be made."""
    subject = {
        "LogicalResourceId": stack.name,
        "PhysicalResourceId": stack.id,
        "ResourceType": "AWS::CloudFormation::Stack",
    }
    if failed:
        subject = {
            "LogicalResourceId": failed.resource.logical_id,
            "PhysicalResourceId": "",
            "ResourceType": failed.resource.type,
            "ResourceStatusReason": str(failed),
        }
    stack.events.append(
        {
            "StackId": stack.id,
            "EventId": str(uuid.uuid4()),
            "StackName": stack.name,
            "Timestamp": request.sim.time,
            "ResourceStatus": status,
            "ClientRequestToken": request.params.get("ClientRequestToken", ""),
            **subject,
        }
    )


def create_stack(request: Request) -> Result:
    check_capabilities(request)
    params, stacks = request.params, request.account.stacks
    try:
        stack = stacks.create(
            request.region,
            params["StackName"],
            params["TemplateBody"],
            given_parameters(request),
            params.get("Tags") or [],
            request.sim.time,
        )
    except ResourceFailed as failed:
        return {"StackId": _not_made(request, stacks.find(request.region, params["StackName"]), failed)}
    stack.termination_protection = bool(params.get("EnableTerminationProtection"))
    request.account.schedules.arm(request.account, None, stack)
    arm(request.account, list(stack.resources.values()))
    _note(request, stack, "CREATE_COMPLETE")
    return {"StackId": stack.id}


def _not_made(request: Request, stack: Stack, failed: ResourceFailed) -> str:
    """The client reads the result in the stack's events; returns the stack's id."""
    _note(request, stack, "CREATE_FAILED", failed)
    on_failure = "DO_NOTHING" if request.params.get("DisableRollback") else request.params.get("OnFailure", "ROLLBACK")
    _note(
        request,
        stack,
        {"DO_NOTHING": "CREATE_FAILED", "DELETE": "DELETE_IN_PROGRESS"}.get(on_failure, "ROLLBACK_IN_PROGRESS"),
    )
    request.account.stacks.roll_back(stack, on_failure)
    _note(request, stack, stack.status)
    return stack.id


def update_stack(request: Request) -> Result:
    check_capabilities(request)
    stack = request.account.stacks.find(request.region, request.params["StackName"])
    try:
        request.account.stacks.update(
            stack,
            request.params["TemplateBody"],
            given_parameters(request, stack.parameters),
            request.params.get("Tags") or [],
            request.sim.time,
        )
    except ResourceFailed as failed:
        _note(request, stack, "UPDATE_FAILED", failed)
        _note(request, stack, "UPDATE_ROLLBACK_IN_PROGRESS")
        stack.status = "UPDATE_ROLLBACK_COMPLETE"
        _note(request, stack, stack.status)
        return {"StackId": stack.id}
    before, stack = stack, request.account.stacks.find(request.region, request.params["StackName"])
    request.account.schedules.arm(request.account, before, stack)
    arm(request.account, list(stack.resources.values()))
    _note(request, stack, "UPDATE_COMPLETE")
    return {"StackId": stack.id}


def delete_stack(request: Request) -> Result:
    try:
        stack = request.account.stacks.find(request.region, request.params["StackName"])
    except AwsError:
        return {}  # AWS says nothing of a stack that is not there
    if stack.termination_protection:
        raise templates.invalid(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    request.account.schedules.arm(request.account, stack, None)
    request.account.stacks.delete(stack)
    return {}


def describe_stacks(request: Request) -> Result:
    name = request.params.get("StackName")
    stacks = request.account.stacks
    found = [stacks.find(request.region, name)] if name else [it for it in stacks.all() if it.region == request.region]
    return {"Stacks": [_described(request, stack) for stack in found]}


def _described(request: Request, stack: Stack) -> dict[str, Any]:
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "StackStatus": stack.status,
        "CreationTime": stack.created_at,
        "LastUpdatedTime": stack.updated_at,
        "DisableRollback": False,
        "EnableTerminationProtection": stack.termination_protection,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "NotificationARNs": [],
        "Tags": stack.tags,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": "****" if _is_secret(stack, key) else value}
            for key, value in stack.parameters.items()
        ],
        "Outputs": [
            {"OutputKey": key, "OutputValue": value, "Description": text}
            for key, (value, text) in stack.outputs.items()
        ],
    }


def _is_secret(stack: Stack, parameter: str) -> bool:
    return bool(templates.load(stack.body).get("Parameters", {}).get(parameter, {}).get("NoEcho"))


def describe_stack_events(request: Request) -> Result:
    stack = request.account.stacks.find(request.region, request.params["StackName"])
    return {"StackEvents": list(reversed(stack.events))}


def list_stack_resources(request: Request) -> Result:
    stack = request.account.stacks.find(request.region, request.params["StackName"])
    return {
        "StackResourceSummaries": [
            {
                "LogicalResourceId": name,
                "PhysicalResourceId": it.physical_id,
                "ResourceType": it.type,
                "LastUpdatedTimestamp": stack.updated_at,
                "ResourceStatus": stack.status,
            }
            for name, it in stack.resources.items()
        ]
    }


OPERATIONS: dict[str, Operation] = {
    "CreateStack": create_stack,
    "DeleteStack": delete_stack,
    "DescribeStackEvents": describe_stack_events,
    "DescribeStacks": describe_stacks,
    "ListStackResources": list_stack_resources,
    "UpdateStack": update_stack,
}

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks: made, changed and removed at once, with the events that a client waits for.

Source: CloudFormation API reference. A stack that cannot be made is refused whole: nothing of it is left.
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
from lab.aws.cloudformation.resources import Resource, kind_of
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

    def find(self, region: str, name: str) -> Stack:
        """By name or id; AwsError when there is none."""
        for stack in self._stacks.values():
            if stack.region == region and name in (stack.name, stack.id):
                return stack
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
        """A new stack; AwsError when there is one of that name."""
        if (region, name) in self._stacks:
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
        stack = Stack(self.arns, name, region, "CREATE_COMPLETE", body, dict(given), tags, now, now)
        _build(stack)
        self._stacks[(region, name)] = stack
        return stack

    def update(self, stack: Stack, body: str, given: dict[str, str], tags: list[dict[str, str]], now: datetime) -> None:
        """Raises AwsError when that would change nothing, in AWS's words."""
        proposed = self.proposed(stack, body, given, tags, now)
        if _content(proposed) == _content(stack):
            raise templates.invalid("No updates are to be performed.")
        proposed.id, proposed.events = stack.id, stack.events
        proposed.termination_protection = stack.termination_protection
        self._stacks[(stack.region, stack.name)] = proposed

    def proposed(
        self, stack: Stack, body: str, given: dict[str, str], tags: list[dict[str, str]], now: datetime
    ) -> Stack:
        """What the stack would become."""
        proposed = Stack(
            self.arns, stack.name, stack.region, "UPDATE_COMPLETE", body, dict(given), tags, stack.created_at, now
        )
        _build(proposed)
        return proposed

    def delete(self, stack: Stack) -> None:
        """Remove it; what its template retains stays in the account, outside any stack."""
        del self._stacks[(stack.region, stack.name)]


def _content(stack: Stack) -> str:
    resources = {name: (it.type, it.properties) for name, it in stack.resources.items()}
    return json.dumps([resources, stack.outputs, stack.tags], sort_keys=True, default=str)


def _build(stack: Stack) -> None:
    """Make the resources in the order in which they need each other, then the outputs."""
    template = templates.load(stack.body)
    values = {
        **templates.parameters_of(template, stack.parameters),
        "AWS::AccountId": stack.arns.account_id,
        "AWS::NoValue": templates.NO_VALUE,
        "AWS::Partition": stack.arns.partition,
        "AWS::Region": stack.region,
        "AWS::StackId": stack.id,
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": stack.arns.url_suffix,
    }
    scope = templates.Scope(
        template,
        values,
        reference=lambda name: _made(stack, name).physical_id,
        attribute=lambda name, attribute: _made(stack, name).attribute(attribute),
    )
    templates.check_rules(scope)
    for name in _in_order(template["Resources"]):
        definition = template["Resources"][name]
        if scope.wants(definition):
            kind_of(definition["Type"])
            stack.resources[name] = Resource(
                *(stack.arns, stack.name, stack.region, name, definition["Type"]),
                properties=scope.resolve(definition.get("Properties", {})),
            )
    for name, output in template.get("Outputs", {}).items():
        if scope.wants(output):
            stack.outputs[name] = (str(scope.resolve(output["Value"])), output.get("Description", ""))


def _made(stack: Stack, name: str) -> Resource:
    if name not in stack.resources:
        raise templates.invalid(f"Template format error: Unresolved resource dependencies [{name}]")
    return stack.resources[name]


def _in_order(resources: dict[str, Any]) -> list[str]:
    done: list[str] = []

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in done:
            return
        if name in trail:
            raise templates.invalid(f"Circular dependency between resources: [{', '.join(trail)}]")
        for other in sorted(set(templates.references(resources[name], set(resources)))):
            visit(other, (*trail, name))
        done.append(name)

    for name in resources:
        visit(name, ())
    return done


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


def _note(request: Request, stack: Stack, status: str) -> None:
    stack.events.append(
        {
            "StackId": stack.id,
            "EventId": str(uuid.uuid4()),
            "StackName": stack.name,
            "LogicalResourceId": stack.name,
            "PhysicalResourceId": stack.id,
            "ResourceType": "AWS::CloudFormation::Stack",
            "Timestamp": request.sim.time,
            "ResourceStatus": status,
            "ClientRequestToken": request.params.get("ClientRequestToken", ""),
        }
    )


def create_stack(request: Request) -> Result:
    check_capabilities(request)
    params = request.params
    stack = request.account.stacks.create(
        *(request.region, params["StackName"], params["TemplateBody"]),
        *(given_parameters(request), params.get("Tags") or [], request.sim.time),
    )
    stack.termination_protection = bool(params.get("EnableTerminationProtection"))
    arm(request.account, list(stack.resources.values()))
    _note(request, stack, "CREATE_COMPLETE")
    return {"StackId": stack.id}


def update_stack(request: Request) -> Result:
    check_capabilities(request)
    stack = request.account.stacks.find(request.region, request.params["StackName"])
    request.account.stacks.update(
        *(stack, request.params["TemplateBody"], given_parameters(request, stack.parameters)),
        *(request.params.get("Tags") or [], request.sim.time),
    )
    stack = request.account.stacks.find(request.region, request.params["StackName"])
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

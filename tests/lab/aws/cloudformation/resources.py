# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resource types that the lab can make: what Ref and GetAtt give for each.

Source: CloudFormation user guide, "AWS resource and property types reference", Return values of each.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.aws.arns import Arns
from lab.aws.errors import not_implemented

Naming = Callable[["Resource"], str]


@dataclass
class Resource:
    """One resource of a stack, its properties resolved."""

    arns: Arns
    stack: str
    region: str
    logical_id: str
    type: str
    properties: dict[str, Any]

    @property
    def physical_id(self) -> str:
        return KINDS[self.type].reference(self)

    def attribute(self, name: str) -> str:
        """What GetAtt gives."""
        known = KINDS[self.type].attributes
        if name not in known:
            raise not_implemented(f"the attribute {name} of {self.type}")
        return known[name](self)

    def arn(self, service: str, path: str, *, regional: bool = True) -> str:
        return self.arns.of(service, self.region if regional else "", path)

    def made_up(self, prefix: str, length: int) -> str:
        """An id as AWS would draw it; the same for the same resource of the same stack."""
        return prefix + hashlib.sha256(f"{self.region}/{self.stack}/{self.logical_id}".encode()).hexdigest()[:length]

    def uuid(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.made_up("", 32)))


@dataclass(frozen=True)
class Kind:
    """A resource type."""

    reference: Naming
    attributes: dict[str, Naming]


def _named(key: str) -> Naming:
    """A type whose Ref is its name; CloudFormation makes one up where none is given."""
    return lambda it: str(it.properties.get(key) or it.made_up(f"{it.stack}-{it.logical_id}-", 12))


def _arn(service: str, path: str, key: str, *, regional: bool = True) -> Naming:
    name = _named(key)
    return lambda it: it.arn(service, path.format(name(it)), regional=regional)


KINDS: dict[str, Kind] = {
    "AWS::CloudWatch::Alarm": Kind(_named("AlarmName"), {"Arn": _arn("cloudwatch", "alarm:{}", "AlarmName")}),
    "AWS::DynamoDB::Table": Kind(_named("TableName"), {"Arn": _arn("dynamodb", "table/{}", "TableName")}),
    "AWS::Events::ApiDestination": Kind(
        _named("Name"), {"Arn": lambda it: it.arn("events", f"api-destination/{_named('Name')(it)}/{it.uuid()}")}
    ),
    "AWS::Events::Connection": Kind(
        _named("Name"), {"Arn": lambda it: it.arn("events", f"connection/{_named('Name')(it)}/{it.uuid()}")}
    ),
    "AWS::Events::Rule": Kind(_named("Name"), {"Arn": _arn("events", "rule/{}", "Name")}),
    "AWS::IAM::InstanceProfile": Kind(
        _named("InstanceProfileName"),
        {"Arn": _arn("iam", "instance-profile/{}", "InstanceProfileName", regional=False)},
    ),
    "AWS::IAM::ManagedPolicy": Kind(_arn("iam", "policy/{}", "ManagedPolicyName", regional=False), {}),
    "AWS::IAM::Role": Kind(_named("RoleName"), {"Arn": _arn("iam", "role/{}", "RoleName", regional=False)}),
    "AWS::IAM::RolePolicy": Kind(_named("PolicyName"), {}),
    "AWS::Logs::LogGroup": Kind(_named("LogGroupName"), {"Arn": _arn("logs", "log-group:{}:*", "LogGroupName")}),
    "AWS::ResourceGroups::Group": Kind(_named("Name"), {"Arn": _arn("resource-groups", "group/{}", "Name")}),
    "AWS::SSM::Document": Kind(_named("Name"), {}),
    "AWS::SSM::MaintenanceWindow": Kind(lambda it: it.made_up("mw-", 17), {}),
    "AWS::SSM::MaintenanceWindowTarget": Kind(lambda it: it.uuid(), {}),
    "AWS::SSM::MaintenanceWindowTask": Kind(lambda it: it.uuid(), {}),
    "AWS::SSM::PatchBaseline": Kind(lambda it: it.made_up("pb-", 17), {}),
    "AWS::Scheduler::Schedule": Kind(_named("Name"), {"Arn": _arn("scheduler", "schedule/default/{}", "Name")}),
    "AWS::Scheduler::ScheduleGroup": Kind(_named("Name"), {"Arn": _arn("scheduler", "schedule-group/{}", "Name")}),
}


def kind_of(resource_type: str) -> Kind:
    """The kind of a type; 501 for one that the lab does not know, so that no stack silently lacks a resource."""
    if resource_type not in KINDS:
        raise not_implemented(f"the resource type {resource_type}")
    return KINDS[resource_type]

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the services refuse of a stack's resources: names that are taken or that nothing may have, and policies.

Source: the API reference of each service, the constraints of the members that are named here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from lab.aws.cloudformation.resources import Resource
from lab.aws.errors import AwsError
from lab.aws.policy_documents import check_policy, check_trust

ROLE = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
POLICY = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
PATCH_GROUP = re.compile(r"[\w .:/=+@-]{1,256}")
NAMES = {
    "AWS::DynamoDB::Table": re.compile(r"[a-zA-Z0-9_.-]{3,255}"),
    "AWS::IAM::InstanceProfile": POLICY,
    "AWS::IAM::Role": ROLE,
    "AWS::Logs::LogGroup": re.compile(r"[.\-_/#A-Za-z0-9]{1,512}"),
    "AWS::ResourceGroups::Group": re.compile(r"(?!aws)[a-zA-Z0-9_.-]{1,300}"),
    "AWS::SSM::Document": re.compile(r"(?!aws-|amazon|amzn)[a-zA-Z0-9_.-]{3,128}"),
    "AWS::Scheduler::ScheduleGroup": re.compile(r"[0-9a-zA-Z_.-]{1,64}"),
}
GLOBAL = ("AWS::IAM::InstanceProfile", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role")
WITHOUT_A_NAME = (
    "AWS::IAM::RolePolicy",
    "AWS::SSM::MaintenanceWindow",
    "AWS::SSM::MaintenanceWindowTarget",
    "AWS::SSM::MaintenanceWindowTask",
    "AWS::SSM::PatchBaseline",
)
"""Their Ref is made up by AWS, or holds within their role alone."""


class ResourceFailed(Exception):
    """A resource cannot be made; ``str()`` is its service's reason."""

    def __init__(self, resource: Resource, reason: str) -> None:
        super().__init__(reason)
        self.resource = resource


def check(resource: Resource, existing: Iterable[Resource]) -> None:
    """Raises ResourceFailed where a service refuses ``resource``; ``existing`` are all that there are besides its own stack's."""
    rivals = [it for it in existing if it.type == resource.type and _same_scope(it, resource)]
    try:
        _check_name(resource, rivals)
        more = CHECKS.get(resource.type)
        if more:
            more(resource, rivals)
    except AwsError as error:
        raise ResourceFailed(resource, f"{error.message} ({error.code})") from error


def _same_scope(one: Resource, other: Resource) -> bool:
    return one.type in GLOBAL or one.region == other.region


def _check_name(resource: Resource, rivals: list[Resource]) -> None:
    if resource.type in WITHOUT_A_NAME:
        return
    name = resource.physical_id
    pattern = NAMES.get(resource.type)
    if pattern and not pattern.fullmatch(name):
        raise AwsError("ValidationError", f"The name {name!r} of {resource.type} must match {pattern.pattern}")
    if any(it.physical_id == name for it in rivals):
        raise AwsError("AlreadyExists", f"Resource of type '{resource.type}' with identifier '{name}' already exists.")


def _role(resource: Resource, _there: list[Resource]) -> None:
    trust = resource.properties.get("AssumeRolePolicyDocument")
    if trust is not None:
        check_trust(trust, resource.arns)
    for own in resource.properties.get("Policies", ()):
        check_policy(own["PolicyDocument"], resource.arns)


def _policy(resource: Resource, _there: list[Resource]) -> None:
    check_policy(resource.properties["PolicyDocument"], resource.arns)


def _baseline(resource: Resource, rivals: list[Resource]) -> None:
    taken = {group for it in rivals for group in it.properties.get("PatchGroups", ())}
    for group in resource.properties.get("PatchGroups", ()):
        if not PATCH_GROUP.fullmatch(group):
            raise AwsError("ValidationException", f"The patch group {group!r} must match {PATCH_GROUP.pattern}")
        if group in taken:
            raise AwsError("AlreadyExistsException", f"The patch group {group} has a baseline of this system already.")


CHECKS: dict[str, Callable[[Resource, list[Resource]], None]] = {
    "AWS::IAM::ManagedPolicy": _policy,
    "AWS::IAM::Role": _role,
    "AWS::IAM::RolePolicy": _policy,
    "AWS::SSM::PatchBaseline": _baseline,
}

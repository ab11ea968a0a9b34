# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account's roles and instance profiles: those of its stacks, and one that was there before for the hosts that have one.

Sources: IAM API reference (GetInstanceProfile, AttachRolePolicy), AWS managed policy reference (AmazonSSMManagedInstanceCore).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lab.aws.cloudformation.stacks import Stacks
from lab.aws.errors import AwsError
from lab.aws.policy import Statement, statements_of
from lab.aws.request import Operation, Request, Result

BEFORE = "managed-node"
"""The instance profile, and the role in it, of every host that is not said to have none."""
CORE = "AmazonSSMManagedInstanceCore"
DEFAULT_HOST_MANAGEMENT = "AmazonSSMManagedEC2InstanceDefaultPolicy"
_AGENT = (
    "ssm:DescribeDocument",
    "ssm:GetDeployablePatchSnapshotForInstance",
    "ssm:GetDocument",
    "ssm:GetManifest",
    "ssm:ListInstanceAssociations",
    "ssm:PutComplianceItems",
    "ssm:PutInventory",
    "ssm:UpdateInstanceAssociationStatus",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:*",
    "ec2messages:*",
)
AWS_POLICIES: dict[str, tuple[str, ...]] = {
    CORE: (*_AGENT, "ssm:GetParameter", "ssm:GetParameters"),
    DEFAULT_HOST_MANAGEMENT: _AGENT,
}
"""The actions of AWS's own policies, on "*"; only those that something here asks for."""


class Roles:
    """By name. ``attach`` is AttachRolePolicy; what a stack attaches is in the stack."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._attached: dict[str, set[str]] = {BEFORE: {stacks.arns.managed_policy(CORE)}}
        self._inline: dict[str, list[Statement]] = {}

    def make(self, name: str, document: dict[str, Any]) -> None:
        """A role of the user's own, with one policy."""
        self._inline[name] = statements_of(document)

    def actions_of(self, policy: str) -> tuple[str, ...] | None:
        """Of a policy of AWS's own in this partition, by its ARN; None where there is none."""
        name = policy.rpartition("/")[2]
        return AWS_POLICIES.get(name) if policy == self._stacks.arns.managed_policy(name) else None

    def exists(self, name: str) -> bool:
        return name == BEFORE or name in self._inline or self._stacks.has_role(name)

    def policies_of(self, name: str) -> set[str]:
        """The ARNs of the managed policies that are attached to it."""
        return self._attached.get(name, set()) | self._stacks.policies_of_role(name)

    def attach(self, name: str, policy: str) -> None:
        self._attached.setdefault(name, set()).add(policy)

    def statements_of(self, name: str) -> list[Statement]:
        """Of all its policies; of AWS's own those parts that are known here."""
        own = [actions for arn in sorted(self.policies_of(name)) if (actions := self.actions_of(arn))]
        documents = [{"Statement": [{"Effect": "Allow", "Action": [*actions], "Resource": "*"}]} for actions in own]
        return [
            *self._stacks.statements_of_role(name),
            *self._inline.get(name, ()),
            *(statement for document in documents for statement in statements_of(document)),
        ]

    def of_profile(self, name: str) -> str | None:
        """The role in an instance profile; None when there is no such profile."""
        for profile in self._stacks.resources("AWS::IAM::InstanceProfile"):
            if profile.physical_id == name:
                return str(profile.properties["Roles"][0])
        return BEFORE if name == BEFORE else None


def _made() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


def get_instance_profile(request: Request) -> Result:
    name = request.params["InstanceProfileName"]
    role = request.account.roles.of_profile(name)
    if role is None:
        raise AwsError("NoSuchEntity", f"Instance Profile {name} cannot be found.")
    described: dict[str, Any] = {"RoleName": role, "RoleId": "AROA" + "LAB" * 5, "Arn": request.arns.role(role)}
    return {
        "InstanceProfile": {
            "InstanceProfileName": name,
            "InstanceProfileId": "AIPA" + "LAB" * 5,
            "Arn": request.arns.profile(name),
            "Path": "/",
            "CreateDate": _made(),
            "Roles": [{**described, "Path": "/", "CreateDate": _made()}],
        }
    }


def attach_role_policy(request: Request) -> Result:
    """Once more is no error."""
    name, policy = request.params["RoleName"], request.params["PolicyArn"]
    if not request.account.roles.exists(name):
        raise AwsError("NoSuchEntity", f"The role with name {name} cannot be found.")
    if request.account.roles.actions_of(policy) is None:
        raise AwsError("NoSuchEntity", f"Policy {policy} does not exist or is not attachable.")
    request.account.roles.attach(name, policy)
    request.account.gate.forget(name)
    return {}


OPERATIONS: dict[str, Operation] = {
    "AttachRolePolicy": attach_role_policy,
    "GetInstanceProfile": get_instance_profile,
}

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
from lab.aws.request import ACCOUNT_ID, Operation, Request, Result

BEFORE = "managed-node"
"""The instance profile, and the role in it, of every host that is not said to have none."""
CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
AWS_POLICIES = {
    CORE: {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Action": [
                *("ssm:DescribeDocument", "ssm:GetDeployablePatchSnapshotForInstance", "ssm:GetDocument"),
                *("ssm:GetManifest", "ssm:ListInstanceAssociations", "ssm:PutComplianceItems", "ssm:PutInventory"),
                *("ssm:UpdateInstanceAssociationStatus", "ssm:UpdateInstanceInformation"),
                *("ssmmessages:*", "ec2messages:*"),
            ],
            "Resource": "*",
        },
    }
}
"""What is in AWS's own policies, those parts that somebody here asks for."""


class Roles:
    """By name. ``attach`` is AttachRolePolicy; what a stack attaches is in the stack."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._attached: dict[str, set[str]] = {BEFORE: {CORE}}

    def exists(self, name: str) -> bool:
        return name == BEFORE or self._stacks.has_role(name)

    def policies_of(self, name: str) -> set[str]:
        """The ARNs of the managed policies that are attached to it."""
        return self._attached.get(name, set()) | self._stacks.policies_of_role(name)

    def attach(self, name: str, policy: str) -> None:
        self._attached.setdefault(name, set()).add(policy)

    def statements_of(self, name: str) -> list[Statement]:
        """Of all its policies; of AWS's own those parts that are known here."""
        own = [AWS_POLICIES[arn] for arn in self.policies_of(name) if arn in AWS_POLICIES]
        return [
            *self._stacks.statements_of_role(name),
            *(statement for document in own for statement in statements_of({"Statement": [document["Statement"]]})),
        ]

    def of_profile(self, name: str) -> str | None:
        """The role in an instance profile; None when there is no such profile."""
        for profile in self._stacks.resources("AWS::IAM::InstanceProfile"):
            if profile.physical_id == name:
                return str(profile.properties["Roles"][0])
        return BEFORE if name == BEFORE else None


def profile_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT_ID}:instance-profile/{name}"


def role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT_ID}:role/{name}"


def _made() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


def get_instance_profile(request: Request) -> Result:
    name = request.params["InstanceProfileName"]
    role = request.account.roles.of_profile(name)
    if role is None:
        raise AwsError("NoSuchEntity", f"Instance Profile {name} cannot be found.")
    described: dict[str, Any] = {"RoleName": role, "RoleId": "AROA" + "LAB" * 5, "Arn": role_arn(role)}
    return {
        "InstanceProfile": {
            "InstanceProfileName": name,
            "InstanceProfileId": "AIPA" + "LAB" * 5,
            "Arn": profile_arn(name),
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
    if policy not in AWS_POLICIES:
        raise AwsError("NoSuchEntity", f"Policy {policy} does not exist or is not attachable.")
    request.account.roles.attach(name, policy)
    request.account.gate.forget(name)
    return {}


OPERATIONS: dict[str, Operation] = {
    "AttachRolePolicy": attach_role_policy,
    "GetInstanceProfile": get_instance_profile,
}

# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes an instance a managed node: an instance profile whose role has the agent's rights, or an account that gives them.

Sources: Systems Manager user guide ("Configure instance permissions required for Systems Manager", "Managing EC2 instances
automatically with Default Host Management Configuration"); IAM API reference (SimulatePrincipalPolicy).
"""

from __future__ import annotations

from dataclasses import dataclass

from .._aws.api import Aws
from .._aws.errors import AwsError
from .._aws.iam import doubts_about, roles_of_instance_profile, simulate_policy
from .._aws.ssm import service_setting

AGENT_RIGHTS = ["ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel"]
"""Without these an agent cannot register and hears of no command."""
CORE_POLICY = "AmazonSSMManagedInstanceCore"
DEFAULT_HOST_MANAGEMENT = "/ssm/managed-instance/default-ec2-instance-management-role"


@dataclass(frozen=True)
class ProfileRole:
    """The role in an instance profile, None for a profile that is empty; ``lacks`` are the agent's rights that it has not."""

    profile: str
    arn: str | None
    missing_items: tuple[str, ...]

    @property
    def name(self) -> str:
        return str(self.arn).rpartition("/")[2]


def profile_name(arn: str) -> str:
    """Of an instance profile's ARN; a path before it is not part of the name."""
    return arn.rpartition("/")[2]


def read_profiles(aws: Aws, profile_arn: str) -> ProfileRole | None:
    """The role in the profile and what it lacks; None where the credentials may not read it, or it is gone."""
    name = profile_name(profile_arn)
    try:
        roles = roles_of_instance_profile(aws, name)
        if not roles:
            return ProfileRole(name, None, tuple(AGENT_RIGHTS))
        arn = roles[0]["Arn"]
        results = list(simulate_policy(aws, arn, AGENT_RIGHTS))
    except AwsError:
        return None
    missing_items = [
        row["EvalActionName"] for row in results if row["EvalDecision"] != "allowed" and not doubts_about(row)
    ]
    return ProfileRole(name, arn, tuple(missing_items))


def default_management_role(aws: Aws) -> str | None:
    """The role of Default Host Management Configuration in this region; None when it is off, or cannot be seen."""
    try:
        value = service_setting(aws, DEFAULT_HOST_MANAGEMENT)
    except AwsError:
        return None
    return value if value and value != "$None" else None

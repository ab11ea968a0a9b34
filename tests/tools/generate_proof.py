# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The prover's policy, and the tables of docs/prove-account.md: rights and beliefs.

A proof in the lab, with a role that has this policy and no other, uses each of these rights (unit/lab/test_account_proof.py).
Source: Service Authorization Reference; what has no resource there is on "*".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.patchfleet.windows.plugins.module_utils._proof.settings import NAME_PREFIX, PROOF_TAG
from ansible_collections.patchfleet.windows.plugins.module_utils._proof.table import BELIEFS
from tools.generated_text import table, with_part

POLICY = "roles/prove_account/files/policy.json"
PREFIX = "PatchFleet"
IS_TAGGED = {"Null": {f"aws:ResourceTag/{PROOF_TAG}": "false"}}
GETS_TAGGED = {"Null": {f"aws:RequestTag/{PROOF_TAG}": "false"}}
INSTANCE, VOLUME = "arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*:*:volume/*"
WINDOW = "arn:aws:ssm:*:*:maintenancewindow/*"
DEFAULT_HOST_MANAGEMENT = "servicesetting/ssm/managed-instance/default-ec2-instance-management-role"


@dataclass(frozen=True)
class Right:
    """One statement: its Sid, its actions, on what, under which condition, and why it is needed."""

    sid: str
    actions: Sequence[str]
    resources: Sequence[str]
    why: str
    condition: dict[str, dict[str, str]] | None = None

    def statement(self) -> dict[str, Any]:
        found: dict[str, Any] = {"Sid": self.sid, "Effect": "Allow", "Action": list(self.actions)}
        found["Resource"] = list(self.resources) if list(self.resources) != ["*"] else "*"
        return {**found, "Condition": self.condition} if self.condition else found


RIGHTS = (
    Right(
        "Read",
        [
            "ec2:DescribeImages",
            "ec2:DescribeInstances",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSubnets",
            "ec2:DescribeVolumes",
            "ec2:DescribeVolumesModifications",
            "ec2:DescribeVpcEndpoints",
            "pricing:GetProducts",
            "scheduler:ListSchedules",
            "ssm:DescribeInstanceInformation",
            "ssm:DescribeMaintenanceWindows",
            "ssm:GetCommandInvocation",
            "ssm:ListCommandInvocations",
            "ssm:ListComplianceItems",
        ],
        ["*"],
        "what the account has, what the instance answers, and what it costs",
    ),
    Right(
        "ReadOne",
        ["ssm:DescribeInstanceAssociationsStatus", "ssm:DescribeInstancePatches", "ssm:DescribeInstancePatchStates"],
        [INSTANCE, "arn:aws:ssm:*:*:managed-instance/*"],
        "what Patch Manager shows of the instance",
    ),
    Right(
        "ReadWindows",
        ["ssm:DescribeMaintenanceWindowExecutions", "ssm:ListTagsForResource"],
        [WINDOW],
        "whether a window without tasks has an execution",
    ),
    Right(
        "ReadDocument",
        ["ssm:DescribeDocument"],
        ["arn:aws:ssm:*::document/AWS-RunPatchBaseline"],
        "the parameters of the document",
    ),
    Right(
        "ReadImage",
        ["ssm:GetParameter"],
        ["arn:aws:ssm:*::parameter/aws/service/ami-windows-latest/*"],
        "AWS's newest image",
    ),
    Right(
        "ReadQuota", ["servicequotas:GetServiceQuota"], ["arn:aws:servicequotas:*:*:ec2/L-1216C47A"], "the vCPU quota"
    ),
    Right(
        "ReadDefaultHostManagement",
        ["ssm:GetServiceSetting"],
        [f"arn:aws:ssm:*:*:{DEFAULT_HOST_MANAGEMENT}"],
        "whether an instance without a profile becomes a managed node",
    ),
    Right(
        "ReadRights",
        ["iam:GetInstanceProfile", "iam:SimulatePrincipalPolicy"],
        ["arn:aws:iam::*:instance-profile/*", "arn:aws:iam::*:role/*"],
        "what the roles of the stack may do",
    ),
    Right("LaunchIt", ["ec2:RunInstances"], [INSTANCE, VOLUME], "one instance with the tag of the proof", GETS_TAGGED),
    Right(
        "LaunchInto",
        ["ec2:RunInstances"],
        [
            "arn:aws:ec2:*::image/*",
            "arn:aws:ec2:*:*:network-interface/*",
            "arn:aws:ec2:*:*:security-group/*",
            "arn:aws:ec2:*:*:subnet/*",
        ],
        "its image and its network",
    ),
    Right(
        "TagItAsItIsMade",
        ["ec2:CreateTags"],
        [INSTANCE, VOLUME],
        "tags at the launch, and at no other time",
        {"StringEquals": {"ec2:CreateAction": "RunInstances"}},
    ),
    Right(
        "GiveItsRole",
        ["iam:PassRole"],
        [f"arn:aws:iam::*:role/{PREFIX}-host-*"],
        "the role of its instance profile",
        {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    ),
    Right(
        "ChangeIt",
        ["ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances"],
        [INSTANCE],
        "only instances with the tag of a proof",
        IS_TAGGED,
    ),
    Right("GrowIt", ["ec2:ModifyVolume"], [VOLUME], "only volumes with the tag of a proof", IS_TAGGED),
    Right(
        "SendThese",
        ["ssm:SendCommand"],
        ["arn:aws:ssm:*::document/AWS-RunPatchBaseline", "arn:aws:ssm:*::document/AWS-RunPowerShellScript"],
        "scans, one installation, scripts",
    ),
    Right(
        "SendToIt",
        ["ssm:SendCommand"],
        [INSTANCE],
        "only to instances with the tag of a proof",
        {"Null": {f"ssm:resourceTag/{PROOF_TAG}": "false"}},
    ),
    Right("OpenAWindow", ["ssm:CreateMaintenanceWindow"], ["*"], "one window with the tag of the proof", GETS_TAGGED),
    Right("TagTheWindow", ["ssm:AddTagsToResource"], [WINDOW], "its tags", GETS_TAGGED),
    Right(
        "DeleteTheWindow", ["ssm:DeleteMaintenanceWindow"], [WINDOW], "only windows with the tag of a proof", IS_TAGGED
    ),
    Right(
        "SetTheWatchdog",
        ["scheduler:CreateSchedule", "scheduler:DeleteSchedule"],
        [f"arn:aws:scheduler:*:*:schedule/{PREFIX}/{NAME_PREFIX}*"],
        "only schedules of proofs, in the group of the stack",
    ),
    Right(
        "GiveSchedulesTheirRole",
        ["iam:PassRole"],
        [f"arn:aws:iam::*:role/{PREFIX}-scheduler-*"],
        "the role of the watchdog's schedules",
        {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
    ),
    Right(
        "TakeTheControllersRole",
        ["sts:AssumeRole"],
        [f"arn:aws:iam::*:role/{PREFIX}-controller-*"],
        "real calls with the controller's rights",
    ),
)


def policy() -> dict[str, Any]:
    """The prover's policy."""
    return {"Version": "2012-10-17", "Statement": [right.statement() for right in RIGHTS]}


def proof_files(root: Path) -> Iterator[tuple[Path, str]]:
    """The policy as a file, and docs/prove-account.md with both tables."""
    yield root / POLICY, json.dumps(policy(), indent=2) + "\n"
    path = root / "docs/prove-account.md"
    text = with_part(path.read_text(encoding="utf-8"), "beliefs", _beliefs())
    yield path, with_part(text, "rights", _rights())


def _beliefs() -> str:
    rows = [[f"`{it.id}`", it.sentence, it.asked, it.expected] for it in BELIEFS]
    return table(("belief", "what is believed", "how it is asked", "what the emulated account answers"), rows)


def _rights() -> str:
    rows = [[f"`{it.sid}`", ", ".join(f"`{action}`" for action in it.actions), it.why] for it in RIGHTS]
    return table(("statement", "actions", "for"), rows)

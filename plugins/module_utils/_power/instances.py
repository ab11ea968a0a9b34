# Copyright (c) 2026, Patch Fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What EC2 says of an instance. Source: EC2 API reference, DescribeInstances."""

from __future__ import annotations

from typing import Any

from .._aws.api import Aws
from .._aws.errors import GONE, AwsError
from .._ledger.records import SKEW_SECONDS

UNSEEN_LAUNCH_SECONDS = 600.0
"""A crash may come between a start and its LaunchTime: then one within so long after the request is ours."""


def describe_instance(aws: Aws, instance_id: str) -> dict[str, Any] | None:
    """One instance as DescribeInstances gives it; None when EC2 does not know it (any more)."""
    try:
        answer = aws.call("ec2", "describe_instances", instance_id, InstanceIds=[instance_id])
    except AwsError as error:
        if error.aws_code in GONE:
            return None
        raise
    return next((i for r in answer["Reservations"] for i in r["Instances"]), None)


def launch_window(requested_at: float) -> tuple[float, float]:
    """Between which LaunchTimes a start is taken for the one that was asked for then, by whichever clock."""
    return requested_at - SKEW_SECONDS, requested_at + UNSEEN_LAUNCH_SECONDS + SKEW_SECONDS


def tags_of(resource: dict[str, Any]) -> dict[str, str]:
    """The tags of an EC2 resource as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}


def state_reason(instance: dict[str, Any]) -> str:
    """Why an instance is in its state, in AWS's words; a key that cannot be used is named as that."""
    reason = instance.get("StateReason") or {}
    code, message = reason.get("Code", ""), reason.get("Message", "")
    text = message if code in message else f"{code}: {message}".strip(": ")
    if code == "Client.InternalError":
        text += (
            " (most likely the KMS key of an encrypted volume may not be used by these credentials: kms:CreateGrant)"
        )
    return text or "EC2 gives no reason"
